/*
 * pipeline: the pure core of a poller: which records form a batch, which batch
 * may run now, and what an outcome means for each record. It does no I/O, takes
 * no lock and reads no clock: everything is a function of (state, event, now).
 *
 *     records in -> filter -> window (which form a batch) -> order (who may run
 *     now) -> rate, breaker -> [handler] -> response -> retry (when again)
 *     -> settle (verdicts and discards out)
 *
 * Each of these is a file of its own beside this one. What queues and shards
 * have in common is here; queue_flow and shard_flow lead records from one to
 * the next, each in its way:
 *
 * A queue (PIPELINE_QUEUE) runs up to `concurrency` batches at once, in any
 * order (of a FIFO group one), and settles each record by itself.
 *
 * A shard (PIPELINE_SHARD) has `lanes`, each of which runs one batch at a time;
 * a record's key chooses its lane. A lane offers failed records again after a
 * full-jitter backoff, splits (`bisect`), and gives up by attempts or age: what
 * is given up is a discard, which the caller reports before it is settled. The
 * checkpoint is the last record of the prefix that is handled contiguously over
 * all lanes.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_PIPELINE_H
#define POLLARD_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "poller/batch.h"
#include "poller/counts.h"
#include "poller/settle.h"
#include "poller/trigger_config.h"

struct filter;
struct outcome;
struct response_verdict;
struct pipeline;
struct record;
struct record_origin;

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

    struct filter *filter; // borrowed; NULL: all records match
    bool reads_response;   // ReportBatchItemFailures
    enum trigger_fifo_failure fifo_failure;
    int64_t records_per_second; // 0: any
    int64_t breaker_failures;   // 0: none
    int64_t breaker_pause_ms;
    bool gives_way;          // a queue: fewer batches at once while all fail
    enum pipeline_filtered { // a queue's records that do not match
        PIPELINE_FILTERED_DELETE,
        PIPELINE_FILTERED_LEAVE,
        PIPELINE_FILTERED_MOVE, // a discard, then deleted
    } filtered;

    // Shards.
    size_t lanes;   // parallelization_factor
    bool is_pushed; // enhanced fan-out: what comes next is at hand already, so
                    // little is read ahead
    bool bisects;
    int64_t maximum_attempts;           // retries; -1: any
    int64_t maximum_age_ms;             // -1: any
    int64_t tumbling_ms;                // 0: none
    const struct record_origin *origin; // borrowed; of the records. NULL: they
                                        // will say
    const char *window; // text that pipeline_checkpoint once gave out:
                        // the window to go on with; NULL: none.
                        // Read by pipeline_create only
};

/* Records that are given up: reported before they are settled. */
struct discard {
    enum discard_condition {
        DISCARD_ATTEMPTS, // RetryAttemptsExhausted
        DISCARD_AGE,      // RecordAgeExceeded
        DISCARD_FILTERED, // a queue's; PIPELINE_FILTERED_MOVE
    } condition;
    struct batch *batch;     // owned
    unsigned invoke_count;   // first try and retries; 1 for what expired unrun
    bool is_unhandled;       // the last attempt failed as a whole
    int64_t discarded_at_ms; // wall clock
    void *context;           // the caller's
    struct discard *next;    // the pipeline's
};

/* How far a shard is handled. Its texts live until the next call of pipeline_*.
 */
struct pipeline_checkpoint {
    struct bytes sequence; // as record/sequence.h writes it; empty: as before
    bool sets_window;      // else the open window is as before
    struct bytes window;   // a tumbling window that goes on, as text to be kept
                           // with it; empty: none is open
};

struct pipeline *pipeline_create(const struct pipeline_options *options);
/* Requires that no batch is out; records still inside must have been taken back
 * with pipeline_stop and next_settlement. NULL is fine. */
void pipeline_destroy(struct pipeline *pipeline);

/* How far the wall clock is ahead of the monotonic one: records' ages go by it.
 * To be told before the first record, and again at times, because it may jump.
 */
void pipeline_set_wall(struct pipeline *pipeline, int64_t wall_ahead_ms);

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
 * records have been accepted by then. The outcome stays the caller's; what it
 * says, the response included, is read here (poller/response.h), and `verdict`
 * tells what it came to, for the log; the caller finishes it. */
void pipeline_finish(struct pipeline *pipeline, struct batch *batch,
                     const struct outcome *outcome, int64_t now_ms,
                     struct response_verdict *verdict);

/* The next verdict to carry out. False: none now. */
bool pipeline_next_settlement(struct pipeline *pipeline,
                              struct settlement *settlement);

/* The next records to be given up; NULL: none. They are out, like a batch that
 * runs, until pipeline_discarded. */
struct discard *pipeline_next_discard(struct pipeline *pipeline);

/* The destination accepted the report, or there is none: is_reported false. The
 * pipeline frees the discard and settles its records. */
void pipeline_discarded(struct pipeline *pipeline, struct discard *discard,
                        bool is_reported, int64_t now_ms);

/* It could not be reported and never will (a forced stop, a lost lease): its
 * records stay unhandled. */
void pipeline_discard_failed(struct pipeline *pipeline,
                             struct discard *discard);

/* Shards: how far all is handled, and the open window. False: nothing moved
 * since the last call. Ask before the settlements. */
bool pipeline_checkpoint(struct pipeline *pipeline,
                         struct pipeline_checkpoint *checkpoint);

/* Shards: no further record will come, ever; an open window closes. */
void pipeline_end_of_shard(struct pipeline *pipeline, int64_t now_ms);

void pipeline_counts(const struct pipeline *pipeline,
                     struct pipeline_counts *counts);

/* When something may change by time alone: a window closes, a backoff ends.
 * Now, when a discard waits to be taken. */
int64_t pipeline_deadline_ms(const struct pipeline *pipeline);

/* Start nothing more: what has not started becomes SOURCE_RETURN settlements,
 * and discards that nobody took stay unhandled. A batch that still runs may yet
 * become a discard. */
void pipeline_stop(struct pipeline *pipeline);

size_t pipeline_running(const struct pipeline *pipeline);
/* No record inside, none running, no settlement waiting. */
bool pipeline_is_idle(const struct pipeline *pipeline);

#endif
