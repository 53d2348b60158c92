/*
 * sqs_collect: gathers the messages of one ReceiveMessage answer while it is
 * read, whatever its form, and turns them into records over one chunk: three
 * allocations an answer, however many messages and attributes it holds.
 *
 * A message is handed out only if it can be trusted and settled: it has an id,
 * a receipt handle and a body, and both its MD5s are what the server says.
 * Others are refused, and left to their visibility timeout.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_SQS_COLLECT_H
#define POLLARD_SQS_COLLECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/sqs_request.h"
#include "record/record.h"

struct digest;

/* Beside each record of a chunk; sqs_settle's. */
struct sqs_state {
    const char *refusal;  // why it must not be handed out, or NULL
    bool is_extending;    // a heartbeat is in flight
    bool is_settling;     // its settlement waits for that heartbeat
    int64_t visibility_s; // of that settlement; -1: it is a delete
};

struct sqs_collect {
    struct digest *digest; // owned
    struct buffer scratch; // of attribute MD5s
    struct record records[SQS_BATCH_MOST];
    size_t count;
    struct record_attribute *attributes; // owned; of all messages, in order
    size_t attribute_count, attribute_capacity;
    struct record_message_attribute *message_attributes; // likewise
    size_t message_attribute_count, message_attribute_capacity;
};

void sqs_collect_init(struct sqs_collect *collect);
void sqs_collect_finish(struct sqs_collect *collect);

/* The next message, or attribute of the latest message, zeroed, for the reader
 * to fill. NULL: one too many, to be passed over. A binary attribute's value is
 * given as its base64. */
struct record *sqs_collect_message(struct sqs_collect *collect);
struct record_attribute *sqs_collect_attribute(struct sqs_collect *collect);
struct record_message_attribute *
sqs_collect_message_attribute(struct sqs_collect *collect);

/* Forget what was gathered. */
void sqs_collect_clear(struct sqs_collect *collect);

struct sqs_arrival {
    const struct record_origin *origin; // borrowed by the records
    int64_t received_ms, visible_ms;    // theirs
};

/* All messages are in, as slices of `body`, which is taken over: hand out
 * records, and the refused to be told of and released. */
void sqs_collect_take(struct sqs_collect *collect,
                      const struct sqs_arrival *arrival, struct buffer *body,
                      struct record_list *records, struct record_list *refused);

struct sqs_state *sqs_collect_state(const struct record *record);

#endif
