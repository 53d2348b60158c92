/*
 * settle: the verdicts that wait to be carried out: what is done first, for it
 * is what a redelivery would repeat; then what goes back, then what failed,
 * with the delay after which it is to come again.
 *
 * Threads: the poller's. Pure.
 */
#ifndef POLLARD_SETTLE_H
#define POLLARD_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/source.h"

struct retry;

struct settlement {
    struct record *record;
    enum source_verdict verdict;
    int64_t delay_ms; // of SOURCE_AGAIN; -1: leave it
};

struct settle {
    struct retry *delays; // borrowed; of SOURCE_AGAIN. NULL: leave it
    struct record_list done, again, back, left; // owned
};

void settle_init(struct settle *settle, struct retry *delays);
void settle_add(struct settle *settle, struct record *record,
                enum source_verdict verdict);

/* SOURCE_AGAIN, whatever the delays: it comes with its visibility timeout. */
void settle_leave(struct settle *settle, struct record *record);

/* The next verdict to carry out. False: none waits. */
bool settle_next(struct settle *settle, struct settlement *settlement);
bool settle_is_empty(const struct settle *settle);

#endif
