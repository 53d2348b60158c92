/*
 * timers: what is due when: delays, visibility timeouts, long polls, injected
 * latency. A heap; each timer knows its place, so it can be moved or removed.
 *
 * Threads: plain data of its owner. Times are the server's (virtual) clock.
 */
#ifndef POLLARD_LOCAL_TIMERS_H
#define POLLARD_LOCAL_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum timer_kind { TIMER_MESSAGE, TIMER_REQUEST };

/* Zeroed but for its kind: not set. */
struct timer {
    enum timer_kind kind;
    size_t place; // in the heap, from 1; 0: not set
    int64_t due_ms;
};

struct timer_slot {
    int64_t due_ms; // here too, so that sifting stays in the array
    struct timer *timer;
};

/* A zeroed struct timers is an empty one. */
struct timers {
    struct timer_slot *slots; // owned
    size_t count, capacity;
};

void timers_finish(struct timers *timers);

/* Set, or move when it is set already. */
void timers_set(struct timers *timers, struct timer *timer, int64_t due_ms);

/* Harmless when it is not set. */
void timers_cancel(struct timers *timers, struct timer *timer);

/* When the next is due; CLOCK_NEVER when none is. */
int64_t timers_next_ms(const struct timers *timers);

/* Takes one that is due, or gives NULL. */
struct timer *timers_take(struct timers *timers, int64_t now_ms);

#endif
