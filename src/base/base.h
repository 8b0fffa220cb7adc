/* base.h: small things every room uses. Knows nothing of tensors. */
#ifndef BASE_H
#define BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_UP(n, to) (((n) + ((to) - 1)) / (to) * (to))
/* In a loop of a few turns: gcc does not make a call of memmove of it, which takes longer. */
#define FEW_TURNS __asm__ volatile("")

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define CACHE_LINE 64

/* The record that holds `member` at p. */
#define CONTAINER(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

#endif
