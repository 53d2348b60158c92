/*
 * pipeline: the pure core of a poller: which records form a batch, which batch
 * may run now, and what an outcome means for each record. It does no I/O, takes
 * no lock and reads no clock: everything is a function of (state, event, now).
 *
 *     records in -> window (which form a batch) -> order (who may run now)
 *     -> [handler] -> outcome in -> retry (when again) -> settle (verdicts out)
 *
 * Each of these is a room of its own beside this file; the pipeline only leads
 * records from one to the next.
 *
 * A queue (PIPELINE_QUEUE) runs up to `concurrency` batches at once, in any
 * order, and settles each record by itself. A shard (PIPELINE_SHARD) runs one
 * batch at a time, offers failed records again after a full-jitter backoff, and
 * has a checkpoint: the last record of the contiguous handled prefix.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_PIPELINE_H
#define POLLARD_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller/batch.h"
#include "poller/settle.h"

struct outcome;
struct pipeline;
struct record;

enum pipeline_kind { PIPELINE_QUEUE, PIPELINE_SHARD };

struct pipeline_options {
    enum pipeline_kind kind;
    size_t batch_size;
    int64_t window_ms;
    size_t payload_limit; // bytes of a batch's event; lambda-esm.md section 7
    size_t concurrency;   // batches at once; a shard has 1
    bool by_group;        // a FIFO queue: of a record's group (its key) one
                          // batch at a time
    int64_t backoff_base_ms, backoff_maximum_ms;
    bool delay_failed;     // queue: failed records get a backoff as visibility
    int64_t batch_time_ms; // what a queue's record needs of its visibility to
                           // start: the handler's timeout; with less left it
                           // is returned
    uint64_t seed;
};

struct pipeline *pipeline_create(const struct pipeline_options *options);
/* Requires that no batch is out; records still inside must have been taken back
 * with pipeline_stop and next_settlement. NULL is fine. */
void pipeline_destroy(struct pipeline *pipeline);

/* A queue's from now on: handler instances come and go. 1 or more. */
void pipeline_set_concurrency(struct pipeline *pipeline, size_t concurrency);

/* How many further records may be asked for: what could run at once, or, on a
 * shard, be read ahead of the batch that runs. Bounded in bytes by what records
 * of late were worth. */
size_t pipeline_room(const struct pipeline *pipeline);

/* A record arrived. */
void pipeline_add(struct pipeline *pipeline, struct record *record,
                  int64_t now_ms);

/* The next batch that may start now, or NULL. It is running from here on. */
struct batch *pipeline_next_batch(struct pipeline *pipeline, int64_t now_ms);

/* A running batch's outcome; the batch belongs to the pipeline again. Emitted
 * records have been accepted by then. The outcome stays the caller's. */
void pipeline_finish(struct pipeline *pipeline, struct batch *batch,
                     const struct outcome *outcome, int64_t now_ms);

/* The next verdict to carry out. False: none now. */
bool pipeline_next_settlement(struct pipeline *pipeline,
                              struct settlement *settlement);

/* Shards: the record up to which all is handled, when it moved since the last
 * call. Its memory lives until its settlement is taken, so ask first. NULL. */
const struct record *pipeline_checkpoint(struct pipeline *pipeline);

/* When something may change by time alone: a window closes, a backoff ends. */
int64_t pipeline_deadline_ms(const struct pipeline *pipeline);

/* Start nothing more: what has not started becomes SOURCE_RETURN settlements.
 */
void pipeline_stop(struct pipeline *pipeline);

size_t pipeline_running(const struct pipeline *pipeline);
/* No record inside, none running, no settlement waiting. */
bool pipeline_is_idle(const struct pipeline *pipeline);

#endif
