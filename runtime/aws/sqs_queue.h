/*
 * sqs_queue: finds a queue and learns how to talk to it: its URL when only a
 * name is known, its ARN and visibility timeout where they are wanted, and
 * whether the server speaks JSON or only the older Query protocol. That is
 * decided on these harmless calls, by the rules at the end of wire.md section
 * 1.9, and then kept by the session for all of its endpoint's queues.
 *
 * A queue that does not exist is waited for, and said once a minute.
 *
 * Threads: the owner's of the aws_client.
 */
#ifndef POLLARD_SQS_QUEUE_H
#define POLLARD_SQS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"

struct aws_session;
struct error;
struct log;
struct sqs_queue;

struct sqs_queue_options {
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed
    const struct log *log;       // copied
    const char *url;             // copied; NULL: asked for
    const char *name;            // copied; may be NULL when there is a url
    const char *arn;             // copied; says whose it is; NULL: ours
    bool wants_attributes;
    void *owner; // of the calls
    int kind;
    uint64_t seed;
};

struct sqs_queue_facts {
    const char *url;
    const char *path; // of requests in the Query protocol; else NULL
    enum aws_protocol protocol;
    const char *arn;      // NULL: not known
    int64_t visibility_s; // -1: not known
};

struct sqs_queue *sqs_queue_create(const struct sqs_queue_options *options);

/* NULL is fine. */
void sqs_queue_destroy(struct sqs_queue *queue);

/* Send the next call if one is due. */
void sqs_queue_poll(struct sqs_queue *queue, int64_t now_ms);

/* A call of `kind` finished. */
void sqs_queue_reply(struct sqs_queue *queue, struct aws_reply *reply,
                     int64_t now_ms);

/* NULL while it is looked for. Valid until the queue is lost. */
const struct sqs_queue_facts *sqs_queue_facts(const struct sqs_queue *queue);

/* Another call was answered that it does not exist: look for it again, later.
 */
void sqs_queue_lost(struct sqs_queue *queue, const struct error *why,
                    int64_t now_ms);

/* It does not exist, as far as known. */
bool sqs_queue_is_missing(const struct sqs_queue *queue);

/* Why looking further is of no use, or NULL. */
const struct error *sqs_queue_failure(const struct sqs_queue *queue);

/* After a failure: say so, once a minute, and look again later. */
void sqs_queue_try_again(struct sqs_queue *queue, int64_t now_ms);

/* A call is in flight. */
bool sqs_queue_is_asking(const struct sqs_queue *queue);

int64_t sqs_queue_deadline_ms(const struct sqs_queue *queue);

#endif
