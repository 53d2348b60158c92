#include "poller/discards.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "destination/on_failure.h"
#include "poller/batch.h"
#include "poller/pipeline.h"
#include "record/record.h"

/* A discard that is being reported. */
struct report {
    struct failure failure;
    struct discard *discard; // borrowed from the pipeline
    struct on_failure *to;   // borrowed
    struct report *next, **link;
};

struct discards {
    struct discards_options options;
    struct report *out; // owned
};

struct discards *discards_create(const struct discards_options *options)
{
    struct discards *discards = mem_calloc(1, sizeof(*discards));

    discards->options = *options;
    return discards;
}

void discards_destroy(struct discards *discards)
{
    if (!discards)
        return;
    assert(!discards->out);
    on_failure_close(discards->options.on_failure);
    on_failure_close(discards->options.on_filtered);
    free(discards);
}

static void enlist(struct discards *discards, struct report *report)
{
    report->next = discards->out;
    report->link = &discards->out;
    if (report->next)
        report->next->link = &report->next;
    discards->out = report;
}

static struct discard *end_report(struct report *report)
{
    struct discard *discard = report->discard;

    *report->link = report->next;
    if (report->next)
        report->next->link = report->link;
    free(report);
    return discard;
}

static enum failure_condition condition_of(const struct discard *discard)
{
    switch (discard->condition) {
    case DISCARD_ATTEMPTS:
        return FAILURE_RETRY_ATTEMPTS_EXHAUSTED;
    case DISCARD_AGE:
        return FAILURE_RECORD_AGE_EXCEEDED;
    case DISCARD_FILTERED:
        return FAILURE_FILTERED;
    }
    return FAILURE_RETRY_ATTEMPTS_EXHAUSTED;
}

static struct on_failure *destination_of(const struct discards *discards,
                                         const struct discard *discard)
{
    return discard->condition == DISCARD_FILTERED
               ? discards->options.on_filtered
               : discards->options.on_failure;
}

static void report(struct discards *discards, struct on_failure *to,
                   struct discard *discard, int64_t now_ms)
{
    const struct batch *batch = discard->batch;
    struct report *out = mem_calloc(1, sizeof(*out));

    out->discard = discard;
    out->to = to;
    out->failure = (struct failure){
        .condition = condition_of(discard),
        .invoke_count = discard->invoke_count,
        .is_unhandled = discard->is_unhandled,
        .failed_wall_ms = discard->discarded_at_ms,
        .records = batch->records,
        .count = batch->count,
        .window = batch->window,
        .tag = out,
    };
    enlist(discards, out);
    on_failure_report(to, &out->failure, now_ms);
}

/* What was given up is the last trace of it when nobody was told: so each has
 * its line, however many there are. */
static void say(const struct discards *discards, const struct discard *discard,
                bool is_reported)
{
    const struct batch *batch = discard->batch;
    const struct record *first, *last;

    if (discard->condition == DISCARD_FILTERED || !batch->count)
        return;
    first = batch->records[0];
    last = batch->records[batch->count - 1];
    log_warn(
        discards->options.log, "records.discarded",
        LOG_STR("condition", failure_condition_name(condition_of(discard))),
        LOG_INT("records", batch->count), LOG_BYTES("first", first->id),
        LOG_BYTES("last", last->id),
        LOG_INT("invocations", discard->invoke_count),
        LOG_STR("reported", is_reported ? "yes"
                                        : "no: lost, there is no "
                                          "on_failure "
                                          "destination"));
}

static void over(struct discards *discards, struct discard *discard,
                 bool is_reported, int64_t now_ms)
{
    say(discards, discard, is_reported);
    pipeline_discarded(discards->options.pipeline, discard, is_reported,
                       now_ms);
}

static void take_accepted(struct discards *discards, struct on_failure *from,
                          int64_t now_ms)
{
    struct failure *failure;

    while (from && (failure = on_failure_next(from)))
        over(discards, end_report(failure->tag), true, now_ms);
}

static void take_all_accepted(struct discards *discards, int64_t now_ms)
{
    take_accepted(discards, discards->options.on_failure, now_ms);
    take_accepted(discards, discards->options.on_filtered, now_ms);
}

static void poll_destination(struct on_failure *to, int64_t now_ms)
{
    if (to)
        on_failure_poll(to, now_ms);
}

void discards_round(struct discards *discards, int64_t now_ms)
{
    struct discard *discard;

    while ((discard = pipeline_next_discard(discards->options.pipeline))) {
        struct on_failure *to = destination_of(discards, discard);

        if (to)
            report(discards, to, discard, now_ms);
        else
            over(discards, discard, false, now_ms);
    }
    poll_destination(discards->options.on_failure, now_ms);
    poll_destination(discards->options.on_filtered, now_ms);
    take_all_accepted(discards, now_ms);
}

void discards_hold(struct discards *discards, int64_t now_ms)
{
    take_all_accepted(discards, now_ms);
}

bool discards_are_stuck(const struct discards *discards)
{
    for (const struct report *report = discards->out; report;
         report = report->next)
        if (on_failure_is_failing(report->to))
            return true;
    return false;
}

void discards_withdraw(struct discards *discards)
{
    struct pipeline *pipeline = discards->options.pipeline;
    struct discard *discard;

    while (discards->out) {
        on_failure_withdraw(discards->out->to, &discards->out->failure);
        pipeline_discard_failed(pipeline, end_report(discards->out));
    }
    while ((discard = pipeline_next_discard(pipeline)))
        pipeline_discard_failed(pipeline, discard);
}

bool discards_reply(struct discards *discards, struct aws_reply *reply,
                    int64_t now_ms)
{
    struct on_failure *on_failure = discards->options.on_failure;
    struct on_failure *on_filtered = discards->options.on_filtered;

    return (on_failure && on_failure_reply(on_failure, reply, now_ms)) ||
           (on_filtered && on_failure_reply(on_filtered, reply, now_ms));
}

static int64_t destination_due_ms(const struct on_failure *to)
{
    return to ? on_failure_deadline_ms(to) : CLOCK_NEVER;
}

int64_t discards_deadline_ms(const struct discards *discards)
{
    return clock_earlier(destination_due_ms(discards->options.on_failure),
                         destination_due_ms(discards->options.on_filtered));
}
