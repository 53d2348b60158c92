/*
 * random: seeded chance, so that a test can run it again (splitmix64). Not for
 * secrets. Threads: each owner has its own.
 */
#ifndef POLLARD_RANDOM_H
#define POLLARD_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state;
};

/* A seed from the system, for production. */
uint64_t random_seed(void);

uint64_t random_next(struct random *random);

/* Uniform in [0, bound); 0 when bound is 0. */
uint64_t random_below(struct random *random, uint64_t bound);

/* Full jitter: uniform in [0, min(maximum, base * 2^attempt)]. attempt from 0.
 * wire.md section 8.1. */
int64_t random_full_jitter_ms(struct random *random, int64_t base_ms,
                              int64_t maximum_ms, unsigned attempt);

#endif
