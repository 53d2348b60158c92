#include "poller/pipeline.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "filter/filter.h"
#include "handler/handler.h"
#include "poller/flow.h"
#include "poller/gate.h"
#include "poller/queue_flow.h"
#include "poller/response.h"
#include "poller/shard_flow.h"

// What a record is taken to be worth before the first came.
#define PIPELINE_FIRST_GUESS_BYTES 1024

struct pipeline {
    struct flow *flow; // owned
    struct gate gate;
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
    gate_init(&pipeline->gate, options);
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

static bool is_queue(const struct pipeline *pipeline)
{
    return pipeline->flow->options.kind == PIPELINE_QUEUE;
}

size_t pipeline_room(const struct pipeline *pipeline)
{
    const struct flow *flow = pipeline->flow;
    size_t room = flow->stopped ? 0 : flow->ops->room(flow);

    return is_queue(pipeline) ? gate_room(&pipeline->gate, room, flow->now_ms)
                              : room;
}

/* A moving average over the last few dozen. */
static void learn_size(struct flow *flow, const struct record *record)
{
    size_t typical = (flow->typical_bytes * 31 + record->event_size) / 32;

    flow->typical_bytes = typical ? typical : 1;
}

static void let_in(struct pipeline *pipeline, struct record *record)
{
    struct flow *flow = pipeline->flow;

    if (gate_admit(&pipeline->gate, flow->now_ms))
        flow->ops->add(flow, record);
    else
        settle_add(&flow->settle, record, SOURCE_RETURN);
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
    if (filter_matches(flow->options.filter, record)) {
        let_in(pipeline, record);
        return;
    }
    flow->counts.filtered++;
    flow->ops->add_filtered(flow, record);
}

/* IteratorAge (lambda-esm.md section 7). Clocks of two machines may differ. */
static void measure_lag(struct flow *flow, const struct batch *batch)
{
    const struct record *last = batch->records[batch->count - 1];
    int64_t arrived_at_ms = record_arrival_ms(last);
    int64_t lag_ms = flow->now_ms + flow->wall_ahead_ms - arrived_at_ms;

    if (arrived_at_ms)
        flow->counts.lag_ms = lag_ms > 0 ? lag_ms : 0;
}

/* A queue's records do not wait where none can start. */
static void let_go(struct pipeline *pipeline)
{
    if (is_queue(pipeline))
        pipeline->flow->ops->stop(pipeline->flow);
}

static void started(struct pipeline *pipeline, const struct batch *batch)
{
    struct flow *flow = pipeline->flow;

    flow->counts.dispatched += batch->count;
    if (batch->count)
        measure_lag(flow, batch);
    if (gate_started(&pipeline->gate, batch, flow->now_ms))
        let_go(pipeline);
}

struct batch *pipeline_next_batch(struct pipeline *pipeline, int64_t now_ms)
{
    struct flow *flow = pipeline->flow;
    struct batch *batch;

    flow->now_ms = now_ms;
    flow->ops->tick(flow);
    if (flow->stopped || !gate_is_open(&pipeline->gate, now_ms))
        return NULL;
    batch = flow->ops->next_batch(flow);
    if (batch)
        started(pipeline, batch);
    return batch;
}

/* All records of an invocation that failed or whose response lists failures
 * (lambda-esm.md section 8). */
static void count_failed(struct pipeline_counts *counts, size_t records,
                         const struct outcome *outcome,
                         const struct response_verdict *verdict)
{
    if (verdict->is_invalid) {
        counts->invalid_responses++;
        counts->failed_response += records;
    } else if (outcome->kind == OUTCOME_TIMED_OUT) {
        counts->failed_timeout += records;
    } else if (verdict->is_unhandled) {
        counts->failed_error += records;
    } else {
        counts->failed_records += records;
    }
}

/* What it says of the handler. */
static void judge(struct pipeline *pipeline, const struct batch *batch,
                  const struct outcome *outcome,
                  const struct response_verdict *verdict)
{
    struct flow *flow = pipeline->flow;

    if (verdict->all_failed || verdict->failed_count)
        count_failed(&flow->counts, batch->count, outcome, verdict);
    if (gate_finished(&pipeline->gate, batch, verdict, flow->now_ms)) {
        flow->counts.breaker_opened++;
        let_go(pipeline);
    }
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
                      .wants_state = batch->window && !batch->window->is_final,
                  },
                  verdict);
    judge(pipeline, batch, outcome, verdict);
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

    if (discard->condition == DISCARD_FILTERED)
        flow->counts.moved += is_reported ? count : 0;
    else if (is_reported)
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
    flow->given_up -= discard->batch->count;
    flow->given_up_bytes -= discard->batch->event_bytes;
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
    counts->breakers_open = pipeline->gate.breaker.is_open;
}

int64_t pipeline_deadline_ms(const struct pipeline *pipeline)
{
    const struct flow *flow = pipeline->flow;
    int64_t deadline_ms;

    if (flow->discards) // wait to be taken
        return flow->now_ms;
    if (flow->stopped)
        return CLOCK_NEVER;
    deadline_ms = flow->ops->deadline_ms(flow, gate_opens_ms(&pipeline->gate));
    if (!is_queue(pipeline) || !flow->ops->room(flow))
        return deadline_ms;
    return clock_earlier(deadline_ms,
                         gate_room_ms(&pipeline->gate, flow->now_ms));
}

void pipeline_stop(struct pipeline *pipeline)
{
    struct flow *flow = pipeline->flow;
    struct discard *discard;

    if (flow->stopped)
        return;
    flow->stopped = true;
    flow->ops->stop(flow);
    while ((discard = pipeline_next_discard(pipeline)))
        pipeline_discard_failed(pipeline, discard);
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
