/*
 * settle: what an outcome means for each record of its batch, and the verdicts
 * that wait to be carried out.
 *
 * A queue settles each record by itself: what is done is deleted, what failed
 * comes again, what never ran goes back. A shard settles from the front up to
 * its lowest failed record; that one and all after it are to be offered again.
 *
 * Threads: the poller's. Pure.
 */
#ifndef POLLARD_SETTLE_H
#define POLLARD_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/source.h"

struct outcome;
struct retry;

struct settlement {
    struct record *record;
    enum source_verdict verdict;
    int64_t delay_ms; // of SOURCE_AGAIN; -1: leave it
};

struct settle {
    struct retry *delays; // borrowed; of SOURCE_AGAIN. NULL: leave it
    struct record_list done, again, back; // owned
};

/* What becomes of one record of a queue's batch. */
enum source_verdict settle_verdict(const struct outcome *outcome, size_t index);

/* How many records from the front of a shard's batch are done. */
size_t settle_done_prefix(const struct outcome *outcome, size_t count);

/* How many of its records a handler failed. */
size_t settle_count_failed(const struct outcome *outcome, size_t count);

void settle_init(struct settle *settle, struct retry *delays);
void settle_add(struct settle *settle, struct record *record,
                enum source_verdict verdict);

/* The next verdict to carry out. False: none waits. */
bool settle_next(struct settle *settle, struct settlement *settlement);
bool settle_is_empty(const struct settle *settle);

#endif
