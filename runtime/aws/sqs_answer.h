/*
 * sqs_answer: what SQS calls answer, but for messages: a queue's URL, its
 * attributes, and the per-entry results of a batch call; in JSON and Query form
 * (wire.md sections 1.3, 1.5, 1.8). An answer of status 200 that holds an error
 * is an error.
 *
 * Threads: pure functions; a JSON body is overwritten.
 */
#ifndef POLLARD_SQS_ANSWER_H
#define POLLARD_SQS_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"
#include "aws/sqs_request.h"
#include "base/bytes.h"

/* Caller frees. */
char *sqs_answer_queue_url(enum aws_protocol protocol, struct buffer *body,
                           struct error *err);

struct sqs_attributes {
    char *arn;            // owned; NULL: not told
    int64_t visibility_s; // -1: not told
};

bool sqs_answer_attributes(enum aws_protocol protocol, struct buffer *body,
                           struct sqs_attributes *attributes,
                           struct error *err);

enum sqs_result_state {
    SQS_RESULT_MISSING, // the answer does not mention it
    SQS_RESULT_OK,
    SQS_RESULT_FAILED,
};

struct sqs_result { // of one entry
    enum sqs_result_state state;
    bool is_sender_fault;
    char code[64], message[160]; // cut where longer
};

struct sqs_results {
    struct sqs_result entries[SQS_BATCH_MOST]; // by their Id, the index
};

bool sqs_answer_results(enum aws_protocol protocol, struct buffer *body,
                        struct sqs_results *results, struct error *err);

/* The server lacks the operation, so another way is to be tried. */
bool sqs_answer_is_unknown_operation(const struct aws_reply *reply);

/* An error found inside a successful answer, as the readers report it. */
bool sqs_answer_inner_error(struct error *err, struct bytes code,
                            struct bytes message);

#endif
