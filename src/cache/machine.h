/* machine.h: the processor, as far as code that was made for it depends on it. */
#ifndef CACHE_MACHINE_H
#define CACHE_MACHINE_H

#include "base/buf.h"

#define MACHINE_NAME_MAX 40

/* Its name, "GenuineIntel 6-143-8": maker, family, model, stepping; and, appended, every word in
 * which it, and the system with it, say what they can do. Two machines with equal name and equal
 * words run each other's code. Costs 20 us a question inside a virtual machine: ask once. */
void machine_describe(char name[MACHINE_NAME_MAX], buf *features);

#endif
