#include "poller/shard_flow.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "poller/batch.h"
#include "poller/flow.h"
#include "poller/response.h"
#include "poller/retry.h"
#include "poller/window.h"

// A shard reads ahead so many records even of small batches: they do not age in
// a buffer, and only 5 reads a second are allowed.
#define SHARD_READ_AHEAD 2000

struct shard_flow {
    struct flow flow; // first
    struct window window;
    struct retry retry;
    size_t running;
    struct batch *again; // owned; to be tried again
    struct buffer checkpoint;
    bool moved; // since it was asked for
};

static struct shard_flow *of(struct flow *flow)
{
    return (struct shard_flow *)(void *)flow;
}

static const struct shard_flow *of_const(const struct flow *flow)
{
    return (const struct shard_flow *)(const void *)flow;
}

static void shard_destroy(struct flow *flow)
{
    buffer_finish(&of(flow)->checkpoint);
    free(flow);
}

static size_t waiting(const struct shard_flow *shard)
{
    return shard->window.waiting.count +
           (shard->again ? shard->again->count : 0);
}

static size_t waiting_bytes(const struct shard_flow *shard)
{
    return shard->window.bytes + (shard->again ? shard->again->event_bytes : 0);
}

/* Two batches' worth at the most, asked for when one is left, so that reads
 * stay large. */
static size_t shard_room(const struct flow *flow)
{
    const struct shard_flow *shard = of_const(flow);
    size_t payload = flow->options.payload_limit;
    size_t most = 2 * flow->options.batch_size;

    if (most < SHARD_READ_AHEAD)
        most = SHARD_READ_AHEAD;
    if (waiting(shard) > most / 2 || waiting_bytes(shard) > payload)
        return 0;
    return flow_room_within(flow, waiting(shard), waiting_bytes(shard), most,
                            2 * payload);
}

static void shard_add(struct flow *flow, struct record *record)
{
    window_add(&of(flow)->window, record, flow->now_ms);
}

static void move_checkpoint(struct shard_flow *shard,
                            const struct record *record)
{
    buffer_clear(&shard->checkpoint);
    buffer_append_bytes(&shard->checkpoint, record->id);
    shard->moved = true;
}

static void shard_add_filtered(struct flow *flow, struct record *record)
{
    window_add(&of(flow)->window, record, flow->now_ms);
}

static void shard_tick(struct flow *flow)
{
    (void)flow;
}

static struct batch *form_batch(struct shard_flow *shard)
{
    struct batch *batch = batch_create(shard->window.front_count);

    while (window_fits(&shard->window, batch)) {
        struct record *record = window_take(&shard->window);

        batch->records[batch->count++] = record;
        batch->event_bytes += record->event_size;
    }
    return batch;
}

static struct batch *take_again(struct shard_flow *shard)
{
    struct batch *batch = shard->again;

    shard->again = NULL;
    return batch;
}

static struct batch *shard_next_batch(struct flow *flow)
{
    struct shard_flow *shard = of(flow);
    struct batch *batch = NULL;

    if (shard->running || !retry_is_due(&shard->retry, flow->now_ms))
        return NULL;
    if (shard->again)
        batch = take_again(shard);
    else if (window_is_due(&shard->window, flow->now_ms))
        batch = form_batch(shard);
    shard->running += batch != NULL;
    return batch;
}

static void cut_front(struct batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++)
        batch->event_bytes -= batch->records[i]->event_size;
    batch->records += count;
    batch->count -= count;
}

/* The rest of a batch that got on counts as a fresh one (lambda-esm.md section
 * 3.3); one that never ran has used up no attempt. */
static void try_again(struct shard_flow *shard, struct batch *batch,
                      size_t done, bool is_unstarted)
{
    cut_front(batch, done);
    if (done) {
        batch->attempt = 0;
        retry_got_on(&shard->retry);
    } else if (!is_unstarted) {
        batch->attempt++;
    }
    retry_failed(&shard->retry, shard->flow.now_ms);
    shard->again = batch;
}

static size_t done_prefix(const struct response_verdict *verdict,
                          const struct batch *batch)
{
    return verdict->is_unstarted ? 0
                                 : response_done_prefix(verdict, batch->count);
}

static void shard_finish(struct flow *flow, struct batch *batch,
                         const struct response_verdict *verdict)
{
    struct shard_flow *shard = of(flow);
    size_t done = done_prefix(verdict, batch);

    shard->running--;
    for (size_t i = 0; i < done; i++)
        settle_add(&flow->settle, batch->records[i], SOURCE_DONE);
    if (done)
        move_checkpoint(shard, batch->records[done - 1]);
    if (done == batch->count) {
        retry_got_on(&shard->retry);
        free(batch);
    } else if (flow->stopped) {
        cut_front(batch, done);
        flow_settle_batch(flow, batch, SOURCE_AGAIN);
    } else {
        try_again(shard, batch, done, verdict->is_unstarted);
    }
    window_reopen(&shard->window, flow->now_ms);
}

static void shard_discarded(struct flow *flow, struct discard *discard,
                            bool is_done)
{
    flow_settle_batch(flow, discard->batch,
                      is_done ? SOURCE_DONE : SOURCE_AGAIN);
}

static bool shard_checkpoint(struct flow *flow,
                             struct pipeline_checkpoint *checkpoint)
{
    struct shard_flow *shard = of(flow);

    if (!shard->moved)
        return false;
    shard->moved = false;
    *checkpoint = (struct pipeline_checkpoint){
        .sequence = buffer_bytes(&shard->checkpoint)};
    return true;
}

static int64_t shard_deadline_ms(const struct flow *flow, int64_t opens_ms)
{
    const struct shard_flow *shard = of_const(flow);
    int64_t starts_ms;

    if (shard->running)
        return CLOCK_NEVER;
    if (shard->again || !retry_is_due(&shard->retry, flow->now_ms))
        starts_ms = shard->retry.due_ms;
    else
        starts_ms = window_closes_ms(&shard->window);
    return starts_ms > opens_ms ? starts_ms : opens_ms;
}

static void shard_stop(struct flow *flow)
{
    struct shard_flow *shard = of(flow);
    struct record *record;

    while ((record = window_take(&shard->window)))
        settle_add(&flow->settle, record, SOURCE_RETURN);
    if (shard->again)
        flow_settle_batch(flow, take_again(shard), SOURCE_RETURN);
}

static size_t shard_running(const struct flow *flow)
{
    return of_const(flow)->running;
}

static bool shard_is_empty(const struct flow *flow)
{
    return !waiting(of_const(flow)) && !shard_running(flow);
}

static const struct flow_ops shard_flow_ops = {
    .destroy = shard_destroy,
    .room = shard_room,
    .add = shard_add,
    .add_filtered = shard_add_filtered,
    .tick = shard_tick,
    .next_batch = shard_next_batch,
    .finish = shard_finish,
    .discarded = shard_discarded,
    .checkpoint = shard_checkpoint,
    .deadline_ms = shard_deadline_ms,
    .stop = shard_stop,
    .running = shard_running,
    .is_empty = shard_is_empty,
};

struct flow *shard_flow_create(const struct pipeline_options *options)
{
    struct shard_flow *shard = mem_calloc(1, sizeof(*shard));

    shard->flow.ops = &shard_flow_ops;
    buffer_init(&shard->checkpoint, 4096);
    window_init(&shard->window, &(struct window_options){
                                    .batch_size = options->batch_size,
                                    .payload_limit = options->payload_limit,
                                    .length_ms = options->window_ms,
                                    .reopens = true,
                                });
    retry_init(&shard->retry, options->backoff_base_ms,
               options->backoff_maximum_ms, options->seed);
    settle_init(&shard->flow.settle, NULL);
    return &shard->flow;
}
