#include "supervisor/trigger.h"

#include "base/log.h"
#include "fake_pollers.h"
#include "handler/handler.h"
#include "poller/trigger_config.h"
#include "sim_clock.h"
#include "supervisor/settings.h"
#include "test.h"

// The handler and the poller below a trigger, as these tests play them.
struct play {
    struct sim_clock clock;
    struct settings settings;
    struct trigger_config configs[2];
    int changes;
};

// --wrap=poller_*: tests/support/fake_pollers.
// __wrap_poller_create
// __wrap_poller_start
// __wrap_poller_stop
// __wrap_poller_force
// __wrap_poller_ended
// __wrap_poller_read_stats
// __wrap_poller_join
// __wrap_poller_destroy

struct handler *__wrap_handler_open(const struct handler_options *options,
                                    struct error *err);
struct handler *__wrap_handler_open(const struct handler_options *options,
                                    struct error *err)
{
    static char handler;

    (void)options;
    (void)err;
    return (struct handler *)(void *)&handler;
}

void __wrap_handler_stop(struct handler *handler);
void __wrap_handler_stop(struct handler *handler)
{
    (void)handler;
}

bool __wrap_handler_join(struct handler *handler, int64_t deadline_ms);
bool __wrap_handler_join(struct handler *handler, int64_t deadline_ms)
{
    (void)handler;
    (void)deadline_ms;
    return true;
}

void __wrap_handler_close(struct handler *handler);
void __wrap_handler_close(struct handler *handler)
{
    (void)handler;
}

static void count_change(void *context)
{
    struct play *play = context;

    play->changes++;
}

static struct trigger *make(struct play *play, int which)
{
    static char names[2][2] = {"a", "b"};
    static const struct log silent;
    struct error err = {0};
    struct trigger *trigger;

    play->configs[which].name = names[which];
    play->configs[which].source.type = SOURCE_TYPE_SQS;
    play->configs[which].handler.library = names[which];
    trigger = trigger_create(
        &(struct trigger_options){.config = &play->configs[which],
                                  .settings = &play->settings,
                                  .clock = &play->clock.clock,
                                  .log = &silent,
                                  .changed = count_change,
                                  .context = play},
        &err);
    assert_non_null(trigger);
    trigger_start(trigger);
    return trigger;
}

static void fail_poller(const char *name)
{
    fake_poller_end(fake_pollers_find(name), POLLER_FAILED, ERROR_DENIED);
}

static void finish(struct trigger *trigger)
{
    trigger_stop(trigger);
    assert_true(trigger_has_ended(trigger));
    assert_true(trigger_destroy(trigger, 0));
}

static void
test_a_dead_poller_starts_again_and_takes_no_other_with_it(void **state)
{
    struct play play = {0};
    struct trigger *a, *b;
    int64_t due_ms;

    (void)state;
    sim_clock_init(&play.clock);
    a = make(&play, 0);
    b = make(&play, 1);
    fail_poller("a");
    assert_int_equal(play.changes, 1);
    due_ms = trigger_tick(a, play.clock.now_ms);
    assert_int_equal(trigger_tick(b, play.clock.now_ms), CLOCK_NEVER);
    assert_true(due_ms >= play.clock.now_ms + 1000);
    assert_int_equal(fake_pollers_started("a"), 1);
    play.clock.now_ms = due_ms;
    assert_int_equal(trigger_tick(a, play.clock.now_ms), CLOCK_NEVER);
    assert_int_equal(fake_pollers_started("a"), 2);
    assert_int_equal(fake_pollers_started("b"), 1);
    finish(a);
    finish(b);
}

static void test_backoff_grows_while_it_keeps_dying_and_is_bounded(void **state)
{
    struct play play = {0};
    int64_t longest_ms = 0;
    struct trigger *a;

    (void)state;
    sim_clock_init(&play.clock);
    a = make(&play, 0);
    for (int i = 0; i < 40; i++) {
        int64_t due_ms;

        fail_poller("a");
        due_ms = trigger_tick(a, play.clock.now_ms);
        if (due_ms - play.clock.now_ms > longest_ms)
            longest_ms = due_ms - play.clock.now_ms;
        assert_in_range(due_ms - play.clock.now_ms, 1000, 61000);
        play.clock.now_ms = due_ms;
        (void)trigger_tick(a, play.clock.now_ms);
    }
    assert_true(longest_ms > 10000);
    assert_int_equal(fake_pollers_started("a"), 41);
    finish(a);
}

static void test_counts_of_runs_that_died_are_kept(void **state)
{
    struct play play = {0};
    struct poller_stats stats;
    struct trigger *a;

    (void)state;
    sim_clock_init(&play.clock);
    a = make(&play, 0);
    fail_poller("a");
    play.clock.now_ms = trigger_tick(a, play.clock.now_ms);
    (void)trigger_tick(a, play.clock.now_ms);
    trigger_read_stats(a, &stats);
    assert_int_equal(stats.records_done, 2); // one of each run
    finish(a);
}

static void test_a_loop_that_stands_still_is_no_progress(void **state)
{
    struct play play = {0};
    struct trigger *a;

    (void)state;
    sim_clock_init(&play.clock);
    a = make(&play, 0);
    assert_true(trigger_progresses(a, play.clock.now_ms, 30000));
    play.clock.now_ms += 29999;
    assert_true(trigger_progresses(a, play.clock.now_ms, 30000));
    play.clock.now_ms += 1;
    assert_false(trigger_progresses(a, play.clock.now_ms, 30000));
    fake_poller_goes_round(fake_pollers_find("a"), play.clock.now_ms);
    assert_true(trigger_progresses(a, play.clock.now_ms, 30000));
    finish(a);
}

static void test_a_stopped_trigger_does_not_start_again(void **state)
{
    struct play play = {0};
    struct trigger *a;

    (void)state;
    sim_clock_init(&play.clock);
    a = make(&play, 0);
    trigger_stop(a);
    assert_int_equal(trigger_tick(a, play.clock.now_ms + 1000000), CLOCK_NEVER);
    assert_int_equal(fake_pollers_started("a"), 1);
    finish(a);
}

static int set_up(void **state)
{
    (void)state;
    fake_pollers_init();
    fake_pollers_end_when_asked(true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_pollers_finish();
    return 0;
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_dead_poller_starts_again_and_takes_no_other_with_it),
        TEST(test_backoff_grows_while_it_keeps_dying_and_is_bounded),
        TEST(test_counts_of_runs_that_died_are_kept),
        TEST(test_a_loop_that_stands_still_is_no_progress),
        TEST(test_a_stopped_trigger_does_not_start_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
