/*
 * Streams that misbehave: whole pollers (their loops) over shards with parents
 * and children, random records, settings and outcomes, destinations that
 * refuse, stores that do not answer, leases that are lost while a batch runs,
 * crashes and stops at any step; a million steps. What must hold is asserted at
 * each of them (shard_witness, stream_model), and when all is well again, all
 * gets done, in virtual time that is bounded.
 *
 * The seed is printed; POLLARD_SEED=n runs it again, POLLARD_EPISODES=n as many
 * episodes of it. Linked with
 *     __wrap_handler_start
 *     __wrap_handler_concurrency
 *     __wrap_filter_matches
 *     __wrap_on_failure_report
 *     __wrap_on_failure_is_failing
 *     __wrap_on_failure_withdraw
 *     __wrap_on_failure_next
 *     __wrap_on_failure_poll
 *     __wrap_on_failure_deadline_ms
 *     __wrap_on_failure_close
 *     __wrap_pipeline_next_discard
 *     __wrap_pipeline_discarded
 *     __wrap_pipeline_discard_failed
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/log.h"
#include "destination/on_failure.h"
#include "fake_handler.h"
#include "poller/loop.h"
#include "poller/pipeline.h"
#include "poller/trigger_config.h"
#include "records.h"
#include "shard_witness.h"
#include "sim_clock.h"
#include "source/source.h"
#include "stream_model.h"
#include "test.h"

#define EPISODES 400
#define STEPS 2500 // an episode
#define RUNS 12    // pollers at once, those that lost their lease included
#define LEASE_MS 10000
#define MARGIN_MS 1000 // between an owner's last act and the next owner's first
#define REPORTS 16     // of one poller
#define ROUNDS 20      // that may follow each other without a pause

static struct random chance;

static uint64_t roll(uint64_t sides)
{
    return random_below(&chance, sides);
}

static bool one_in(uint64_t sides)
{
    return roll(sides) == 0;
}

/* ---- The world ---- */

struct run; // one poller of one shard, from its lease to its end

struct shard_source {
    struct source source; // first
    struct run *run;      // borrowed
    size_t read_to;       // of the shard's records
    size_t shown_to;      // so many can be read by now
    size_t room, out;
    int64_t page_bytes; // that the next read may still bring
    bool is_stopped;
};

struct run {
    struct trigger_config trigger; // as it was when the run began
    struct shard_witness witness;
    struct loop *loop;           // owned; NULL: there is no such run
    struct shard_source *source; // the loop's
    struct fake_handler handler;
    struct mailbox mailbox;
    struct mail stop_mail, force_mail;
    struct sim_clock clock;
    int64_t skew_ms; // of its wall clock
    unsigned epoch;
    volatile int64_t acts_until_ms;
    bool is_cut_off; // from the store
    bool is_ordered; // to stop
    struct failure *reports[REPORTS], *accepted[REPORTS];
    size_t report_count, accepted_count;
    struct record *const *last_accepted; // its records
    const bool *destination_is_down;     // the world's
};

struct world {
    struct model_stream stream;
    struct trigger_config trigger;
    bool has_destination, destination_is_down, all_is_well;
    int64_t now_ms, wall_ahead_ms;
    struct run *runs[RUNS];
};

static struct run *acting; // whose round it is

/* ---- What the poller meets ---- */

static struct shard_source *source_of(const struct source *source)
{
    return (struct shard_source *)(uintptr_t)source;
}

static void shard_source_poll(struct source *source, size_t room,
                              int64_t now_ms)
{
    (void)now_ms;
    witness_asked(&source_of(source)->run->witness, room);
    source_of(source)->room = room;
    source_of(source)->page_bytes = WITNESS_PAGE_BYTES;
}

static const struct record_origin *
shard_source_origin(const struct source *source)
{
    return source_of(source)->run->witness.origins;
}

/* What was let go of meanwhile is passed by. */
static void skip_trimmed(struct shard_source *source)
{
    struct shard_witness *witness = &source->run->witness;

    while (source->read_to < witness->shard->horizon)
        witness_trimmed(witness, source->read_to++);
}

static bool has_next(const struct shard_source *source)
{
    return !source->is_stopped && source->room &&
           source->read_to < source->shown_to;
}

static struct record *shard_source_next(struct source *base)
{
    struct shard_source *source = source_of(base);
    struct shard_witness *witness = &source->run->witness;
    const struct model_record *model;
    char digits[16], key[16];
    size_t index;

    skip_trimmed(source);
    if (!has_next(source) || source->page_bytes <= 0)
        return NULL;
    index = source->read_to++;
    model = &witness->shard->records[index];
    source->room--;
    source->page_bytes -= model->size;
    source->out++;
    (void)snprintf(digits, sizeof(digits), "%u", model->digits);
    (void)snprintf(key, sizeof(key), "k%u", model->key);
    witness_read(witness, index, acting->clock.now_ms);
    return record_make(
        &(struct record_spec){.id = digits,
                              .key = key,
                              .event_size = model->size,
                              .arrived_at_ms = model->arrived_at_ms,
                              .sub = model->sub,
                              .is_last_sub = model->is_last_sub,
                              .origin = &witness->origins[index]});
}

static void shard_source_settle(struct source *source, struct record *record,
                                enum source_verdict verdict, int64_t delay_ms,
                                int64_t now_ms)
{
    (void)delay_ms;
    (void)now_ms;
    source_of(source)->out--;
    if (acting) // else its process is dead
        witness_settled(&source_of(source)->run->witness, record, verdict);
    record_release(record);
}

static bool is_at_end(const struct shard_source *source)
{
    const struct model_shard *shard = source->run->witness.shard;

    return shard->is_closed && source->read_to == shard->count;
}

/* It has something to tell. */
static int64_t shard_source_deadline_ms(const struct source *base)
{
    const struct shard_source *source = source_of(base);

    return has_next(source) ||
                   (is_at_end(source) && !source->run->witness.shard_ended)
               ? 0
               : CLOCK_NEVER;
}

static void shard_source_stop(struct source *source)
{
    source_of(source)->is_stopped = true;
}

static bool shard_source_is_idle(const struct source *source)
{
    (void)source;
    return true;
}

static bool shard_source_is_ended(const struct source *base)
{
    struct shard_source *source = source_of(base);

    skip_trimmed(source);
    source->run->witness.shard_ended |= is_at_end(source);
    return source->run->witness.shard_ended;
}

static const struct error *shard_source_failure(const struct source *source)
{
    (void)source;
    return NULL;
}

static void shard_source_counts(const struct source *source,
                                struct source_counts *counts)
{
    (void)source;
    *counts = (struct source_counts){0};
}

static void shard_source_close(struct source *source)
{
    assert_int_equal(source_of(source)->out, 0);
    free(source);
}

static const struct source_ops shard_source_ops = {
    .name = "simulated",
    .poll = shard_source_poll,
    .origin = shard_source_origin,
    .next = shard_source_next,
    .settle = shard_source_settle,
    .deadline_ms = shard_source_deadline_ms,
    .stop = shard_source_stop,
    .is_idle = shard_source_is_idle,
    .is_ended = shard_source_is_ended,
    .failure = shard_source_failure,
    .counts = shard_source_counts,
    .close = shard_source_close,
};

bool __wrap_filter_matches(struct filter *filter, const struct record *record)
{
    const struct shard_witness *witness = &acting->witness;

    (void)filter;
    return !witness->shard->records[witness_index(witness, record)].is_filtered;
}

/* The destination: the trigger's on_failure is the run itself. */
static struct run *run_of(const struct on_failure *on_failure)
{
    return (struct run *)(uintptr_t)on_failure;
}

void __wrap_on_failure_report(struct on_failure *on_failure,
                              struct failure *failure, int64_t now_ms)
{
    struct run *run = run_of(on_failure);

    assert_true(now_ms < run->acts_until_ms);
    assert_true(run->report_count < REPORTS);
    run->reports[run->report_count++] = failure;
}

static bool take_out(struct failure **list, size_t *count, const void *failure)
{
    for (size_t i = 0; i < *count; i++)
        if (list[i] == failure) {
            list[i] = list[--*count];
            return true;
        }
    return false;
}

bool __wrap_on_failure_is_failing(const struct on_failure *on_failure)
{
    return *run_of(on_failure)->destination_is_down;
}

void __wrap_on_failure_withdraw(struct on_failure *on_failure,
                                struct failure *failure)
{
    struct run *run = run_of(on_failure);

    assert_true(take_out(run->reports, &run->report_count, failure) ||
                take_out(run->accepted, &run->accepted_count, failure));
}

struct failure *__wrap_on_failure_next(struct on_failure *on_failure)
{
    struct run *run = run_of(on_failure);

    if (!run->accepted_count)
        return NULL;
    run->last_accepted = run->accepted[--run->accepted_count]->records;
    return run->accepted[run->accepted_count];
}

void __wrap_on_failure_poll(struct on_failure *on_failure, int64_t now_ms)
{
    (void)on_failure;
    (void)now_ms;
}

int64_t __wrap_on_failure_deadline_ms(const struct on_failure *on_failure)
{
    return run_of(on_failure)->accepted_count ? 0 : CLOCK_NEVER;
}

void __wrap_on_failure_close(struct on_failure *on_failure)
{
    (void)on_failure;
}

struct discard *__real_pipeline_next_discard(struct pipeline *pipeline);
void __real_pipeline_discarded(struct pipeline *pipeline,
                               struct discard *discard, bool is_reported,
                               int64_t now_ms);
void __real_pipeline_discard_failed(struct pipeline *pipeline,
                                    struct discard *discard);

struct discard *__wrap_pipeline_next_discard(struct pipeline *pipeline)
{
    struct discard *discard = __real_pipeline_next_discard(pipeline);

    if (discard && acting)
        witness_gave_up(&acting->witness, discard);
    return discard;
}

void __wrap_pipeline_discarded(struct pipeline *pipeline,
                               struct discard *discard, bool is_reported,
                               int64_t now_ms)
{
    if (is_reported)
        assert_ptr_equal(discard->batch->records, acting->last_accepted);
    acting->last_accepted = NULL;
    witness_discarded(&acting->witness, discard, is_reported);
    __real_pipeline_discarded(pipeline, discard, is_reported, now_ms);
}

void __wrap_pipeline_discard_failed(struct pipeline *pipeline,
                                    struct discard *discard)
{
    if (acting)
        witness_not_discarded(&acting->witness, discard);
    __real_pipeline_discard_failed(pipeline, discard);
}

static void told(void *context, const struct poller_checkpoint *checkpoint)
{
    witness_told(&((struct run *)context)->witness, checkpoint);
}

static void wake(void *context)
{
    (void)context;
}

/* ---- Rounds ---- */

static void set_clock(const struct world *world, struct run *run)
{
    run->clock.now_ms = world->now_ms;
    run->clock.wall_ms = world->now_ms + world->wall_ahead_ms + run->skew_ms;
}

static void read_mail(struct run *run)
{
    struct mail *next;

    for (struct mail *mail = mailbox_take(&run->mailbox); mail; mail = next) {
        next = mail->next;
        loop_mail(run->loop, mail, run->clock.now_ms);
    }
}

/* Two batches of one key at once there are only where a lease was lost. */
static void check_keys(const struct world *world, const struct run *run,
                       const struct invocation *invocation)
{
    for (size_t r = 0; r < RUNS; r++) {
        const struct run *other = world->runs[r];

        if (!other || other->epoch != other->witness.shard->epoch ||
            other->acts_until_ms <= world->now_ms)
            continue;
        for (size_t i = 0; i < other->handler.count; i++) {
            const struct invocation *running = other->handler.running[i];

            if (running == invocation || (!running->count && other != run))
                continue;
            for (size_t k = 0; k < running->count; k++)
                for (size_t j = 0; j < invocation->count; j++)
                    assert_false(bytes_equal(running->records[k]->key,
                                             invocation->records[j]->key));
        }
    }
}

static void see_started(struct world *world, struct run *run, size_t before)
{
    for (size_t i = before; i < run->handler.count; i++) {
        const struct invocation *invocation = run->handler.running[i];

        assert_true(world->now_ms < run->acts_until_ms);
        witness_started(&run->witness, invocation, run->clock.now_ms,
                        run->clock.wall_ms);
        check_keys(world, run, invocation);
    }
}

static bool is_due(const struct run *run)
{
    return loop_deadline_ms(run->loop, run->clock.now_ms) <= run->clock.now_ms;
}

/* Until the poller sleeps. */
static void go_round(struct world *world, struct run *run)
{
    size_t rounds = 0;

    set_clock(world, run);
    acting = run;
    do {
        size_t before = run->handler.count;

        assert_true(rounds++ < ROUNDS + MODEL_SHARD_RECORDS);
        read_mail(run);
        loop_round(run->loop, run->clock.now_ms);
        see_started(world, run, before);
    } while (!loop_is_over(run->loop) && is_due(run));
    if (!loop_is_over(run->loop))
        witness_round(&run->witness, world->now_ms < run->acts_until_ms,
                      world->now_ms);
    acting = NULL;
}

/* ---- Handlers ---- */

static char large_state[EVENT_STATE_LIMIT + 16];

struct answer {
    struct witness_ending ending;
    struct buffer response;
    char state[64];
};

static void next_member(struct buffer *response, const char *name)
{
    buffer_printf(response, "%s\"%s\":", response->size ? "," : "{", name);
}

static void say_state(struct outcome *outcome, struct answer *answer,
                      const char *state)
{
    if (one_in(2)) {
        buffer_init(&outcome->state, 8 << 20);
        buffer_append_text(&outcome->state, state);
        outcome->has_state = true;
    } else {
        next_member(&answer->response, "state");
        buffer_append_text(&answer->response, state);
    }
}

/* What the handler makes of the state it was shown, and of what it did. */
static void fold_state(const struct run *run,
                       const struct invocation *invocation,
                       struct answer *answer)
{
    unsigned count = 0, hash = 0;

    (void)sscanf(run->witness.window.state, "{\"n\":%u,\"h\":%u}", &count,
                 &hash);
    for (size_t i = 0; i < answer->ending.done; i++) {
        size_t index = witness_index(&run->witness, invocation->records[i]);

        count++;
        hash = hash * 31 + (unsigned)index;
    }
    (void)snprintf(answer->state, sizeof(answer->state), "{\"n\":%u,\"h\":%u}",
                   count, hash);
}

static void mark_some(struct outcome *outcome, struct invocation *invocation,
                      struct answer *answer)
{
    outcome->failed = mem_calloc(invocation->count, sizeof(*outcome->failed));
    for (size_t i = 1 + roll(3); i > 0; i--) {
        size_t index = roll(invocation->count);

        outcome->failed_count += !outcome->failed[index];
        outcome->failed[index] = true;
        if (index < answer->ending.done)
            answer->ending.done = index;
    }
}

static size_t first_of_id(const struct invocation *invocation, size_t index)
{
    size_t first = 0;

    while (!bytes_equal(invocation->records[first]->id,
                        invocation->records[index]->id))
        first++;
    return first;
}

/* By its number, which all parts of an aggregated record bear, or one part by
 * its own. */
static void list_one(const struct invocation *invocation, size_t index,
                     struct answer *answer)
{
    const struct record *record = invocation->records[index];
    bool is_part = record->sub && one_in(2);
    struct bytes id = is_part ? record_full_id(record) : record->id;

    buffer_printf(&answer->response, "{\"itemIdentifier\":\"%.*s\"}",
                  BYTES_ARGS(id));
    if (!is_part)
        index = first_of_id(invocation, index);
    if (index < answer->ending.done)
        answer->ending.done = index;
}

static void list_some(const struct invocation *invocation,
                      struct answer *answer)
{
    size_t last = invocation->count - 1;

    switch (roll(4)) {
    case 0:
        list_one(invocation, 0, answer);
        break;
    case 1:
        list_one(invocation, last, answer);
        break;
    case 2:
        list_one(invocation, roll(last + 1), answer);
        break;
    default:
        list_one(invocation, roll(last + 1), answer);
        buffer_append_char(&answer->response, ',');
        list_one(invocation, roll(last + 1), answer);
        break;
    }
}

/* One bad entry, and the whole report is none. */
static void list_badly(const struct invocation *invocation,
                       struct answer *answer)
{
    static const char *const bad[] = {
        "{\"itemIdentifier\":\"7\"}",
        "{\"itemIdentifier\":\"\"}",
        "{\"itemIdentifier\":null}",
        "{\"itemIdentifier\":96}",
        "{\"foo\":\"96\"}",
        "\"96\"",
        "{\"itemIdentifier\":\"0096\"}",
        "{\"itemIdentifier\":\"96:77\"}",
    };

    list_one(invocation, roll(invocation->count), answer);
    buffer_printf(&answer->response, ",%s", bad[roll(8)]);
    answer->ending.all_failed = true;
}

static void respond_with_list(const struct run *run,
                              const struct invocation *invocation,
                              struct answer *answer)
{
    size_t done = answer->ending.done;

    next_member(&answer->response, "batchItemFailures");
    buffer_append_char(&answer->response, '[');
    if (!one_in(3))
        list_some(invocation, answer);
    else if (one_in(2))
        list_badly(invocation, answer);
    buffer_append_char(&answer->response, ']');
    if (!run->trigger.reports_batch_item_failures) { // nobody reads it
        answer->ending.done = done;
        answer->ending.all_failed = false;
    }
}

static bool wants_state(const struct invocation *invocation)
{
    return invocation->window && !invocation->window->is_final;
}

/* handle() returned; it says this and that. */
static void return_well(const struct world *world, struct run *run,
                        struct invocation *invocation, struct answer *answer)
{
    struct outcome *outcome = &invocation->outcome;
    bool is_read = run->trigger.reports_batch_item_failures;

    answer->ending.done = invocation->count;
    if (!world->all_is_well && invocation->count && one_in(3))
        respond_with_list(run, invocation, answer);
    else if (!world->all_is_well && invocation->count && one_in(4))
        mark_some(outcome, invocation, answer);
    if (wants_state(invocation)) {
        fold_state(run, invocation, answer);
        answer->ending.state = answer->state;
        answer->ending.is_too_large = !world->all_is_well && one_in(400);
        if (!world->all_is_well && one_in(20))
            answer->ending.all_failed = true;
        else
            say_state(outcome, answer,
                      answer->ending.is_too_large ? large_state
                                                  : answer->state);
    }
    next_member(&answer->response, "ok");
    buffer_append_char(&answer->response, '1');
    if (world->all_is_well || !one_in(30))
        buffer_append_char(&answer->response, '}');
    else if (is_read || wants_state(invocation))
        answer->ending.all_failed = true; // it is no JSON
    outcome->kind = OUTCOME_DONE;
    outcome->has_response = true;
    outcome->response = answer->response;
    if (answer->ending.all_failed)
        answer->ending.done = 0;
}

static void answer_one(const struct world *world, struct run *run,
                       struct invocation *invocation, struct answer *answer)
{
    struct outcome *outcome = &invocation->outcome;

    *answer = (struct answer){0};
    switch (world->all_is_well ? 9 : roll(10)) {
    case 0:
        outcome->kind = OUTCOME_UNSTARTED;
        answer->ending.is_unstarted = true;
        break;
    case 1:
    case 2:
        outcome->kind = one_in(3) ? OUTCOME_TIMED_OUT : OUTCOME_FAILED;
        answer->ending.is_unhandled = answer->ending.all_failed = true;
        break;
    default:
        buffer_init(&answer->response, 8 << 20);
        return_well(world, run, invocation, answer);
        break;
    }
}

static struct invocation *take_running(struct run *run)
{
    size_t index = roll(run->handler.count);
    struct invocation *invocation = run->handler.running[index];

    run->handler.running[index] = run->handler.running[--run->handler.count];
    return invocation;
}

static void end_call(struct world *world, struct run *run)
{
    struct invocation *invocation;
    struct answer answer;

    if (!run->handler.count)
        return;
    invocation = take_running(run);
    answer_one(world, run, invocation, &answer);
    witness_ended(&run->witness, invocation, &answer.ending, world->now_ms);
    mailbox_post(&run->mailbox, &invocation->mail);
}

/* Nobody waits for its outcome any more, but some of it may have been done. */
static void abandon_call(struct run *run)
{
    struct invocation *invocation = take_running(run);
    size_t done = one_in(2) ? roll(invocation->count + 1) : 0;

    for (size_t i = 0; i < done; i++)
        model_record_handled(run->witness.stream,
                             &run->witness.shard->records[witness_index(
                                 &run->witness, invocation->records[i])]);
    invocation->outcome.kind = OUTCOME_FAILED;
    mailbox_post(&run->mailbox, &invocation->mail);
}

/* ---- Pollers ---- */

static struct loop *create_loop(const struct world *world, struct run *run,
                                const struct log *log)
{
    const struct model_shard *shard = run->witness.shard;

    return loop_create(&(struct loop_options){
        .trigger = &run->trigger,
        .is_shard = true,
        .source = &run->source->source,
        .parts = {.on_failure = world->has_destination
                                    ? (struct on_failure *)(void *)run
                                    : NULL},
        .clock = &run->clock.clock,
        .handler = fake_handler(&run->handler),
        .mailbox = &run->mailbox,
        .log = log,
        .acts_until_ms = &run->acts_until_ms,
        .window = shard->window,
        .seed = run->witness.seed,
        .checkpoint = told,
        .context = run,
    });
}

static void lease(const struct world *world, struct run *run)
{
    run->acts_until_ms = world->now_ms + LEASE_MS;
    run->witness.shard->leased_until_ms = run->acts_until_ms + MARGIN_MS;
}

static void start_run(struct world *world, struct run **slot,
                      struct model_shard *shard)
{
    static const struct log log = {0};
    struct run *run = mem_calloc(1, sizeof(*run));

    run->witness.stream = &world->stream;
    run->witness.shard = shard;
    run->trigger = world->trigger;
    run->witness.trigger = &run->trigger;
    run->witness.has_destination = world->has_destination;
    run->destination_is_down = &world->destination_is_down;
    run->witness.seed = random_next(&chance);
    witness_init(&run->witness, world->now_ms);
    fake_handler_init(&run->handler, WITNESS_LANES);
    mailbox_init(&run->mailbox, wake, run);
    sim_clock_init(&run->clock);
    run->skew_ms = one_in(3) ? (int64_t)roll(4000) - 2000 : 0;
    run->stop_mail.kind = LOOP_STOP;
    run->force_mail.kind = LOOP_FORCE;
    run->epoch = ++shard->epoch;
    lease(world, run);
    run->source = mem_calloc(1, sizeof(*run->source));
    run->source->source.ops = &shard_source_ops;
    run->source->run = run;
    run->source->read_to = run->source->shown_to = shard->committed;
    set_clock(world, run);
    run->loop = create_loop(world, run, &log);
    *slot = run;
}

/* All memory is gone; what was outside of it stays. */
static void end_run(struct run **slot)
{
    struct run *run = *slot;

    acting = NULL;
    while (run->handler.count)
        abandon_call(run);
    read_mail(run);
    assert_true(loop_destroy(run->loop));
    witness_finish(&run->witness);
    mailbox_finish(&run->mailbox);
    fake_handler_finish(&run->handler);
    free(run);
    *slot = NULL;
}

static void order_stop(struct run *run, bool is_forced)
{
    if (run->is_ordered && !is_forced)
        return;
    run->witness.is_stopping = true;
    mailbox_post(&run->mailbox, is_forced ? &run->force_mail : &run->stop_mail);
    run->is_ordered = true;
}

static bool is_owner(const struct run *run)
{
    return run->epoch == run->witness.shard->epoch;
}

/* What was told goes to the store, if the store takes it. */
static bool flush(const struct world *world, struct run *run)
{
    if (run->is_cut_off || (!world->all_is_well && one_in(8)))
        return false;
    if (!is_owner(run)) { // refused: somebody else has the shard
        order_stop(run, !world->all_is_well && one_in(4));
        return false;
    }
    witness_committed(&run->witness);
    return true;
}

static void bury(struct world *world, struct run **slot)
{
    struct run *run = *slot;
    struct model_shard *shard = run->witness.shard;
    struct error err = {0};
    enum poller_end end = loop_end(run->loop, &err);

    if (end == POLLER_SHARD_ENDED) {
        assert_int_equal(run->witness.told, shard->count);
        assert_null(run->witness.told_window);
    } else {
        assert_int_equal(end, POLLER_STOPPED);
        assert_true(run->is_ordered);
    }
    if (flush(world, run)) {
        shard->has_ended = end == POLLER_SHARD_ENDED;
        shard->leased_until_ms = world->now_ms;
    }
    end_run(slot);
}

static void move(struct world *world, struct run **slot)
{
    go_round(world, *slot);
    if (loop_is_over((*slot)->loop))
        bury(world, slot);
}

/* ---- Settings ---- */

static int64_t one_of(const int64_t *values, size_t count)
{
    return values[roll(count)];
}

#define ONE_OF(...)                        \
    one_of((const int64_t[]){__VA_ARGS__}, \
           sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void random_trigger(struct trigger_config *trigger)
{
    static char name[] = "clicks";

    *trigger = (struct trigger_config){
        .name = name,
        .source = {.type = SOURCE_TYPE_KINESIS, .name = name},
        .handler = {.timeout_ms = 3000},
        .batch_size = ONE_OF(1, 2, 3, 7, 10, 50, 10000),
        .maximum_batching_window_in_seconds = ONE_OF(0, 0, 0, 1, 5, 300),
        .retry_backoff = {.base_ms = ONE_OF(1, 100, 1000),
                          .maximum_ms = ONE_OF(1000, 5000, 60000)},
        .reports_batch_item_failures = one_in(2),
        .parallelization_factor = ONE_OF(1, 1, 2, 3, 10),
        .bisect_batch_on_function_error = one_in(2),
        .maximum_retry_attempts = ONE_OF(-1, -1, 0, 1, 2, 5),
        .maximum_record_age_in_seconds = ONE_OF(-1, -1, 60, 120, 600),
        .tumbling_window_in_seconds = ONE_OF(0, 0, 0, 1, 10, 60, 900),
    };
    if (one_in(3))
        trigger->source.consumer = name; // records are pushed
    if (one_in(6))
        trigger->rate_limit.records_per_second = ONE_OF(1, 7, 100);
    if (one_in(5)) {
        trigger->circuit_breaker.failures = ONE_OF(1, 2, 5);
        trigger->circuit_breaker.pause_ms = ONE_OF(1000, 30000);
    }
}

/* ---- Steps ---- */

static struct run **some_run(struct world *world)
{
    size_t index = roll(RUNS);

    for (size_t i = 0; i < RUNS; i++, index++)
        if (world->runs[index % RUNS])
            return &world->runs[index % RUNS];
    return NULL;
}

static void start_runs(struct world *world)
{
    for (size_t s = 0; s < world->stream.shard_count; s++) {
        struct model_shard *shard = world->stream.shards[s];
        size_t slot = 0;

        if (!model_shard_is_open(&world->stream, shard) ||
            world->now_ms < shard->leased_until_ms)
            continue;
        while (slot < RUNS && world->runs[slot])
            slot++;
        if (slot == RUNS)
            return;
        start_run(world, &world->runs[slot], shard);
        move(world, &world->runs[slot]);
    }
}

static void renew(const struct world *world)
{
    for (size_t i = 0; i < RUNS; i++) {
        struct run *run = world->runs[i];

        if (run && !run->is_cut_off && is_owner(run) &&
            world->now_ms < run->witness.shard->leased_until_ms)
            lease(world, run);
    }
}

static void pass_time(struct world *world)
{
    static const uint64_t lengths[] = {5, 50, 300, 300, 3000};

    world->now_ms += (int64_t)roll(lengths[roll(5)]);
    if (one_in(60))
        world->now_ms += (int64_t)roll(150000);
    if (one_in(200)) // the wall's clocks are set
        world->wall_ahead_ms += (int64_t)roll(20000) - 10000;
    if (!one_in(4))
        renew(world);
    start_runs(world);
}

static void show_records(struct run *run)
{
    size_t most = run->witness.shard->count;

    if (run->source->shown_to < most)
        run->source->shown_to += 1 + roll(most - run->source->shown_to);
}

static void accept_report(struct world *world, struct run *run)
{
    size_t index;

    if (!run->report_count || world->destination_is_down)
        return;
    index = roll(run->report_count);
    run->accepted[run->accepted_count++] = run->reports[index];
    run->reports[index] = run->reports[--run->report_count];
}

static void trim(struct world *world)
{
    struct model_shard *shard =
        world->stream.shards[roll(world->stream.shard_count)];

    if (shard->count)
        shard->horizon += roll(shard->count - shard->horizon) / 8;
}

static void disturb(struct world *world, struct run **slot)
{
    struct run *run = *slot;

    switch (roll(9)) {
    case 0:
        end_run(slot); // a crash
        return;
    case 1:
        order_stop(run, false);
        break;
    case 2:
        if (one_in(4))
            order_stop(run, true);
        break;
    case 3:
        run->is_cut_off = !run->is_cut_off;
        break;
    case 4:
        world->destination_is_down = !world->destination_is_down;
        break;
    case 5:
        model_stream_reshard(&world->stream);
        break;
    case 6:
        trim(world);
        break;
    case 7:
        random_trigger(&world->trigger); // for those that begin from now on
        break;
    default:
        run->skew_ms += (int64_t)roll(2000) - 1000;
        break;
    }
    move(world, slot);
}

static void step(struct world *world)
{
    struct run **slot = some_run(world);

    if (!slot || one_in(6))
        pass_time(world);
    if (one_in(5))
        model_stream_put(&world->stream, world->now_ms + world->wall_ahead_ms);
    if (!slot || !*slot)
        return;
    if (one_in(40)) {
        disturb(world, slot);
        return;
    }
    switch (roll(8)) {
    case 0:
    case 1:
        show_records(*slot);
        break;
    case 2:
        accept_report(world, *slot);
        break;
    case 3:
        (void)flush(world, *slot);
        break;
    default:
        end_call(world, *slot);
        break;
    }
    move(world, slot);
}

/* ---- All is well again ---- */

static bool is_through(const struct world *world)
{
    for (size_t i = 0; i < world->stream.shard_count; i++) {
        const struct model_shard *shard = world->stream.shards[i];

        if (shard->committed < shard->count || shard->window ||
            shard->is_closed != shard->has_ended)
            return false;
    }
    return true;
}

/* There is mail for the poller, or records, or its time has come. */
static bool wakes(const struct world *world, struct run *run)
{
    set_clock(world, run);
    return run->mailbox.first || is_due(run);
}

/* Everything that may happen to a poller at this moment. It is not woken for
 * nothing: what it forgets to be woken for would not happen. */
static void settle_run(struct world *world, struct run **slot)
{
    (*slot)->is_cut_off = false;
    (*slot)->source->shown_to = (*slot)->witness.shard->count;
    while (*slot && ((*slot)->handler.count || (*slot)->report_count)) {
        end_call(world, *slot);
        accept_report(world, *slot);
        move(world, slot);
    }
    if (!*slot)
        return;
    (void)flush(world, *slot);
    if (wakes(world, *slot))
        move(world, slot);
}

static void settle_down(struct world *world)
{
    start_runs(world);
    for (size_t i = 0; i < RUNS; i++)
        if (world->runs[i])
            settle_run(world, &world->runs[i]);
    renew(world);
}

static bool is_busy(const struct world *world)
{
    for (size_t i = 0; i < RUNS; i++)
        if (world->runs[i] &&
            (world->runs[i]->handler.count || world->runs[i]->report_count ||
             is_due(world->runs[i])))
            return true;
    return false;
}

/* Pollers wake when they said, or when a lease is looked at. */
static void sleep_until_due(struct world *world)
{
    int64_t due_ms = world->now_ms + LEASE_MS / 3;

    for (size_t i = 0; i < RUNS; i++)
        if (world->runs[i]) {
            set_clock(world, world->runs[i]);
            due_ms = clock_earlier(
                due_ms, loop_deadline_ms(world->runs[i]->loop, world->now_ms));
        }
    if (!is_busy(world) && due_ms > world->now_ms)
        world->now_ms = due_ms;
}

/* So long one shard may take. */
static int64_t longest_ms(const struct trigger_config *trigger)
{
    int64_t window_ms = 1000 * trigger->maximum_batching_window_in_seconds;
    int64_t rate = trigger->rate_limit.records_per_second;
    int64_t ms = LEASE_MS + 2 * MARGIN_MS + 150000 + 60000 + 20 * window_ms +
                 4 * trigger->retry_backoff.maximum_ms +
                 trigger->circuit_breaker.pause_ms;

    if (trigger->tumbling_window_in_seconds) // one after the other
        ms += MODEL_SHARD_RECORDS * window_ms +
              2000 * trigger->tumbling_window_in_seconds;
    if (rate)
        ms += (MODEL_SHARD_RECORDS + trigger->batch_size) * 1000 / rate +
              1000 * MODEL_SHARD_RECORDS;
    return ms;
}

/* So long all may take, at the worst each after the other, and some of them
 * begun under settings that have changed. */
static int64_t longest_of_all_ms(const struct world *world)
{
    int64_t ms =
        (int64_t)world->stream.shard_count * longest_ms(&world->trigger);

    for (size_t i = 0; i < RUNS; i++)
        if (world->runs[i])
            ms += longest_ms(&world->runs[i]->trigger);
    return ms;
}

static void drain(struct world *world)
{
    int64_t latest_ms = world->now_ms + longest_of_all_ms(world);

    world->all_is_well = true;
    world->destination_is_down = false;
    while (!is_through(world)) {
        if (world->now_ms > latest_ms)
            fail_msg("it did not get through");
        settle_down(world);
        sleep_until_due(world);
    }
}

static void stop_all(struct world *world)
{
    for (size_t i = 0; i < RUNS; i++) {
        struct run **slot = &world->runs[i];

        if (*slot)
            order_stop(*slot, false);
        while (*slot) {
            end_call(world, *slot);
            accept_report(world, *slot);
            move(world, slot);
        }
    }
}

/* ---- Episodes ---- */

static void run_episode(void)
{
    struct world *world = mem_calloc(1, sizeof(*world));

    random_trigger(&world->trigger);
    world->has_destination = !one_in(3);
    world->now_ms = 1000000;
    world->wall_ahead_ms = 1795359600000;
    model_stream_init(&world->stream, &chance, 1 + roll(3));
    world->stream.filtered_in = (unsigned)ONE_OF(0, 0, 2, 10);
    world->stream.tells_arrival = !one_in(3);
    for (int i = 0; i < STEPS; i++)
        step(world);
    drain(world);
    stop_all(world);
    model_stream_check(&world->stream);
    model_stream_finish(&world->stream);
    free(world);
}

static void test_streams(void **state)
{
    const char *given = getenv("POLLARD_EPISODES");
    int episodes = given ? atoi(given) : EPISODES;

    (void)state;
    memset(large_state, 'a', sizeof(large_state) - 1);
    memcpy(large_state, "{\"x\":\"", 6);
    memcpy(large_state + sizeof(large_state) - 3, "\"}", 3);
    for (int i = 0; i < episodes; i++)
        run_episode();
}

int main(void)
{
    const char *given = getenv("POLLARD_SEED");
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_streams)};

    chance.state = given ? strtoull(given, NULL, 0) : random_seed();
    printf("seed %llu\n", (unsigned long long)chance.state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
