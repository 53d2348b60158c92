/*
 * retry: when to try again. Full jitter over a ceiling that doubles with each
 * failure in a row: a random time in [0, min(maximum, base * 2^failures)].
 *
 * A shard's failed batch waits for it before its next attempt. A queue waits
 * for it when a batch could not even start (no handler instance), because what
 * it received in the meantime would only be given back.
 *
 * Threads: the poller's. Pure: time and seed are arguments.
 */
#ifndef POLLARD_RETRY_H
#define POLLARD_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

struct retry {
    int64_t base_ms, maximum_ms;
    struct random random;
    unsigned failures; // in a row
    int64_t due_ms;    // nothing starts before
};

void retry_init(struct retry *retry, int64_t base_ms, int64_t maximum_ms,
                uint64_t seed);

/* One more failure. Those that come while a backoff runs already are of the
 * same trouble and add nothing. */
void retry_failed(struct retry *retry, int64_t now_ms);

/* It went well, or got on: the next failure is the first again. */
void retry_got_on(struct retry *retry);

bool retry_is_due(const struct retry *retry, int64_t now_ms);

/* A backoff of its own for something that was tried so often before. */
int64_t retry_delay_ms(struct retry *retry, unsigned attempts);

#endif
