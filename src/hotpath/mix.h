/* mix.h: the 64-bit mixing behind tokens and signatures. Proposals only: what decides is compared
 * exactly, so speed and spread count here, not resistance against an adversary. */
#ifndef HOTPATH_MIX_H
#define HOTPATH_MIX_H

#include <stdint.h>

/* The two halves of a 128-bit product folded: every bit of both arguments reaches every bit. The
 * constants are the fractional bits of the golden ratio and of the square root of 2. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
	const unsigned __int128 p = (unsigned __int128)(a ^ UINT64_C(0x9e3779b97f4a7c15)) *
		(b ^ UINT64_C(0x6a09e667f3bcc909));

	return (uint64_t)p ^ (uint64_t)(p >> 64) ^ a;
}

#endif
