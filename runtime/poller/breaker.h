/*
 * breaker: pause while the handler fails all the time (`circuit_breaker`).
 * After so many failed batches in a row it opens: nothing starts for the pause,
 * then exactly one batch is tried. A success closes it, whichever batch's it
 * is; the tried one's failure opens it for another pause.
 *
 * A batch fails when all of its records do: an error, a timeout, a crash, a
 * response that breaks the rules. One that reports single records got through,
 * and one that never ran says nothing about the handler's code.
 *
 * Threads: the poller's. Pure: time is an argument.
 */
#ifndef POLLARD_BREAKER_H
#define POLLARD_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

struct batch;

struct breaker {
    int64_t limit; // failed batches in a row; 0: it never opens
    int64_t pause_ms;
    int64_t failures; // in a row
    bool is_open;
    int64_t due_ms;            // of an open one: when to try
    const struct batch *tried; // borrowed; runs as the one try; NULL: none
};

enum breaker_result { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_NOTHING };

void breaker_init(struct breaker *breaker, int64_t limit, int64_t pause_ms);

/* May a batch start? */
bool breaker_allows(const struct breaker *breaker, int64_t now_ms);

/* It is open, and the batch that may start will be the one try. */
bool breaker_is_trying(const struct breaker *breaker, int64_t now_ms);

/* When, at the earliest, it allows one. CLOCK_NEVER: not by time alone. */
int64_t breaker_due_ms(const struct breaker *breaker);

void breaker_started(struct breaker *breaker, const struct batch *batch);

/* True when this opened it, or opened it again. */
bool breaker_finished(struct breaker *breaker, const struct batch *batch,
                      enum breaker_result result, int64_t now_ms);

#endif
