#include "poller/shard_lane.h"

#include "poller/batch.h"
#include "poller/tumbling.h"

void shard_lane_init(struct shard_lane *lane, unsigned index,
                     const struct window_options *line,
                     const struct retry *retry)
{
    *lane = (struct shard_lane){.index = index, .retry = *retry};
    lane->retry.random.state += index;
    window_init(&lane->window, line);
}

struct batch *shard_lane_form(struct shard_lane *lane,
                              const struct tumbling *tumbling)
{
    struct batch *batch = batch_create(lane->window.front_count);

    batch->lane = lane->index;
    while (window_fits(&lane->window, batch) &&
           tumbling_holds(tumbling, lane->window.waiting.first))
        batch_add(batch, window_take(&lane->window));
    return batch;
}

void shard_lane_push(struct shard_lane *lane, struct batch *batch)
{
    batch->next = lane->again;
    lane->again = batch;
    lane->again_count += batch->count;
    lane->again_bytes += batch->event_bytes;
}

struct batch *shard_lane_pop(struct shard_lane *lane)
{
    struct batch *batch = lane->again;

    if (!batch)
        return NULL;
    lane->again = batch->next;
    batch->next = NULL;
    lane->again_count -= batch->count;
    lane->again_bytes -= batch->event_bytes;
    return batch;
}

void shard_lane_failed(struct shard_lane *lane, int64_t now_ms)
{
    retry_failed(&lane->retry, now_ms);
}

void shard_lane_split(struct shard_lane *lane, int64_t now_ms)
{
    retry_got_on(&lane->retry);
    retry_failed(&lane->retry, now_ms);
}

void shard_lane_got_on(struct shard_lane *lane)
{
    retry_got_on(&lane->retry);
    if (!lane->again)
        lane->retry.due_ms = INT64_MIN;
}

size_t shard_lane_count(const struct shard_lane *lane)
{
    return lane->window.waiting.count + lane->again_count;
}

size_t shard_lane_bytes(const struct shard_lane *lane)
{
    return lane->window.bytes + lane->again_bytes;
}

bool shard_lane_is_stuck(const struct shard_lane *lane)
{
    return lane->retry.failures > 0;
}
