/*
 * sqs_visibility: for how long a queue's messages are hidden: what a receive
 * asks for (lambda-esm.md section 6.2), and what SQS's 12 hours from the
 * receive on leave of a delay.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SQS_VISIBILITY_H
#define POLLARD_SQS_VISIBILITY_H

#include <stdbool.h>
#include <stdint.h>

struct record;

#define SQS_VISIBILITY_MOST_S 43200 // 12 hours from the receive on

struct sqs_visibility {
    int64_t configured_s; // -1: the queue's own
    int64_t needed_s;     // batching window and handler's timeout; 0: no window
    int64_t batch_s;      // handler's timeout; 0: a heartbeat bridges it
};

/* What a receive asks for, where the queue's own is own_s (-1: not known). A
 * message that would come back while its window is open or its batch runs is
 * hidden for as long as both, and 30 s. -1: nothing. */
int64_t sqs_visibility_asked_s(const struct sqs_visibility *visibility,
                               int64_t own_s);

/* For how long a received message is hidden. */
int64_t sqs_visibility_s(const struct sqs_visibility *visibility,
                         int64_t own_s);

/* Messages come back while their batch may still run. Lambda refuses such a
 * queue when the mapping is made (lambda-esm.md section 1.3). */
bool sqs_visibility_is_short(const struct sqs_visibility *visibility,
                             int64_t own_s);

/* A delay as SQS takes it: whole seconds, none past the 12 hours. */
int64_t sqs_visibility_delay_s(const struct record *record, int64_t delay_ms,
                               int64_t now_ms);

#endif
