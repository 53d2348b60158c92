/*
 * queue: the state of one SQS queue: what is ready, delayed, in flight; who
 * waits for it; which receipts are good. Pure but for memory: time is an
 * argument, waiting is a callback, deadlines go to the server's timers.
 *
 * Every operation is O(1), or O(log n) in the number of deadlines. FIFO groups
 * and deduplication are in fifo.h; this file calls it where they differ.
 *
 * Threads: the server thread only.
 */
#ifndef POLLARD_LOCAL_QUEUE_H
#define POLLARD_LOCAL_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "local/fifo.h"
#include "local/list.h"
#include "local/map.h"
#include "local/message.h"
#include "local/timers.h"

#define QUEUE_RECEIVE_LIMIT 10
#define QUEUE_IN_FLIGHT_LIMIT 120000
#define QUEUE_VISIBILITY_LIMIT_MS (12 * 60 * 60 * 1000)

/* What SetQueueAttributes sets. */
struct queue_settings {
    int64_t visibility_ms, delay_ms, retention_ms, wait_ms;
    size_t size_limit;
    char *redrive_policy; // as given, owned; NULL: none
    char *dead_letter;    // name of the queue, owned; NULL: none
    uint32_t failure_limit;
    bool fifo, dedup_by_content, dedup_per_group;
};

struct queue {
    // Set once.
    struct map_node node; // by name
    char *name;           // owned
    uint32_t id;
    int64_t created_ms;
    struct timers *timers; // borrowed

    struct queue_settings settings;
    struct list attributes; // others, as set: struct queue_pair
    struct list tags;       // struct queue_pair
    int64_t modified_ms;

    struct list ready; // of a standard queue, in the order of becoming ready
    struct list age;   // all, oldest first
    struct fifo fifo;
    struct message **slots; // owned; where receipts point
    uint32_t *free_slots;   // owned; a stack
    uint32_t slot_count, free_count, slot_capacity;
    uint64_t counts[3]; // by message state

    struct list waiters;  // long polls, longest waiting first
    struct list woken;    // those that were woken and did not run yet
    uint64_t woken_count; // how many those are
    uint64_t promised;    // what those may take
    uint64_t waiting;     // long polls, woken or not
    uint64_t sent, received, deleted;
};

/* A name with a value, in a list: tags, and attributes that only are kept. */
struct queue_pair {
    struct list link;
    char *name, *value; // owned
};

/* A parked long poll. `wake` may be called from any operation on the queue; it
 * only makes the waiter run later. Zeroed: waits for nothing. */
struct waiter {
    struct list link;    // in queue.waiters or queue.woken
    struct queue *queue; // NULL: in neither
    bool woken;
    unsigned wanted;
    void (*wake)(struct waiter *waiter);
};

/* What a receipt handle says (token.h makes text of it). */
struct receipt {
    uint64_t serial;
    uint32_t queue, slot, number, unused;
};

enum receipt_state {
    RECEIPT_GOOD,    // the newest one of a message in flight
    RECEIPT_EXPIRED, // the message became visible again
    RECEIPT_OLD,     // the message was received again
    RECEIPT_GONE,    // the message is no more
};

/* Takes the settings over. */
struct queue *queue_create(struct bytes name, uint32_t id,
                           const struct queue_settings *settings,
                           struct timers *timers, int64_t now_ms);

/* With all its messages. Its waiters are woken. */
void queue_destroy(struct queue *queue);

/* The queue owns the message. delay_ms is what SendMessage said, or the queue's
 * own. */
void queue_send(struct queue *queue, struct message *message, int64_t now_ms,
                int64_t delay_ms);

struct queue_receive {
    unsigned wanted; // up to QUEUE_RECEIVE_LIMIT
    int64_t visibility_ms;
    struct queue *dead_letter; // where those go that failed too often, or NULL
    const char *arn;           // of this queue, which such a message remembers
};

/* Hide up to `wanted` ready messages and give them out. Returns how many. */
size_t queue_receive(struct queue *queue, const struct queue_receive *options,
                     int64_t now_ms,
                     struct message *messages[QUEUE_RECEIVE_LIMIT]);

/* The receipt of a message's newest receive. */
struct receipt queue_receipt(const struct message *message);

/* `message` may be NULL, else it is set unless the state is RECEIPT_GONE. */
enum receipt_state queue_check(const struct queue *queue,
                               const struct receipt *receipt,
                               struct message **message);

/* End its life. */
void queue_delete(struct queue *queue, struct message *message);

/* The message, which is in flight, stays hidden until now + visibility_ms. */
void queue_hide(struct queue *queue, struct message *message, int64_t now_ms,
                int64_t visibility_ms);

/* A receive whose answer did not reach anybody did not happen. */
void queue_unreceive(struct queue *queue, struct message *message);

/* The message's timer is over: it is ready. */
void queue_message_due(struct message *message);

/* Drop what is older than the queue keeps it. */
void queue_expire(struct queue *queue, int64_t now_ms);

void queue_purge(struct queue *queue);

/* Wait for something to receive. */
void queue_wait(struct queue *queue, struct waiter *waiter);

/* The waiter runs, or gives up. Harmless when it waits for nothing. Others are
 * not woken instead: see queue_wake. */
void queue_waiter_leave(struct waiter *waiter);

/* Wake as many waiters as there is something for. Whatever makes a message
 * ready does it by itself; the rest is for one who was woken and left. */
void queue_wake(struct queue *queue);

/* For fifo.c: a message has become ready, or stopped being so. */
void queue_set_state(struct queue *queue, struct message *message,
                     enum message_state state);

/* For fifo.c: mark as received. */
void queue_take(struct queue *queue, struct message *message, int64_t now_ms,
                int64_t visibility_ms);

/* For fifo.c: true when it was moved to the dead-letter queue instead. */
bool queue_redrive(struct queue *queue, struct message *message,
                   const struct queue_receive *options, int64_t now_ms);

#endif
