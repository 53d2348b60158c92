#include "poller/loop.h"

#include <stdlib.h>

#include "aws/client.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "destination/destination.h"
#include "filter/filter.h"
#include "handler/handler.h"
#include "poller/discards.h"
#include "poller/dispatch.h"
#include "poller/ending.h"
#include "poller/pipeline.h"
#include "poller/response.h"
#include "poller/trigger_config.h"
#include "poller/trigger_pipeline.h"
#include "poller/tumbling.h"
#include "source/source.h"

// Look again so soon while the lease guard holds batches back: its deadline is
// moved by another thread, which does not wake us.
#define LOOP_GUARD_MS 100
// A source that failed gets so long to settle what it can.
#define LOOP_FAILED_GRACE_MS 10000

struct loop {
    // Never changed.
    struct loop_options options;
    size_t concurrency; // as configured

    struct pipeline *pipeline; // owned
    struct dispatch *dispatch; // owned
    struct discards *discards; // owned
    struct poller_stats stats;
    uint64_t left;      // failed records left to their visibility timeout
    uint64_t returning; // unstarted records given back to a queue
    struct ending_log endings;

    bool stopping, failed, shard_ended;
    int64_t failed_ms;
    enum poller_end end;
};

static struct pipeline *create_pipeline(const struct loop_options *options)
{
    struct pipeline_options made;

    trigger_pipeline_options(options->trigger, options->is_shard, options->seed,
                             &made);
    made.window = options->window;
    made.origin = source_origin(options->source);
    made.filter = options->parts.filter;
    return pipeline_create(&made);
}

static struct dispatch *create_dispatch(const struct loop_options *options)
{
    return dispatch_create(&(struct dispatch_options){
        .handler = options->handler,
        .mailbox = options->mailbox,
        .mail_kind = LOOP_OUTCOME,
        .source = options->source,
        .destination = options->parts.on_success,
        .log = options->log,
        .trigger = options->trigger->name,
        .timeout_ms = options->trigger->handler.timeout_ms,
        .heartbeat = options->trigger->visibility_heartbeat,
    });
}

/* What is wrong with it is said here; the pipeline goes on without. */
static void log_stored_window(const struct loop_options *options)
{
    struct tumbling_stored stored;
    struct error err = {0};

    if (!options->window)
        return;
    if (tumbling_read(options->window, &stored, &err))
        log_info(options->log, "window.resumed",
                 LOG_INT("start_ms", stored.start_ms),
                 LOG_INT("end_ms", stored.end_ms),
                 LOG_INT("state_bytes", stored.state.size));
    else
        log_error(options->log, "window.forgotten", LOG_ERROR(&err));
}

struct loop *loop_create(const struct loop_options *options)
{
    struct loop *loop = mem_calloc(1, sizeof(*loop));

    loop->options = *options;
    log_stored_window(options);
    loop->concurrency = trigger_concurrency(options->trigger);
    loop->pipeline = create_pipeline(options);
    loop->dispatch = create_dispatch(options);
    loop->endings.log = options->log;
    loop->discards = discards_create(
        &(struct discards_options){.pipeline = loop->pipeline,
                                   .on_failure = options->parts.on_failure,
                                   .on_filtered = options->parts.on_filtered,
                                   .log = options->log});
    return loop;
}

static void tell_checkpoint(struct loop *loop)
{
    struct pipeline_checkpoint checkpoint;

    if (pipeline_checkpoint(loop->pipeline, &checkpoint) &&
        loop->options.checkpoint)
        loop->options.checkpoint(
            loop->options.context,
            &(struct poller_checkpoint){.sequence = checkpoint.sequence,
                                        .sets_window = checkpoint.sets_window,
                                        .window = checkpoint.window});
}

/* The checkpoint to the keeper, verdicts to the source. */
static void settle(struct loop *loop, int64_t now_ms)
{
    struct settlement settlement;

    tell_checkpoint(loop);
    while (pipeline_next_settlement(loop->pipeline, &settlement)) {
        if (settlement.verdict == SOURCE_DONE)
            loop->stats.records_done++;
        if (settlement.verdict == SOURCE_AGAIN && settlement.delay_ms < 0)
            loop->left++;
        if (settlement.verdict == SOURCE_RETURN && !loop->options.is_shard)
            loop->returning++;
        source_settle(loop->options.source, settlement.record,
                      settlement.verdict, settlement.delay_ms, now_ms);
    }
}

static void note_ending(struct loop *loop, struct ending *ending,
                        int64_t now_ms)
{
    const struct response_verdict *verdict = ending->verdict;

    ending->failed =
        verdict->all_failed ? ending->records : verdict->failed_count;
    loop->stats.records_failed += ending->failed;
    loop->stats.batches_failed += verdict->all_failed || ending->failed;
    // While we stop it is no news that something did not start.
    if (verdict->all_failed || ending->failed ||
        (verdict->is_unstarted && !loop->stopping))
        ending_say(&loop->endings, ending, now_ms);
}

static bool is_paused(const struct loop *loop)
{
    struct pipeline_counts counts;

    pipeline_counts(loop->pipeline, &counts);
    return counts.breakers_open > 0;
}

static void log_breaker(const struct loop *loop, bool was_paused)
{
    const struct trigger_config *trigger = loop->options.trigger;

    if (is_paused(loop) == was_paused)
        return;
    if (was_paused)
        log_info(loop->options.log, "breaker.closed");
    else
        log_warn(loop->options.log, "breaker.opened",
                 LOG_INT("failures", trigger->circuit_breaker.failures),
                 LOG_INT("pause_ms", trigger->circuit_breaker.pause_ms));
}

static void finish_batch(struct loop *loop, struct batch *batch,
                         const struct outcome *outcome, int64_t now_ms)
{
    struct response_verdict verdict = {0};
    struct ending ending = {.records = batch->count,
                            .attempt = batch->attempt,
                            .outcome = outcome,
                            .verdict = &verdict};
    bool was_paused = is_paused(loop);

    pipeline_finish(loop->pipeline, batch, outcome, now_ms, &verdict);
    note_ending(loop, &ending, now_ms);
    log_breaker(loop, was_paused);
    response_verdict_finish(&verdict);
}

static void finish_batches(struct loop *loop, int64_t now_ms)
{
    struct outcome outcome;
    struct batch *batch;

    while ((batch = dispatch_next(loop->dispatch, &outcome))) {
        finish_batch(loop, batch, &outcome, now_ms);
        outcome_finish(&outcome);
    }
}

static void receive(struct loop *loop, int64_t now_ms)
{
    struct record *record;

    while ((record = source_next(loop->options.source))) {
        loop->stats.records_received++;
        pipeline_add(loop->pipeline, record, now_ms);
    }
}

static bool may_act(const struct loop *loop, int64_t now_ms)
{
    const volatile int64_t *until_ms = loop->options.acts_until_ms;

    return !until_ms || now_ms < __atomic_load_n(until_ms, __ATOMIC_ACQUIRE);
}

/* As many at once as the handler has instances for: what waits in its queue
 * only loses visibility. */
static void follow_handler(struct loop *loop)
{
    size_t most = handler_concurrency(loop->options.handler);

    if (most > loop->concurrency)
        most = loop->concurrency;
    pipeline_set_concurrency(loop->pipeline, most ? most : 1);
}

/* Once for each window that is cut off, whatever becomes of the call. */
static void log_early_end(const struct loop *loop, const struct batch *batch)
{
    const struct event_window *window = batch->window;

    if (!window || !window->is_terminated_early || batch->attempt)
        return;
    log_warn(loop->options.log, "window.terminated_early",
             LOG_INT("start_ms", window->start_ms),
             LOG_INT("end_ms", window->end_ms),
             LOG_INT("state_bytes", window->state.size));
}

static void start_batches(struct loop *loop, int64_t now_ms)
{
    struct batch *batch;

    follow_handler(loop);
    if (!may_act(loop, now_ms))
        return;
    while ((batch = pipeline_next_batch(loop->pipeline, now_ms))) {
        loop->stats.batches_started++;
        log_early_end(loop, batch);
        dispatch_start(loop->dispatch, batch, now_ms);
    }
}

/* What is given up is reported while we may act for the shard. A stop then lets
 * what is out come to its end, unless its destination is down; without the
 * lease it is the next owner's. */
static void report_discards(struct loop *loop, int64_t now_ms)
{
    if (!may_act(loop, now_ms)) {
        if (loop->stopping)
            discards_withdraw(loop->discards);
        else
            discards_hold(loop->discards, now_ms);
        return;
    }
    discards_round(loop->discards, now_ms);
    if (loop->stopping && discards_are_stuck(loop->discards))
        discards_withdraw(loop->discards);
}

static void move_source(struct loop *loop, int64_t now_ms)
{
    size_t room = loop->stopping ? 0 : pipeline_room(loop->pipeline);

    source_poll(loop->options.source, room, now_ms);
    if (room && !loop->stats.first_poll_ms)
        loop->stats.first_poll_ms = now_ms;
}

static void stop(struct loop *loop)
{
    if (loop->stopping)
        return;
    loop->stopping = true;
    source_stop(loop->options.source);
    pipeline_stop(loop->pipeline);
}

static void watch_source(struct loop *loop, int64_t now_ms)
{
    if (loop->failed || !source_failure(loop->options.source))
        return;
    loop->failed = true;
    loop->failed_ms = now_ms;
    stop(loop);
}

static void watch_end_of_shard(struct loop *loop, int64_t now_ms)
{
    if (loop->shard_ended || !source_is_ended(loop->options.source))
        return;
    loop->shard_ended = true;
    pipeline_end_of_shard(loop->pipeline, now_ms);
}

static bool is_idle(const struct loop *loop)
{
    return pipeline_is_idle(loop->pipeline) &&
           source_is_idle(loop->options.source);
}

/* A failed source may never get rid of what it has to send. */
static bool has_waited_enough(const struct loop *loop, int64_t now_ms)
{
    return !pipeline_running(loop->pipeline) &&
           now_ms >= loop->failed_ms + LOOP_FAILED_GRACE_MS;
}

static void decide_end(struct loop *loop, int64_t now_ms)
{
    if (loop->failed) {
        if (is_idle(loop) || has_waited_enough(loop, now_ms))
            loop->end = POLLER_FAILED;
    } else if (loop->shard_ended && !loop->stopping &&
               pipeline_is_idle(loop->pipeline)) {
        loop->end = POLLER_SHARD_ENDED;
    } else if (loop->stopping && is_idle(loop)) {
        loop->end = POLLER_STOPPED;
    }
}

bool loop_is_over(const struct loop *loop)
{
    return loop->end != POLLER_RUNNING;
}

static void follow_wall(struct loop *loop, int64_t now_ms)
{
    pipeline_set_wall(loop->pipeline,
                      clock_wall_ms(loop->options.clock) - now_ms);
}

void loop_round(struct loop *loop, int64_t now_ms)
{
    if (loop_is_over(loop))
        return;
    follow_wall(loop, now_ms);
    finish_batches(loop, now_ms);
    receive(loop, now_ms);
    watch_end_of_shard(loop, now_ms);
    report_discards(loop, now_ms);
    start_batches(loop, now_ms);
    settle(loop, now_ms);
    move_source(loop, now_ms);
    if (loop->options.parts.on_success)
        destination_poll(loop->options.parts.on_success, now_ms);
    dispatch_watch(loop->dispatch, now_ms);
    watch_source(loop, now_ms);
    settle(loop, now_ms);
    decide_end(loop, now_ms);
}

static void force(struct loop *loop, int64_t now_ms)
{
    stop(loop);
    dispatch_withdraw(loop->dispatch);
    finish_batches(loop, now_ms);
    discards_withdraw(loop->discards);
    settle(loop, now_ms);
    loop->end = POLLER_STOPPED;
}

void loop_mail(struct loop *loop, struct mail *mail, int64_t now_ms)
{
    switch ((enum loop_mail)mail->kind) {
    case LOOP_OUTCOME:
        dispatch_returned(loop->dispatch, mail, now_ms);
        break;
    case LOOP_STOP:
        stop(loop);
        break;
    case LOOP_FORCE:
        force(loop, now_ms);
        break;
    }
}

void loop_reply(struct loop *loop, struct aws_reply *reply, int64_t now_ms)
{
    if (reply->owner == loop->options.source)
        source_reply(loop->options.source, reply, now_ms);
    else if (!discards_reply(loop->discards, reply, now_ms))
        destination_reply(loop->options.parts.on_success, reply, now_ms);
}

int64_t loop_deadline_ms(const struct loop *loop, int64_t now_ms)
{
    int64_t deadline_ms =
        clock_earlier(source_deadline_ms(loop->options.source),
                      dispatch_deadline_ms(loop->dispatch));
    int64_t starts_ms = clock_earlier(pipeline_deadline_ms(loop->pipeline),
                                      discards_deadline_ms(loop->discards));

    if (starts_ms <= now_ms && !may_act(loop, now_ms))
        starts_ms = now_ms + LOOP_GUARD_MS;
    if (loop->options.parts.on_success)
        deadline_ms = clock_earlier(
            deadline_ms,
            destination_deadline_ms(loop->options.parts.on_success));
    if (loop->failed && !pipeline_running(loop->pipeline))
        deadline_ms =
            clock_earlier(deadline_ms, loop->failed_ms + LOOP_FAILED_GRACE_MS);
    return clock_earlier(deadline_ms, starts_ms);
}

enum poller_end loop_end(const struct loop *loop, struct error *err)
{
    if (loop->end == POLLER_FAILED)
        *err = *source_failure(loop->options.source);
    return loop->end;
}

/* Records that nobody settled yet. */
static uint64_t unsettled(const struct loop *loop,
                          const struct source_counts *counts)
{
    uint64_t received = counts->received;
    uint64_t settled =
        counts->deleted + counts->returned + counts->left_hidden + loop->left;

    if (loop->options.is_shard) {
        received = loop->stats.records_received;
        settled = loop->stats.records_done;
    }
    return received > settled ? received - settled : 0;
}

void loop_stats(const struct loop *loop, struct poller_stats *stats)
{
    struct source_counts counts = {0};
    uint64_t rest;

    source_counts(loop->options.source, &counts);
    rest = unsettled(loop, &counts);
    *stats = loop->stats;
    pipeline_counts(loop->pipeline, &stats->counts);
    // The source also counts what it made visible again after a backoff.
    stats->records_returned =
        counts.returned < loop->returning ? counts.returned : loop->returning;
    stats->records_left_hidden = counts.left_hidden;
    stats->records_deleted = counts.deleted;
    stats->visibility_extensions = counts.extended;
    stats->trimmed = counts.trimmed;
    stats->waits_for_source = counts.waits;
    if (!loop_is_over(loop)) {
        stats->records_inside = rest;
        return;
    }
    pipeline_counts_end(&stats->counts);
    // On a forced end whatever is out, and whatever was not sent yet.
    if (!loop->options.is_shard)
        stats->records_left_hidden += rest;
}

static void give_up_rest(struct loop *loop)
{
    struct settlement settlement;

    while (pipeline_next_settlement(loop->pipeline, &settlement))
        source_settle(loop->options.source, settlement.record, SOURCE_AGAIN, -1,
                      0);
}

/* What came back after the end is given up: nobody is there to settle it. */
static void give_up_batches(struct loop *loop)
{
    static const struct outcome failed = {.kind = OUTCOME_FAILED};
    struct response_verdict verdict = {0};
    struct outcome outcome;
    struct batch *batch;

    dispatch_withdraw(loop->dispatch);
    while ((batch = dispatch_next(loop->dispatch, &outcome))) {
        pipeline_finish(loop->pipeline, batch, &failed, 0, &verdict);
        response_verdict_finish(&verdict);
        outcome_finish(&outcome);
    }
}

bool loop_destroy(struct loop *loop)
{
    struct record *record;

    if (!loop)
        return true;
    pipeline_stop(loop->pipeline);
    give_up_batches(loop);
    discards_withdraw(loop->discards);
    if (dispatch_out(loop->dispatch))
        return false;
    give_up_rest(loop);
    while ((record = source_next(loop->options.source)))
        source_settle(loop->options.source, record, SOURCE_AGAIN, -1, 0);
    dispatch_destroy(loop->dispatch);
    discards_destroy(loop->discards);
    pipeline_destroy(loop->pipeline);
    filter_destroy(loop->options.parts.filter);
    destination_close(loop->options.parts.on_success);
    source_close(loop->options.source);
    free(loop);
    return true;
}
