/*
 * settle_batch: gathers settlements of one kind (deletes, or visibility
 * changes) into calls of up to 10. Nothing waits longer than 50 ms for company;
 * what failed waits out a full-jitter backoff and goes again.
 *
 * Threads: the poller's; no I/O, no clock.
 */
#ifndef POLLARD_SETTLE_BATCH_H
#define POLLARD_SETTLE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

struct record;

#define SETTLE_BATCH_MOST 10 // entries of one call
#define SETTLE_BATCH_HOLD_MS 50
#define SETTLE_BATCH_ATTEMPTS 8 // at least, and until visibility runs out
#define SETTLE_BATCH_BACKOFF_BASE_MS 100
#define SETTLE_BATCH_BACKOFF_MAXIMUM_MS 20000

struct settle_entry {
    struct record *record;
    int64_t visibility_s; // of a visibility change
    int64_t since_ms;     // waits since, or is due then
    unsigned attempts;    // that failed
    bool alone;           // its batch was refused whole: one call for itself
};

struct settle_batch {
    struct settle_entry *waiting; // owned; a ring, oldest at head
    size_t head, count, capacity;
    struct settle_entry *later; // owned; failed ones, in no order
    size_t later_count, later_capacity;
    int64_t later_due_ms; // the earliest of them
    struct random random;
};

void settle_batch_init(struct settle_batch *batch, uint64_t seed);

/* Frees its own memory, not the records. */
void settle_batch_finish(struct settle_batch *batch);

void settle_batch_add(struct settle_batch *batch,
                      const struct settle_entry *entry);

/* Take the entries of the next call, `most` (1 to 10) at the most, if one is
 * due: full, held for long enough, or `flush`. Returns how many; 0: none. */
size_t settle_batch_take(struct settle_batch *batch, size_t most, bool flush,
                         int64_t now_ms,
                         struct settle_entry entries[SETTLE_BATCH_MOST]);

/* An entry failed for no fault of its own: it is kept and goes again after a
 * backoff. False: it was tried often enough and is the caller's again. */
bool settle_batch_again(struct settle_batch *batch,
                        const struct settle_entry *entry, int64_t now_ms);

/* Entries inside, waiting for company or for their next attempt. */
size_t settle_batch_count(const struct settle_batch *batch);

int64_t settle_batch_deadline_ms(const struct settle_batch *batch);

#endif
