/*
 * destination: where emitted records go before their batch is settled. It lives
 * in the poller's loop, like a source: it sends calls through the poller's
 * aws_client (batches of 10 for SQS, 500 for Kinesis, one by one elsewhere) or
 * writes files, retries what failed entry by entry with backoff, and says when
 * a whole delivery was accepted.
 *
 * What can never be accepted (too large, no text for SQS) is held, and an error
 * says so once a minute: dropping it would lose it, settling its batch too.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_DESTINATION_H
#define POLLARD_DESTINATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/emission.h"

struct aws_client;
struct aws_reply;
struct aws_session;
struct clock;
struct destination;
struct error;
struct log;
struct record;
struct shipment;

/* One batch's results on their way. The caller embeds it where it likes. */
struct delivery {
    struct emission *emissions; // borrowed until the delivery is accepted
    size_t count;
    // What they were made of, borrowed for the call of destination_deliver; may
    // be none. A FIFO queue takes results of the same records, made again, for
    // the same.
    struct record *const *records;
    size_t record_count;
    void *tag;                 // the caller's
    struct delivery *next;     // the destination's
    struct shipment *shipment; // the destination's
};

struct destination_options {
    const char *arn; // arn:aws:sqs:... and so on, file:///folder/, https://...
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed; the poller's
    const struct clock *clock;
    const struct log *log; // copied
    uint64_t seed;
};

/* Is this what destination_open takes? For `pollard validate`. */
bool destination_check(const char *arn, struct error *err);

/* ERROR_INVALID as destination_check; anything else: the folder cannot be
 * written to. */
struct destination *destination_open(const struct destination_options *options,
                                     struct error *err);

/* Queue a delivery. It is retried until it is accepted or withdrawn. */
void destination_deliver(struct destination *destination,
                         struct delivery *delivery, int64_t now_ms);

/* Is it down, or is what was sent last refused? Then nobody knows how long the
 * rest will wait. */
bool destination_is_failing(const struct destination *destination);

/* Give a delivery up (a forced stop): it will not be reported. */
void destination_withdraw(struct destination *destination,
                          struct delivery *delivery);

/* A call of this destination finished (reply.owner == destination). */
void destination_reply(struct destination *destination, struct aws_reply *reply,
                       int64_t now_ms);

/* Send what is due, of a folder's files some at a time; call after every event
 * of the loop. */
void destination_poll(struct destination *destination, int64_t now_ms);
int64_t destination_deadline_ms(const struct destination *destination);

/* The next delivery that was accepted whole, or NULL. */
struct delivery *destination_next(struct destination *destination);

/* NULL is fine. */
void destination_close(struct destination *destination);

#endif
