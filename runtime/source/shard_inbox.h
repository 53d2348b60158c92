/*
 * shard_inbox: the records that a shard's source has received: those that wait
 * to be handed out, and how many the poller has. What the poller has no room
 * for waits here, where it keeps more from being read.
 *
 * Threads: its source's.
 */
#ifndef POLLARD_SHARD_INBOX_H
#define POLLARD_SHARD_INBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "record/record.h"
#include "source/source.h"

struct stream_page;

struct shard_inbox { // zeroed: empty
    struct record_list waiting;
    size_t waiting_bytes;
    size_t room; // records that the poller still takes
    size_t out;  // records that it has
    struct source_counts counts;
};

/* Takes the page's records. */
void shard_inbox_put(struct shard_inbox *inbox, struct stream_page *page);

/* The next one that the poller has room for, or NULL. */
struct record *shard_inbox_next(struct shard_inbox *inbox);

/* There is one, now. */
bool shard_inbox_has_next(const struct shard_inbox *inbox);

/* The stream keeps its records: a verdict only frees memory. */
void shard_inbox_settle(struct shard_inbox *inbox, struct record *record,
                        enum source_verdict verdict);

/* Free what waits; it counts as returned. */
void shard_inbox_drop(struct shard_inbox *inbox);

/* Nothing waits, and the poller has nothing. */
bool shard_inbox_is_idle(const struct shard_inbox *inbox);

#endif
