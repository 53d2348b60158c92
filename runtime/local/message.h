/*
 * message: one SQS message: what was sent, rendered once for the answers that
 * will carry it, and where it stands in its queue (queue.h).
 *
 * Threads: plain data of the server thread.
 */
#ifndef POLLARD_LOCAL_MESSAGE_H
#define POLLARD_LOCAL_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "local/list.h"
#include "local/timers.h"

struct digest;
struct group;
struct queue;

#define MESSAGE_ATTRIBUTES 10 // at most, of one message
#define MESSAGE_ID_SIZE 36
#define MESSAGE_MD5_SIZE 32
#define MESSAGE_SEQUENCE_SIZE 20

struct message_attribute {
    struct bytes name, type, value; // value: text, or decoded bytes
    bool binary;
};

enum message_state { MESSAGE_READY, MESSAGE_DELAYED, MESSAGE_IN_FLIGHT };

struct message {
    // What was sent; never changed. The slices point behind the struct.
    struct bytes body;
    struct bytes json; // "MessageId":"..","MD5OfBody":"..","Body":".."
    struct bytes group_id, dedup_id, trace_header, sender; // size 0: none
    struct message_attribute *attributes;                  // sorted by name
    size_t attribute_count;
    char id[MESSAGE_ID_SIZE + 1];
    char body_md5[MESSAGE_MD5_SIZE + 1];
    char attributes_md5[MESSAGE_MD5_SIZE + 1]; // "": no attributes
    char system_md5[MESSAGE_MD5_SIZE + 1];     // "": no system attributes
    char sequence[MESSAGE_SEQUENCE_SIZE + 1];  // "": not from a FIFO queue
    int64_t sent_ms;

    // Where it stands; queue.c's and fifo.c's own.
    struct queue *queue;
    struct group *group; // FIFO only
    struct list place;   // ready ones of a queue, or all of a group
    struct list age;     // all of a queue, oldest first
    struct timer timer;  // end of the delay or of the visibility timeout
    enum message_state state;
    uint32_t slot;     // in the queue's table
    uint32_t receipt;  // number of the newest receipt
    uint32_t receives; // ApproximateReceiveCount
    uint32_t failures; // receives from this queue: what redrive counts
    uint64_t serial;   // unique in the server
    int64_t received_ms, first_received_ms;
    char *dead_letter_source; // ARN, owned; NULL: not a dead letter
};

/* What a message is made of; everything is copied. */
struct message_content {
    struct bytes body, group_id, dedup_id, trace_header, sender;
    const struct message_attribute *attributes;
    size_t attribute_count;
    const char *id;       // MESSAGE_ID_SIZE characters
    const char *sequence; // or NULL
    uint64_t serial;
    int64_t sent_ms;
};

/* Never fails: limits and characters were checked before. */
struct message *message_create(const struct message_content *content,
                               struct digest *digest);

/* The same message once more, as a duplicate delivery needs it. */
struct message *message_copy(const struct message *message, uint64_t serial,
                             struct digest *digest);

void message_destroy(struct message *message);

/* Body, attribute names, types and values. */
size_t message_size_of(const struct message_content *content);

/* MD5 of attributes as SQS computes it, over those in the order given (sorted
 * by name): lower-case hex and a terminator. */
void message_attributes_md5(const struct message_attribute *const *attributes,
                            size_t count, struct digest *digest,
                            char hex[MESSAGE_MD5_SIZE + 1]);

#endif
