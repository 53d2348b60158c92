#include "aws/lane_pool.h"

#include <string.h>

#include "aws/lane.h"

#define IDLE_MS 10000

static void drop_oldest(struct lane_pool *pool)
{
    lane_destroy(pool->idle[0].lane);
    pool->count--;
    memmove(pool->idle, pool->idle + 1, pool->count * sizeof(pool->idle[0]));
}

struct lane *lane_pool_take(struct lane_pool *pool)
{
    return pool->count ? pool->idle[--pool->count].lane : NULL;
}

void lane_pool_give(struct lane_pool *pool, struct lane *lane, int64_t now_ms)
{
    if (pool->count == LANE_POOL_SIZE)
        drop_oldest(pool);
    pool->idle[pool->count].lane = lane;
    pool->idle[pool->count++].since_ms = now_ms;
}

void lane_pool_trim(struct lane_pool *pool, int64_t now_ms)
{
    while (pool->count && now_ms - pool->idle[0].since_ms > IDLE_MS)
        drop_oldest(pool);
}

void lane_pool_finish(struct lane_pool *pool)
{
    while (pool->count)
        drop_oldest(pool);
}
