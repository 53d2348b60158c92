/*
 * receive_plan: how many ReceiveMessage calls a queue should have in flight,
 * and how many records each may ask for. One call when the queue is idle; one
 * more for each answer that came back more than half full, up to the maximum;
 * one less for each empty answer and for each round of meagre ones.
 *
 * What is asked for in all never exceeds the room that the poller has, since
 * a message that nobody can run yet loses visibility time in a buffer. So that
 * slots which come free one by one do not end in receives for one message
 * each, a small ask waits RECEIVE_PLAN_HOLD_MS for more room.
 *
 * Threads: a plain value; no I/O, no clock.
 */
#ifndef POLLARD_RECEIVE_PLAN_H
#define POLLARD_RECEIVE_PLAN_H

#include <stddef.h>
#include <stdint.h>

#define RECEIVE_PLAN_MOST 10 // messages of one ReceiveMessage
#define RECEIVE_PLAN_HOLD_MS 20

struct receive_plan {
    size_t minimum, maximum; // receives in flight; never changed
    size_t target;           // receives there should be now
    size_t in_flight;        // receives there are
    size_t asked;            // records they may bring
    size_t capacity;         // the largest room seen
    size_t meagre;           // answers in a row that brought little
    int64_t held_until_ms;   // a small ask waits; CLOCK_NEVER: none does
};

/* minimum is 1 or more, maximum at least the minimum. */
void receive_plan_init(struct receive_plan *plan, size_t minimum,
                       size_t maximum);

/* How many records a receive to be sent now asks for; it counts as in flight
 * from here on. 0: send none. Call until it says 0. */
size_t receive_plan_ask(struct receive_plan *plan, size_t room, int64_t now_ms);

/* A receive for `asked` records brought `brought`. */
void receive_plan_answered(struct receive_plan *plan, size_t asked,
                           size_t brought);

/* A receive for `asked` records failed: back to the minimum. */
void receive_plan_failed(struct receive_plan *plan, size_t asked);

/* When a held ask is due. */
int64_t receive_plan_deadline_ms(const struct receive_plan *plan);

#endif
