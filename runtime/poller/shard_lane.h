/*
 * shard_lane: one of the sub-shards that a shard is worked off in: the records
 * of some of its keys, in order. A lane has one batch out at a time; what
 * failed waits for its backoff in front of the line, and no other lane for it.
 *
 * What is to be tried again is a list of batches: one that failed, or the parts
 * of one that was split, the earlier records first.
 *
 * Threads: the poller's. Pure.
 */
#ifndef POLLARD_SHARD_LANE_H
#define POLLARD_SHARD_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller/retry.h"
#include "poller/window.h"

struct batch;
struct tumbling;

struct shard_lane {
    unsigned index;
    struct window window; // the line
    struct retry retry;
    bool is_out;                     // a batch runs or is being given up
    struct batch *again;             // owned; the next first
    size_t again_count, again_bytes; // records in those
};

void shard_lane_init(struct shard_lane *lane, unsigned index,
                     const struct window_options *line,
                     const struct retry *retry);

/* The front of the line leaves it as a batch, as far as it belongs to the
 * window that is open. */
struct batch *shard_lane_form(struct shard_lane *lane,
                              const struct tumbling *tumbling);

/* This batch is to be tried before any other. */
void shard_lane_push(struct shard_lane *lane, struct batch *batch);

/* The next to be tried leaves the list. NULL: none is to be. */
struct batch *shard_lane_pop(struct shard_lane *lane);

/* It failed: wait. A split waits, too, but the shortest time each. */
void shard_lane_failed(struct shard_lane *lane, int64_t now_ms);
void shard_lane_split(struct shard_lane *lane, int64_t now_ms);

/* It got on: nothing waits but for what is to be tried again. */
void shard_lane_got_on(struct shard_lane *lane);

/* Records that have not started. */
size_t shard_lane_count(const struct shard_lane *lane);
size_t shard_lane_bytes(const struct shard_lane *lane);

/* The last attempt failed: what waits may wait for long. */
bool shard_lane_is_stuck(const struct shard_lane *lane);

#endif
