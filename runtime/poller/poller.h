/*
 * poller: one queue or shard, one thread, one event loop (the aws_client's
 * wait): receive, batch, dispatch, settle, checkpoint.
 *
 * Threads: the creator (supervisor or stream keeper) creates, starts, stops,
 * joins and destroys. The poller's own thread does everything else. Handler
 * outcomes and the stop arrive in its mailbox.
 */
#ifndef POLLARD_POLLER_H
#define POLLARD_POLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "poller/counts.h"
#include "source/source.h"
#include "source/stream.h"

struct aws_session;
struct clock;
struct handler;
struct log;
struct poller;
struct trigger_config;

/* How far a shard is handled. The texts live until the call returns. */
struct poller_checkpoint {
    struct bytes sequence; // as record/sequence.h writes it; empty: as before
    bool sets_window;      // else the open window is as before
    struct bytes window;   // a tumbling window that goes on, to be kept with
                           // it; empty: none is open
};

/* Told on the poller's thread; must not block. */
struct poller_events {
    /* It moved, or its window changed. NULL for queues. */
    void (*checkpoint)(void *context, struct poller *poller,
                       const struct poller_checkpoint *checkpoint);
    /* The thread is about to end: drained, shard ended, or failed. */
    void (*ended)(void *context, struct poller *poller);
    void *context;
};

struct poller_options {
    const struct trigger_config *trigger; // borrowed; must outlive the poller
    struct aws_session *session;          // borrowed
    struct handler *handler;              // borrowed
    const struct clock *clock;
    const struct log *log; // copied, with the poller's own fields added
    struct poller_events events;

    // A shard's poller.
    const char *shard;         // copied; NULL: a queue
    const char *stream;        // borrowed; identity of a shard's stream
    struct stream_start start; // copied
    const char *consumer_arn;  // copied; of enhanced fan-out; NULL: none
    const char *window; // copied; of the last poller_checkpoint with one; NULL:
                        // none is open
    const volatile int64_t *acts_until_ms; // borrowed, atomic: no batch starts
                                           // past it (lease guard); NULL: none
    uint64_t seed;

    struct source *source; // owned from here on; NULL: what the trigger names
};

enum poller_end {
    POLLER_RUNNING,
    POLLER_STOPPED,
    POLLER_SHARD_ENDED,
    POLLER_FAILED
};

struct poller_stats { // published; any thread may read
    uint64_t records_received, records_done, records_failed, records_returned,
        records_left_hidden, batches_started, batches_failed;
    uint64_t records_deleted;       // a queue's, by the queue's own word
    uint64_t visibility_extensions; // messages, each time
    uint64_t records_inside;        // received and not settled, as of now
    uint64_t trimmed; // times that a stream let go of what was not read
    struct pipeline_counts counts; // what the core counted
    int64_t progressed_ms;         // monotonic: the loop last went round
    int64_t first_poll_ms;         // monotonic: first call sent; 0 before
    bool waits_for_source;         // the queue or stream does not exist (yet)
};

/* Add the counters of one run to a sum; first_poll_ms: the first known. */
void poller_stats_add(struct poller_stats *sum,
                      const struct poller_stats *stats);

/* The same for a run that is over: only what was counted is added. */
void poller_stats_add_ended(struct poller_stats *sum,
                            const struct poller_stats *stats);

struct poller *poller_create(const struct poller_options *options);
bool poller_start(struct poller *poller, struct error *err);

/* Finish what runs, give back what does not, then end. Returns at once;
 * idempotent. */
void poller_stop(struct poller *poller);

/* Cut everything off and end at once, user code aside: what is in flight and
 * not settled stays hidden, and is counted. */
void poller_force(struct poller *poller);

/* Any thread. POLLER_RUNNING until `ended` was told. */
enum poller_end poller_ended(const struct poller *poller, struct error *err);
void poller_read_stats(const struct poller *poller, struct poller_stats *stats);

/* Wait for the thread. Safe when it never started. */
void poller_join(struct poller *poller);

/* Requires a joined poller. After poller_force user code may still run a batch:
 * it reads the records and will post its outcome, so then nothing is freed, and
 * the process is to exit. NULL is fine. */
void poller_destroy(struct poller *poller);

#endif
