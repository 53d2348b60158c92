/*
 * lane_pool: the lanes a client does not use just now: a few, the one used last
 * on top, none kept for long.
 *
 * Threads: all of it is its client's.
 */
#ifndef POLLARD_LANE_POOL_H
#define POLLARD_LANE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct lane;

#define LANE_POOL_SIZE 8

struct lane_pool { // zeroed: empty
    struct {
        struct lane *lane; // owned
        int64_t since_ms;
    } idle[LANE_POOL_SIZE]; // the last used last
    size_t count;
};

/* One that is idle, or NULL. */
struct lane *lane_pool_take(struct lane_pool *pool);

/* Give one back; when there are too many, the one idle longest goes. */
void lane_pool_give(struct lane_pool *pool, struct lane *lane, int64_t now_ms);

/* Free those that were not used for ten seconds. */
void lane_pool_trim(struct lane_pool *pool, int64_t now_ms);

void lane_pool_finish(struct lane_pool *pool);

#endif
