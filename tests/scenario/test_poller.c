/*
 * The poller's thread: start, stop, force, end, what it tells and publishes.
 * What its loop decides is tested in test_loop. Linked with
 *     __wrap_handler_start
 *     __wrap_handler_concurrency
 *     __wrap_destination_open
 *     __wrap_destination_deliver
 *     __wrap_destination_withdraw
 *     __wrap_destination_reply
 *     __wrap_destination_poll
 *     __wrap_destination_deadline_ms
 *     __wrap_destination_next
 *     __wrap_destination_close
 */
#include "poller/poller.h"

#include <stdio.h>
#include <time.h>

#include "aws/aws_config.h"
#include "aws/session.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake_destination.h"
#include "fake_handler.h"
#include "memory_source.h"
#include "poller/trigger_config.h"
#include "test.h"

#define WAIT_MS 20000 // for what must happen soon

struct stage {
    struct trigger_config trigger;
    struct aws_config aws_config;
    struct aws_session *session;
    struct memory_queue queue;
    struct memory_source *source; // the poller's
    struct fake_handler handler;
    struct log log;
    volatile int64_t acts_until_ms;
    struct poller *poller;
    bool source_closed;

    // Shared with the poller's thread.
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int ended;         // guarded by lock: how often it was told
    size_t checkpoint; // guarded by lock
    char thread[16];   // guarded by lock: its name at the end
};

static void on_checkpoint(void *context, struct poller *poller,
                          const struct poller_checkpoint *checkpoint)
{
    struct bytes sequence = checkpoint->sequence;
    struct stage *stage = context;
    char text[24] = "";

    assert_ptr_equal(poller, stage->poller);
    assert_true(sequence.size < sizeof(text));
    memcpy(text, sequence.data, sequence.size);
    pthread_mutex_lock(&stage->lock);
    assert_true(strtoul(text, NULL, 10) > stage->checkpoint);
    stage->checkpoint = strtoul(text, NULL, 10);
    pthread_cond_signal(&stage->changed);
    pthread_mutex_unlock(&stage->lock);
}

static void on_ended(void *context, struct poller *poller)
{
    struct stage *stage = context;
    struct error err;

    assert_int_not_equal(poller_ended(poller, &err), POLLER_RUNNING);
    pthread_mutex_lock(&stage->lock);
    stage->ended++;
    (void)pthread_getname_np(pthread_self(), stage->thread,
                             sizeof(stage->thread));
    pthread_cond_signal(&stage->changed);
    pthread_mutex_unlock(&stage->lock);
}

static void open_session(struct stage *stage)
{
    struct error err = {0};

    (void)setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    stage->aws_config.endpoint_url = mem_strdup("http://127.0.0.1:9");
    stage->aws_config.region = mem_strdup("eu-west-1");
    stage->session = aws_session_create(
        &(struct aws_session_options){
            .config = &stage->aws_config,
            .clock = clock_system(),
            .log = &stage->log,
        },
        &err);
    assert_ok(stage->session, &err);
}

static int set_up(void **state)
{
    struct stage *stage = mem_calloc(1, sizeof(*stage));
    char *name = mem_strdup("a-trigger-with-a-name");

    stage->trigger = (struct trigger_config){
        .name = name,
        .source = {.name = name},
        .handler = {.timeout_ms = 3000},
        .batch_size = 10,
        .scaling_config = {.maximum_concurrency = 4},
        .visibility_timeout_ms = -1,
        .retry_backoff = {.base_ms = 1, .maximum_ms = 10},
        .parallelization_factor = 1,
        .maximum_retry_attempts = -1,
        .maximum_record_age_in_seconds = -1,
    };
    memory_queue_init(&stage->queue, 30000);
    fake_handler_init(&stage->handler, 100);
    stage->handler.automatic = true;
    stage->acts_until_ms = CLOCK_NEVER;
    pthread_mutex_init(&stage->lock, NULL);
    pthread_cond_init(&stage->changed, NULL);
    open_session(stage);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;

    poller_destroy(stage->poller);
    assert_true(!stage->source || stage->source_closed);
    aws_session_destroy(stage->session);
    free(stage->aws_config.endpoint_url);
    free(stage->aws_config.region);
    fake_handler_finish(&stage->handler);
    memory_queue_finish(&stage->queue);
    pthread_mutex_destroy(&stage->lock);
    pthread_cond_destroy(&stage->changed);
    free(stage->trigger.name);
    free(stage);
    return 0;
}

static void push(struct stage *stage, size_t count)
{
    for (size_t i = 0; i < count; i++)
        memory_queue_push(&stage->queue, (char[]){(char)('a' + i % 26), 0},
                          NULL);
}

static void create(struct stage *stage, const char *shard)
{
    stage->source = shard ? memory_source_open_shard(&stage->queue, 0)
                          : memory_source_open(&stage->queue);
    stage->source->closed = &stage->source_closed;
    stage->poller = poller_create(&(struct poller_options){
        .trigger = &stage->trigger,
        .session = stage->session,
        .handler = fake_handler(&stage->handler),
        .clock = clock_system(),
        .log = &stage->log,
        .events = {.checkpoint = on_checkpoint,
                   .ended = on_ended,
                   .context = stage},
        .shard = shard,
        .acts_until_ms = &stage->acts_until_ms,
        .seed = 7,
        .source = &stage->source->source,
    });
}

static void start(struct stage *stage)
{
    struct error err = {0};

    assert_ok(poller_start(stage->poller, &err), &err);
}

static void join(struct stage *stage)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    pthread_mutex_lock(&stage->lock);
    while (!stage->ended)
        assert_int_equal(
            pthread_cond_timedwait(&stage->changed, &stage->lock, &until), 0);
    pthread_mutex_unlock(&stage->lock);
    poller_join(stage->poller);
    assert_int_equal(stage->ended, 1);
}

static struct poller_stats stats_of(const struct stage *stage)
{
    struct poller_stats stats;

    poller_read_stats(stage->poller, &stats);
    return stats;
}

static void nap(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void wait_until_done(const struct stage *stage, uint64_t records)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + WAIT_MS;

    while (stats_of(stage).records_done < records) {
        assert_true(clock_now_ms(clock_system()) < deadline_ms);
        nap();
    }
}

static void wait_until_running(struct stage *stage, size_t batches)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + WAIT_MS;

    while (fake_handler_running(&stage->handler) < batches) {
        assert_true(clock_now_ms(clock_system()) < deadline_ms);
        nap();
    }
}

static enum poller_end how_it_ended(const struct stage *stage)
{
    struct error err = {0};

    return poller_ended(stage->poller, &err);
}

static void test_works_until_it_is_stopped(void **state)
{
    struct stage *stage = *state;
    struct poller_stats stats;

    push(stage, 1000);
    create(stage, NULL);
    assert_int_equal(how_it_ended(stage), POLLER_RUNNING);
    start(stage);
    wait_until_done(stage, 1000);
    assert_int_equal(how_it_ended(stage), POLLER_RUNNING);
    poller_stop(stage->poller);
    poller_stop(stage->poller); // as often as one likes
    join(stage);
    assert_int_equal(how_it_ended(stage), POLLER_STOPPED);
    assert_int_equal(memory_queue_count(&stage->queue, MEMORY_DELETED), 1000);
    stats = stats_of(stage);
    assert_int_equal(stats.records_received, 1000);
    assert_int_equal(stats.records_done, 1000);
    assert_int_equal(stats.records_left_hidden, 0);
    assert_true(stats.batches_started >= 100);
    assert_true(stats.first_poll_ms > 0);
    assert_true(stats.progressed_ms >= stats.first_poll_ms);
    assert_string_equal(stage->thread, "a-trigger-with-");
}

static void test_a_stop_before_the_start_counts(void **state)
{
    struct stage *stage = *state;

    push(stage, 10);
    create(stage, NULL);
    poller_stop(stage->poller);
    start(stage);
    join(stage);
    assert_int_equal(how_it_ended(stage), POLLER_STOPPED);
    assert_int_equal(stage->handler.started, 0);
}

static void test_never_started_it_can_be_destroyed(void **state)
{
    struct stage *stage = *state;

    create(stage, NULL);
    poller_join(stage->poller);
}

static void test_stop_waits_for_user_code(void **state)
{
    struct stage *stage = *state;

    stage->handler.automatic = false;
    stage->trigger.scaling_config.maximum_concurrency = 1;
    push(stage, 15);
    create(stage, NULL);
    start(stage);
    wait_until_running(stage, 1);
    poller_stop(stage->poller);
    fake_handler_end(&stage->handler, "a", OUTCOME_DONE, NULL, 0);
    join(stage);
    assert_int_equal(memory_queue_count(&stage->queue, MEMORY_DELETED), 10);
    assert_int_equal(memory_queue_count(&stage->queue, MEMORY_HIDDEN), 0);
}

static void test_force_does_not_wait_for_user_code(void **state)
{
    struct stage *stage = *state;

    stage->handler.automatic = false;
    stage->trigger.scaling_config.maximum_concurrency = 1;
    push(stage, 10);
    create(stage, NULL);
    start(stage);
    wait_until_running(stage, 1);
    poller_stop(stage->poller);
    poller_force(stage->poller);
    poller_force(stage->poller);
    join(stage);
    assert_int_equal(how_it_ended(stage), POLLER_STOPPED);
    assert_int_equal(stats_of(stage).records_left_hidden, 10);
    assert_int_equal(memory_queue_count(&stage->queue, MEMORY_HIDDEN), 10);
    // User code returns late: nobody is there, and nothing is deleted.
    fake_handler_end(&stage->handler, "a", OUTCOME_DONE, NULL, 0);
    poller_destroy(stage->poller);
    stage->poller = NULL;
    assert_int_equal(memory_queue_count(&stage->queue, MEMORY_DELETED), 0);
}

static void test_a_failed_source_ends_it_with_its_error(void **state)
{
    struct stage *stage = *state;
    struct error err = {0};

    push(stage, 10);
    create(stage, NULL);
    stage->source->fail_after = 3;
    start(stage);
    join(stage);
    assert_int_equal(poller_ended(stage->poller, &err), POLLER_FAILED);
    assert_int_equal(err.code, ERROR_DENIED);
    assert_string_equal(err.message, "memory: access denied");
}

static void test_a_shard_tells_its_checkpoints_and_its_end(void **state)
{
    struct stage *stage = *state;

    push(stage, 995);
    create(stage, "shardId-000000000042");
    stage->source->shard_is_closed = true;
    start(stage);
    join(stage);
    assert_int_equal(how_it_ended(stage), POLLER_SHARD_ENDED);
    assert_int_equal(stage->checkpoint, 995);
    assert_int_equal(stats_of(stage).records_done, 995);
    assert_int_equal(stage->handler.started, 100);
    assert_string_equal(stage->thread, "a-trigger--0042");
}

static void test_a_destination_that_cannot_be_refuses_the_start(void **state)
{
    struct stage *stage = *state;
    struct error err = {0};

    stage->trigger.destination_config.on_success.destination =
        mem_strdup("arn:aws:sns:eu-west-1:123456789012:no");
    create(stage, NULL);
    assert_fails(poller_start(stage->poller, &err), &err, ERROR_INVALID);
    assert_contains(err.message, "arn:aws:sns:eu-west-1:123456789012:no");
    poller_join(stage->poller);
    free(stage->trigger.destination_config.on_success.destination);
}

static void test_sums_of_runs(void **state)
{
    struct poller_stats sum = {0};

    (void)state;
    poller_stats_add(&sum, &(struct poller_stats){.records_received = 3,
                                                  .records_done = 1,
                                                  .batches_failed = 1});
    poller_stats_add(&sum, &(struct poller_stats){.records_received = 2,
                                                  .records_returned = 1,
                                                  .records_left_hidden = 1,
                                                  .first_poll_ms = 50});
    poller_stats_add(&sum, &(struct poller_stats){.records_failed = 1,
                                                  .batches_started = 2,
                                                  .first_poll_ms = 70});
    assert_int_equal(sum.records_received, 5);
    assert_int_equal(sum.records_done, 1);
    assert_int_equal(sum.records_failed, 1);
    assert_int_equal(sum.records_returned, 1);
    assert_int_equal(sum.records_left_hidden, 1);
    assert_int_equal(sum.batches_started, 2);
    assert_int_equal(sum.batches_failed, 1);
    assert_int_equal(sum.first_poll_ms, 50);
}

#define with_stage(test_) \
    cmocka_unit_test_setup_teardown((test_), set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_stage(test_works_until_it_is_stopped),
        with_stage(test_a_stop_before_the_start_counts),
        with_stage(test_never_started_it_can_be_destroyed),
        with_stage(test_stop_waits_for_user_code),
        with_stage(test_force_does_not_wait_for_user_code),
        with_stage(test_a_failed_source_ends_it_with_its_error),
        with_stage(test_a_shard_tells_its_checkpoints_and_its_end),
        with_stage(test_a_destination_that_cannot_be_refuses_the_start),
        cmocka_unit_test(test_sums_of_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
