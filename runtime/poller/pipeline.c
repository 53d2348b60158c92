#include "poller/pipeline.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "poller/flow.h"
#include "poller/queue_flow.h"
#include "poller/response.h"
#include "poller/shard_flow.h"

// What a record is taken to be worth before the first came.
#define PIPELINE_FIRST_GUESS_BYTES 1024

struct pipeline {
    struct flow *flow; // owned
};

static struct flow *create_flow(const struct pipeline_options *options)
{
    switch (options->kind) {
    case PIPELINE_QUEUE:
        return queue_flow_create(options);
    case PIPELINE_SHARD:
        return shard_flow_create(options);
    }
    return NULL;
}

struct pipeline *pipeline_create(const struct pipeline_options *options)
{
    struct pipeline *pipeline = mem_calloc(1, sizeof(*pipeline));
    struct flow *flow = create_flow(options);

    flow->options = *options;
    flow->options.window = NULL;
    flow->typical_bytes = PIPELINE_FIRST_GUESS_BYTES;
    flow->last_discard = &flow->discards;
    flow->counts.lag_ms = -1;
    pipeline->flow = flow;
    return pipeline;
}

void pipeline_destroy(struct pipeline *pipeline)
{
    if (!pipeline)
        return;
    assert(pipeline_is_idle(pipeline));
    pipeline->flow->ops->destroy(pipeline->flow);
    free(pipeline);
}

void pipeline_set_wall(struct pipeline *pipeline, int64_t wall_ahead_ms)
{
    pipeline->flow->wall_ahead_ms = wall_ahead_ms;
}

void pipeline_set_concurrency(struct pipeline *pipeline, size_t concurrency)
{
    if (pipeline->flow->ops->set_concurrency)
        pipeline->flow->ops->set_concurrency(pipeline->flow, concurrency);
}

size_t pipeline_room(const struct pipeline *pipeline)
{
    return pipeline->flow->stopped ? 0
                                   : pipeline->flow->ops->room(pipeline->flow);
}

/* A moving average over the last few dozen. */
static void learn_size(struct flow *flow, const struct record *record)
{
    size_t typical = (flow->typical_bytes * 31 + record->event_size) / 32;

    flow->typical_bytes = typical ? typical : 1;
}

void pipeline_add(struct pipeline *pipeline, struct record *record,
                  int64_t now_ms)
{
    struct flow *flow = pipeline->flow;

    flow->now_ms = now_ms;
    flow->counts.polled++;
    if (flow->stopped) {
        settle_add(&flow->settle, record, SOURCE_RETURN);
        return;
    }
    learn_size(flow, record);
    flow->ops->add(flow, record);
}

static void count_started(struct flow *flow, const struct batch *batch)
{
    const struct record *last;

    flow->counts.dispatched += batch->count;
    if (!batch->count)
        return;
    last = batch->records[batch->count - 1];
    if (last->arrived_at_ms > 0)
        flow->counts.lag_ms =
            flow->now_ms + flow->wall_ahead_ms - last->arrived_at_ms;
}

struct batch *pipeline_next_batch(struct pipeline *pipeline, int64_t now_ms)
{
    struct flow *flow = pipeline->flow;
    struct batch *batch;

    flow->now_ms = now_ms;
    flow->ops->tick(flow);
    if (flow->stopped)
        return NULL;
    batch = flow->ops->next_batch(flow);
    if (batch)
        count_started(flow, batch);
    return batch;
}

/* All records of an invocation that failed or whose response lists failures
 * (lambda-esm.md section 8). */
static void count_finished(struct flow *flow, const struct batch *batch,
                           const struct outcome *outcome,
                           const struct response_verdict *verdict)
{
    flow->counts.invalid_reports += verdict->is_invalid;
    if (!verdict->all_failed && !verdict->failed_count)
        return;
    flow->counts.failed += batch->count;
    if (outcome->kind == OUTCOME_TIMED_OUT)
        flow->counts.failed_timed_out += batch->count;
}

void pipeline_finish(struct pipeline *pipeline, struct batch *batch,
                     const struct outcome *outcome, int64_t now_ms,
                     struct response_verdict *verdict)
{
    struct flow *flow = pipeline->flow;

    flow->now_ms = now_ms;
    response_read(outcome, batch,
                  &(struct response_rules){
                      .reads_response = flow->options.reads_response,
                      .wants_state = batch->window != NULL,
                  },
                  verdict);
    count_finished(flow, batch, outcome, verdict);
    flow->ops->finish(flow, batch, verdict);
}

bool pipeline_next_settlement(struct pipeline *pipeline,
                              struct settlement *settlement)
{
    return settle_next(&pipeline->flow->settle, settlement);
}

struct discard *pipeline_next_discard(struct pipeline *pipeline)
{
    struct flow *flow = pipeline->flow;
    struct discard *discard = flow->discards;

    if (!discard)
        return NULL;
    flow->discards = discard->next;
    if (!flow->discards)
        flow->last_discard = &flow->discards;
    flow->discards_out++;
    return discard;
}

static void count_discarded(struct flow *flow, const struct discard *discard,
                            bool is_reported)
{
    size_t count = discard->batch->count;

    if (is_reported)
        flow->counts.reported += count;
    else if (discard->condition == DISCARD_ATTEMPTS)
        flow->counts.dropped_attempts += count;
    else if (discard->condition == DISCARD_AGE)
        flow->counts.dropped_age += count;
}

static void end_discard(struct flow *flow, struct discard *discard,
                        bool is_done)
{
    flow->discards_out--;
    flow->ops->discarded(flow, discard, is_done);
    free(discard);
}

void pipeline_discarded(struct pipeline *pipeline, struct discard *discard,
                        bool is_reported, int64_t now_ms)
{
    pipeline->flow->now_ms = now_ms;
    count_discarded(pipeline->flow, discard, is_reported);
    end_discard(pipeline->flow, discard, true);
}

void pipeline_discard_failed(struct pipeline *pipeline, struct discard *discard)
{
    end_discard(pipeline->flow, discard, false);
}

bool pipeline_checkpoint(struct pipeline *pipeline,
                         struct pipeline_checkpoint *checkpoint)
{
    const struct flow_ops *ops = pipeline->flow->ops;

    return ops->checkpoint && ops->checkpoint(pipeline->flow, checkpoint);
}

void pipeline_end_of_shard(struct pipeline *pipeline, int64_t now_ms)
{
    pipeline->flow->now_ms = now_ms;
    if (pipeline->flow->ops->end_of_shard)
        pipeline->flow->ops->end_of_shard(pipeline->flow);
}

void pipeline_counts(const struct pipeline *pipeline,
                     struct pipeline_counts *counts)
{
    *counts = pipeline->flow->counts;
}

int64_t pipeline_deadline_ms(const struct pipeline *pipeline)
{
    const struct flow *flow = pipeline->flow;

    return flow->stopped ? CLOCK_NEVER
                         : flow->ops->deadline_ms(flow, INT64_MIN);
}

void pipeline_stop(struct pipeline *pipeline)
{
    struct flow *flow = pipeline->flow;

    if (flow->stopped)
        return;
    flow->stopped = true;
    flow->ops->stop(flow);
}

size_t pipeline_running(const struct pipeline *pipeline)
{
    return pipeline->flow->ops->running(pipeline->flow);
}

bool pipeline_is_idle(const struct pipeline *pipeline)
{
    const struct flow *flow = pipeline->flow;

    return flow->ops->is_empty(flow) && settle_is_empty(&flow->settle) &&
           !flow->discards && !flow->discards_out;
}
