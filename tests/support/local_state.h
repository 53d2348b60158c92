/*
 * local_state: queues of the embedded server by themselves, in virtual time.
 */
#ifndef POLLARD_LOCAL_STATE_H
#define POLLARD_LOCAL_STATE_H

#include <stdint.h>

#include "local/queue.h"

#define STATE_START_MS 1000000

struct digest;

struct local_state {
    struct timers timers;
    struct digest *digest;
    int64_t now_ms;
    uint64_t serial;
    struct queue *queue, *dead; // dead: where `queue` redrives to
    struct message *got[QUEUE_RECEIVE_LIMIT];
    char text[1024]; // what local_state_receive shows
};

/* Two queues of 30 s visibility, both FIFO or both standard. */
void local_state_init(struct local_state *state, bool fifo);
void local_state_finish(struct local_state *state);

/* Time passes, and what is due happens. */
void local_state_advance(struct local_state *state, int64_t ms);

/* Returns the message. group may be NULL. */
struct message *local_state_send(struct local_state *state, const char *body,
                                 const char *group, int64_t delay_ms);

/* The bodies received, separated by spaces; "" when nothing came. */
const char *local_state_receive(struct local_state *state, unsigned wanted);
const char *local_state_receive_from(struct local_state *state,
                                     struct queue *queue, unsigned wanted);

#endif
