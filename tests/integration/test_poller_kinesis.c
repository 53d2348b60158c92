/*
 * A shard's poller with everything real about it: the embedded server, the AWS
 * client, the Kinesis source, a handler in a shared object. The keeper is the
 * test.
 */
#include "poller/poller.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/random.h"
#include "local_stage.h"
#include "poller/trigger_config.h"
#include "record/sequence.h"
#include "test.h"

#define SHARD "shardId-000000000000"

struct stage {
    struct local_stage base;
    struct trigger_config trigger;
    struct poller *poller;

    // Shared.
    pthread_mutex_t lock;
    char *checkpoint; // owned; guarded by lock
};

static void on_checkpoint(void *context, struct poller *poller,
                          const struct poller_checkpoint *moved)
{
    struct stage *stage = context;
    char *checkpoint = mem_strndup(moved->sequence.data, moved->sequence.size);

    (void)poller;
    pthread_mutex_lock(&stage->lock);
    if (stage->checkpoint)
        assert_true(sequence_compare(checkpoint, stage->checkpoint) > 0);
    free(stage->checkpoint);
    stage->checkpoint = checkpoint;
    pthread_mutex_unlock(&stage->lock);
}

static struct stage *stage_create(const char *faults)
{
    struct stage *stage = mem_calloc(1, sizeof(*stage));

    local_stage_init(&stage->base, faults);
    local_stage_create_stream(&stage->base, "clicks", 1);
    pthread_mutex_init(&stage->lock, NULL);
    stage->trigger = (struct trigger_config){
        .name = mem_strdup("clicks"),
        .source = {.type = SOURCE_TYPE_KINESIS, .name = mem_strdup("clicks")},
        .handler = {.timeout_ms = 3000},
        .batch_size = 100,
        .visibility_timeout_ms = -1,
        .retry_backoff = {.base_ms = 10, .maximum_ms = 100},
        .parallelization_factor = 1,
        .maximum_retry_attempts = -1,
        .maximum_record_age_in_seconds = -1,
    };
    return stage;
}

/* From its checkpoint, if there is one. */
static void start(struct stage *stage)
{
    struct error err = {0};

    stage->poller = poller_create(&(struct poller_options){
        .trigger = &stage->trigger,
        .session = stage->base.session,
        .handler = stage->base.handler,
        .clock = clock_system(),
        .log = &stage->base.log,
        .events = {.checkpoint = on_checkpoint, .context = stage},
        .shard = SHARD,
        .start = {.position = stage->checkpoint ? STREAM_AFTER_SEQUENCE_NUMBER
                                                : STREAM_TRIM_HORIZON,
                  .sequence_number = stage->checkpoint},
        .seed = random_seed(),
    });
    assert_ok(poller_start(stage->poller, &err), &err);
}

static void end(struct stage *stage, enum poller_end expected)
{
    struct error err = {0};

    poller_join(stage->poller);
    assert_int_equal(poller_ended(stage->poller, &err), expected);
    poller_destroy(stage->poller);
    stage->poller = NULL;
}

static void stop(struct stage *stage)
{
    poller_stop(stage->poller);
    end(stage, POLLER_STOPPED);
}

static void stage_destroy(struct stage *stage)
{
    free(stage->trigger.name);
    free(stage->trigger.source.name);
    free(stage->checkpoint);
    pthread_mutex_destroy(&stage->lock);
    local_stage_finish(&stage->base);
    free(stage);
}

/* Each line's sequence number is above the one before, its shard ours. */
static void assert_in_order(const struct stage *stage)
{
    char **lines = local_stage_lines(&stage->base);
    const char *previous = "0";

    for (char **line = lines; *line; line++) {
        const char *shard, *sequence;
        char *rest = *line;

        (void)strsep(&rest, "\t");
        shard = strsep(&rest, "\t");
        sequence = strsep(&rest, "\t");
        assert_string_equal(shard, SHARD);
        assert_true(sequence_compare(sequence, previous) > 0);
        previous = sequence;
    }
    assert_string_equal(stage->checkpoint, previous);
    free(lines);
}

static void test_a_shard_is_read_in_order_and_resumed(void **state)
{
    struct stage *stage = stage_create(NULL);

    (void)state;
    local_stage_open_handler(&stage->base, "", 1);
    local_stage_put(&stage->base, "clicks", "first-", 500, "ann");
    local_stage_put(&stage->base, "clicks", "second-", 500, "ben");
    start(stage);
    local_stage_wait_handled(&stage->base, "first-", 500);
    local_stage_wait_handled(&stage->base, "second-", 500);
    stop(stage);
    local_stage_put(&stage->base, "clicks", "third-", 100, "ann");
    start(stage);
    local_stage_wait_handled(&stage->base, "third-", 100);
    stop(stage);
    assert_int_equal(local_stage_handled(&stage->base, ""), 1100);
    assert_in_order(stage);
    stage_destroy(stage);
}

static void test_a_stop_under_load_keeps_its_place(void **state)
{
    struct stage *stage = stage_create(NULL);

    (void)state;
    stage->trigger.batch_size = 10;
    local_stage_open_handler(&stage->base, "\"delay_ms\":5", 1);
    local_stage_put(&stage->base, "clicks", "click-", 500, "ann");
    start(stage);
    local_stage_wait_handled(&stage->base, "click-", 50);
    stop(stage);
    start(stage);
    local_stage_wait_handled(&stage->base, "click-", 500);
    stop(stage);
    assert_int_equal(local_stage_handled(&stage->base, "click-"), 500);
    assert_in_order(stage);
    stage_destroy(stage);
}

static void test_a_split_shard_ends_behind_its_last_record(void **state)
{
    struct stage *stage = stage_create(NULL);

    (void)state;
    local_stage_open_handler(&stage->base, "\"delay_ms\":5", 1);
    local_stage_put(&stage->base, "clicks", "click-", 500, "ann");
    free(local_stage_call(
        &stage->base, "SplitShard",
        "{\"StreamName\":\"clicks\",\"ShardToSplit\":\"" SHARD
        "\",\"NewStartingHashKey\":\"170141183460469231731687303715884105728\""
        "}"));
    start(stage);
    end(stage, POLLER_SHARD_ENDED);
    assert_int_equal(local_stage_handled(&stage->base, "click-"), 500);
    assert_in_order(stage);
    stage_destroy(stage);
}

static void test_a_server_with_a_bad_day_costs_time_not_order(void **state)
{
    struct stage *stage = stage_create(
        "GetRecords:error=InternalFailure:rate=0.1 "
        "GetRecords:error=ProvisionedThroughputExceededException:rate=0.1 "
        "GetRecords:drop=after:rate=0.05 GetRecords:truncate:rate=0.05 "
        "GetRecords:expired_iterator:rate=0.1 GetRecords:empty:rate=0.2 "
        "GetShardIterator:error=InternalFailure:rate=0.2");

    (void)state;
    stage->trigger.batch_size = 10;
    local_stage_open_handler(&stage->base, "", 1);
    local_stage_put(&stage->base, "clicks", "first-", 500, "ann");
    start(stage);
    local_stage_wait_handled(&stage->base, "first-", 500);
    local_stage_put(&stage->base, "clicks", "second-", 500, "ann");
    local_stage_wait_handled(&stage->base, "second-", 500);
    stop(stage);
    assert_int_equal(local_stage_handled(&stage->base, ""), 1000);
    assert_in_order(stage);
    stage_destroy(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_shard_is_read_in_order_and_resumed),
        cmocka_unit_test(test_a_stop_under_load_keeps_its_place),
        cmocka_unit_test(test_a_split_shard_ends_behind_its_last_record),
        cmocka_unit_test(test_a_server_with_a_bad_day_costs_time_not_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
