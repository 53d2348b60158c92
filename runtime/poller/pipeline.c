#include "poller/pipeline.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "poller/order.h"
#include "poller/retry.h"
#include "poller/window.h"

// A shard reads ahead so many records even of small batches: they do not age in
// a buffer, and only 5 reads a second are allowed.
#define PIPELINE_READ_AHEAD 2000

// What a record is taken to be worth before the first came.
#define PIPELINE_FIRST_GUESS_BYTES 1024

struct pipeline {
    struct pipeline_options options;
    bool stopped;
    int64_t now_ms; // of the last event

    struct window window;
    struct order order;
    struct retry retry;
    struct settle settle;

    size_t typical_bytes;            // of a record, of late
    struct batch *again;             // owned; a shard's, to be tried again
    const struct record *checkpoint; // moved there, not yet asked for
};

struct pipeline *pipeline_create(const struct pipeline_options *options)
{
    struct pipeline *pipeline = mem_calloc(1, sizeof(*pipeline));
    bool is_shard = options->kind == PIPELINE_SHARD;

    pipeline->options = *options;
    pipeline->typical_bytes = PIPELINE_FIRST_GUESS_BYTES;
    window_init(&pipeline->window,
                &(struct window_options){
                    .batch_size = options->batch_size,
                    .payload_limit = options->payload_limit,
                    .length_ms = options->window_ms,
                    .needs_ms = is_shard ? 0 : options->batch_time_ms,
                    .reopens = is_shard,
                });
    order_init(&pipeline->order, is_shard ? 1 : options->concurrency,
               options->by_group && !is_shard, options->seed);
    retry_init(&pipeline->retry, options->backoff_base_ms,
               options->backoff_maximum_ms, options->seed);
    settle_init(&pipeline->settle,
                options->delay_failed && !is_shard ? &pipeline->retry : NULL);
    return pipeline;
}

void pipeline_destroy(struct pipeline *pipeline)
{
    if (!pipeline)
        return;
    assert(pipeline_is_idle(pipeline));
    order_finish(&pipeline->order);
    free(pipeline);
}

static bool is_shard(const struct pipeline *pipeline)
{
    return pipeline->options.kind == PIPELINE_SHARD;
}

void pipeline_set_concurrency(struct pipeline *pipeline, size_t concurrency)
{
    if (!is_shard(pipeline))
        pipeline->order.concurrency = concurrency;
}

static size_t waiting(const struct pipeline *pipeline)
{
    return pipeline->window.waiting.count + pipeline->order.held +
           (pipeline->again ? pipeline->again->count : 0);
}

static size_t waiting_bytes(const struct pipeline *pipeline)
{
    return pipeline->window.bytes + pipeline->order.held_bytes +
           (pipeline->again ? pipeline->again->event_bytes : 0);
}

/* Of what may be inside, the part that is not there yet. */
static size_t room_within(const struct pipeline *pipeline, size_t records,
                          size_t bytes)
{
    size_t inside = waiting(pipeline);
    size_t inside_bytes = waiting_bytes(pipeline);
    size_t by_bytes;

    if (inside >= records || inside_bytes >= bytes)
        return 0;
    by_bytes = (bytes - inside_bytes) / pipeline->typical_bytes;
    if (by_bytes == 0) // a large one after small ones must still get in
        by_bytes = 1;
    return records - inside < by_bytes ? records - inside : by_bytes;
}

static size_t queue_room(const struct pipeline *pipeline)
{
    size_t free_batches = order_free(&pipeline->order);

    if (!free_batches || !retry_is_due(&pipeline->retry, pipeline->now_ms))
        return 0;
    return room_within(pipeline, free_batches * pipeline->options.batch_size,
                       free_batches * pipeline->options.payload_limit);
}

/* Two batches' worth at the most, asked for when one is left, so that reads
 * stay large. */
static size_t shard_room(const struct pipeline *pipeline)
{
    size_t most = 2 * pipeline->options.batch_size;

    if (most < PIPELINE_READ_AHEAD)
        most = PIPELINE_READ_AHEAD;
    if (waiting(pipeline) > most / 2 ||
        waiting_bytes(pipeline) > pipeline->options.payload_limit)
        return 0;
    return room_within(pipeline, most, 2 * pipeline->options.payload_limit);
}

size_t pipeline_room(const struct pipeline *pipeline)
{
    if (pipeline->stopped)
        return 0;
    return is_shard(pipeline) ? shard_room(pipeline) : queue_room(pipeline);
}

static void give_back(struct pipeline *pipeline, struct record_list *list)
{
    struct record *record;

    while ((record = record_list_take(list)))
        settle_add(&pipeline->settle, record, SOURCE_RETURN);
}

/* Everything that has not started. */
static void give_back_waiting(struct pipeline *pipeline)
{
    struct record_list back = {0};
    struct record *record;

    order_give_back_all(&pipeline->order, &back);
    while ((record = window_take(&pipeline->window))) {
        order_give_back(&pipeline->order, record, &back);
        record_list_add(&back, record);
    }
    give_back(pipeline, &back);
}

/* A moving average over the last few dozen. */
static void learn_size(struct pipeline *pipeline, const struct record *record)
{
    size_t typical = (pipeline->typical_bytes * 31 + record->event_size) / 32;

    pipeline->typical_bytes = typical ? typical : 1;
}

void pipeline_add(struct pipeline *pipeline, struct record *record,
                  int64_t now_ms)
{
    pipeline->now_ms = now_ms;
    if (pipeline->stopped) {
        settle_add(&pipeline->settle, record, SOURCE_RETURN);
        return;
    }
    learn_size(pipeline, record);
    order_enter(&pipeline->order, record);
    window_add(&pipeline->window, record, now_ms);
}

static void give_back_stale(struct pipeline *pipeline, struct record *record)
{
    struct record_list back = {0};

    order_give_back(&pipeline->order, record, &back);
    record_list_add(&back, record);
    give_back(pipeline, &back);
}

static void give_back_all_stale(struct pipeline *pipeline)
{
    while (window_stale_ms(&pipeline->window) <= pipeline->now_ms)
        give_back_stale(pipeline, window_take(&pipeline->window));
}

static void place(struct pipeline *pipeline, struct batch *batch,
                  struct record *record)
{
    if (window_is_stale(&pipeline->window, record, pipeline->now_ms)) {
        give_back_stale(pipeline, record);
        return;
    }
    if (order_place(&pipeline->order, batch, record) == ORDER_BACK)
        settle_add(&pipeline->settle, record, SOURCE_RETURN);
}

/* How many records the next batch can have. */
static size_t batch_room(const struct pipeline *pipeline)
{
    size_t count = pipeline->window.waiting.count;

    if (!pipeline->order.by_group) // none is skipped: it is the line's front
        return pipeline->window.front_count;
    return count < pipeline->options.batch_size ? count
                                                : pipeline->options.batch_size;
}

/* The line's front as a batch. NULL: all of it has to wait or go back. */
static struct batch *form_batch(struct pipeline *pipeline)
{
    size_t room = batch_room(pipeline);
    struct batch *batch = batch_create(room);

    while (batch->count < room && window_fits(&pipeline->window, batch))
        place(pipeline, batch, window_take(&pipeline->window));
    if (batch->count)
        return batch;
    free(batch);
    return NULL;
}

static struct batch *take_again(struct pipeline *pipeline)
{
    struct batch *batch = pipeline->again;

    pipeline->again = NULL;
    return batch;
}

struct batch *pipeline_next_batch(struct pipeline *pipeline, int64_t now_ms)
{
    struct batch *batch = NULL;

    pipeline->now_ms = now_ms;
    give_back_all_stale(pipeline);
    if (pipeline->stopped || !order_free(&pipeline->order) ||
        !retry_is_due(&pipeline->retry, now_ms))
        return NULL;
    if (pipeline->again)
        batch = take_again(pipeline);
    else if (window_is_due(&pipeline->window, now_ms))
        batch = form_batch(pipeline);
    if (batch)
        order_batch_started(&pipeline->order);
    return batch;
}

static void finish_record(struct pipeline *pipeline, struct record *record,
                          enum source_verdict verdict, struct record_list *line)
{
    struct record_list back = {0};

    order_record_over(&pipeline->order, record, verdict == SOURCE_DONE, line,
                      &back);
    give_back(pipeline, &back);
    settle_add(&pipeline->settle, record, verdict);
}

/* Nothing runs and nothing can start: pause, and let others have what waits. */
static void pause_queue(struct pipeline *pipeline)
{
    retry_failed(&pipeline->retry, pipeline->now_ms);
    give_back_waiting(pipeline);
}

static void finish_queue(struct pipeline *pipeline, struct batch *batch,
                         const struct outcome *outcome)
{
    struct record_list line = {0};

    for (size_t i = 0; i < batch->count; i++)
        finish_record(pipeline, batch->records[i], settle_verdict(outcome, i),
                      &line);
    window_put_back(&pipeline->window, &line);
    free(batch);
    if (outcome->kind != OUTCOME_UNSTARTED)
        retry_got_on(&pipeline->retry);
    else if (!pipeline->order.running)
        pause_queue(pipeline);
}

static void cut_front(struct batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++)
        batch->event_bytes -= batch->records[i]->event_size;
    batch->records += count;
    batch->count -= count;
}

static void give_up_batch(struct pipeline *pipeline, struct batch *batch,
                          enum source_verdict verdict)
{
    for (size_t i = 0; i < batch->count; i++)
        settle_add(&pipeline->settle, batch->records[i], verdict);
    free(batch);
}

/* The rest of a batch that got on counts as a fresh one (lambda-esm.md section
 * 3.3); one that never ran has used up no attempt. */
static void try_again(struct pipeline *pipeline, struct batch *batch,
                      size_t done, enum outcome_kind kind)
{
    cut_front(batch, done);
    if (done) {
        batch->attempt = 0;
        retry_got_on(&pipeline->retry);
    } else if (kind != OUTCOME_UNSTARTED) {
        batch->attempt++;
    }
    retry_failed(&pipeline->retry, pipeline->now_ms);
    pipeline->again = batch;
}

static void finish_shard(struct pipeline *pipeline, struct batch *batch,
                         const struct outcome *outcome)
{
    size_t done = settle_done_prefix(outcome, batch->count);

    for (size_t i = 0; i < done; i++)
        settle_add(&pipeline->settle, batch->records[i], SOURCE_DONE);
    if (done)
        pipeline->checkpoint = batch->records[done - 1];
    if (done == batch->count) {
        retry_got_on(&pipeline->retry);
        free(batch);
    } else if (pipeline->stopped) {
        cut_front(batch, done);
        give_up_batch(pipeline, batch, SOURCE_AGAIN);
    } else {
        try_again(pipeline, batch, done, outcome->kind);
    }
    window_reopen(&pipeline->window, pipeline->now_ms);
}

void pipeline_finish(struct pipeline *pipeline, struct batch *batch,
                     const struct outcome *outcome, int64_t now_ms)
{
    pipeline->now_ms = now_ms;
    order_batch_over(&pipeline->order);
    if (is_shard(pipeline))
        finish_shard(pipeline, batch, outcome);
    else
        finish_queue(pipeline, batch, outcome);
}

bool pipeline_next_settlement(struct pipeline *pipeline,
                              struct settlement *settlement)
{
    if (!settle_next(&pipeline->settle, settlement))
        return false;
    assert(settlement->record != pipeline->checkpoint); // ask for it first
    return true;
}

const struct record *pipeline_checkpoint(struct pipeline *pipeline)
{
    const struct record *checkpoint = pipeline->checkpoint;

    pipeline->checkpoint = NULL;
    return checkpoint;
}

/* When a batch may start; a pause that ends lets records in again, too. */
static int64_t start_ms(const struct pipeline *pipeline)
{
    if (pipeline->again || !retry_is_due(&pipeline->retry, pipeline->now_ms))
        return pipeline->retry.due_ms;
    return window_closes_ms(&pipeline->window);
}

int64_t pipeline_deadline_ms(const struct pipeline *pipeline)
{
    int64_t stale_ms = window_stale_ms(&pipeline->window);

    if (pipeline->stopped)
        return CLOCK_NEVER;
    if (!order_free(&pipeline->order))
        return stale_ms;
    return clock_earlier(stale_ms, start_ms(pipeline));
}

void pipeline_stop(struct pipeline *pipeline)
{
    if (pipeline->stopped)
        return;
    pipeline->stopped = true;
    give_back_waiting(pipeline);
    if (pipeline->again)
        give_up_batch(pipeline, take_again(pipeline), SOURCE_RETURN);
}

size_t pipeline_running(const struct pipeline *pipeline)
{
    return pipeline->order.running;
}

bool pipeline_is_idle(const struct pipeline *pipeline)
{
    return !waiting(pipeline) && !pipeline->order.running &&
           settle_is_empty(&pipeline->settle);
}
