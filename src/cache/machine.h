/* machine.h: the processor, as far as code that was made for it depends on it. */
#ifndef CACHE_MACHINE_H
#define CACHE_MACHINE_H

#include "base/buf.h"

#define MACHINE_NAME_MAX 40

/* "GenuineIntel 6-143-8": maker, family, model, stepping. */
void machine_name(char name[MACHINE_NAME_MAX]);
/* Append every word in which the processor, and the system with it, say what they can do. Two
 * machines with equal name and equal words run each other's code. */
void machine_features(buf *to);

#endif
