/*
 * succession: of the streams that a table had, one after the other, which one
 * is to be read now. The first time the newest; from then on what was begun is
 * read to its end, and then the next one, so that no change is skipped.
 *
 * Pure. Threads: the keeper's.
 */
#ifndef POLLARD_SUCCESSION_H
#define POLLARD_SUCCESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "source/stream.h"
#include "store/store.h"

enum succession_state {
    SUCCESSION_UNTOUCHED, // has no leases
    SUCCESSION_BEGUN,
    SUCCESSION_FINISHED, // closed, and every shard was read to its end
};

enum succession_state succession_state_of(const struct stream_shards *shards,
                                          const struct lease_rows *rows);

/* The index of the stream to read; count is 1 at least, oldest first. */
size_t succession_choose(const enum succession_state *states, size_t count);

/* Does the chosen one take over from one that was read? Then nothing of it may
 * be skipped. */
bool succession_takes_over(const enum succession_state *states, size_t chosen);

#endif
