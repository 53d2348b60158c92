/*
 * shard_inbox: the records that a shard's source has received: those that wait
 * to be handed out, and how many the poller has. What the poller has no room
 * for waits here, where it keeps more from being read.
 *
 * Aggregated records (kpl.h) are split here, when their turn comes, so that one
 * at a time takes the memory of its parts: what waits in front of the poller is
 * the parts, and each takes of its room.
 *
 * The pages that records came in stay in memory with them. What the poller
 * keeps of many pages, a little of each, is bounded: see SHARD_LENT_BYTES.
 *
 * Threads: its source's.
 */
#ifndef POLLARD_SHARD_INBOX_H
#define POLLARD_SHARD_INBOX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"
#include "record/record.h"
#include "source/source.h"

struct kpl;
struct log;
struct stream_page;
struct stream_start;

// With so much of its pages at the poller, records are handed out as copies.
#define SHARD_LENT_BYTES (32u * 1024 * 1024)

struct shard_inbox { // zeroed: empty, and splits nothing
    struct record_list waiting;
    size_t waiting_bytes; // of the records that wait
    size_t held_bytes;    // of the chunks that they keep in memory
    size_t lent_bytes;    // of those that the poller's records do
    size_t room;          // records that the poller still takes
    size_t out;           // records that it has
    struct source_counts counts;

    // Of one that splits.
    struct kpl *kpl;       // owned; NULL: it does not
    char *begun;           // owned; the place to go on in the first record, if
                           // some of its parts are done; NULL: none are
    const struct log *log; // borrowed
    struct log_repeat trouble;
};

/* Split aggregated records; of the first one, leave out the parts that `start`
 * says are done. The log must outlive the inbox. */
void shard_inbox_split(struct shard_inbox *inbox,
                       const struct stream_start *start, const struct log *log);

/* Requires that the poller has nothing. */
void shard_inbox_finish(struct shard_inbox *inbox);

/* Takes the page's records. */
void shard_inbox_put(struct shard_inbox *inbox, struct stream_page *page);

/* The next one that the poller has room for, or NULL. */
struct record *shard_inbox_next(struct shard_inbox *inbox);

/* There is one, now, or nothing is left of what seems to be one. */
bool shard_inbox_has_next(const struct shard_inbox *inbox);

/* The stream keeps its records: a verdict only frees memory. */
void shard_inbox_settle(struct shard_inbox *inbox, struct record *record,
                        enum source_verdict verdict);

/* Free what waits; it counts as returned. */
void shard_inbox_drop(struct shard_inbox *inbox);

/* Nothing waits, and the poller has nothing. */
bool shard_inbox_is_idle(const struct shard_inbox *inbox);

#endif
