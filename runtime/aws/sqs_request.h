/*
 * sqs_request: the bodies of SQS calls, one description each, written as JSON
 * 1.0 or in the older Query form (wire.md sections 1.2, 1.3, 1.8).
 *
 *     sqs_request_delete(AWS_JSON_10, url, handles, count, &request.body);
 *
 * Batch entries carry their index as Id. Whoever sends asks buffer_ok() once.
 *
 * Threads: pure functions on the caller's buffer.
 */
#ifndef POLLARD_SQS_REQUEST_H
#define POLLARD_SQS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "aws/client.h"
#include "base/bytes.h"

#define SQS_BATCH_MOST 10 // entries of a batch call, messages of a receive
#define SQS_BODY_LIMIT (8u * 1024 * 1024)

void sqs_request_queue_url(enum aws_protocol protocol, const char *name,
                           const char *owner_account, struct buffer *body);

/* The queue's ARN and visibility timeout. */
void sqs_request_attributes(enum aws_protocol protocol, const char *url,
                            struct buffer *body);

struct sqs_receive {
    const char *url;
    size_t most;
    int64_t wait_s;
    int64_t visibility_s;   // -1: the queue's own
    const char *attempt_id; // of a FIFO queue's receive; NULL: none
};

/* Asks for every system and user attribute, by the new and the old name: old
 * servers know only the old one. */
void sqs_request_receive(enum aws_protocol protocol,
                         const struct sqs_receive *receive,
                         struct buffer *body);

struct sqs_change { // of one message
    struct bytes receipt_handle;
    int64_t visibility_s; // not of a delete
};

/* DeleteMessageBatch and ChangeMessageVisibilityBatch. */
void sqs_request_delete_batch(enum aws_protocol protocol, const char *url,
                              const struct sqs_change *changes, size_t count,
                              struct buffer *body);
void sqs_request_change_batch(enum aws_protocol protocol, const char *url,
                              const struct sqs_change *changes, size_t count,
                              struct buffer *body);

/* DeleteMessage and ChangeMessageVisibility, for servers without batches. */
void sqs_request_delete(enum aws_protocol protocol, const char *url,
                        const struct sqs_change *change, struct buffer *body);
void sqs_request_change(enum aws_protocol protocol, const char *url,
                        const struct sqs_change *change, struct buffer *body);

struct sqs_attribute { // of a message, a user's
    struct bytes name, type, value;
    bool is_binary; // value is decoded bytes
};

struct sqs_send { // of one message
    struct bytes message;
    const struct sqs_attribute *attributes;
    size_t attribute_count;
    struct bytes group, deduplication; // FIFO; data NULL: none
    int64_t delay_s;                   // 0: the queue's own
};

/* &PREFIX.1.Name=... and so on, as the Query protocol has them, SNS's too. */
void sqs_request_put_attributes(const char *prefix,
                                const struct sqs_attribute *attributes,
                                size_t count, struct buffer *body);

/* SendMessageBatch. */
void sqs_request_send_batch(enum aws_protocol protocol, const char *url,
                            const struct sqs_send *sends, size_t count,
                            struct buffer *body);

#endif
