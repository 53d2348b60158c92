#include "poller/dispatch.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "destination/destination.h"
#include "poller/batch.h"
#include "source/source.h"

// Between two heartbeats of a batch, at the least.
#define DISPATCH_BEAT_LEAST_MS 1000

enum run_state { RUN_OUT, RUN_DELIVERING, RUN_OVER };

struct run {
    struct invocation invocation; // first: its mail is first in it
    struct delivery delivery;
    struct batch *batch; // borrowed from the pipeline
    enum run_state state;
    int64_t started_ms;
    int64_t overruns_ms;      // CLOCK_NEVER once said or back
    int64_t beats_ms;         // CLOCK_NEVER: it does not
    int64_t half_ms;          // of a whole visibility
    struct run *next, **link; // of those in the same list
};

struct dispatch {
    struct dispatch_options options;
    struct run *runs; // owned; out or delivering
    struct run *over; // owned
    size_t out;
    int64_t watch_ms; // no run needs anything before
};

struct dispatch *dispatch_create(const struct dispatch_options *options)
{
    struct dispatch *dispatch = mem_calloc(1, sizeof(*dispatch));

    dispatch->options = *options;
    dispatch->watch_ms = CLOCK_NEVER;
    return dispatch;
}

void dispatch_destroy(struct dispatch *dispatch)
{
    if (!dispatch)
        return;
    assert(!dispatch->runs && !dispatch->over);
    free(dispatch);
}

static void enlist(struct run **list, struct run *run)
{
    run->next = *list;
    run->link = list;
    if (run->next)
        run->next->link = &run->next;
    *list = run;
}

static void delist(struct run *run)
{
    *run->link = run->next;
    if (run->next)
        run->next->link = run->link;
}

static int64_t at_least(int64_t value, int64_t least)
{
    return value > least ? value : least;
}

/* When the first of its records is visible again, as far as is known: what a
 * beat asks for is known once the queue has agreed. */
static int64_t visible_ms(const struct run *run)
{
    int64_t visible_ms = CLOCK_NEVER;

    for (size_t i = 0; i < run->batch->count; i++)
        visible_ms =
            clock_earlier(visible_ms, run->batch->records[i]->visible_ms);
    return visible_ms;
}

/* The first beat comes at half of what is left of its records' visibility. */
static void start_beating(struct run *run, int64_t now_ms)
{
    int64_t whole_ms = CLOCK_NEVER;

    if (visible_ms(run) == CLOCK_NEVER) // nothing there to be extended
        return;
    for (size_t i = 0; i < run->batch->count; i++) {
        const struct record *record = run->batch->records[i];

        whole_ms =
            clock_earlier(whole_ms, record->visible_ms - record->received_ms);
    }
    run->beats_ms = now_ms + at_least((visible_ms(run) - now_ms) / 2, 0);
    run->half_ms = at_least(whole_ms / 2, DISPATCH_BEAT_LEAST_MS);
}

/* The others come with half of a whole visibility left; but as long as none was
 * agreed to, again and again at half of what is left. */
static void beat(struct dispatch *dispatch, struct run *run, int64_t now_ms)
{
    int64_t left_ms;

    if (visible_ms(run) - now_ms <= run->half_ms)
        source_extend(dispatch->options.source, run->batch->records,
                      run->batch->count, now_ms);
    left_ms = visible_ms(run) - now_ms;
    if (left_ms > run->half_ms)
        run->beats_ms = now_ms + left_ms - run->half_ms;
    else if (left_ms > 0)
        run->beats_ms = now_ms + at_least(left_ms / 2, DISPATCH_BEAT_LEAST_MS);
    else
        run->beats_ms = now_ms + run->half_ms;
}

static int64_t run_deadline_ms(const struct run *run)
{
    return clock_earlier(run->overruns_ms, run->beats_ms);
}

void dispatch_start(struct dispatch *dispatch, struct batch *batch,
                    int64_t now_ms)
{
    struct run *run = mem_calloc(1, sizeof(*run));

    run->batch = batch;
    run->started_ms = now_ms;
    run->overruns_ms = now_ms + dispatch->options.timeout_ms;
    run->beats_ms = CLOCK_NEVER;
    if (dispatch->options.heartbeat)
        start_beating(run, now_ms);
    dispatch->watch_ms =
        clock_earlier(dispatch->watch_ms, run_deadline_ms(run));
    enlist(&dispatch->runs, run);
    dispatch->out++;

    run->invocation.mail.kind = dispatch->options.mail_kind;
    run->invocation.records = batch->records;
    run->invocation.count = batch->count;
    run->invocation.trigger = dispatch->options.trigger;
    run->invocation.reply_to = dispatch->options.mailbox;
    run->invocation.timeout_ms = dispatch->options.timeout_ms;
    run->invocation.window = batch->window;
    run->invocation.may_emit = dispatch->options.destination != NULL;
    handler_start(dispatch->options.handler, &run->invocation);
}

static void run_over(struct dispatch *dispatch, struct run *run)
{
    delist(run);
    run->state = RUN_OVER;
    enlist(&dispatch->over, run);
}

static void deliver(struct dispatch *dispatch, struct run *run, int64_t now_ms)
{
    run->state = RUN_DELIVERING;
    run->delivery =
        (struct delivery){.emissions = run->invocation.outcome.emissions,
                          .count = run->invocation.outcome.emission_count,
                          .records = run->batch->records,
                          .record_count = run->batch->count,
                          .tag = run};
    destination_deliver(dispatch->options.destination, &run->delivery, now_ms);
}

void dispatch_returned(struct dispatch *dispatch, struct mail *mail,
                       int64_t now_ms)
{
    struct run *run = (struct run *)(void *)mail;
    const struct outcome *outcome = &run->invocation.outcome;

    dispatch->out--;
    run->overruns_ms = CLOCK_NEVER;
    if (outcome->kind == OUTCOME_DONE && outcome->emission_count &&
        dispatch->options.destination)
        deliver(dispatch, run, now_ms);
    else
        run_over(dispatch, run);
}

static void take_accepted(struct dispatch *dispatch)
{
    struct delivery *delivery;

    if (!dispatch->options.destination)
        return;
    while ((delivery = destination_next(dispatch->options.destination)))
        run_over(dispatch, delivery->tag);
}

struct batch *dispatch_next(struct dispatch *dispatch, struct outcome *outcome)
{
    struct batch *batch;
    struct run *run;

    take_accepted(dispatch);
    run = dispatch->over;
    if (!run)
        return NULL;
    delist(run);
    batch = run->batch;
    *outcome = run->invocation.outcome;
    if (!outcome->emissions)
        outcome->last_emission = NULL; // it pointed into the run
    free(run);
    return batch;
}

static void watch(struct dispatch *dispatch, struct run *run, int64_t now_ms)
{
    if (now_ms >= run->overruns_ms) {
        log_warn(dispatch->options.log, "handler.overrun",
                 LOG_INT("records", run->batch->count),
                 LOG_INT("running_ms", now_ms - run->started_ms),
                 LOG_INT("timeout_ms", dispatch->options.timeout_ms));
        run->overruns_ms = CLOCK_NEVER;
    }
    if (now_ms >= run->beats_ms)
        beat(dispatch, run, now_ms);
}

void dispatch_watch(struct dispatch *dispatch, int64_t now_ms)
{
    if (now_ms < dispatch->watch_ms)
        return;
    dispatch->watch_ms = CLOCK_NEVER;
    for (struct run *run = dispatch->runs; run; run = run->next) {
        watch(dispatch, run, now_ms);
        dispatch->watch_ms =
            clock_earlier(dispatch->watch_ms, run_deadline_ms(run));
    }
}

int64_t dispatch_deadline_ms(const struct dispatch *dispatch)
{
    return dispatch->watch_ms;
}

static void withdraw(struct dispatch *dispatch, struct run *run)
{
    destination_withdraw(dispatch->options.destination, &run->delivery);
    run->invocation.outcome.kind = OUTCOME_FAILED;
    run_over(dispatch, run);
}

void dispatch_withdraw(struct dispatch *dispatch)
{
    struct run *next;

    take_accepted(dispatch);
    for (struct run *run = dispatch->runs; run; run = next) {
        next = run->next;
        if (run->state == RUN_DELIVERING)
            withdraw(dispatch, run);
    }
}

size_t dispatch_out(const struct dispatch *dispatch)
{
    return dispatch->out;
}
