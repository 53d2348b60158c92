/*
 * sqs: an SQS queue as a source. Several ReceiveMessage calls in flight, their
 * number growing with the backlog (receive_plan), long polling always; deletes
 * and visibility changes in batches of up to 10, none held longer than 50 ms
 * (settle_batch); body MD5 verified. A FIFO queue's receive whose answer was
 * lost is repeated under its id (receive_attempt).
 *
 * A queue that does not exist yet is waited for, and said once a minute.
 *
 * Of source_counts: returned is what became visible again, at once or after a
 * delay; left_hidden what could not be settled, or not be trusted. What the
 * poller itself leaves to the visibility timeout is in neither.
 */
#ifndef POLLARD_SQS_H
#define POLLARD_SQS_H

#include <stdbool.h>
#include <stdint.h>

struct aws_client;
struct aws_session;
struct clock;
struct log;
struct source;

struct sqs_options {
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed; the poller's
    const struct clock *clock;
    const struct log *log; // copied
    const char *queue_url; // or NULL: asked for by GetQueueUrl with `queue`
    const char *queue;     // name, when queue_url is NULL
    const char *arn;       // eventSourceARN; NULL: derived
    int64_t minimum_receives, maximum_receives; // in flight, 1 or more
    int64_t visibility_timeout_ms;              // -1: the queue's own
    int64_t needed_visibility_ms; // window and handler's timeout; a shorter one
                                  // is made longer on receive. 0: no window
    int64_t batch_ms;             // handler's timeout; a queue that hides its
                                  // messages for less is told of. 0: none is
    int64_t wait_ms;              // long poll, 0 to 20 s
    uint64_t seed;
};

/* Never fails: what is wrong shows as failure() or as a wait. Everything in
 * options is copied but session, client and clock. */
struct source *sqs_open(const struct sqs_options *options);

#endif
