/*
 * lineage: which leases a listing of the stream's shards calls for, and where
 * each begins.
 *
 * The first listing ever begins every shard at the trigger's starting position;
 * a shard that closed before it has nothing to read there, and ends at once.
 * Whatever shows up later is a child of something we read, and begins at its
 * horizon: nothing in it may be skipped.
 *
 * Pure. Threads: the keeper's.
 */
#ifndef POLLARD_LINEAGE_H
#define POLLARD_LINEAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "source/stream.h"
#include "store/store.h"

struct trigger_config;

struct lineage_start {      // of the first listing
    const char *checkpoint; // TRIM_HORIZON, LATEST, AT_TIMESTAMP; static
    int64_t timestamp_ms;
};

/* What the trigger's starting position means at wall_ms: LATEST is what it
 * means now, for a worker that takes over before the first checkpoint must not
 * mean something later by it. */
struct lineage_start lineage_start_of(const struct trigger_config *trigger,
                                      int64_t wall_ms);

struct lineage {
    struct lease_new *leases; // owned; shards are borrowed from the listing
    char **parents;           // owned; what the leases' parents point at
    size_t count;
};

/* The leases to create: of shards that are listed and have no row. */
void lineage_find(const struct stream_shards *shards,
                  const struct lease_rows *rows,
                  const struct lineage_start *start, struct lineage *lineage);
void lineage_finish(struct lineage *lineage);

bool lineage_has_row(const struct lease_rows *rows, const char *shard);
bool lineage_lists(const struct stream_shards *shards, const char *shard);
bool lineage_has_children(const struct stream_shards *shards,
                          const char *shard);

#endif
