#include "keeper/keeper.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#include "aws/client.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake_pollers.h"
#include "poller/poller.h"
#include "poller/trigger_config.h"
#include "source/kinesis.h"
#include "store/store.h"
#include "store/store_config.h"
#include "test.h"

/* The pollers are fakes (tests/support/fake_pollers.h):
 * __wrap_poller_create
 * __wrap_poller_start
 * __wrap_poller_stop
 * __wrap_poller_force
 * __wrap_poller_ended
 * __wrap_poller_read_stats
 * __wrap_poller_join
 * __wrap_poller_destroy
 */

#define PATIENCE_MS 20000
#define SHARDS_MOST 8

#define await(condition_)                                       \
    do {                                                        \
        int64_t give_up_ms_ = now_ms() + PATIENCE_MS;           \
        while (!(condition_)) {                                 \
            if (now_ms() > give_up_ms_)                         \
                fail_msg("waited in vain for %s", #condition_); \
            nap();                                              \
        }                                                       \
    } while (0)

static int64_t now_ms(void)
{
    return clock_now_ms(clock_system());
}

static void nap(void)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
}

// ---- the service ----

static struct {
    pthread_mutex_t lock;
    // Guarded by lock.
    const char *ids[SHARDS_MOST], *parents[SHARDS_MOST], *others[SHARDS_MOST];
    size_t count;
    int64_t created_ms; // 0: the server does not say
    enum error_code failure;
    int calls;
    bool hangs;
} service = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct aws_client *
__wrap_aws_client_create(const struct aws_client_options *options);
void __wrap_aws_client_destroy(struct aws_client *client);
void __wrap_aws_client_wake(struct aws_client *client);
bool __wrap_kinesis_list_shards(struct aws_client *client, const char *stream,
                                const bool *stop, struct stream_shards *shards,
                                struct error *err);

struct aws_client *
__wrap_aws_client_create(const struct aws_client_options *options)
{
    (void)options;
    return mem_calloc(1, 1);
}

void __wrap_aws_client_destroy(struct aws_client *client)
{
    free(client);
}

void __wrap_aws_client_wake(struct aws_client *client)
{
    (void)client;
}

static bool service_hangs(void)
{
    bool hangs;

    pthread_mutex_lock(&service.lock);
    hangs = service.hangs;
    pthread_mutex_unlock(&service.lock);
    return hangs;
}

bool __wrap_kinesis_list_shards(struct aws_client *client, const char *stream,
                                const bool *stop, struct stream_shards *shards,
                                struct error *err)
{
    (void)client;
    (void)stream;
    while (service_hangs() && !__atomic_load_n(stop, __ATOMIC_ACQUIRE))
        nap();
    pthread_mutex_lock(&service.lock);
    service.calls++;
    if (service.failure != ERROR_NONE)
        error_set(err, service.failure, "the test said so");
    else
        shards->list = mem_calloc(service.count, sizeof(*shards->list));
    for (size_t i = 0; service.failure == ERROR_NONE && i < service.count; i++)
        shards->list[shards->count++] = (struct stream_shard){
            .id = mem_strdup(service.ids[i]),
            .parent = mem_strdup(service.parents[i]),
            .adjacent_parent = mem_strdup(service.others[i])};
    pthread_mutex_unlock(&service.lock);
    return err->code == ERROR_NONE;
}

bool __wrap_kinesis_describe(struct aws_client *client, const char *stream,
                             const bool *stop, struct kinesis_summary *summary,
                             struct error *err);
bool __wrap_kinesis_describe(struct aws_client *client, const char *stream,
                             const bool *stop, struct kinesis_summary *summary,
                             struct error *err)
{
    (void)client;
    (void)stream;
    (void)stop;
    (void)err;
    pthread_mutex_lock(&service.lock);
    *summary = (struct kinesis_summary){.created_ms = service.created_ms};
    pthread_mutex_unlock(&service.lock);
    return true;
}

static void service_set(enum error_code failure, bool hangs)
{
    pthread_mutex_lock(&service.lock);
    service.failure = failure;
    service.hangs = hangs;
    pthread_mutex_unlock(&service.lock);
}

static void service_add(const char *id, const char *parent, const char *other)
{
    pthread_mutex_lock(&service.lock);
    service.ids[service.count] = id;
    service.parents[service.count] = parent;
    service.others[service.count] = other;
    service.count++;
    pthread_mutex_unlock(&service.lock);
}

static int service_calls(void)
{
    int calls;

    pthread_mutex_lock(&service.lock);
    calls = service.calls;
    pthread_mutex_unlock(&service.lock);
    return calls;
}

// ---- the stage ----

struct stage {
    char *folder;
    struct store_config store;
    struct trigger_config trigger;
    struct log log;
    struct store *judge;
    pthread_mutex_t lock;
    int ended; // guarded by lock
};

static int setup(void **state)
{
    struct stage *stage = mem_calloc(1, sizeof(*stage));
    struct error err = {0};

    stage->folder = test_folder_create_fast();
    stage->store = (struct store_config){
        .sqlite.path = mem_printf("%s/state.db", stage->folder),
        .application = mem_strdup("app"),
        .lease_duration_ms = 1500,
        .heartbeat_ms = 100,
        .checkpoint_interval_ms = 50};
    stage->trigger = (struct trigger_config){
        .name = mem_strdup("clicks"),
        .source = {.type = SOURCE_TYPE_KINESIS, .name = mem_strdup("stream")},
        .handler.timeout_ms = 1000,
        .starting_position = TRIGGER_START_TRIM_HORIZON};
    pthread_mutex_init(&stage->lock, NULL);
    stage->judge =
        store_open(&(struct store_options){.path = stage->store.sqlite.path,
                                           .application = "app/clicks",
                                           .session = "judge",
                                           .clock = clock_system()},
                   &err);
    assert_ok(stage->judge, &err);
    fake_pollers_init();
    service.count = 0;
    service.calls = 0;
    service.created_ms = 0;
    service_set(ERROR_NONE, false);
    *state = stage;
    return 0;
}

static int teardown(void **state)
{
    struct stage *stage = *state;

    fake_pollers_finish();
    store_close(stage->judge);
    free(stage->store.sqlite.path);
    free(stage->store.application);
    free(stage->trigger.name);
    free(stage->trigger.source.name);
    test_folder_remove(stage->folder);
    pthread_mutex_destroy(&stage->lock);
    free(stage);
    return 0;
}

static void keeper_has_ended(void *context, struct keeper *keeper)
{
    struct stage *stage = context;

    (void)keeper;
    pthread_mutex_lock(&stage->lock);
    stage->ended++;
    pthread_mutex_unlock(&stage->lock);
}

static struct keeper *create(struct stage *stage, const char *session)
{
    return keeper_create(
        &(struct keeper_options){.trigger = &stage->trigger,
                                 .store_config = &stage->store,
                                 .store_session = session,
                                 .clock = clock_system(),
                                 .log = &stage->log,
                                 .ended = keeper_has_ended,
                                 .context = stage,
                                 .seed = (uint64_t)session[0]});
}

static struct keeper *start(struct stage *stage, const char *session)
{
    struct keeper *keeper = create(stage, session);
    struct error err = {0};

    assert_ok(keeper_start(keeper, &err), &err);
    return keeper;
}

static void finish(struct stage *stage, struct keeper *keeper)
{
    int ended;

    keeper_stop(keeper);
    keeper_join(keeper);
    keeper_destroy(keeper);
    pthread_mutex_lock(&stage->lock);
    ended = stage->ended--;
    pthread_mutex_unlock(&stage->lock);
    assert_int_equal(ended, 1);
}

struct lease_view {
    char checkpoint[32], owner[64];
    enum lease_state state;
    int64_t epoch, start_ms;
    bool exists;
};

static struct lease_view view(struct stage *stage, const char *shard)
{
    struct lease_view found = {0};
    struct lease_rows rows = {0};
    struct error err = {0};

    assert_int_equal(store_lease_list(stage->judge, "stream", &rows, &err),
                     STORE_OK);
    for (size_t i = 0; i < rows.count; i++) {
        const struct lease_row *row = &rows.list[i];

        if (strcmp(row->shard, shard) != 0)
            continue;
        found.exists = true;
        found.state = row->state;
        found.epoch = row->epoch;
        found.start_ms = row->start_timestamp_ms;
        (void)snprintf(found.checkpoint, sizeof(found.checkpoint), "%s",
                       row->checkpoint);
        (void)snprintf(found.owner, sizeof(found.owner), "%.6s",
                       row->owner ? row->owner : "");
    }
    lease_rows_finish(&rows);
    return found;
}

static bool has_checkpoint(struct stage *stage, const char *shard,
                           const char *checkpoint)
{
    return !strcmp(view(stage, shard).checkpoint, checkpoint);
}

static size_t count_sessions(struct stage *stage)
{
    struct session_rows rows = {0};
    struct error err = {0};
    size_t count;

    assert_int_equal(store_sessions_list(stage->judge, &rows, &err), STORE_OK);
    count = rows.count;
    session_rows_finish(&rows);
    return count;
}

// ---- the tests ----

static void test_reads_every_shard_and_leaves_its_place(void **state)
{
    struct stage *stage = *state;
    struct keeper *keeper;
    struct poller_stats stats;
    size_t shards;

    service_add("s1", NULL, NULL);
    service_add("s2", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 2);
    assert_int_equal(fake_poller_start_of(fake_pollers_find("s1")).position,
                     STREAM_TRIM_HORIZON);
    assert_string_equal(fake_poller_trigger(fake_pollers_find("s1")), "clicks");
    await(fake_poller_may_act(fake_pollers_find("s1"), now_ms()));
    fake_poller_progress(fake_pollers_find("s1"), "7");
    fake_poller_progress(fake_pollers_find("s1"), "19");
    await(has_checkpoint(stage, "s1", "19"));
    await((keeper_read_stats(keeper, &stats, &shards), shards == 2));
    assert_int_equal(stats.records_done, 2);
    fake_poller_progress(fake_pollers_find("s2"), "20"); // just before the end
    finish(stage, keeper);
    assert_true(has_checkpoint(stage, "s2", "20"));
    assert_string_equal(view(stage, "s1").owner, "");
    assert_int_equal(count_sessions(stage), 0);

    keeper = start(stage, "w2");
    await(fake_pollers_running() == 2);
    assert_int_equal(fake_poller_start_of(fake_pollers_find("s1")).position,
                     STREAM_AFTER_SEQUENCE_NUMBER);
    assert_string_equal(
        fake_poller_start_of(fake_pollers_find("s1")).sequence_number, "19");
    finish(stage, keeper);
}

static void test_latest_means_the_first_start(void **state)
{
    struct stage *stage = *state;
    int64_t before_ms = clock_wall_ms(clock_system()), meant_ms;
    struct keeper *keeper;

    stage->trigger.starting_position = TRIGGER_START_LATEST;
    service_add("s1", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 1);
    meant_ms = fake_poller_start_of(fake_pollers_find("s1")).timestamp_ms;
    assert_int_equal(fake_poller_start_of(fake_pollers_find("s1")).position,
                     STREAM_AT_TIMESTAMP);
    assert_in_range(meant_ms, before_ms, clock_wall_ms(clock_system()));
    finish(stage, keeper); // before its first checkpoint

    await(clock_wall_ms(clock_system()) > meant_ms);
    keeper = start(stage, "w2");
    await(fake_pollers_running() == 1);
    assert_int_equal(fake_poller_start_of(fake_pollers_find("s1")).timestamp_ms,
                     meant_ms);
    finish(stage, keeper);
}

static void test_children_start_when_every_parent_ended(void **state)
{
    struct stage *stage = *state;
    struct keeper *keeper;

    service_add("p1", NULL, NULL);
    service_add("p2", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 2);
    service_add("merged", "p1", "p2");
    fake_poller_progress(fake_pollers_find("p1"), "11");
    fake_poller_end(fake_pollers_find("p1"), POLLER_SHARD_ENDED, ERROR_NONE);
    await(view(stage, "p1").state == LEASE_ENDED);
    assert_true(view(stage, "merged").exists);
    assert_null(fake_pollers_find("merged"));
    fake_poller_end(fake_pollers_find("p2"), POLLER_SHARD_ENDED, ERROR_NONE);
    await(fake_pollers_find("merged"));
    assert_int_equal(view(stage, "p2").state, LEASE_ENDED);
    assert_int_equal(fake_poller_start_of(fake_pollers_find("merged")).position,
                     STREAM_TRIM_HORIZON);
    finish(stage, keeper);
}

static void test_an_end_waits_for_the_children_to_be_listed(void **state)
{
    struct stage *stage = *state;
    struct keeper *keeper;
    int calls;

    service_add("p", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 1);
    calls = service_calls();
    fake_poller_end(fake_pollers_find("p"), POLLER_SHARD_ENDED, ERROR_NONE);
    await(service_calls() > calls);
    assert_int_equal(view(stage, "p").state, LEASE_OPEN);
    service_add("c1", "p", NULL);
    service_add("c2", "p", NULL);
    await(fake_pollers_running() == 2);
    assert_int_equal(view(stage, "p").state, LEASE_ENDED);
    finish(stage, keeper);
}

static void test_a_failed_poller_starts_again_where_it_was(void **state)
{
    struct stage *stage = *state;
    struct keeper *keeper;

    service_add("s1", NULL, NULL);
    service_add("s2", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 2);
    fake_poller_progress(fake_pollers_find("s1"), "5");
    fake_poller_end(fake_pollers_find("s1"), POLLER_FAILED, ERROR_DENIED);
    await(fake_pollers_started("s1") == 2);
    assert_string_equal(
        fake_poller_start_of(fake_pollers_find("s1")).sequence_number, "5");
    assert_int_equal(fake_pollers_started("s2"), 1);
    assert_int_equal(view(stage, "s1").epoch, 1);
    finish(stage, keeper);
}

static void test_a_missing_stream_is_waited_for(void **state)
{
    struct stage *stage = *state;
    struct poller_stats stats;
    struct keeper *keeper;
    size_t shards;

    service_set(ERROR_NOT_FOUND, false);
    keeper = start(stage, "w1");
    await((keeper_read_stats(keeper, &stats, &shards), stats.waits_for_source));
    service_add("s1", NULL, NULL);
    service_set(ERROR_NONE, false);
    await(fake_pollers_running() == 1);
    await(
        (keeper_read_stats(keeper, &stats, &shards), !stats.waits_for_source));
    finish(stage, keeper);
}

static void test_a_shard_is_lost_only_when_a_listing_omits_it(void **state)
{
    struct stage *stage = *state;
    struct keeper *keeper;

    service_add("s1", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 1);
    fake_poller_end(fake_pollers_find("s1"), POLLER_FAILED, ERROR_NOT_FOUND);
    await(fake_pollers_started("s1") == 2); // it was listed
    service_set(ERROR_NOT_FOUND, false);
    fake_poller_end(fake_pollers_find("s1"), POLLER_FAILED, ERROR_NOT_FOUND);
    await(service_calls() > 2);
    assert_int_equal(view(stage, "s1").state, LEASE_OPEN);
    pthread_mutex_lock(&service.lock);
    service.ids[0] = "s9";
    service.failure = ERROR_NONE;
    pthread_mutex_unlock(&service.lock);
    await(view(stage, "s1").state == LEASE_LOST);
    await(fake_pollers_find("s9"));
    finish(stage, keeper);
}

static void test_a_stream_created_anew_is_another_one(void **state)
{
    struct stage *stage = *state;
    struct keeper *keeper;

    service.created_ms = 1795359600000;
    service_add("s1", NULL, NULL);
    service_add("s2", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 2);
    fake_poller_progress(fake_pollers_find("s1"), "5");
    pthread_mutex_lock(&service.lock);
    service.created_ms += 1000;
    pthread_mutex_unlock(&service.lock);
    // Its shards are gone, and others are there under their names.
    fake_poller_end(fake_pollers_find("s1"), POLLER_FAILED, ERROR_NOT_FOUND);
    await(fake_pollers_started("s2") == 2);
    await(fake_pollers_find("s1"));
    assert_int_equal(fake_poller_start_of(fake_pollers_find("s1")).position,
                     STREAM_TRIM_HORIZON);
    finish(stage, keeper);

    keeper = start(stage, "w2"); // the old ones are still known
    await(fake_pollers_running() == 2);
    assert_int_equal(fake_pollers_started("s1"), 3);
    finish(stage, keeper);
}

static void test_a_hanging_endpoint_does_not_stop_the_heartbeat(void **state)
{
    struct stage *stage = *state;
    struct keeper *keeper;
    int64_t until_ms;

    service_add("s1", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 1);
    service_set(ERROR_NONE, true);
    fake_poller_end(fake_pollers_find("s1"), POLLER_FAILED, ERROR_TRANSIENT);
    await(fake_pollers_started("s1") == 2);
    until_ms = now_ms() + stage->store.lease_duration_ms;
    await(fake_poller_may_act(fake_pollers_find("s1"), until_ms));
    finish(stage, keeper); // and the stop is not held up either
}

static void test_a_second_worker_gets_its_half_and_gives_it_back(void **state)
{
    struct stage *stage = *state;
    struct keeper *one, *two;

    for (int i = 0; i < 4; i++)
        service_add(((const char *[]){"s1", "s2", "s3", "s4"})[i], NULL, NULL);
    one = start(stage, "worker1");
    await(fake_pollers_running() == 4);
    fake_poller_progress(fake_pollers_find("s1"), "1");
    fake_poller_progress(fake_pollers_find("s2"), "2");
    fake_poller_progress(fake_pollers_find("s3"), "3");
    fake_poller_progress(fake_pollers_find("s4"), "4");
    stage->store.heartbeat_ms = 150;
    two = start(stage, "second2");
    await(fake_pollers_started("s1") + fake_pollers_started("s2") +
              fake_pollers_started("s3") + fake_pollers_started("s4") ==
          6);
    for (int i = 0; i < 4; i++) {
        const char *shard = ((const char *[]){"s1", "s2", "s3", "s4"})[i];
        struct lease_view lease = view(stage, shard);

        if (fake_pollers_started(shard) == 1)
            continue;
        assert_string_equal(lease.owner, "second");
        assert_int_equal(
            fake_poller_start_of(fake_pollers_find(shard)).position,
            STREAM_AFTER_SEQUENCE_NUMBER);
    }
    finish(stage, two);
    await(fake_pollers_running() == 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(
            view(stage, ((const char *[]){"s1", "s2", "s3", "s4"})[i]).owner,
            "worker");
    finish(stage, one);
}

static void test_a_killed_session_lets_go_and_comes_back(void **state)
{
    struct stage *stage = *state;
    struct session_rows rows = {0};
    struct error err = {0};
    struct keeper *keeper;
    struct fake_poller *old;

    service_add("s1", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 1);
    fake_pollers_end_when_asked(false);
    old = fake_pollers_find("s1");
    fake_poller_progress(old, "5");
    await(has_checkpoint(stage, "s1", "5"));
    do {
        session_rows_finish(&rows);
        assert_int_equal(store_sessions_list(stage->judge, &rows, &err),
                         STORE_OK);
        assert_int_equal(rows.count, 1);
    } while (store_session_kill(stage->judge, rows.list[0].id,
                                rows.list[0].beat, &err) != STORE_OK);
    session_rows_finish(&rows);
    await(fake_poller_is_asked_to_stop(old));
    assert_false(fake_poller_may_act(old, now_ms()));
    fake_poller_progress(old, "9"); // too late: it is not ours
    await(count_sessions(stage) == 1);
    assert_int_equal(fake_pollers_started("s1"), 1);
    fake_poller_end(old, POLLER_STOPPED, ERROR_NONE);
    fake_pollers_end_when_asked(true);
    await(fake_pollers_started("s1") == 2);
    assert_int_equal(view(stage, "s1").epoch, 2);
    assert_string_equal(
        fake_poller_start_of(fake_pollers_find("s1")).sequence_number, "5");
    finish(stage, keeper);
}

static void test_a_store_that_fails_pauses_and_recovers(void **state)
{
    struct stage *stage = *state;
    AUTO_FREE char *away = mem_printf("%s.away", stage->store.sqlite.path);
    struct keeper *keeper;

    service_add("s1", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 1);
    assert_int_equal(rename(stage->store.sqlite.path, away), 0);
    await(!fake_poller_may_act(fake_pollers_find("s1"), now_ms()));
    assert_int_equal(fake_pollers_started("s1"), 1);
    assert_false(fake_poller_is_asked_to_stop(fake_pollers_find("s1")));
    assert_int_equal(rename(away, stage->store.sqlite.path), 0);
    await(fake_poller_may_act(fake_pollers_find("s1"), now_ms()));
    fake_poller_progress(fake_pollers_find("s1"), "44");
    await(has_checkpoint(stage, "s1", "44"));
    assert_int_equal(fake_pollers_started("s1"), 1);
    finish(stage, keeper);
}

static void test_a_stop_waits_for_what_runs(void **state)
{
    struct stage *stage = *state;
    struct fake_poller *slow;
    struct keeper *keeper;

    service_add("s1", NULL, NULL);
    service_add("s2", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 2);
    fake_pollers_end_when_asked(false);
    slow = fake_pollers_find("s1");
    keeper_stop(keeper);
    await(fake_poller_is_asked_to_stop(slow));
    await(fake_poller_is_asked_to_stop(fake_pollers_find("s2")));
    fake_poller_end(fake_pollers_find("s2"), POLLER_STOPPED, ERROR_NONE);
    await(!view(stage, "s2").owner[0]);
    assert_true(view(stage, "s1").owner[0]);
    fake_poller_progress(slow, "71");
    fake_poller_end(slow, POLLER_STOPPED, ERROR_NONE);
    finish(stage, keeper);
    assert_true(has_checkpoint(stage, "s1", "71"));
}

static void test_force_ends_at_once(void **state)
{
    struct stage *stage = *state;
    struct keeper *keeper;

    service_add("s1", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 1);
    fake_pollers_end_when_asked(false);
    fake_poller_progress(fake_pollers_find("s1"), "3");
    keeper_stop(keeper);
    await(fake_poller_is_asked_to_stop(fake_pollers_find("s1")));
    keeper_force(keeper);
    finish(stage, keeper);
    assert_true(has_checkpoint(stage, "s1", "3"));
    assert_string_equal(view(stage, "s1").owner, "");
}

static void test_force_does_not_wait_for_the_store(void **state)
{
    struct stage *stage = *state;
    AUTO_FREE char *away = mem_printf("%s.away", stage->store.sqlite.path);
    struct keeper *keeper;

    service_add("s1", NULL, NULL);
    keeper = start(stage, "w1");
    await(fake_pollers_running() == 1);
    assert_int_equal(rename(stage->store.sqlite.path, away), 0);
    await(!fake_poller_may_act(fake_pollers_find("s1"), now_ms()));
    keeper_force(keeper);
    finish(stage, keeper);
    assert_int_equal(rename(away, stage->store.sqlite.path), 0);
}

static void test_a_wrong_store_is_told_at_start(void **state)
{
    struct stage *stage = *state;
    struct error err = {0};
    struct keeper *keeper;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(stage->store.sqlite.path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "PRAGMA user_version=9", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    keeper = create(stage, "w1");
    assert_fails(keeper_start(keeper, &err), &err, ERROR_INVALID);
    assert_contains(err.message, "written by a newer pollard");
    keeper_destroy(keeper);
}

int main(void)
{
#define TEST(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_reads_every_shard_and_leaves_its_place),
        TEST(test_latest_means_the_first_start),
        TEST(test_children_start_when_every_parent_ended),
        TEST(test_an_end_waits_for_the_children_to_be_listed),
        TEST(test_a_failed_poller_starts_again_where_it_was),
        TEST(test_a_missing_stream_is_waited_for),
        TEST(test_a_shard_is_lost_only_when_a_listing_omits_it),
        TEST(test_a_stream_created_anew_is_another_one),
        TEST(test_a_hanging_endpoint_does_not_stop_the_heartbeat),
        TEST(test_a_second_worker_gets_its_half_and_gives_it_back),
        TEST(test_a_killed_session_lets_go_and_comes_back),
        TEST(test_a_store_that_fails_pauses_and_recovers),
        TEST(test_a_stop_waits_for_what_runs),
        TEST(test_force_ends_at_once),
        TEST(test_force_does_not_wait_for_the_store),
        TEST(test_a_wrong_store_is_told_at_start),
    };

    return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
