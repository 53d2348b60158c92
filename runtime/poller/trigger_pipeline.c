#include "poller/trigger_pipeline.h"

#include <string.h>

#include "aws/resource.h"
#include "base/clock.h"
#include "poller/pipeline.h"
#include "poller/trigger_config.h"
#include "record/event.h"

// Visibility that a record needs to start when a heartbeat then extends it.
#define BEAT_NEEDS_MS 5000

size_t trigger_concurrency(const struct trigger_config *trigger)
{
    int64_t most = trigger->scaling_config.maximum_concurrency;

    return most > 0 ? (size_t)most : TRIGGER_DEFAULT_CONCURRENCY;
}

int64_t trigger_needed_visibility_ms(const struct trigger_config *trigger)
{
    int64_t window_ms = trigger->maximum_batching_window_in_seconds * 1000;

    return window_ms ? window_ms + trigger->handler.timeout_ms : 0;
}

/* To start. */
static int64_t batch_time_ms(const struct trigger_config *trigger)
{
    int64_t timeout_ms = trigger->handler.timeout_ms;

    return trigger->visibility_heartbeat
               ? clock_earlier(timeout_ms, BEAT_NEEDS_MS)
               : timeout_ms;
}

static enum pipeline_filtered filtered(const char *what)
{
    if (!what || !strcmp(what, "delete"))
        return PIPELINE_FILTERED_DELETE;
    return strcmp(what, "leave") ? PIPELINE_FILTERED_MOVE
                                 : PIPELINE_FILTERED_LEAVE;
}

bool trigger_moves_filtered(const struct trigger_config *trigger)
{
    return filtered(trigger->on_filtered) == PIPELINE_FILTERED_MOVE;
}

static int64_t ms_of(int64_t seconds) // -1: any, stays so
{
    return seconds < 0 ? -1 : seconds * 1000;
}

void trigger_pipeline_options(const struct trigger_config *trigger,
                              bool is_shard, uint64_t seed,
                              struct pipeline_options *options)
{
    *options = (struct pipeline_options){
        .kind = is_shard ? PIPELINE_SHARD : PIPELINE_QUEUE,
        .batch_size = (size_t)trigger->batch_size,
        .window_ms = trigger->maximum_batching_window_in_seconds * 1000,
        .payload_limit = EVENT_LIMIT,
        .concurrency = trigger_concurrency(trigger),
        .by_group = resource_is_fifo(bytes_of(trigger->source.name)),
        .backoff_base_ms = trigger->retry_backoff.base_ms,
        .backoff_maximum_ms = trigger->retry_backoff.maximum_ms,
        .delay_failed = trigger->retry_backoff.given,
        .batch_time_ms = batch_time_ms(trigger),
        .seed = seed,
        .reads_response = trigger->reports_batch_item_failures,
        .fifo_failure = (enum trigger_fifo_failure)trigger->fifo_failure,
        .records_per_second = trigger->rate_limit.records_per_second,
        .breaker_failures = trigger->circuit_breaker.failures,
        .breaker_pause_ms = trigger->circuit_breaker.pause_ms,
        .gives_way = !trigger->reports_batch_item_failures,
        .filtered = filtered(trigger->on_filtered),
        .lanes = (size_t)trigger->parallelization_factor,
        .is_pushed = trigger->source.consumer != NULL,
        .bisects = trigger->bisect_batch_on_function_error,
        .maximum_attempts = trigger->maximum_retry_attempts,
        .maximum_age_ms = ms_of(trigger->maximum_record_age_in_seconds),
        .tumbling_ms = trigger->tumbling_window_in_seconds * 1000,
    };
}
