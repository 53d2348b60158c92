/*
 * fifo: what makes a queue first-in-first-out: message groups, of which the one
 * with a message in flight is blocked; deduplication within five minutes; and
 * receives that can be asked for again (ReceiveRequestAttemptId).
 *
 * Threads: the server thread only.
 */
#ifndef POLLARD_LOCAL_FIFO_H
#define POLLARD_LOCAL_FIFO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "local/list.h"
#include "local/map.h"
#include "local/message.h"

struct queue;
struct queue_receive;

#define FIFO_REMEMBERED_MS (5 * 60 * 1000)

/* Part of struct queue; empty in a standard queue. */
struct fifo {
    struct map groups;       // by id; only those that have messages
    struct list ready;       // groups that may be received from
    uint64_t ready_count;    // how many those are
    struct map sent;         // struct fifo_sent, by deduplication id
    struct list sent_age;    // the same, oldest first
    struct map attempts;     // struct fifo_attempt, by id
    struct list attempt_age; // the same, oldest first
    uint64_t sequence;
};

void fifo_init(struct fifo *fifo, int64_t now_ms);
void fifo_finish(struct fifo *fifo);

/* The next sequence number, 20 digits. */
void fifo_next_sequence(struct fifo *fifo, char sequence[21]);

/* A message that was sent within the last five minutes. */
struct fifo_sent {
    struct map_node node;
    struct list age;
    int64_t sent_ms;
    char id[37], sequence[21];
    char key[]; // the deduplication id, after the group's where it is the scope
};

/* NULL: this is no duplicate. */
const struct fifo_sent *fifo_find_sent(struct queue *queue, struct bytes group,
                                       struct bytes dedup_id, int64_t now_ms);
void fifo_remember_sent(struct queue *queue, const struct message *message,
                        int64_t now_ms);

/* The message joins its group. */
void fifo_add(struct queue *queue, struct message *message);

/* Before it is freed or leaves for another queue. */
void fifo_remove(struct queue *queue, struct message *message);

/* As queue_receive. */
size_t fifo_receive(struct queue *queue, const struct queue_receive *options,
                    int64_t now_ms, struct message **messages);

/* A message's state was `before`: is its group still, or again, ready? */
void fifo_state_changed(struct queue *queue, struct message *message,
                        enum message_state before);

/* The messages that a receive with this attempt id gave out, all hidden anew;
 * 0 when there was none, or one of them was deleted, changed or is visible. */
size_t fifo_repeat(struct queue *queue, struct bytes attempt_id, int64_t now_ms,
                   int64_t visibility_ms, struct message **messages);
void fifo_remember_attempt(struct queue *queue, struct bytes attempt_id,
                           int64_t now_ms, struct message *const *messages,
                           size_t count);

#endif
