/*
 * receive_attempt: what makes a FIFO queue's receives repeatable
 * (ReceiveRequestAttemptId, wire.md section 1.2). Each receive has an id of its
 * own; when its answer was lost, the next receive carries the same id, so that
 * the messages which the lost one took come at once, instead of blocking their
 * groups until their visibility runs out. After five minutes the server has
 * forgotten, and so do we.
 *
 * Threads: a plain value; no I/O, no clock.
 */
#ifndef POLLARD_RECEIVE_ATTEMPT_H
#define POLLARD_RECEIVE_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECEIVE_ATTEMPT_LOST_MOST 16 // beyond it, visibility brings them back
#define RECEIVE_ATTEMPT_VALID_MS (5 * 60 * 1000)

struct receive_attempt { // whose answer was lost
    uint64_t number;
    int64_t sent_ms; // first
    bool is_out;     // it is being repeated
};

struct receive_attempts {
    uint64_t run, last; // an id's two halves
    struct receive_attempt lost[RECEIVE_ATTEMPT_LOST_MOST];
    size_t lost_count;
};

/* `run` tells this run's ids from those of any other. */
void receive_attempts_init(struct receive_attempts *attempts, uint64_t run);

/* The number of a receive to be sent now: of one that was lost, or a new one.
 * Never 0, and below 2^48. */
uint64_t receive_attempts_start(struct receive_attempts *attempts,
                                int64_t now_ms);

#define RECEIVE_ATTEMPT_ID_SIZE 34
void receive_attempts_id(const struct receive_attempts *attempts,
                         uint64_t number, char id[RECEIVE_ATTEMPT_ID_SIZE]);

/* Its answer arrived. */
void receive_attempts_answered(struct receive_attempts *attempts,
                               uint64_t number);

/* It was sent then, and nobody knows what it took. */
void receive_attempts_lost(struct receive_attempts *attempts, uint64_t number,
                           int64_t sent_ms);

#endif
