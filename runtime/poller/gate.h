/*
 * gate: may records go to the handler now, by the trigger's rate limit and its
 * circuit breaker. One of each for a poller: a queue's trigger has one poller;
 * a stream's has one a shard, so there both keys hold for each shard by itself,
 * as no shard waits for another.
 *
 * A queue asks for no record that could not go (pipeline.h), so its records
 * pass when they arrive; while the breaker is open they do not wait either, but
 * go back. A shard's records wait without harm, and pass with their batch.
 *
 * Threads: the poller's. Pure.
 */
#ifndef POLLARD_GATE_H
#define POLLARD_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller/breaker.h"
#include "poller/rate.h"

struct batch;
struct pipeline_options;
struct response_verdict;

struct gate {
    bool is_queue;
    size_t batch_size;
    struct rate rate;
    struct breaker breaker;
};

void gate_init(struct gate *gate, const struct pipeline_options *options);

/* A queue's: of so much room, how much may be asked for now. */
size_t gate_room(const struct gate *gate, size_t room, int64_t now_ms);

/* A queue's: when there will be more room by time alone. CLOCK_NEVER: there is
 * now, or not by time. */
int64_t gate_room_ms(const struct gate *gate, int64_t now_ms);

/* A queue's: a record arrived. False: it cannot start in time. */
bool gate_admit(struct gate *gate, int64_t now_ms);

/* May a batch start? */
bool gate_is_open(const struct gate *gate, int64_t now_ms);

/* When, at the earliest, one may. CLOCK_NEVER: not by time alone. */
int64_t gate_opens_ms(const struct gate *gate);

/* A batch started. True: nothing else may until it is over. */
bool gate_started(struct gate *gate, const struct batch *batch, int64_t now_ms);

/* A batch is over. True: nothing may start for a while from here on. */
bool gate_finished(struct gate *gate, const struct batch *batch,
                   const struct response_verdict *verdict, int64_t now_ms);

#endif
