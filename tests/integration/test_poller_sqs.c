/*
 * A queue's poller with everything real about it: the embedded server, the AWS
 * client, the SQS source, a handler in a shared object.
 */
#include "poller/poller.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "local_stage.h"
#include "poller/trigger_config.h"
#include "test.h"

struct stage {
    struct local_stage base;
    struct trigger_config trigger;
    struct poller *poller;
};

static struct stage *stage_create(const char *queue, const char *faults)
{
    struct stage *stage = mem_calloc(1, sizeof(*stage));

    local_stage_init(&stage->base, faults);
    stage->trigger = (struct trigger_config){
        .name = mem_strdup("orders"),
        .source = {.type = SOURCE_TYPE_SQS, .name = mem_strdup(queue)},
        .handler = {.timeout_ms = 3000},
        .batch_size = 10,
        .scaling_config = {.maximum_concurrency = 4},
        .provisioned_poller_config = {.minimum_pollers = 1,
                                      .maximum_pollers = 4},
        .visibility_timeout_ms = -1,
        .wait_time_seconds = 1,
        .retry_backoff = {.base_ms = 1000, .maximum_ms = 60000},
    };
    return stage;
}

static void start(struct stage *stage)
{
    struct error err = {0};

    stage->poller = poller_create(&(struct poller_options){
        .trigger = &stage->trigger,
        .session = stage->base.session,
        .handler = stage->base.handler,
        .clock = clock_system(),
        .log = &stage->base.log,
        .seed = random_seed(),
    });
    assert_ok(poller_start(stage->poller, &err), &err);
}

static void stop(struct stage *stage)
{
    struct error err = {0};

    poller_stop(stage->poller);
    poller_join(stage->poller);
    assert_int_equal(poller_ended(stage->poller, &err), POLLER_STOPPED);
}

static struct poller_stats stats_of(const struct stage *stage)
{
    struct poller_stats stats;

    poller_read_stats(stage->poller, &stats);
    return stats;
}

static void stage_destroy(struct stage *stage)
{
    poller_destroy(stage->poller);
    free(stage->trigger.name);
    free(stage->trigger.source.name);
    local_stage_finish(&stage->base);
    free(stage);
}

static void assert_queue(struct stage *stage, size_t visible, size_t hidden)
{
    size_t now_visible, now_hidden;

    local_stage_count(&stage->base, stage->trigger.source.name, &now_visible,
                      &now_hidden);
    assert_int_equal(now_visible, visible);
    assert_int_equal(now_hidden, hidden);
}

static void test_every_message_is_handled_and_deleted(void **state)
{
    struct stage *stage = stage_create("orders", NULL);

    (void)state;
    local_stage_create_queue(&stage->base, "orders");
    local_stage_open_handler(&stage->base, "", 4);
    local_stage_send(&stage->base, "orders", "order-", 1000, NULL);
    start(stage);
    local_stage_wait_handled(&stage->base, "order-", 1000);
    stop(stage);
    assert_int_equal(local_stage_handled(&stage->base, "order-"), 1000);
    assert_int_equal(stats_of(stage).records_done, 1000);
    assert_queue(stage, 0, 0);
    stage_destroy(stage);
}

static void test_failed_ones_come_again_the_others_do_not(void **state)
{
    struct stage *stage = stage_create("orders", NULL);

    (void)state;
    stage->trigger.visibility_timeout_ms = 1000;
    stage->trigger.handler.timeout_ms = 500;
    local_stage_create_queue(&stage->base, "orders");
    local_stage_open_handler(&stage->base, "\"fail\":\"bad\",\"fail_times\":1",
                             4);
    local_stage_send(&stage->base, "orders", "bad-", 10, NULL);
    local_stage_send(&stage->base, "orders", "good-", 40, NULL);
    start(stage);
    local_stage_wait_handled(&stage->base, "good-", 40);
    local_stage_wait_handled(&stage->base, "bad-", 10);
    stop(stage);
    assert_int_equal(local_stage_handled(&stage->base, "good-"), 40);
    assert_true(stats_of(stage).records_failed >= 10);
    assert_queue(stage, 0, 0);
    stage_destroy(stage);
}

/* House rule 7: after a stop under load not one message stays hidden. */
static void test_a_stop_under_load_leaves_nothing_hidden(void **state)
{
    struct stage *stage = stage_create("orders", NULL);
    size_t handled;

    (void)state;
    local_stage_create_queue(&stage->base, "orders");
    local_stage_open_handler(&stage->base, "\"delay_ms\":20", 4);
    local_stage_send(&stage->base, "orders", "order-", 500, NULL);
    start(stage);
    local_stage_wait_handled(&stage->base, "order-", 50);
    stop(stage);
    handled = local_stage_handled_once(&stage->base, "order-");
    assert_true(handled < 500);
    assert_int_equal(stats_of(stage).records_done, handled);
    assert_int_equal(stats_of(stage).records_left_hidden, 0);
    assert_queue(stage, 500 - handled, 0);
    stage_destroy(stage);
}

static void test_large_batches_gather_in_their_window(void **state)
{
    struct stage *stage = stage_create("orders", NULL);

    (void)state;
    stage->trigger.batch_size = 200;
    stage->trigger.maximum_batching_window_in_seconds = 1;
    local_stage_create_queue(&stage->base, "orders");
    local_stage_open_handler(&stage->base, "", 4);
    local_stage_send(&stage->base, "orders", "order-", 1000, NULL);
    start(stage);
    local_stage_wait_handled(&stage->base, "order-", 1000);
    stop(stage);
    assert_int_equal(local_stage_handled(&stage->base, "order-"), 1000);
    assert_true(stats_of(stage).batches_started <= 20);
    stage_destroy(stage);
}

static void test_a_queue_that_is_not_there_yet_is_waited_for(void **state)
{
    struct stage *stage = stage_create("later", NULL);
    int64_t deadline_ms = local_stage_deadline_ms();

    (void)state;
    local_stage_open_handler(&stage->base, "", 4);
    start(stage);
    while (!stats_of(stage).waits_for_source)
        local_stage_nap(deadline_ms);
    local_stage_create_queue(&stage->base, "later");
    local_stage_send(&stage->base, "later", "order-", 10, NULL);
    local_stage_wait_handled(&stage->base, "order-", 10);
    assert_false(stats_of(stage).waits_for_source);
    stop(stage);
    stage_destroy(stage);
}

/* The ledger's lines of one group, in the order they were sent. */
static void assert_group_in_order(const struct stage *stage, const char *group)
{
    char **lines = local_stage_lines(&stage->base);
    unsigned long next = 0;

    for (char **line = lines; *line; line++) {
        const char *data = strrchr(*line, '\t') + 1;

        if (strncmp(data, group, strlen(group)) != 0)
            continue;
        assert_int_equal(strtoul(data + strlen(group), NULL, 10), next++);
    }
    assert_int_equal(next, 60);
    free(lines);
}

static void test_fifo_groups_keep_their_order(void **state)
{
    static const char *const groups[] = {"ann-", "ben-", "cat-", "dan-"};
    struct stage *stage = stage_create("orders.fifo", NULL);

    (void)state;
    stage->trigger.batch_size = 3; // groups straddle batches
    local_stage_create_queue(&stage->base, "orders.fifo");
    local_stage_open_handler(&stage->base, "\"delay_ms\":1", 4);
    for (size_t i = 0; i < 4; i++)
        local_stage_send(&stage->base, "orders.fifo", groups[i], 60, groups[i]);
    start(stage);
    for (size_t i = 0; i < 4; i++)
        local_stage_wait_handled(&stage->base, groups[i], 60);
    stop(stage);
    for (size_t i = 0; i < 4; i++)
        assert_group_in_order(stage, groups[i]);
    assert_queue(stage, 0, 0);
    stage_destroy(stage);
}

static void test_results_go_to_their_queue_first(void **state)
{
    struct stage *stage = stage_create("orders", NULL);
    size_t visible = 0, hidden = 0;

    (void)state;
    stage->trigger.destination_config.on_success.destination =
        mem_strdup("arn:aws:sqs:us-east-1:000000000000:results");
    local_stage_create_queue(&stage->base, "orders");
    local_stage_create_queue(&stage->base, "results");
    local_stage_open_handler(&stage->base, "\"emit\":true", 4);
    local_stage_send(&stage->base, "orders", "order-", 200, NULL);
    start(stage);
    local_stage_wait_handled(&stage->base, "order-", 200);
    stop(stage);
    local_stage_count(&stage->base, "results", &visible, &hidden);
    assert_int_equal(visible, 200);
    assert_queue(stage, 0, 0);
    free(stage->trigger.destination_config.on_success.destination);
    stage_destroy(stage);
}

/* At least once, whatever the server does; and in the end the queue is empty.
 */
static void test_a_server_with_a_bad_day_costs_time_not_messages(void **state)
{
    struct stage *stage = stage_create(
        "orders", "ReceiveMessage:error=InternalError:rate=0.1 "
                  "ReceiveMessage:drop=after:rate=0.02 "
                  "ReceiveMessage:truncate:rate=0.05 "
                  "ReceiveMessage:duplicate:rate=0.05 "
                  "DeleteMessageBatch:error=InternalError:rate=0.1 "
                  "DeleteMessageBatch:partial=InternalError:rate=0.1 "
                  "DeleteMessageBatch:drop=after:rate=0.05");
    int64_t deadline_ms = local_stage_deadline_ms();
    size_t visible, hidden;

    (void)state;
    stage->trigger.visibility_timeout_ms = 2000;
    stage->trigger.handler.timeout_ms = 500;
    local_stage_create_queue(&stage->base, "orders");
    local_stage_open_handler(&stage->base, "", 4);
    local_stage_send(&stage->base, "orders", "order-", 1000, NULL);
    start(stage);
    local_stage_wait_handled(&stage->base, "order-", 1000);
    for (;;) { // what came twice, and what a cut receive hid
        local_stage_count(&stage->base, "orders", &visible, &hidden);
        if (!visible && !hidden)
            break;
        local_stage_nap(deadline_ms);
    }
    stop(stage);
    stage_destroy(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_is_handled_and_deleted),
        cmocka_unit_test(test_failed_ones_come_again_the_others_do_not),
        cmocka_unit_test(test_a_stop_under_load_leaves_nothing_hidden),
        cmocka_unit_test(test_large_batches_gather_in_their_window),
        cmocka_unit_test(test_a_queue_that_is_not_there_yet_is_waited_for),
        cmocka_unit_test(test_fifo_groups_keep_their_order),
        cmocka_unit_test(test_results_go_to_their_queue_first),
        cmocka_unit_test(test_a_server_with_a_bad_day_costs_time_not_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
