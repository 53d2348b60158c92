#include "poller/queue_flow.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "poller/batch.h"
#include "poller/concurrency.h"
#include "poller/flow.h"
#include "poller/order.h"
#include "poller/response.h"
#include "poller/retry.h"
#include "poller/window.h"

// A delete takes so long, at the most, when all is well: with less visibility
// left, the message may come again.
#define QUEUE_DELETE_MS 1000

struct queue_flow {
    struct flow flow; // first
    struct window window;
    struct order order;
    struct concurrency concurrency;
    struct retry retry; // a pause, when batches cannot even start; and the
                        // delays of failed records
};

static struct queue_flow *of(struct flow *flow)
{
    return (struct queue_flow *)(void *)flow;
}

static const struct queue_flow *of_const(const struct flow *flow)
{
    return (const struct queue_flow *)(const void *)flow;
}

static void queue_destroy(struct flow *flow)
{
    order_finish(&of(flow)->order);
    free(flow);
}

static void queue_set_concurrency(struct flow *flow, size_t concurrency)
{
    struct queue_flow *queue = of(flow);

    concurrency_set_most(&queue->concurrency, concurrency);
    queue->order.concurrency = queue->concurrency.now;
}

static size_t waiting(const struct queue_flow *queue)
{
    return queue->window.waiting.count + queue->order.held;
}

static size_t queue_room(const struct flow *flow)
{
    const struct queue_flow *queue = of_const(flow);
    size_t free_batches = order_free(&queue->order);

    if (!free_batches || !retry_is_due(&queue->retry, flow->now_ms))
        return 0;
    return flow_room_within(flow, waiting(queue) + flow->given_up,
                            queue->window.bytes + queue->order.held_bytes +
                                flow->given_up_bytes,
                            free_batches * flow->options.batch_size,
                            free_batches * flow->options.payload_limit);
}

static void queue_add(struct flow *flow, struct record *record)
{
    order_enter(&of(flow)->order, record);
    window_add(&of(flow)->window, record, flow->now_ms);
}

static void queue_add_filtered(struct flow *flow, struct record *record)
{
    struct batch *batch;

    switch (flow->options.filtered) {
    case PIPELINE_FILTERED_DELETE:
        settle_add(&flow->settle, record, SOURCE_DONE);
        break;
    case PIPELINE_FILTERED_LEAVE:
        settle_leave(&flow->settle, record);
        break;
    case PIPELINE_FILTERED_MOVE:
        batch = batch_create(1);
        batch_add(batch, record);
        flow_discard(flow, batch, DISCARD_FILTERED, false);
        break;
    }
}

/* Everything that has not started. */
static void queue_stop(struct flow *flow)
{
    struct queue_flow *queue = of(flow);
    struct record_list back = {0};
    struct record *record;

    order_give_back_all(&queue->order, &back);
    while ((record = window_take(&queue->window))) {
        order_give_back(&queue->order, record, &back);
        record_list_add(&back, record);
    }
    flow_settle_list(flow, &back, SOURCE_RETURN);
}

static void give_back_stale(struct queue_flow *queue, struct record *record)
{
    struct record_list back = {0};

    order_give_back(&queue->order, record, &back);
    record_list_add(&back, record);
    flow_settle_list(&queue->flow, &back, SOURCE_RETURN);
}

static void queue_tick(struct flow *flow)
{
    struct queue_flow *queue = of(flow);

    while (window_stale_ms(&queue->window) <= flow->now_ms)
        give_back_stale(queue, window_take(&queue->window));
}

static void place(struct queue_flow *queue, struct batch *batch,
                  struct record *record)
{
    if (window_is_stale(&queue->window, record, queue->flow.now_ms)) {
        give_back_stale(queue, record);
        return;
    }
    if (order_place(&queue->order, batch, record) == ORDER_BACK)
        settle_add(&queue->flow.settle, record, SOURCE_RETURN);
}

/* How many records the next batch can have. */
static size_t batch_room(const struct queue_flow *queue)
{
    size_t count = queue->window.waiting.count;
    size_t most = queue->flow.options.batch_size;

    if (!queue->order.by_group) // none is skipped: it is the line's front
        return queue->window.front_count;
    return count < most ? count : most;
}

/* The line's front as a batch. NULL: all of it has to wait or go back. */
static struct batch *form_batch(struct queue_flow *queue)
{
    size_t room = batch_room(queue);
    struct batch *batch = batch_create(room);

    while (batch->count < room && window_fits(&queue->window, batch))
        place(queue, batch, window_take(&queue->window));
    if (batch->count)
        return batch;
    free(batch);
    return NULL;
}

static struct batch *queue_next_batch(struct flow *flow)
{
    struct queue_flow *queue = of(flow);
    struct batch *batch;

    if (!order_free(&queue->order) ||
        !retry_is_due(&queue->retry, flow->now_ms) ||
        !window_is_due(&queue->window, flow->now_ms))
        return NULL;
    batch = form_batch(queue);
    if (batch)
        order_batch_started(&queue->order);
    return batch;
}

static enum source_verdict verdict_on(const struct response_verdict *verdict,
                                      size_t index)
{
    if (verdict->is_unstarted)
        return SOURCE_RETURN;
    return response_is_failed(verdict, index) ? SOURCE_AGAIN : SOURCE_DONE;
}

/* Behind a failed one of its group, none is done: they come again together. The
 * group stays locked until the failed one is visible, so its delay is that of
 * all, and theirs must not outlast it. */
static enum source_verdict verdict_behind(const struct queue_flow *queue,
                                          enum source_verdict verdict)
{
    if (verdict == SOURCE_RETURN || queue->flow.options.delay_failed)
        return SOURCE_RETURN;
    return SOURCE_AGAIN;
}

/* What is done, but whose delete may come too late, may come again. */
static enum order_over over(const struct queue_flow *queue,
                            const struct record *record,
                            enum source_verdict verdict)
{
    if (verdict != SOURCE_DONE)
        return ORDER_FAILED;
    return record->visible_ms - QUEUE_DELETE_MS <= queue->flow.now_ms
               ? ORDER_UNSURE
               : ORDER_DONE;
}

static void finish_record(struct queue_flow *queue, struct record *record,
                          enum source_verdict verdict, struct record_list *line)
{
    struct record_list back = {0};

    if (queue->flow.options.fifo_failure == TRIGGER_FIFO_RELEASE_GROUP &&
        order_has_failed(&queue->order, record))
        verdict = verdict_behind(queue, verdict);
    order_record_over(&queue->order, record, over(queue, record, verdict), line,
                      &back);
    flow_settle_list(&queue->flow, &back, SOURCE_RETURN);
    settle_add(&queue->flow.settle, record, verdict);
}

static void learn(struct queue_flow *queue,
                  const struct response_verdict *verdict)
{
    if (verdict->is_unstarted)
        return;
    concurrency_finished(&queue->concurrency, verdict->all_failed,
                         queue->order.running);
    queue->order.concurrency = queue->concurrency.now;
}

/* Nothing runs and nothing can start: pause, and let others have what waits. */
static void pause_queue(struct queue_flow *queue)
{
    retry_failed(&queue->retry, queue->flow.now_ms);
    queue_stop(&queue->flow);
}

static void queue_finish(struct flow *flow, struct batch *batch,
                         const struct response_verdict *verdict)
{
    struct queue_flow *queue = of(flow);
    struct record_list line = {0};

    order_batch_over(&queue->order);
    learn(queue, verdict);
    for (size_t i = 0; i < batch->count; i++)
        finish_record(queue, batch->records[i], verdict_on(verdict, i), &line);
    window_put_back(&queue->window, &line);
    free(batch);
    if (!verdict->is_unstarted) {
        retry_got_on(&queue->retry);
        window_reopen(&queue->window, flow->now_ms);
    } else if (!queue->order.running) {
        pause_queue(queue);
    }
}

static void queue_discarded(struct flow *flow, struct discard *discard,
                            bool is_done)
{
    struct batch *batch = discard->batch;

    for (size_t i = 0; i < batch->count && !is_done; i++)
        settle_leave(&flow->settle, batch->records[i]);
    if (is_done)
        flow_settle_batch(flow, batch, SOURCE_DONE);
    else
        free(batch);
}

/* When a batch may start; a pause that ends lets records in again, too. */
static int64_t start_ms(const struct queue_flow *queue)
{
    if (!retry_is_due(&queue->retry, queue->flow.now_ms))
        return queue->retry.due_ms;
    return window_closes_ms(&queue->window);
}

static int64_t queue_deadline_ms(const struct flow *flow, int64_t opens_ms)
{
    const struct queue_flow *queue = of_const(flow);
    int64_t stale_ms = window_stale_ms(&queue->window);
    int64_t starts_ms = start_ms(queue);

    if (!order_free(&queue->order))
        return stale_ms;
    return clock_earlier(stale_ms, starts_ms > opens_ms ? starts_ms : opens_ms);
}

static size_t queue_running(const struct flow *flow)
{
    return of_const(flow)->order.running;
}

static bool queue_is_empty(const struct flow *flow)
{
    return !waiting(of_const(flow)) && !queue_running(flow);
}

static const struct flow_ops queue_flow_ops = {
    .destroy = queue_destroy,
    .room = queue_room,
    .add = queue_add,
    .add_filtered = queue_add_filtered,
    .tick = queue_tick,
    .next_batch = queue_next_batch,
    .finish = queue_finish,
    .discarded = queue_discarded,
    .set_concurrency = queue_set_concurrency,
    .deadline_ms = queue_deadline_ms,
    .stop = queue_stop,
    .running = queue_running,
    .is_empty = queue_is_empty,
};

struct flow *queue_flow_create(const struct pipeline_options *options)
{
    struct queue_flow *queue = mem_calloc(1, sizeof(*queue));

    queue->flow.ops = &queue_flow_ops;
    window_init(&queue->window, &(struct window_options){
                                    .batch_size = options->batch_size,
                                    .payload_limit = options->payload_limit,
                                    .length_ms = options->window_ms,
                                    .needs_ms = options->batch_time_ms,
                                });
    order_init(&queue->order, options->concurrency, options->by_group,
               options->seed);
    concurrency_init(&queue->concurrency, options->concurrency,
                     options->gives_way);
    retry_init(&queue->retry, options->backoff_base_ms,
               options->backoff_maximum_ms, options->seed);
    settle_init(&queue->flow.settle,
                options->delay_failed ? &queue->retry : NULL);
    return &queue->flow;
}
