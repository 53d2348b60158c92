/*
 * flow: how a pipeline leads records from one of its steps to the next, in one
 * of two ways: a queue's (queue_flow) or a shard's (shard_flow). This is what
 * both are to the pipeline, and what the pipeline gives them: the options, the
 * time, and where verdicts and discards come out.
 *
 * Threads: the poller's. Pure.
 */
#ifndef POLLARD_FLOW_H
#define POLLARD_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller/pipeline.h"
#include "poller/settle.h"

struct flow;
struct response_verdict;

struct flow_ops {
    void (*destroy)(struct flow *flow);

    /* How many further records may be asked for. */
    size_t (*room)(const struct flow *flow);

    /* A record arrived; it is wanted, or no filter matches it. */
    void (*add)(struct flow *flow, struct record *record);
    void (*add_filtered)(struct flow *flow, struct record *record);

    /* Time passed: let go of what waited too long. */
    void (*tick)(struct flow *flow);

    /* The next batch that may start now, or NULL. */
    struct batch *(*next_batch)(struct flow *flow);

    /* A running batch came back with this verdict. */
    void (*finish)(struct flow *flow, struct batch *batch,
                   const struct response_verdict *verdict);

    /* A discard is over: its records are done, or stay unhandled. The pipeline
     * frees the discard, the flow its batch. */
    void (*discarded)(struct flow *flow, struct discard *discard, bool is_done);

    /* A shard's; NULL: a queue. */
    bool (*checkpoint)(struct flow *flow,
                       struct pipeline_checkpoint *checkpoint);
    void (*end_of_shard)(struct flow *flow);

    /* A queue's; NULL: a shard. */
    void (*set_concurrency)(struct flow *flow, size_t concurrency);

    /* When something may change by time alone, while no batch may start before
     * opens_ms. */
    int64_t (*deadline_ms)(const struct flow *flow, int64_t opens_ms);

    /* Give back what has not started. flow->stopped is set. */
    void (*stop)(struct flow *flow);

    /* Batches that run; whether no record is inside, running ones included. */
    size_t (*running)(const struct flow *flow);
    bool (*is_empty)(const struct flow *flow);
};

/* First member of both. */
struct flow {
    const struct flow_ops *ops;

    // The pipeline's to set.
    struct pipeline_options options;
    int64_t now_ms;        // of the last event
    int64_t wall_ahead_ms; // the wall clock is now_ms and this
    bool stopped;
    size_t typical_bytes; // of a record, of late

    // What comes out.
    struct settle settle;
    struct discard *discards, **last_discard; // owned; not yet taken
    size_t discards_out;                      // taken, and not over
    size_t given_up, given_up_bytes;          // records in all of these
    struct pipeline_counts counts;
};

/* Of what may be inside, the part that is not there yet, as records. */
size_t flow_room_within(const struct flow *flow, size_t inside,
                        size_t inside_bytes, size_t records, size_t bytes);

/* All of a list comes out with a verdict. */
void flow_settle_list(struct flow *flow, struct record_list *list,
                      enum source_verdict verdict);

/* All of a batch; it is freed. */
void flow_settle_batch(struct flow *flow, struct batch *batch,
                       enum source_verdict verdict);

/* A batch is given up; it is the discard's from here on. */
void flow_discard(struct flow *flow, struct batch *batch,
                  enum discard_condition condition, bool is_unhandled);

#endif
