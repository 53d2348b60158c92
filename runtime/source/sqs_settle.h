/*
 * sqs_settle: the settling half of an SQS source: deletes and visibility
 * changes in batches (settle_batch), each entry's result checked and retried,
 * and the visibility heartbeat.
 *
 * A visibility change waits for a heartbeat of the same message that is in
 * flight: overtaken by it, a returned message would be hidden again.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_SQS_SETTLE_H
#define POLLARD_SQS_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/source.h"

struct aws_client;
struct aws_reply;
struct error;
struct log;
struct sqs_queue;
struct sqs_settle;

struct sqs_settle_options {
    struct aws_client *client;     // borrowed
    const struct log *log;         // copied
    const struct sqs_queue *queue; // borrowed
    void *owner;                   // of the calls
    int kind;
    uint64_t seed;
};

struct sqs_settle *sqs_settle_create(const struct sqs_settle_options *options);

/* Records that are still inside are released, and left hidden. */
void sqs_settle_destroy(struct sqs_settle *settle);

/* The record is settle's from here on. */
void sqs_settle_delete(struct sqs_settle *settle, struct record *record,
                       int64_t now_ms);
void sqs_settle_return(struct sqs_settle *settle, struct record *record,
                       int64_t visibility_s, int64_t now_ms);
void sqs_settle_leave(struct sqs_settle *settle, struct record *record);

/* Heartbeat: hide these for visibility_s from now, within the 12 hours that SQS
 * allows. The records stay the caller's; their visible_ms moves once SQS has
 * agreed. */
void sqs_settle_extend(struct sqs_settle *settle, struct record *const *records,
                       size_t count, int64_t visibility_s, int64_t now_ms);

/* Send what is due; everything when `flush`. */
void sqs_settle_poll(struct sqs_settle *settle, bool flush, int64_t now_ms);

/* A call of `kind` finished. */
void sqs_settle_reply(struct sqs_settle *settle, struct aws_reply *reply,
                      int64_t now_ms);

int64_t sqs_settle_deadline_ms(const struct sqs_settle *settle);

/* Records inside, waiting or in flight. */
size_t sqs_settle_count(const struct sqs_settle *settle);
/* Neither a record inside nor a heartbeat in flight. */
bool sqs_settle_is_idle(const struct sqs_settle *settle);

/* Set once nothing can be settled any more (access denied), or NULL. */
const struct error *sqs_settle_failure(const struct sqs_settle *settle);

/* Adds `deleted`, `returned`, `left_hidden` and `extended`. */
void sqs_settle_counts(const struct sqs_settle *settle,
                       struct source_counts *counts);

#endif
