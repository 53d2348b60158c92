#include "poller/shard_flow.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "poller/batch.h"
#include "poller/flow.h"
#include "poller/key_hash.h"
#include "poller/ledger.h"
#include "poller/response.h"
#include "poller/shard_lane.h"
#include "poller/tumbling.h"

// A shard reads ahead so many records for each lane, even of small batches:
// they do not age in a buffer, and only 5 reads a second are allowed. One read
// brings no more than the other.
#define SHARD_READ_AHEAD 2000
#define SHARD_READ_MOST 10000
// Of what is pushed only so many bytes for each lane: a subscription is to take
// less than 2 MiB, and the next records are one hand away.
#define SHARD_PUSHED_AHEAD_BYTES (256u * 1024)
// A window closes so long before its first record is too old.
#define SHARD_SPARE_AGE_MS 1000

struct shard_flow {
    struct flow flow; // first
    struct ledger ledger;
    struct tumbling tumbling; // with windows there is one lane
    size_t running;           // batches
    size_t lane_next;         // to be asked for a batch
    size_t lane_count;
    struct shard_lane lanes[];
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
    ledger_finish(&of(flow)->ledger);
    tumbling_finish(&of(flow)->tumbling);
    free(flow);
}

// ---- Records in ----

static struct shard_lane *lane_of(struct shard_flow *shard,
                                  const struct record *record)
{
    size_t index = 0;

    if (shard->lane_count > 1)
        index =
            key_hash(shard->flow.options.seed, record->key) % shard->lane_count;
    return &shard->lanes[index];
}

static void shard_add(struct flow *flow, struct record *record)
{
    struct shard_flow *shard = of(flow);

    tumbling_saw(&shard->tumbling, record, true, flow->now_ms);
    ledger_enter(&shard->ledger, record);
    window_add(&lane_of(shard, record)->window, record, flow->now_ms);
}

static void shard_add_filtered(struct flow *flow, struct record *record)
{
    tumbling_saw(&of(flow)->tumbling, record, false, flow->now_ms);
    ledger_pass(&of(flow)->ledger, record);
    settle_add(&flow->settle, record, SOURCE_DONE);
}

/* What waits, and of that what stuck lanes have. */
struct load {
    size_t count, bytes;
    size_t stuck_count, stuck_bytes;
};

static void add_load(const struct shard_lane *lane, struct load *load)
{
    size_t count = shard_lane_count(lane);
    size_t bytes = shard_lane_bytes(lane);

    load->count += count;
    load->bytes += bytes;
    if (shard_lane_is_stuck(lane)) {
        load->stuck_count += count;
        load->stuck_bytes += bytes;
    }
}

static size_t read_ahead(const struct shard_flow *shard)
{
    size_t ahead = shard->lane_count * SHARD_READ_AHEAD;

    return ahead < SHARD_READ_MOST ? ahead : SHARD_READ_MOST;
}

/* A batch for each lane and one more, or what the lanes read ahead. */
static size_t most_records(const struct shard_flow *shard)
{
    size_t batches = (shard->lane_count + 1) * shard->flow.options.batch_size;
    size_t ahead = read_ahead(shard);

    return batches > ahead ? batches : ahead;
}

/* Is less than half of it left, but for what the stuck ones have? */
static bool is_low(size_t have, size_t stuck, size_t most)
{
    return stuck < most && have - stuck <= (most - stuck) / 2;
}

/* Asked for when half of it is free, so that reads stay large. */
static size_t polled_room(const struct shard_flow *shard,
                          const struct load *load)
{
    const struct flow *flow = &shard->flow;
    size_t records = most_records(shard);
    size_t bytes = (shard->lane_count + 1) * flow->options.payload_limit;

    if (!is_low(load->count, load->stuck_count, records) ||
        !is_low(load->bytes, load->stuck_bytes, bytes))
        return 0;
    return flow_room_within(flow, load->count, load->bytes, records, bytes);
}

/* What forms a batch for each lane, whatever its size, or a little more. */
static size_t pushed_room(const struct shard_flow *shard,
                          const struct load *load)
{
    const struct flow *flow = &shard->flow;
    size_t lanes = shard->lane_count;
    size_t batches = flow_room_within(flow, load->count, load->bytes,
                                      lanes * flow->options.batch_size,
                                      lanes * flow->options.payload_limit);
    size_t ahead =
        flow_room_within(flow, load->count, load->bytes, read_ahead(shard),
                         lanes * SHARD_PUSHED_AHEAD_BYTES);

    return batches > ahead ? batches : ahead;
}

static size_t shard_room(const struct flow *flow)
{
    const struct shard_flow *shard = of_const(flow);
    struct load load = {0};

    for (size_t i = 0; i < shard->lane_count; i++)
        add_load(&shard->lanes[i], &load);
    return flow->options.is_pushed ? pushed_room(shard, &load)
                                   : polled_room(shard, &load);
}

// ---- Too old ----

/* On the monotonic clock. A record that does not say when it arrived has no
 * age. */
static int64_t expires_ms(const struct shard_flow *shard,
                          const struct record *record)
{
    int64_t age_ms = shard->flow.options.maximum_age_ms;
    int64_t arrived_at_ms = record_arrival_ms(record);

    if (age_ms < 0 || !arrived_at_ms)
        return CLOCK_NEVER;
    return arrived_at_ms + age_ms - shard->flow.wall_ahead_ms;
}

static int64_t batch_expires_ms(const struct shard_flow *shard,
                                const struct batch *batch)
{
    return batch->count ? expires_ms(shard, batch->records[0]) : CLOCK_NEVER;
}

static size_t expired_prefix(const struct shard_flow *shard,
                             const struct batch *batch)
{
    size_t count = 0;

    if (shard->flow.options.maximum_age_ms < 0)
        return 0;
    while (count < batch->count &&
           expires_ms(shard, batch->records[count]) <= shard->flow.now_ms)
        count++;
    return count;
}

static void show_window(struct shard_flow *shard, struct batch *batch)
{
    if (shard->tumbling.is_open)
        batch->window = tumbling_view(&shard->tumbling, !batch->count);
}

static void discard(struct shard_flow *shard, struct shard_lane *lane,
                    struct batch *batch, enum discard_condition condition,
                    bool is_unhandled)
{
    lane->is_out = true;
    show_window(shard, batch);
    flow_discard(&shard->flow, batch, condition, is_unhandled);
}

/* Discard what is too old of what a lane would try next. */
static void expire(struct shard_flow *shard, struct shard_lane *lane)
{
    size_t count = lane->again ? expired_prefix(shard, lane->again) : 0;
    struct batch *batch;

    if (!count)
        return;
    batch = shard_lane_pop(lane);
    if (count < batch->count) {
        struct batch *old = batch_split(batch, count);

        shard_lane_push(lane, batch);
        batch = old;
    }
    discard(shard, lane, batch, DISCARD_AGE, false);
}

static void shard_tick(struct flow *flow)
{
    struct shard_flow *shard = of(flow);

    tumbling_tick(&shard->tumbling, flow->now_ms);
    for (size_t i = 0; i < shard->lane_count && !flow->stopped; i++)
        if (!shard->lanes[i].is_out)
            expire(shard, &shard->lanes[i]);
}

// ---- Batches out ----

/* When the line's front goes. What waits behind it may be of another tumbling
 * window; then there is nothing to wait for. */
static int64_t line_closes_ms(const struct shard_flow *shard,
                              const struct shard_lane *lane)
{
    const struct record *first = lane->window.waiting.first;

    if (!first)
        return CLOCK_NEVER;
    if (tumbling_parts(&shard->tumbling, first, lane->window.waiting.last))
        return lane->window.opened_ms;
    return clock_earlier(window_closes_ms(&lane->window),
                         expires_ms(shard, first) - SHARD_SPARE_AGE_MS);
}

/* When the final call of the open tumbling window is to be made. */
static int64_t window_ends_ms(const struct shard_flow *shard,
                              const struct shard_lane *lane)
{
    const struct record *next = lane->window.waiting.first;
    bool is_drained =
        !lane->again && (!next || !tumbling_holds(&shard->tumbling, next));

    return tumbling_due_ms(&shard->tumbling, is_drained,
                           shard->flow.wall_ahead_ms);
}

/* The final call, of no record, goes before all else. */
static void end_window(struct shard_flow *shard, struct shard_lane *lane)
{
    struct batch *batch = batch_create(0);

    batch->lane = lane->index;
    tumbling_close(&shard->tumbling);
    shard_lane_push(lane, batch);
}

static void form_batch(struct shard_flow *shard, struct shard_lane *lane)
{
    tumbling_open(&shard->tumbling, lane->window.waiting.first,
                  shard->flow.now_ms + shard->flow.wall_ahead_ms);
    shard_lane_push(lane, shard_lane_form(lane, &shard->tumbling));
    expire(shard, lane);
}

/* The batch that a lane may start now, or NULL. */
static struct batch *start_lane(struct shard_flow *shard,
                                struct shard_lane *lane)
{
    int64_t now_ms = shard->flow.now_ms;
    struct batch *batch;

    if (lane->is_out || !retry_is_due(&lane->retry, now_ms))
        return NULL;
    if (window_ends_ms(shard, lane) <= now_ms)
        end_window(shard, lane);
    else if (!lane->again && line_closes_ms(shard, lane) <= now_ms)
        form_batch(shard, lane);
    if (lane->is_out)
        return NULL;
    batch = shard_lane_pop(lane);
    if (batch)
        show_window(shard, batch);
    return batch;
}

static struct batch *shard_next_batch(struct flow *flow)
{
    struct shard_flow *shard = of(flow);

    for (size_t i = 0; i < shard->lane_count; i++) {
        struct shard_lane *lane = &shard->lanes[shard->lane_next];
        struct batch *batch = start_lane(shard, lane);

        shard->lane_next = (shard->lane_next + 1) % shard->lane_count;
        if (batch) {
            lane->is_out = true;
            shard->running++;
            return batch;
        }
    }
    return NULL;
}

// ---- Outcomes ----

static void done(struct shard_flow *shard, struct record *record)
{
    ledger_done(&shard->ledger, record);
    settle_add(&shard->flow.settle, record, SOURCE_DONE);
}

/* It leaves unhandled: we stop. */
static void leave(struct shard_flow *shard, struct record *record,
                  enum source_verdict verdict)
{
    ledger_leave(&shard->ledger, record);
    settle_add(&shard->flow.settle, record, verdict);
}

static void leave_batch(struct shard_flow *shard, struct batch *batch,
                        enum source_verdict verdict)
{
    for (size_t i = 0; i < batch->count; i++)
        leave(shard, batch->records[i], verdict);
    free(batch);
}

static void try_again(struct shard_flow *shard, struct shard_lane *lane,
                      struct batch *batch)
{
    if (shard->flow.stopped)
        leave_batch(shard, batch, SOURCE_AGAIN);
    else
        shard_lane_push(lane, batch);
}

static void split(struct shard_flow *shard, struct shard_lane *lane,
                  struct batch *batch)
{
    struct batch *front = batch_split(batch, batch->count / 2);

    try_again(shard, lane, batch);
    try_again(shard, lane, front);
    shard_lane_split(lane, shard->flow.now_ms);
}

static bool is_exhausted(const struct shard_flow *shard,
                         const struct batch *batch)
{
    int64_t most = shard->flow.options.maximum_attempts;

    return most >= 0 && batch->attempt > most && batch->count;
}

/* Nothing of it was done. */
static void failed(struct shard_flow *shard, struct shard_lane *lane,
                   struct batch *batch, const struct response_verdict *verdict)
{
    // A report whose first failure is the first record says nothing about
    // where to split either: those behind it must not be given up with it.
    if (shard->flow.options.bisects && batch->count > 1) {
        split(shard, lane, batch);
        return;
    }
    batch->attempt++;
    if (is_exhausted(shard, batch)) {
        discard(shard, lane, batch, DISCARD_ATTEMPTS, verdict->is_unhandled);
        return;
    }
    shard_lane_failed(lane, shard->flow.now_ms);
    try_again(shard, lane, batch);
}

/* What a call of a window that got on leaves behind. */
static void move_window(struct shard_flow *shard, const struct batch *batch,
                        const struct response_verdict *verdict)
{
    if (!batch->window)
        return;
    if (batch->window->is_final)
        tumbling_closed(&shard->tumbling);
    else
        tumbling_moved(&shard->tumbling, verdict->state);
}

/* The front of a batch is done: what is left of it is a fresh one. */
static void got_on(struct shard_flow *shard, struct shard_lane *lane,
                   struct batch *batch, size_t count)
{
    for (size_t i = 0; i < count; i++)
        done(shard, batch->records[i]);
    shard_lane_got_on(lane);
    if (count == batch->count) {
        free(batch);
        return;
    }
    batch_cut(batch, count);
    batch->attempt = 0;
    shard_lane_failed(lane, shard->flow.now_ms);
    try_again(shard, lane, batch);
}

static void shard_finish(struct flow *flow, struct batch *batch,
                         const struct response_verdict *verdict)
{
    struct shard_flow *shard = of(flow);
    struct shard_lane *lane = &shard->lanes[batch->lane];
    size_t count = batch->count;
    size_t done_count = response_done_prefix(verdict, count);

    shard->running--;
    lane->is_out = false;
    if (verdict->is_unstarted) {
        shard_lane_failed(lane, flow->now_ms);
        try_again(shard, lane, batch);
    } else if (done_count || (!count && !verdict->all_failed)) {
        move_window(shard, batch, verdict);
        got_on(shard, lane, batch, done_count);
    } else {
        failed(shard, lane, batch, verdict);
    }
    window_reopen(&lane->window, flow->now_ms);
}

static void shard_discarded(struct flow *flow, struct discard *discarded,
                            bool is_done)
{
    struct shard_flow *shard = of(flow);
    struct batch *batch = discarded->batch;
    struct shard_lane *lane = &shard->lanes[batch->lane];

    lane->is_out = false;
    if (!is_done) {
        leave_batch(shard, batch, SOURCE_AGAIN);
        return;
    }
    for (size_t i = 0; i < batch->count; i++)
        done(shard, batch->records[i]);
    free(batch);
    tumbling_gave_up(&shard->tumbling);
    shard_lane_got_on(lane);
}

static bool shard_checkpoint(struct flow *flow,
                             struct pipeline_checkpoint *checkpoint)
{
    struct shard_flow *shard = of(flow);
    bool has_moved;

    *checkpoint = (struct pipeline_checkpoint){0};
    if (tumbling_withholds(&shard->tumbling))
        return false;
    has_moved = ledger_checkpoint(&shard->ledger, &checkpoint->sequence);
    checkpoint->sets_window =
        tumbling_text(&shard->tumbling, &checkpoint->window);
    return has_moved || checkpoint->sets_window;
}

static void shard_end(struct flow *flow)
{
    tumbling_end_of_shard(&of(flow)->tumbling);
}

// ---- Time, stop ----

static int64_t lane_deadline_ms(const struct shard_flow *shard,
                                const struct shard_lane *lane, int64_t opens_ms)
{
    int64_t starts_ms, old_ms;

    if (lane->is_out)
        return CLOCK_NEVER;
    if (lane->again) {
        starts_ms = lane->retry.due_ms;
        old_ms = batch_expires_ms(shard, lane->again);
    } else {
        starts_ms = clock_earlier(line_closes_ms(shard, lane),
                                  window_ends_ms(shard, lane));
        if (starts_ms < lane->retry.due_ms)
            starts_ms = lane->retry.due_ms;
        old_ms = CLOCK_NEVER;
    }
    return clock_earlier(old_ms, starts_ms > opens_ms ? starts_ms : opens_ms);
}

static int64_t shard_deadline_ms(const struct flow *flow, int64_t opens_ms)
{
    const struct shard_flow *shard = of_const(flow);
    int64_t deadline_ms = CLOCK_NEVER;

    for (size_t i = 0; i < shard->lane_count; i++)
        deadline_ms = clock_earlier(
            deadline_ms, lane_deadline_ms(shard, &shard->lanes[i], opens_ms));
    return deadline_ms;
}

static void stop_lane(struct shard_flow *shard, struct shard_lane *lane)
{
    struct record *record;
    struct batch *batch;

    while ((record = window_take(&lane->window)))
        leave(shard, record, SOURCE_RETURN);
    while ((batch = shard_lane_pop(lane)))
        leave_batch(shard, batch, SOURCE_RETURN);
}

static void shard_stop(struct flow *flow)
{
    struct shard_flow *shard = of(flow);

    for (size_t i = 0; i < shard->lane_count; i++)
        stop_lane(shard, &shard->lanes[i]);
}

static size_t shard_running(const struct flow *flow)
{
    return of_const(flow)->running;
}

/* A shard that has ended is not through before its window is closed. */
static bool owes_final_call(const struct shard_flow *shard)
{
    return shard->tumbling.shard_ended && shard->tumbling.is_open &&
           !shard->flow.stopped;
}

static bool shard_is_empty(const struct flow *flow)
{
    const struct shard_flow *shard = of_const(flow);

    return !shard->ledger.count && !shard->running && !owes_final_call(shard);
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
    .end_of_shard = shard_end,
    .deadline_ms = shard_deadline_ms,
    .stop = shard_stop,
    .running = shard_running,
    .is_empty = shard_is_empty,
};

/* A window's state goes from call to call, so these follow each other. */
static bool has_windows(const struct pipeline_options *options)
{
    return options->tumbling_ms || options->window;
}

static size_t lanes_of(const struct pipeline_options *options)
{
    return has_windows(options) || !options->lanes ? 1 : options->lanes;
}

/* What a batch's records may have of its event. */
static size_t payload_of(const struct pipeline_options *options)
{
    size_t limit = options->payload_limit;

    if (!has_windows(options) || limit < 2 * TUMBLING_EVENT_ROOM)
        return limit;
    return limit - TUMBLING_EVENT_ROOM;
}

struct flow *shard_flow_create(const struct pipeline_options *options)
{
    size_t lanes = lanes_of(options);
    struct shard_flow *shard =
        mem_calloc(1, sizeof(*shard) + lanes * sizeof(struct shard_lane));
    struct window_options line = {
        .batch_size = options->batch_size,
        .payload_limit = payload_of(options),
        .length_ms = options->window_ms,
        .reopens = true,
    };
    struct retry retry;

    shard->flow.ops = &shard_flow_ops;
    ledger_init(&shard->ledger);
    tumbling_init(&shard->tumbling, options->tumbling_ms, options->window,
                  options->origin);
    settle_init(&shard->flow.settle, NULL);
    retry_init(&retry, options->backoff_base_ms, options->backoff_maximum_ms,
               options->seed);
    shard->lane_count = lanes;
    for (size_t i = 0; i < lanes; i++)
        shard_lane_init(&shard->lanes[i], (unsigned)i, &line, &retry);
    return &shard->flow;
}
