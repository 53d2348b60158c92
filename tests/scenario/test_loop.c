/*
 * Whole stories of a poller in virtual time: its loop over a queue or shard in
 * memory, a handler and a destination in the test's hand. Linked with
 *     __wrap_handler_start
 *     __wrap_handler_concurrency
 *     __wrap_destination_deliver
 *     __wrap_destination_withdraw
 *     __wrap_destination_reply
 *     __wrap_destination_poll
 *     __wrap_destination_deadline_ms
 *     __wrap_destination_next
 *     __wrap_destination_close
 */
#include "poller/loop.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "fake_destination.h"
#include "fake_handler.h"
#include "memory_source.h"
#include "poller/trigger_config.h"
#include "sim_clock.h"
#include "test.h"

#define VISIBILITY_MS 30000

struct stage {
    struct trigger_config trigger;
    struct memory_queue queue;
    struct memory_source *source; // the loop's
    struct fake_handler handler;
    struct fake_destination destination;
    bool has_destination, is_shard;
    struct mailbox mailbox;
    struct mail stop_mail, force_mail;
    struct log_sink sink;
    struct log log;
    volatile int64_t acts_until_ms;
    size_t checkpoint; // records handled, as told
    int64_t now_ms;
    struct sim_clock clock;
    struct loop *loop;
};

static void wake(void *context)
{
    (void)context;
}

static void checkpoint(void *context,
                       const struct poller_checkpoint *checkpoint)
{
    struct bytes sequence = checkpoint->sequence;
    struct stage *stage = context;
    char text[24] = "";
    size_t moved;

    assert_true(sequence.size < sizeof(text));
    memcpy(text, sequence.data, sequence.size);
    moved = strtoul(text, NULL, 10);
    assert_true(moved > stage->checkpoint); // never back
    stage->checkpoint = moved;
}

static struct stage *stage_create(void)
{
    struct stage *stage = mem_calloc(1, sizeof(*stage));
    char *name = mem_strdup("orders");

    stage->trigger = (struct trigger_config){
        .name = name,
        .source = {.name = name},
        .handler = {.timeout_ms = 3000},
        .batch_size = 2,
        .scaling_config = {.maximum_concurrency = 2},
        .visibility_timeout_ms = -1,
        .retry_backoff = {.base_ms = 1000, .maximum_ms = 60000},
        .parallelization_factor = 1,
        .maximum_retry_attempts = -1,
        .maximum_record_age_in_seconds = -1,
    };
    memory_queue_init(&stage->queue, VISIBILITY_MS);
    fake_handler_init(&stage->handler, 100);
    mailbox_init(&stage->mailbox, wake, stage);
    stage->sink = (struct log_sink){.fd = memfd_create("log", MFD_CLOEXEC),
                                    .level = LOG_LEVEL_INFO};
    stage->log.sink = &stage->sink;
    sim_clock_init(&stage->clock);
    stage->now_ms = clock_now_ms(&stage->clock.clock);
    stage->acts_until_ms = CLOCK_NEVER;
    stage->stop_mail.kind = LOOP_STOP;
    stage->force_mail.kind = LOOP_FORCE;
    return stage;
}

static void push(struct stage *stage, const char *letters)
{
    for (; *letters; letters++)
        memory_queue_push(&stage->queue, (char[]){*letters, 0}, NULL);
}

static void open_loop(struct stage *stage)
{
    stage->source =
        stage->is_shard
            ? memory_source_open_shard(&stage->queue, stage->checkpoint)
            : memory_source_open(&stage->queue);
    stage->loop = loop_create(&(struct loop_options){
        .trigger = &stage->trigger,
        .is_shard = stage->is_shard,
        .source = &stage->source->source,
        .parts = {.on_success = stage->has_destination
                                    ? fake_destination(&stage->destination)
                                    : NULL},
        .handler = fake_handler(&stage->handler),
        .mailbox = &stage->mailbox,
        .clock = &stage->clock.clock,
        .log = &stage->log,
        .acts_until_ms = &stage->acts_until_ms,
        .seed = 7,
        .checkpoint = checkpoint,
        .context = stage,
    });
}

static struct stage *queue_stage(const char *letters)
{
    struct stage *stage = stage_create();

    push(stage, letters);
    open_loop(stage);
    return stage;
}

static struct stage *shard_stage(const char *letters)
{
    struct stage *stage = stage_create();

    stage->is_shard = true;
    push(stage, letters);
    open_loop(stage);
    return stage;
}

static struct stage *emitting_stage(const char *letters)
{
    struct stage *stage = stage_create();

    stage->has_destination = true;
    push(stage, letters);
    open_loop(stage);
    return stage;
}

static void read_mail(struct stage *stage)
{
    struct mail *next;

    for (struct mail *mail = mailbox_take(&stage->mailbox); mail; mail = next) {
        next = mail->next;
        loop_mail(stage->loop, mail, stage->now_ms);
    }
}

/* Rounds until nothing more happens by itself. */
static void settle_down(struct stage *stage)
{
    int rounds = 0;

    do {
        assert_true(rounds++ < 100);
        read_mail(stage);
        loop_round(stage->loop, stage->now_ms);
    } while (!loop_is_over(stage->loop) &&
             (stage->source->arrived.count ||
              loop_deadline_ms(stage->loop, stage->now_ms) <= stage->now_ms));
}

static void pass(struct stage *stage, int64_t ms)
{
    sim_clock_advance(&stage->clock, ms);
    stage->now_ms = clock_now_ms(&stage->clock.clock);
    settle_down(stage);
}

static void post(struct stage *stage, struct mail *mail)
{
    mailbox_post(&stage->mailbox, mail);
    settle_down(stage);
}

static void end_batch(struct stage *stage, const char *data,
                      enum outcome_kind kind, const char *failed)
{
    fake_handler_end(&stage->handler, data, kind, failed, 0);
    settle_down(stage);
}

static const struct memory_message *message(const struct stage *stage,
                                            const char *data)
{
    return memory_queue_find(&stage->queue, data);
}

static size_t deleted(const struct stage *stage)
{
    return memory_queue_count(&stage->queue, MEMORY_DELETED);
}

static struct poller_stats stats_of(const struct stage *stage)
{
    struct poller_stats stats;

    loop_stats(stage->loop, &stats);
    return stats;
}

static enum poller_end how_it_ended(const struct stage *stage)
{
    struct error err = {0};

    return loop_end(stage->loop, &err);
}

/* How often the log speaks of something. */
static int said(const struct stage *stage, const char *event)
{
    char text[8192] = "";
    ssize_t size = pread(stage->sink.fd, text, sizeof(text) - 1, 0);
    int count = 0;

    assert_true(size >= 0 && size < (ssize_t)sizeof(text) - 1);
    for (const char *at = text; (at = strstr(at, event)); at++)
        count++;
    return count;
}

static void close_loop(struct stage *stage)
{
    bool closed = false;

    stage->source->closed = &closed;
    read_mail(stage);
    assert_true(loop_destroy(stage->loop));
    assert_true(closed);
    stage->loop = NULL;
}

static void stage_destroy(struct stage *stage)
{
    for (size_t i = stage->handler.count; i > 0; i--) {
        struct invocation *running = stage->handler.running[0];

        stage->handler.running[0] =
            stage->handler.running[--stage->handler.count];
        mailbox_post(running->reply_to, &running->mail);
    }
    close_loop(stage);
    fake_handler_finish(&stage->handler);
    mailbox_finish(&stage->mailbox);
    memory_queue_finish(&stage->queue);
    (void)close(stage->sink.fd);
    free(stage->trigger.name);
    free(stage);
}

// ---- Queues ----

static void test_success_deletes(void **state)
{
    struct stage *stage = queue_stage("abc");

    (void)state;
    settle_down(stage);
    assert_int_equal(fake_handler_running(&stage->handler), 2);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_int_equal(deleted(stage), 2);
    assert_int_equal(message(stage, "c")->state, MEMORY_HIDDEN);
    end_batch(stage, "c", OUTCOME_DONE, NULL);
    assert_int_equal(deleted(stage), 3);
    assert_int_equal(stats_of(stage).records_done, 3);
    assert_int_equal(stats_of(stage).batches_started, 2);
    assert_int_equal(said(stage, "\n"), 0); // healthy is quiet
    stage_destroy(stage);
}

static void test_failure_leaves_it_to_its_visibility(void **state)
{
    struct stage *stage = queue_stage("ab");

    (void)state;
    settle_down(stage);
    end_batch(stage, "a", OUTCOME_FAILED, NULL);
    assert_int_equal(message(stage, "a")->again, 1);
    assert_int_equal(message(stage, "a")->state, MEMORY_HIDDEN);
    pass(stage, VISIBILITY_MS - 1);
    assert_int_equal(fake_handler_running(&stage->handler), 0);
    pass(stage, 1);
    assert_int_equal(message(stage, "a")->receive_count, 2);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_int_equal(deleted(stage), 2);
    assert_int_equal(stats_of(stage).records_failed, 2);
    assert_int_equal(stats_of(stage).batches_failed, 1);
    stage_destroy(stage);
}

static void test_backoff_is_set_as_visibility_when_given(void **state)
{
    struct stage *stage = stage_create();

    (void)state;
    stage->trigger.retry_backoff.given = true;
    push(stage, "a");
    open_loop(stage);
    settle_down(stage);
    end_batch(stage, "a", OUTCOME_FAILED, NULL);
    assert_true(message(stage, "a")->visible_ms <= stage->now_ms + 1000);
    pass(stage, 1000);
    assert_int_equal(message(stage, "a")->receive_count, 2);
    stage_destroy(stage);
}

static void test_single_failed_records_are_the_only_ones_kept(void **state)
{
    struct stage *stage = queue_stage("ab");

    (void)state;
    settle_down(stage);
    end_batch(stage, "a", OUTCOME_DONE, "b");
    assert_int_equal(message(stage, "a")->state, MEMORY_DELETED);
    assert_int_equal(message(stage, "b")->again, 1);
    assert_int_equal(stats_of(stage).records_failed, 1);
    stage_destroy(stage);
}

static void test_asks_for_no_more_than_can_run(void **state)
{
    struct stage *stage = queue_stage("abcdefghij");

    (void)state;
    settle_down(stage);
    assert_int_equal(stage->source->most_asked, 4);
    assert_int_equal(fake_handler_running(&stage->handler), 2);
    assert_int_equal(memory_queue_count(&stage->queue, MEMORY_HIDDEN), 4);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_int_equal(fake_handler_running(&stage->handler), 2);
    assert_int_equal(memory_queue_count(&stage->queue, MEMORY_HIDDEN), 4);
    stage_destroy(stage);
}

static void test_asks_for_no_more_than_the_handler_has_instances(void **state)
{
    struct stage *stage = stage_create();

    (void)state;
    stage->handler.concurrency = 1;
    push(stage, "abcdef");
    open_loop(stage);
    settle_down(stage);
    assert_int_equal(stage->source->most_asked, 2);
    assert_int_equal(fake_handler_running(&stage->handler), 1);
    stage->handler.concurrency = 0; // as few as can be: one still tries
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_int_equal(fake_handler_running(&stage->handler), 1);
    stage_destroy(stage);
}

static void
test_what_could_not_start_goes_back_and_the_queue_pauses(void **state)
{
    struct stage *stage = stage_create();
    uint32_t receives;

    (void)state;
    stage->trigger.scaling_config.maximum_concurrency = 1;
    push(stage, "ab");
    open_loop(stage);
    settle_down(stage);
    fake_handler_end(&stage->handler, "a", OUTCOME_UNSTARTED, NULL, 0);
    settle_down(stage);
    assert_int_equal(message(stage, "a")->returned, 1);
    assert_int_equal(stats_of(stage).records_failed, 0);
    assert_int_equal(said(stage, "handler.unstarted"), 1);
    receives = message(stage, "a")->receive_count;
    pass(stage, 60000);
    assert_true(message(stage, "a")->receive_count == receives + 1);
    stage_destroy(stage);
}

static void test_one_fifo_group_runs_in_one_batch_at_a_time(void **state)
{
    struct stage *stage = stage_create();

    (void)state;
    free(stage->trigger.name);
    stage->trigger.name = stage->trigger.source.name =
        mem_strdup("orders.fifo");
    for (const char *at = "abc"; *at; at++)
        memory_queue_push(&stage->queue, (char[]){*at, 0}, "customer-1");
    open_loop(stage);
    settle_down(stage);
    assert_int_equal(fake_handler_running(&stage->handler), 1);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_int_equal(fake_handler_running(&stage->handler), 1);
    end_batch(stage, "c", OUTCOME_DONE, NULL);
    assert_int_equal(deleted(stage), 3);
    stage_destroy(stage);
}

static void test_heartbeat_keeps_what_runs_hidden(void **state)
{
    struct stage *stage = stage_create();

    (void)state;
    stage->trigger.visibility_heartbeat = true;
    push(stage, "a");
    open_loop(stage);
    settle_down(stage);
    for (int i = 0; i < 10; i++) {
        int64_t due_ms = loop_deadline_ms(stage->loop, stage->now_ms);

        assert_true(due_ms > stage->now_ms);
        pass(stage, due_ms - stage->now_ms);
    }
    assert_true(stage->now_ms > 1000000 + 2 * VISIBILITY_MS);
    assert_true(message(stage, "a")->extended > 4);
    assert_true(message(stage, "a")->extended <= 10);
    assert_int_equal(message(stage, "a")->receive_count, 1);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_int_equal(deleted(stage), 1);
    stage_destroy(stage);
}

static void test_heartbeat_lets_a_handler_take_its_time(void **state)
{
    struct stage *stage = stage_create();

    (void)state;
    stage->trigger.visibility_heartbeat = true;
    stage->trigger.handler.timeout_ms = 600000; // far beyond the visibility
    stage->trigger.maximum_batching_window_in_seconds = 20;
    push(stage, "a");
    open_loop(stage);
    settle_down(stage);
    pass(stage, 19999);
    assert_int_equal(fake_handler_running(&stage->handler), 0);
    pass(stage, 1); // the window is kept
    assert_int_equal(fake_handler_running(&stage->handler), 1);
    pass(stage, 4999); // 10 s are left: the first beat at half of that
    assert_int_equal(message(stage, "a")->extended, 0);
    pass(stage, 1);
    assert_int_equal(message(stage, "a")->extended, 1);
    pass(stage, 14999); // and then at half of all
    assert_int_equal(message(stage, "a")->extended, 1);
    pass(stage, 1);
    assert_int_equal(message(stage, "a")->extended, 2);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_int_equal(message(stage, "a")->receive_count, 1);
    stage_destroy(stage);
}

static void
test_a_heartbeat_that_fails_is_followed_by_others_in_time(void **state)
{
    struct stage *stage = stage_create();

    (void)state;
    stage->trigger.visibility_heartbeat = true;
    push(stage, "a");
    open_loop(stage);
    stage->source->refuses_extends = 3;
    settle_down(stage);
    pass(stage, VISIBILITY_MS / 2); // refused
    pass(stage, VISIBILITY_MS / 4); // refused
    pass(stage, VISIBILITY_MS / 8); // refused
    assert_int_equal(stage->source->refuses_extends, 0);
    pass(stage, VISIBILITY_MS / 16);
    assert_int_equal(message(stage, "a")->extended, 1);
    pass(stage, VISIBILITY_MS / 2 - 1); // and in the old way again
    assert_int_equal(message(stage, "a")->extended, 1);
    pass(stage, 1);
    assert_int_equal(message(stage, "a")->extended, 2);
    assert_int_equal(message(stage, "a")->receive_count, 1);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_int_equal(deleted(stage), 1);
    stage_destroy(stage);
}

static void test_an_overrun_is_said_once(void **state)
{
    struct stage *stage = queue_stage("a");

    (void)state;
    settle_down(stage);
    pass(stage, 2999);
    assert_int_equal(said(stage, "handler.overrun"), 0);
    pass(stage, 1);
    pass(stage, 1000);
    assert_int_equal(said(stage, "handler.overrun"), 1);
    end_batch(stage, "a", OUTCOME_TIMED_OUT, NULL);
    assert_int_equal(said(stage, "handler.failed what=\"timed out\""), 1);
    assert_int_equal(message(stage, "a")->again, 1);
    stage_destroy(stage);
}

static void test_failures_in_a_row_are_counted_not_repeated(void **state)
{
    struct stage *stage = queue_stage("abcdefghijkl");

    (void)state;
    settle_down(stage);
    for (const char *at = "acegik"; *at; at += 1)
        end_batch(stage, (char[]){*at, 0}, OUTCOME_FAILED, NULL);
    assert_int_equal(said(stage, "handler.failed"), 1);
    assert_int_equal(said(stage, "reason=\"it is a test\""), 1);
    pass(stage, VISIBILITY_MS);
    end_batch(stage, "a", OUTCOME_FAILED, NULL);
    assert_int_equal(said(stage, "handler.failed"), 2);
    assert_int_equal(said(stage, "suppressed=5"), 1);
    stage_destroy(stage);
}

static void test_a_breaker_pauses_the_queue_and_says_so(void **state)
{
    struct stage *stage = stage_create();

    (void)state;
    stage->trigger.reports_batch_item_failures = true; // two at once throughout
    stage->trigger.circuit_breaker.failures = 2;
    stage->trigger.circuit_breaker.pause_ms = 60000;
    push(stage, "abcdefgh");
    open_loop(stage);
    settle_down(stage);
    end_batch(stage, "a", OUTCOME_FAILED, NULL);
    assert_int_equal(said(stage, "breaker.opened"), 0);
    end_batch(stage, "c", OUTCOME_TIMED_OUT, NULL);
    assert_int_equal(said(stage, "breaker.opened"), 1);
    assert_int_equal(stats_of(stage).counts.breakers_open, 1);
    // Whatever came for others went back, and nothing more is asked for.
    end_batch(stage, "e", OUTCOME_FAILED, NULL);
    assert_int_equal(fake_handler_running(&stage->handler), 0);
    assert_int_equal(stage->source->asked, 0);
    assert_true(message(stage, "g")->state == MEMORY_VISIBLE);
    pass(stage, 59999);
    assert_int_equal(fake_handler_running(&stage->handler), 0);
    pass(stage, 1); // one is tried, and one only
    assert_int_equal(fake_handler_running(&stage->handler), 1);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_int_equal(said(stage, "breaker.closed"), 1);
    assert_int_equal(fake_handler_running(&stage->handler), 2);
    assert_int_equal(stats_of(stage).counts.breaker_opened, 1);
    assert_int_equal(stats_of(stage).counts.breakers_open, 0);
    stage_destroy(stage);
}

static void test_a_rate_is_kept_without_holding_messages(void **state)
{
    struct stage *stage = stage_create();

    (void)state;
    stage->trigger.rate_limit.records_per_second = 3;
    stage->trigger.batch_size = 1;
    stage->trigger.scaling_config.maximum_concurrency = 50;
    push(stage, "abcdefghijklmnop");
    open_loop(stage);
    settle_down(stage);
    for (size_t second = 0; second < 4; second++) {
        assert_int_equal(memory_queue_count(&stage->queue, MEMORY_HIDDEN),
                         3 * (second + 1));
        assert_int_equal(fake_handler_running(&stage->handler),
                         3 * (second + 1));
        pass(stage, 334); // each by itself: a third of a second apart
        pass(stage, 333);
        pass(stage, 333);
    }
    stage_destroy(stage);
}

static void test_counts_are_published(void **state)
{
    struct stage *stage = queue_stage("abcdef");
    struct poller_stats stats;

    (void)state;
    settle_down(stage);
    stats = stats_of(stage);
    assert_int_equal(stats.counts.polled, 4);
    assert_int_equal(stats.counts.dispatched, 4);
    assert_int_equal(stats.records_inside, 4);
    end_batch(stage, "a", OUTCOME_DONE, "b");
    end_batch(stage, "c", OUTCOME_TIMED_OUT, NULL);
    end_batch(stage, "e", OUTCOME_FAILED, NULL);
    stats = stats_of(stage);
    assert_int_equal(stats.counts.failed_records, 2);
    assert_int_equal(stats.counts.failed_timeout, 2);
    assert_int_equal(stats.counts.failed_error, 2);
    assert_int_equal(stats.records_deleted, 1);
    assert_int_equal(stats.records_inside, 0); // the rest was left
    stage_destroy(stage);
}

// ---- Results ----

static void test_results_are_accepted_before_the_batch_is_settled(void **state)
{
    struct stage *stage = emitting_stage("ab");

    (void)state;
    stage->destination.down = true;
    settle_down(stage);
    assert_true(fake_handler_find(&stage->handler, "a")->may_emit);
    fake_handler_end(&stage->handler, "a", OUTCOME_DONE, "b", 3);
    settle_down(stage);
    pass(stage, 10000);
    assert_int_equal(deleted(stage), 0);
    stage->destination.down = false;
    settle_down(stage);
    assert_int_equal(stage->destination.accepted, 3);
    assert_int_equal(message(stage, "a")->state, MEMORY_DELETED);
    assert_int_equal(message(stage, "b")->again, 1);
    stage_destroy(stage);
}

static void test_a_destination_that_is_down_holds_the_queue_back(void **state)
{
    struct stage *stage = emitting_stage("abcdefgh");

    (void)state;
    stage->destination.down = true;
    settle_down(stage);
    fake_handler_end(&stage->handler, "a", OUTCOME_DONE, NULL, 1);
    fake_handler_end(&stage->handler, "c", OUTCOME_DONE, NULL, 1);
    settle_down(stage);
    assert_int_equal(fake_handler_running(&stage->handler), 0);
    assert_int_equal(stage->handler.started, 2); // no third one
    stage->destination.down = false;
    settle_down(stage);
    assert_int_equal(stage->handler.started, 4);
    assert_int_equal(deleted(stage), 4);
    stage_destroy(stage);
}

static void test_a_failed_batch_emits_nothing(void **state)
{
    struct stage *stage = emitting_stage("ab");

    (void)state;
    settle_down(stage);
    fake_handler_end(&stage->handler, "a", OUTCOME_FAILED, NULL, 3);
    settle_down(stage);
    assert_int_equal(stage->destination.accepted, 0);
    assert_int_equal(message(stage, "a")->again, 1);
    stage_destroy(stage);
}

// ---- The end ----

static void test_stop_finishes_what_runs_and_returns_the_rest(void **state)
{
    struct stage *stage = stage_create();

    (void)state;
    stage->trigger.maximum_batching_window_in_seconds = 20;
    push(stage, "abc"); // a and b fill a batch, c waits in its window
    open_loop(stage);
    settle_down(stage);
    assert_int_equal(fake_handler_running(&stage->handler), 1);
    assert_int_equal(message(stage, "c")->state, MEMORY_HIDDEN);
    post(stage, &stage->stop_mail);
    assert_int_equal(message(stage, "c")->state, MEMORY_VISIBLE);
    assert_false(loop_is_over(stage->loop));
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_true(loop_is_over(stage->loop));
    assert_int_equal(how_it_ended(stage), POLLER_STOPPED);
    assert_int_equal(deleted(stage), 2);
    assert_int_equal(memory_queue_count(&stage->queue, MEMORY_HIDDEN), 0);
    assert_int_equal(stats_of(stage).records_returned, 1);
    assert_int_equal(stats_of(stage).records_left_hidden, 0);
    stage_destroy(stage);
}

static void test_stop_waits_for_the_last_receive_and_returns_it(void **state)
{
    struct stage *stage = queue_stage("");
    struct memory_source *source = stage->source;

    (void)state;
    settle_down(stage);
    source->parked = true;
    post(stage, &stage->stop_mail);
    assert_false(loop_is_over(stage->loop));
    push(stage, "a"); // what the parked poll brings
    stage->queue.messages[0]->state = MEMORY_VISIBLE;
    source->source.ops->poll(&source->source, 0, stage->now_ms);
    source->stopped = false;
    source->source.ops->poll(&source->source, 1, stage->now_ms);
    source->stopped = true;
    source->parked = false;
    settle_down(stage);
    assert_true(loop_is_over(stage->loop));
    assert_int_equal(stage->handler.started, 0);
    assert_int_equal(message(stage, "a")->returned, 1);
    assert_int_equal(message(stage, "a")->state, MEMORY_VISIBLE);
    stage_destroy(stage);
}

static void test_stop_waits_for_the_destination(void **state)
{
    struct stage *stage = emitting_stage("ab");

    (void)state;
    stage->destination.down = true;
    settle_down(stage);
    fake_handler_end(&stage->handler, "a", OUTCOME_DONE, NULL, 1);
    post(stage, &stage->stop_mail);
    pass(stage, 1000);
    assert_false(loop_is_over(stage->loop));
    stage->destination.down = false;
    settle_down(stage);
    assert_true(loop_is_over(stage->loop));
    assert_int_equal(deleted(stage), 2);
    stage_destroy(stage);
}

static void test_force_gives_up_what_waits_for_the_destination(void **state)
{
    struct stage *stage = emitting_stage("ab");

    (void)state;
    stage->destination.down = true;
    settle_down(stage);
    fake_handler_end(&stage->handler, "a", OUTCOME_DONE, NULL, 1);
    post(stage, &stage->stop_mail);
    post(stage, &stage->force_mail);
    assert_true(loop_is_over(stage->loop));
    assert_int_equal(how_it_ended(stage), POLLER_STOPPED);
    assert_int_equal(stage->destination.withdrawn, 1);
    assert_int_equal(deleted(stage), 0);
    stage_destroy(stage);
}

static void test_force_ends_beside_running_user_code(void **state)
{
    struct stage *stage = queue_stage("abc");

    (void)state;
    settle_down(stage);
    post(stage, &stage->force_mail);
    assert_true(loop_is_over(stage->loop));
    assert_int_equal(stats_of(stage).records_left_hidden, 3);
    assert_false(loop_destroy(stage->loop)); // it reads the records
    fake_handler_end(&stage->handler, "a", OUTCOME_DONE, NULL, 0);
    read_mail(stage);
    assert_false(loop_destroy(stage->loop));
    fake_handler_end(&stage->handler, "c", OUTCOME_DONE, NULL, 0);
    assert_int_equal(deleted(stage), 0);
    stage_destroy(stage); // now it can
}

static void test_a_failed_source_ends_it_with_its_error(void **state)
{
    struct stage *stage = queue_stage("abc");
    struct error err = {0};

    (void)state;
    settle_down(stage);
    error_set(&stage->source->error, ERROR_DENIED, "access denied");
    settle_down(stage);
    pass(stage, 20000);
    assert_false(loop_is_over(stage->loop)); // user code still runs
    assert_true(loop_deadline_ms(stage->loop, stage->now_ms) > stage->now_ms);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    end_batch(stage, "c", OUTCOME_DONE, NULL);
    assert_true(loop_is_over(stage->loop));
    assert_int_equal(loop_end(stage->loop, &err), POLLER_FAILED);
    assert_int_equal(err.code, ERROR_DENIED);
    assert_string_equal(err.message, "access denied");
    assert_int_equal(deleted(stage), 3);
    stage_destroy(stage);
}

static void test_a_failed_source_is_not_waited_for_for_ever(void **state)
{
    struct stage *stage = queue_stage("a");
    int64_t failed_ms;

    (void)state;
    settle_down(stage);
    error_set(&stage->source->error, ERROR_DENIED, "access denied");
    stage->source->parked = true;
    failed_ms = stage->now_ms;
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_false(loop_is_over(stage->loop));
    while (!loop_is_over(stage->loop)) {
        int64_t due_ms = loop_deadline_ms(stage->loop, stage->now_ms);

        assert_true(due_ms <= failed_ms + 10000);
        pass(stage, due_ms - stage->now_ms);
    }
    assert_int_equal(how_it_ended(stage), POLLER_FAILED);
    stage_destroy(stage);
}

// ---- Shards ----

static void test_a_shard_checkpoints_what_is_done(void **state)
{
    struct stage *stage = shard_stage("abcde");

    (void)state;
    settle_down(stage);
    assert_int_equal(fake_handler_running(&stage->handler), 1);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_int_equal(stage->checkpoint, 2);
    end_batch(stage, "c", OUTCOME_DONE, NULL);
    assert_int_equal(stage->checkpoint, 4);
    end_batch(stage, "e", OUTCOME_DONE, NULL);
    assert_int_equal(stage->checkpoint, 5);
    assert_int_equal(stats_of(stage).records_done, 5);
    stage_destroy(stage);
}

static void test_a_failed_record_blocks_its_shard(void **state)
{
    struct stage *stage = shard_stage("abcd");

    (void)state;
    settle_down(stage);
    end_batch(stage, "a", OUTCOME_DONE, "b");
    assert_int_equal(stage->checkpoint, 1);
    pass(stage, 60000); // whatever the backoff was
    assert_int_equal(fake_handler_find(&stage->handler, "b")->count, 1);
    end_batch(stage, "b", OUTCOME_FAILED, NULL);
    pass(stage, 60000);
    end_batch(stage, "b", OUTCOME_DONE, NULL);
    assert_int_equal(stage->checkpoint, 2);
    end_batch(stage, "c", OUTCOME_DONE, NULL);
    assert_int_equal(stage->checkpoint, 4);
    stage_destroy(stage);
}

static void test_a_shard_ends_when_its_last_record_is_settled(void **state)
{
    struct stage *stage = shard_stage("abc");

    (void)state;
    stage->source->shard_is_closed = true;
    settle_down(stage);
    end_batch(stage, "a", OUTCOME_DONE, NULL);
    assert_false(loop_is_over(stage->loop));
    end_batch(stage, "c", OUTCOME_DONE, NULL);
    assert_int_equal(how_it_ended(stage), POLLER_SHARD_ENDED);
    assert_int_equal(stage->checkpoint, 3);
    stage_destroy(stage);
}

static void test_nothing_starts_past_the_lease(void **state)
{
    struct stage *stage = shard_stage("abcd");

    (void)state;
    stage->acts_until_ms = stage->now_ms + 1000;
    settle_down(stage);
    pass(stage, 1000);
    end_batch(stage, "a", OUTCOME_DONE, NULL); // what runs may finish
    assert_int_equal(stage->checkpoint, 2);
    assert_int_equal(fake_handler_running(&stage->handler), 0);
    assert_true(loop_deadline_ms(stage->loop, stage->now_ms) >
                stage->now_ms);                  // and it does not spin
    stage->acts_until_ms = stage->now_ms + 5000; // renewed: nobody wakes us
    pass(stage, loop_deadline_ms(stage->loop, stage->now_ms) - stage->now_ms);
    assert_int_equal(fake_handler_running(&stage->handler), 1);
    end_batch(stage, "c", OUTCOME_DONE, NULL);
    stage_destroy(stage);
}

static void test_a_stopped_shard_resumes_behind_its_checkpoint(void **state)
{
    struct stage *stage = shard_stage("abcdef");

    (void)state;
    settle_down(stage);
    post(stage, &stage->stop_mail);
    end_batch(stage, "a", OUTCOME_DONE, "b");
    assert_int_equal(how_it_ended(stage), POLLER_STOPPED);
    assert_int_equal(stage->checkpoint, 1);
    close_loop(stage);
    open_loop(stage);
    settle_down(stage);
    assert_int_equal(fake_handler_find(&stage->handler, "b")->count, 2);
    end_batch(stage, "b", OUTCOME_DONE, NULL);
    stage_destroy(stage);
}

// ---- A fault at every step ----

/* All running batches succeed, one after another, until it is over or nothing
 * runs any more. */
static void let_all_succeed(struct stage *stage)
{
    settle_down(stage);
    while (stage->handler.count) {
        char data[2] = {stage->handler.running[0]->records[0]->data.data[0], 0};

        fake_handler_end(&stage->handler, data, OUTCOME_DONE, NULL,
                         stage->has_destination ? 1 : 0);
        settle_down(stage);
    }
}

/* The source fails at its first call, its second, and so on, until the story
 * completes untouched; after each, a new poller finishes what is left. */
static void sweep(bool is_shard)
{
    bool hit;
    int steps = 0;

    do {
        struct stage *stage = stage_create();

        stage->is_shard = is_shard;
        stage->has_destination = true;
        push(stage, "abcdefg");
        open_loop(stage);
        stage->source->fail_after = steps++;
        let_all_succeed(stage);
        hit = stage->source->error.code != ERROR_NONE;
        assert_int_equal(how_it_ended(stage),
                         hit ? POLLER_FAILED : POLLER_RUNNING);
        if (hit) {
            close_loop(stage);
            open_loop(stage);
            stage->now_ms += VISIBILITY_MS; // what was hidden is back
            let_all_succeed(stage);
        }
        assert_int_equal(how_it_ended(stage), POLLER_RUNNING);
        assert_int_equal(deleted(stage), 7);
        assert_true(!is_shard || stage->checkpoint == 7);
        stage_destroy(stage);
    } while (hit);
    assert_true(steps > 7);
}

static void test_a_queue_survives_a_fault_at_every_step(void **state)
{
    (void)state;
    sweep(false);
}

static void test_a_shard_survives_a_fault_at_every_step(void **state)
{
    (void)state;
    sweep(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_success_deletes),
        cmocka_unit_test(test_failure_leaves_it_to_its_visibility),
        cmocka_unit_test(test_backoff_is_set_as_visibility_when_given),
        cmocka_unit_test(test_single_failed_records_are_the_only_ones_kept),
        cmocka_unit_test(test_asks_for_no_more_than_can_run),
        cmocka_unit_test(test_asks_for_no_more_than_the_handler_has_instances),
        cmocka_unit_test(
            test_what_could_not_start_goes_back_and_the_queue_pauses),
        cmocka_unit_test(test_one_fifo_group_runs_in_one_batch_at_a_time),
        cmocka_unit_test(test_heartbeat_keeps_what_runs_hidden),
        cmocka_unit_test(test_heartbeat_lets_a_handler_take_its_time),
        cmocka_unit_test(
            test_a_heartbeat_that_fails_is_followed_by_others_in_time),
        cmocka_unit_test(test_an_overrun_is_said_once),
        cmocka_unit_test(test_failures_in_a_row_are_counted_not_repeated),
        cmocka_unit_test(test_a_breaker_pauses_the_queue_and_says_so),
        cmocka_unit_test(test_a_rate_is_kept_without_holding_messages),
        cmocka_unit_test(test_counts_are_published),
        cmocka_unit_test(test_results_are_accepted_before_the_batch_is_settled),
        cmocka_unit_test(test_a_destination_that_is_down_holds_the_queue_back),
        cmocka_unit_test(test_a_failed_batch_emits_nothing),
        cmocka_unit_test(test_stop_finishes_what_runs_and_returns_the_rest),
        cmocka_unit_test(test_stop_waits_for_the_last_receive_and_returns_it),
        cmocka_unit_test(test_stop_waits_for_the_destination),
        cmocka_unit_test(test_force_gives_up_what_waits_for_the_destination),
        cmocka_unit_test(test_force_ends_beside_running_user_code),
        cmocka_unit_test(test_a_failed_source_ends_it_with_its_error),
        cmocka_unit_test(test_a_failed_source_is_not_waited_for_for_ever),
        cmocka_unit_test(test_a_shard_checkpoints_what_is_done),
        cmocka_unit_test(test_a_failed_record_blocks_its_shard),
        cmocka_unit_test(test_a_shard_ends_when_its_last_record_is_settled),
        cmocka_unit_test(test_nothing_starts_past_the_lease),
        cmocka_unit_test(test_a_stopped_shard_resumes_behind_its_checkpoint),
        cmocka_unit_test(test_a_queue_survives_a_fault_at_every_step),
        cmocka_unit_test(test_a_shard_survives_a_fault_at_every_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
