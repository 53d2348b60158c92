#include "store/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fault_vfs.h"
#include "store_contract.h"
#include "test.h"

#define STREAM "clicks"

struct place {
    char *folder, *path;
};

static struct error err;

static void place_begin(void *context)
{
    struct place *place = context;

    place->folder = test_folder_create();
    place->path = mem_printf("%s/state.db", place->folder);
}

static void place_end(void *context)
{
    struct place *place = context;

    free(place->path);
    test_folder_remove(place->folder);
}

static int setup(void **state)
{
    *state = mem_calloc(1, sizeof(struct place));
    place_begin(*state);
    return 0;
}

static int teardown(void **state)
{
    place_end(*state);
    free(*state);
    return 0;
}

static struct store *try_open(const char *path, const char *session)
{
    return store_open(&(struct store_options){.path = path,
                                              .application = "app",
                                              .session = session,
                                              .clock = clock_system()},
                      &err);
}

static struct store *open_at(const char *path, const char *application,
                             const char *session)
{
    struct store *store =
        store_open(&(struct store_options){.path = path,
                                           .application = application,
                                           .session = session,
                                           .clock = clock_system()},
                   &err);

    assert_ok(store, &err);
    return store;
}

static struct store *contract_open(void *context, const char *application,
                                   const char *session)
{
    struct place *place = context;

    return open_at(place->path, application, session);
}

static struct store *join_at(const char *path, const char *session)
{
    struct store *store = open_at(path, "app", session);

    if (store_session_join(store, &err) != STORE_OK)
        fail_msg("join: %s", err.message);
    return store;
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_refused(const char *path, enum error_code code,
                           const char *part)
{
    struct store *store = try_open(path, "a");

    if (store)
        fail_msg("%s was opened", path);
    assert_fails(store, &err, code);
    assert_contains(err.message, part);
    assert_contains(err.message, path);
}

static void test_an_empty_file_becomes_a_store(void **state)
{
    struct place *place = *state;

    write_file(place->path, "");
    store_close(join_at(place->path, "a"));
    store_close(open_at(place->path, "app", "b"));
}

static void test_refuses_a_newer_version(void **state)
{
    struct place *place = *state;

    store_close(open_at(place->path, "app", "a"));
    run_sql(place->path, "PRAGMA user_version=7");
    assert_refused(place->path, ERROR_INVALID,
                   "has version 7, written by a newer pollard");
}

static void test_refuses_and_spares_the_database_of_another(void **state)
{
    struct place *place = *state;
    struct stat before, after;

    run_sql(place->path, "CREATE TABLE precious(x); PRAGMA user_version=1");
    assert_int_equal(stat(place->path, &before), 0);
    assert_refused(place->path, ERROR_INVALID,
                   "is a database of another program");
    assert_int_equal(stat(place->path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(after.st_mtim));
}

static void test_refuses_what_is_no_database(void **state)
{
    struct place *place = *state;

    write_file(place->path, "version: 1\ntriggers: {this is yaml, and longer "
                            "than the header of a database file, which has "
                            "one hundred bytes}\n");
    assert_refused(place->path, ERROR_INVALID, "file is not a database");
}

static void test_refuses_a_broken_schema(void **state)
{
    struct place *place = *state;
    struct store *store;

    store_close(open_at(place->path, "app", "a"));
    run_sql(place->path, "DROP TABLE session");
    store = open_at(place->path, "app", "b");
    assert_int_equal(store_session_join(store, &err), STORE_UNAVAILABLE);
    assert_contains(err.message, "no such table: session");
    store_close(store);
}

static void test_names_what_is_wrong_with_the_path(void **state)
{
    struct place *place = *state;
    AUTO_FREE char *missing = mem_printf("%s/none/state.db", place->folder);
    AUTO_FREE char *below = mem_printf("%s/state.db/state.db", place->folder);

    assert_refused(place->folder, ERROR_INVALID, "unable to open");
    assert_refused(missing, ERROR_INVALID, "No such file or directory");
    write_file(place->path, "");
    assert_refused(below, ERROR_INVALID, "Not a directory");
    assert_refused("/proc/state.db", ERROR_INVALID, "unable to open");
}

// Root may write everywhere, so the child is nobody.
static int as_nobody(int (*body)(const char *path), const char *path)
{
    pid_t child = fork();
    int status = -1;

    if (!child) {
        if (!geteuid() && (setgid(65534) || setuid(65534)))
            _exit(100);
        _exit(body(path));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int is_denied(const char *path)
{
    struct store *store = try_open(path, "a");

    if (store || err.code != ERROR_DENIED)
        (void)fprintf(stderr, "%s\n", store ? "opened" : err.message);
    return store || err.code != ERROR_DENIED;
}

static void test_a_read_only_folder_is_denied(void **state)
{
    struct place *place = *state;

    assert_int_equal(chmod(place->folder, 0555), 0);
    assert_int_equal(as_nobody(is_denied, place->path), 0);
    assert_int_equal(chmod(place->folder, 0755), 0);
}

static void test_a_read_only_file_is_denied(void **state)
{
    struct place *place = *state;

    store_close(open_at(place->path, "app", "a"));
    assert_int_equal(chmod(place->folder, 0777), 0);
    assert_int_equal(chmod(place->path, 0444), 0);
    assert_int_equal(as_nobody(is_denied, place->path), 0);
}

static unsigned long pretended_file_system;

int __wrap_statfs(const char *path, struct statfs *status);
int __real_statfs(const char *path, struct statfs *status);
int __wrap_statfs(const char *path, struct statfs *status)
{
    int rc = __real_statfs(path, status);

    if (pretended_file_system)
        status->f_type = (__typeof__(status->f_type))pretended_file_system;
    return rc;
}

static void test_refuses_network_file_systems(void **state)
{
    struct place *place = *state;

    pretended_file_system = 0x6969;
    assert_refused(place->path, ERROR_INVALID, "network file system (nfs)");
    pretended_file_system = 0xFE534D42;
    assert_refused(place->path, ERROR_INVALID, "network file system (smb)");
    pretended_file_system = 0;
    assert_int_equal(access(place->path, F_OK), -1);
}

static void test_a_moved_file_stops_the_beat(void **state)
{
    struct place *place = *state;
    struct store *store = join_at(place->path, "a");
    AUTO_FREE char *elsewhere = mem_printf("%s.old", place->path);
    struct session_row row = {0};

    assert_int_equal(rename(place->path, elsewhere), 0);
    assert_int_equal(store_session_beat(store, 0, &row, &err),
                     STORE_UNAVAILABLE);
    assert_contains(err.message, "was moved or removed while in use");
    assert_int_equal(rename(elsewhere, place->path), 0);
    assert_int_equal(store_session_beat(store, 0, &row, &err), STORE_OK);
    session_row_finish(&row);
    store_close(store);
}

static bool is_gone(struct store *store, const char *session)
{
    struct session_rows rows = {0};
    bool found = false, gone = false;

    assert_int_equal(store_sessions_list(store, &rows, &err), STORE_OK);
    for (size_t i = 0; i < rows.count; i++)
        if (!strcmp(rows.list[i].id, session)) {
            found = true;
            gone = rows.list[i].is_gone;
        }
    session_rows_finish(&rows);
    assert_true(found);
    return gone;
}

static bool has_lock_file(const struct place *place, const char *session)
{
    AUTO_FREE char *path =
        mem_printf("%s-sessions/%s.lock", place->path, session);

    return !access(path, F_OK);
}

static void test_a_session_of_the_same_process_is_alive(void **state)
{
    struct place *place = *state;
    struct store *a = join_at(place->path, "a"), *b = join_at(place->path, "b");

    assert_false(is_gone(a, "b"));
    assert_false(is_gone(a, "a"));
    assert_false(is_gone(b, "a"));
    store_close(b);
    assert_true(is_gone(a, "b"));
    store_close(a);
}

static void test_a_missing_lock_file_proves_nothing(void **state)
{
    struct place *place = *state;
    struct store *a = join_at(place->path, "a"), *b = join_at(place->path, "b");
    AUTO_FREE char *path = mem_printf("%s-sessions/b.lock", place->path);

    assert_int_equal(unlink(path), 0);
    store_close(b);
    assert_false(is_gone(a, "b"));
    store_close(a);
}

// Ends only by being killed.
static pid_t start_worker(const char *path, const char *session)
{
    int ready[2];
    pid_t child;
    char byte;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    if (!child) {
        struct store *store = try_open(path, session);
        struct lease_claim claim = {.shard = "s"};

        if (!store || store_session_join(store, &err) != STORE_OK ||
            store_lease_acquire(store, STREAM, &claim, 1, &err) != STORE_OK ||
            claim.result != STORE_OK || write(ready[1], "", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return child;
}

static void test_a_killed_process_is_followed_at_once(void **state)
{
    struct place *place = *state;
    struct store *a = open_at(place->path, "app", "a");
    struct lease_new lease = {.shard = "s", .checkpoint = "TRIM_HORIZON"};
    struct lease_claim claim = {.shard = "s", .seen_ver = 1};
    pid_t worker;

    assert_int_equal(store_lease_create(a, STREAM, &lease, 1, &err), STORE_OK);
    store_close(a);
    worker = start_worker(place->path, "victim");
    a = join_at(place->path, "a");
    assert_false(is_gone(a, "victim"));
    assert_int_equal(store_lease_acquire(a, STREAM, &claim, 1, &err), STORE_OK);
    assert_int_equal(claim.result, STORE_CONFLICT);

    assert_int_equal(kill(worker, SIGKILL), 0);
    assert_int_equal(waitpid(worker, NULL, 0), worker);
    assert_true(is_gone(a, "victim"));
    assert_int_equal(store_session_kill(a, "victim", 0, &err), STORE_OK);
    assert_false(has_lock_file(place, "victim"));
    assert_int_equal(store_lease_acquire(a, STREAM, &claim, 1, &err), STORE_OK);
    assert_int_equal(claim.result, STORE_OK);
    assert_int_equal(claim.row.epoch, 2);
    lease_row_finish(&claim.row);
    store_close(a);
}

static void test_files_of_the_dead_do_not_pile_up(void **state)
{
    struct place *place = *state;
    struct store *a = join_at(place->path, "a"), *b = join_at(place->path, "b");
    AUTO_FREE char *stray = mem_printf("%s-sessions/stray.lock", place->path);

    store_close(b); // as if killed
    write_file(stray, "");
    store_close(join_at(place->path, "c"));
    assert_false(has_lock_file(place, "stray"));
    assert_true(has_lock_file(place, "a"));
    assert_true(has_lock_file(place, "b")); // still to be found gone
    assert_int_equal(store_session_kill(a, "b", 0, &err), STORE_OK);
    assert_false(has_lock_file(place, "b"));
    assert_int_equal(store_session_leave(a, &err), STORE_OK);
    assert_false(has_lock_file(place, "a"));
    store_close(a);
}

static void test_session_ids_are_fresh(void **state)
{
    AUTO_FREE char *one = store_session_id();
    AUTO_FREE char *two = store_session_id();
    AUTO_FREE char *pid = mem_printf(":%ld:", (long)getpid());

    (void)state;
    assert_string_not_equal(one, two);
    assert_contains(one, pid);
}

#define RACERS 6
#define SHARDS 40
#define ROUNDS 25

struct grant {
    int shard, epoch, racer;
};

// SQLite's lock is not fair: under such a crowd a call may run into its time
// limit, and is tried again as a keeper would.
#define PATIENCE 60
#define TRY(call_)                                                            \
    ({                                                                        \
        enum store_result result_ = STORE_UNAVAILABLE;                        \
        for (int i_ = 0; i_ < PATIENCE && result_ == STORE_UNAVAILABLE; i_++) \
            result_ = (call_);                                                \
        result_;                                                              \
    })

static struct store *open_patiently(const char *path, const char *session)
{
    struct store *store = NULL;

    for (int i = 0; i < PATIENCE && !store; i++)
        store = try_open(path, session);
    return store;
}

// One round of taking and freeing whatever can be had; tells each grant.
static bool grab(struct store *store, int racer, int out)
{
    struct lease_rows rows = {0};
    struct lease_claim claims[SHARDS] = {{0}};
    bool ok = TRY(store_lease_list(store, STREAM, &rows, &err)) == STORE_OK;

    for (size_t i = 0; ok && i < SHARDS; i++)
        claims[i] = (struct lease_claim){.shard = rows.list[i].shard,
                                         .seen_ver = rows.list[i].ver};
    ok = ok && TRY(store_lease_acquire(store, STREAM, claims, SHARDS, &err)) ==
                   STORE_OK;
    for (int i = 0; ok && i < SHARDS; i++) {
        struct grant grant = {i, (int)claims[i].row.epoch, racer};
        struct lease_token token = {.stream = STREAM,
                                    .shard = claims[i].shard,
                                    .epoch = claims[i].row.epoch};

        if (claims[i].result != STORE_OK)
            continue;
        ok = write(out, &grant, sizeof(grant)) == sizeof(grant) &&
             TRY(store_lease_release(store, &token, &err)) == STORE_OK;
        lease_row_finish(&claims[i].row);
    }
    lease_rows_finish(&rows);
    return ok;
}

static int race(const char *path, int racer, int out)
{
    AUTO_FREE char *session = mem_printf("racer-%d", racer);
    struct store *store = open_patiently(path, session);
    bool ok = store && TRY(store_session_join(store, &err)) == STORE_OK;

    for (int round = 0; ok && round < ROUNDS; round++)
        ok = grab(store, racer, out);
    if (!ok)
        (void)fprintf(stderr, "%s\n", err.message);
    store_close(store);
    return !ok;
}

static void create_shards(const char *path, int count)
{
    struct store *store = open_at(path, "app", "creator");

    for (int i = 0; i < count; i++) {
        AUTO_FREE char *shard = mem_printf("shard-%02d", i);
        struct lease_new lease = {.shard = shard, .checkpoint = "TRIM_HORIZON"};

        assert_int_equal(store_lease_create(store, STREAM, &lease, 1, &err),
                         STORE_OK);
    }
    store_close(store);
}

static void test_racing_processes_never_share_an_epoch(void **state)
{
    struct place *place = *state;
    static bool granted[SHARDS][RACERS * ROUNDS + 1];
    int pipes[2], last[SHARDS] = {0}, grants = 0;
    pid_t children[RACERS];
    struct grant grant;

    create_shards(place->path, SHARDS);
    memset(granted, 0, sizeof(granted));
    assert_int_equal(pipe(pipes), 0);
    for (int i = 0; i < RACERS; i++) {
        children[i] = fork();
        if (!children[i])
            _exit(race(place->path, i, pipes[1]));
    }
    (void)close(pipes[1]);
    while (read(pipes[0], &grant, sizeof(grant)) == sizeof(grant)) {
        assert_in_range(grant.epoch, 1, RACERS * ROUNDS);
        assert_false(granted[grant.shard][grant.epoch]);
        granted[grant.shard][grant.epoch] = true;
        if (grant.epoch > last[grant.shard])
            last[grant.shard] = grant.epoch;
        grants++;
    }
    (void)close(pipes[0]);
    for (int i = 0; i < RACERS; i++) {
        int status = -1;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    for (int i = 0; i < SHARDS; i++)
        grants -= last[i]; // epochs have no gaps
    assert_int_equal(grants, 0);
}

static int open_and_join(const char *path, int racer)
{
    AUTO_FREE char *session = mem_printf("racer-%d", racer);
    struct store *store = open_patiently(path, session);
    bool ok = store && TRY(store_session_join(store, &err)) == STORE_OK;

    if (!ok)
        (void)fprintf(stderr, "%s\n", err.message);
    store_close(store);
    return !ok;
}

static void test_processes_create_one_file_together(void **state)
{
    struct place *place = *state;
    pid_t children[RACERS];

    for (int i = 0; i < RACERS; i++) {
        children[i] = fork();
        if (!children[i])
            _exit(open_and_join(place->path, i));
    }
    for (int i = 0; i < RACERS; i++) {
        int status = -1;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

// A worker's life on one shard; false at the first thing that fails.
static bool live(const char *path, const char *session)
{
    struct store *store = try_open(path, session);
    struct lease_new lease = {.shard = "s", .checkpoint = "TRIM_HORIZON"};
    struct lease_new child = {
        .shard = "c", .checkpoint = "TRIM_HORIZON", .parents = "[\"s\"]"};
    struct lease_token token = {.stream = STREAM, .shard = "s"};
    struct checkpoint_write write = {
        .sequence = "42", .sets_window = true, .window = BYTES("{}")};
    struct lease_claim claim = {.shard = "s"};
    struct session_row row = {0};
    struct lease_rows rows = {0};
    bool ok = store && store_session_join(store, &err) == STORE_OK &&
              store_lease_create(store, STREAM, &lease, 1, &err) == STORE_OK &&
              store_lease_list(store, STREAM, &rows, &err) == STORE_OK &&
              store_session_beat(store, 0, &row, &err) == STORE_OK;

    for (size_t i = 0; i < rows.count; i++)
        if (!strcmp(rows.list[i].shard, "s"))
            claim.seen_ver = rows.list[i].ver;
    ok = ok &&
         store_lease_acquire(store, STREAM, &claim, 1, &err) == STORE_OK &&
         claim.result == STORE_OK;
    write.lease = token;
    write.lease.epoch = token.epoch = claim.row.epoch;
    ok = ok && store_lease_checkpoint(store, &write, 1, &err) == STORE_OK &&
         write.result == STORE_OK &&
         store_lease_end(store, &token, &child, 1, &err) == STORE_OK &&
         store_session_leave(store, &err) == STORE_OK;
    lease_row_finish(&claim.row);
    session_row_finish(&row);
    lease_rows_finish(&rows);
    store_close(store);
    return ok;
}

// Whatever failed, the other lease states hold: an end without its child, or a
// checkpoint without an owner before it, was never seen.
static void assert_sane(const char *path)
{
    struct store *store = open_at(path, "app", "judge");
    struct lease_rows rows = {0};

    assert_int_equal(store_lease_list(store, STREAM, &rows, &err), STORE_OK);
    if (rows.count == 2) {
        assert_string_equal(rows.list[1].shard, "s");
        assert_int_equal(rows.list[1].state, LEASE_ENDED);
    } else if (rows.count == 1) {
        assert_int_equal(rows.list[0].state, LEASE_OPEN);
        assert_true(!strcmp(rows.list[0].checkpoint, "42") ||
                    !strcmp(rows.list[0].checkpoint, "TRIM_HORIZON"));
    }
    lease_rows_finish(&rows);
    store_close(store);
}

static bool is_ended(const char *path)
{
    struct store *store = open_at(path, "app", "judge");
    struct lease_rows rows = {0};
    bool ended;

    assert_int_equal(store_lease_list(store, STREAM, &rows, &err), STORE_OK);
    ended = rows.count == 2 && rows.list[1].state == LEASE_ENDED;
    lease_rows_finish(&rows);
    store_close(store);
    return ended;
}

// The dead of the earlier tries still hold the lease.
static void bury(const char *path)
{
    struct store *store = join_at(path, "undertaker");
    struct session_rows rows = {0};

    assert_int_equal(store_sessions_list(store, &rows, &err), STORE_OK);
    for (size_t i = 0; i < rows.count; i++)
        if (rows.list[i].is_gone)
            assert_int_equal(store_session_kill(store, rows.list[i].id,
                                                rows.list[i].beat, &err),
                             STORE_OK);
    session_rows_finish(&rows);
    assert_int_equal(store_session_leave(store, &err), STORE_OK);
    store_close(store);
}

static void survives_a_fault_at_every_call(enum fault_kind kind, int times,
                                           int at_least)
{
    int step = 0, hits;

    do {
        struct place place;
        struct fault fault = {.kind = kind, .after = step, .times = times};

        place_begin(&place);
        fault_vfs_install(&fault);
        bool ok = live(place.path, "first");

        hits = fault.hits;
        fault.times = 0;
        if (!ok) {
            assert_true(hits > 0);
            assert_int_equal(err.code, ERROR_TRANSIENT);
        }
        assert_sane(place.path);
        bury(place.path);
        assert_ok(is_ended(place.path) || live(place.path, "second"), &err);
        fault_vfs_remove();
        place_end(&place);
        step++;
    } while (hits > 0);
    assert_in_range(step, at_least, 1000);
}

static void test_survives_a_full_disk_at_every_write(void **state)
{
    (void)state;
    survives_a_fault_at_every_call(FAULT_FULL_DISK, 1, 20);
}

static void test_survives_a_disk_that_stays_full(void **state)
{
    (void)state;
    survives_a_fault_at_every_call(FAULT_FULL_DISK, -1, 20);
}

static void test_survives_a_sync_that_fails(void **state)
{
    (void)state;
    survives_a_fault_at_every_call(FAULT_SYNC, 1, 8);
}

static void test_a_running_store_outlives_a_full_disk(void **state)
{
    struct place *place = *state;
    struct fault fault = {.kind = FAULT_FULL_DISK};
    struct session_row row = {0};
    struct store *store;

    fault_vfs_install(&fault);
    store = join_at(place->path, "a");
    fault.times = -1;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(store_session_beat(store, 0, &row, &err),
                         STORE_UNAVAILABLE);
        assert_contains(err.message, "database or disk is full");
    }
    fault.times = 0;
    assert_int_equal(store_session_beat(store, 0, &row, &err), STORE_OK);
    assert_int_equal(row.beat, 1);
    session_row_finish(&row);
    store_close(store);
    fault_vfs_remove();
}

int main(void)
{
    struct place place;
    struct store_contract contract = {.begin = place_begin,
                                      .end = place_end,
                                      .open = contract_open,
                                      .context = &place};
#define TEST(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_empty_file_becomes_a_store),
        TEST(test_refuses_a_newer_version),
        TEST(test_refuses_and_spares_the_database_of_another),
        TEST(test_refuses_what_is_no_database),
        TEST(test_refuses_a_broken_schema),
        TEST(test_names_what_is_wrong_with_the_path),
        TEST(test_a_read_only_folder_is_denied),
        TEST(test_a_read_only_file_is_denied),
        TEST(test_refuses_network_file_systems),
        TEST(test_a_moved_file_stops_the_beat),
        TEST(test_a_session_of_the_same_process_is_alive),
        TEST(test_a_missing_lock_file_proves_nothing),
        TEST(test_a_killed_process_is_followed_at_once),
        TEST(test_files_of_the_dead_do_not_pile_up),
        TEST(test_session_ids_are_fresh),
        TEST(test_racing_processes_never_share_an_epoch),
        TEST(test_processes_create_one_file_together),
        TEST(test_survives_a_full_disk_at_every_write),
        TEST(test_survives_a_disk_that_stays_full),
        TEST(test_survives_a_sync_that_fails),
        TEST(test_a_running_store_outlives_a_full_disk),
    };
    int failed = store_contract_run(&contract);

    return failed +
           cmocka_run_group_tests_name("store on SQLite", tests, NULL, NULL);
}
