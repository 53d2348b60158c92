/*
 * source: where records come from: an SQS queue or one Kinesis shard (later a
 * DynamoDB shard), behind one table. A source lives in its poller's loop: it
 * sends calls through the poller's aws_client, the poller routes the replies
 * back (reply.owner == source), and records are taken out with source_next.
 * Nothing blocks.
 *
 * Backpressure is the poller's: source_poll gets the number of records that
 * could be run now, and the source never has more than that received and in
 * flight, so that no message's visibility clock ticks in a buffer.
 *
 * Threads: all of it is the poller thread's, once opened.
 */
#ifndef POLLARD_SOURCE_H
#define POLLARD_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/record.h"

struct aws_client;
struct aws_reply;
struct clock;
struct error;
struct log;
struct source;

enum source_verdict {
    SOURCE_DONE,   // handled: delete it; a stream forgets it
    SOURCE_AGAIN,  // failed: leave it to its visibility timeout, or, when
                   // delay_ms >= 0, change its visibility to delay_ms
    SOURCE_RETURN, // never started: back at once (visibility 0)
};

struct source_counts { // since open, for the log and the metrics
    uint64_t received, deleted, returned, left_hidden;
    uint64_t extended; // heartbeats of a message that were agreed to
    uint64_t trimmed;  // times that a stream let go of what was not read
    bool waits;        // for a queue or stream that does not exist (yet)
};

struct source_ops {
    const char *name; // "sqs", "kinesis"

    /* Move on: launch receives for at most `room` further records, send what
     * is due to be settled. Called after every event of the loop. */
    void (*poll)(struct source *source, size_t room, int64_t now_ms);

    /* A call of this source finished. */
    void (*reply)(struct source *source, struct aws_reply *reply,
                  int64_t now_ms);

    /* What its records say of where they come from, for calls without records.
     * NULL where there are none; the answer is NULL while it is not known. */
    const struct record_origin *(*origin)(const struct source *source);

    /* The next record that arrived, in the source's order, or NULL. The caller
     * gives it back with settle. */
    struct record *(*next)(struct source *source);

    /* The verdict on one record; the source owns it again. */
    void (*settle)(struct source *source, struct record *record,
                   enum source_verdict verdict, int64_t delay_ms,
                   int64_t now_ms);

    /* Keep these records hidden while they run (visibility heartbeat); NULL
     * where it has no meaning. */
    void (*extend)(struct source *source, struct record *const *records,
                   size_t count, int64_t now_ms);

    /* When poll wants to be called next, whatever happens. */
    int64_t (*deadline_ms)(const struct source *source);

    /* Send no new receive. What is parked is waited out (house rule 7). */
    void (*stop)(struct source *source);

    /* Nothing received is unsettled or unsent: after stop, time to close. */
    bool (*is_idle)(const struct source *source);

    /* The shard ended and its last record was handed out; queues: false. */
    bool (*is_ended)(const struct source *source);

    /* Fatal: set once the source cannot go on (access denied, stream gone); the
     * poller ends and is restarted with backoff. NULL: fine. */
    const struct error *(*failure)(const struct source *source);

    void (*counts)(const struct source *source, struct source_counts *counts);

    /* Requires that no record is out. NULL is fine. */
    void (*close)(struct source *source);
};

struct source { // first member of every implementation
    const struct source_ops *ops;
};

/* Thin wrappers; callers use these. */
void source_poll(struct source *source, size_t room, int64_t now_ms);
void source_reply(struct source *source, struct aws_reply *reply,
                  int64_t now_ms);
const struct record_origin *source_origin(const struct source *source);
struct record *source_next(struct source *source);
void source_settle(struct source *source, struct record *record,
                   enum source_verdict verdict, int64_t delay_ms,
                   int64_t now_ms);
void source_extend(struct source *source, struct record *const *records,
                   size_t count, int64_t now_ms);
int64_t source_deadline_ms(const struct source *source);
void source_stop(struct source *source);
bool source_is_idle(const struct source *source);
bool source_is_ended(const struct source *source);
const struct error *source_failure(const struct source *source);
void source_counts(const struct source *source, struct source_counts *counts);
void source_close(struct source *source);

#endif
