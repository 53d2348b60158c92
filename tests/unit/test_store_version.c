#include "store/store.h"

#include <sqlite3.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "fault_vfs.h"
#include "test.h"

// The schema as version 1 of the store wrote it, and what a worker may have
// left in it.
static const char version_1[] =
    "CREATE TABLE session("
    "  app TEXT NOT NULL, sid TEXT NOT NULL,"
    "  beat INTEGER NOT NULL DEFAULT 0, asks INTEGER NOT NULL DEFAULT 0,"
    "  ttl_ms INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0,"
    "  seen INTEGER NOT NULL,"
    "  PRIMARY KEY(app, sid)) WITHOUT ROWID;"
    "CREATE TABLE lease("
    "  app TEXT NOT NULL, stream TEXT NOT NULL, shard TEXT NOT NULL,"
    "  owner TEXT, wanted_by TEXT,"
    "  epoch INTEGER NOT NULL DEFAULT 0, ver INTEGER NOT NULL DEFAULT 0,"
    "  state INTEGER NOT NULL DEFAULT 0,"
    "  ckpt TEXT NOT NULL, ckpt_sub INTEGER NOT NULL DEFAULT 0,"
    "  start_timestamp_ms INTEGER NOT NULL DEFAULT 0,"
    "  parents TEXT NOT NULL DEFAULT '[]',"
    "  children TEXT NOT NULL DEFAULT '[]',"
    "  ended_at INTEGER,"
    "  PRIMARY KEY(app, stream, shard)) WITHOUT ROWID;"
    "PRAGMA application_id=1886350444; PRAGMA user_version=1;"
    "PRAGMA journal_mode=WAL;"
    "INSERT INTO session(app, sid, ttl_ms, seen, state)"
    "  VALUES('app', 'gone', 9, 9, 2);"
    "INSERT INTO lease(app, stream, shard, owner, ckpt, epoch, ver)"
    "  VALUES('app', 'clicks', 's', 'gone', '4711', 3, 8);"
    "INSERT INTO lease(app, stream, shard, ckpt, state, ended_at)"
    "  VALUES('app', 'clicks', 'p', 'SHARD_END', 1, 5);";

static struct error err;

static int setup(void **state)
{
    *state = test_folder_create();
    return 0;
}

static int teardown(void **state)
{
    test_folder_remove(*state);
    return 0;
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

// The first column of the first row. Caller frees.
static char *ask(const char *path, const char *sql)
{
    sqlite3_stmt *stmt;
    sqlite3 *db;
    char *text;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    text = mem_strdup((const char *)sqlite3_column_text(stmt, 0));
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return text;
}

static void assert_version(const char *path, const char *version)
{
    AUTO_FREE char *found = ask(path, "PRAGMA user_version");

    assert_string_equal(found, version);
}

static struct store *try_open(const char *path, const char *session)
{
    return store_open(&(struct store_options){.path = path,
                                              .application = "app",
                                              .session = session,
                                              .clock = clock_system()},
                      &err);
}

static void assert_holds_what_version_1_held(struct store *store)
{
    struct lease_rows rows = {0};

    assert_int_equal(store_lease_list(store, "clicks", &rows, &err), STORE_OK);
    assert_int_equal(rows.count, 2);
    assert_int_equal(rows.list[0].state, LEASE_ENDED);
    assert_string_equal(rows.list[0].checkpoint, "SHARD_END");
    assert_string_equal(rows.list[1].checkpoint, "4711");
    assert_int_equal(rows.list[1].ver, 8);
    lease_rows_finish(&rows);
}

static enum store_result write_window(struct store *store, const char *sequence)
{
    struct checkpoint_write write = {.lease = {"clicks", "s", 4},
                                     .sequence = sequence,
                                     .sets_window = true,
                                     .window = BYTES("{\"n\":1}")};

    assert_int_equal(store_lease_checkpoint(store, &write, 1, &err), STORE_OK);
    return write.result;
}

// All that version 1 held is there, and what only version 2 holds can be added.
static void assert_goes_on(const char *path, const char *session)
{
    struct store *store = try_open(path, session);
    struct lease_claim claim = {.shard = "s", .seen_ver = 8};

    assert_ok(store, &err);
    assert_int_equal(store_session_join(store, &err), STORE_OK);
    assert_holds_what_version_1_held(store);
    assert_int_equal(store_lease_acquire(store, "clicks", &claim, 1, &err),
                     STORE_OK);
    assert_int_equal(claim.result, STORE_OK);
    assert_int_equal(claim.row.epoch, 4);
    assert_null(claim.row.window);
    lease_row_finish(&claim.row);
    // Version 1 wrote whole records, so a part of that one is behind it.
    assert_int_equal(write_window(store, "4711:2"), STORE_CONFLICT);
    assert_int_equal(write_window(store, "4712:2"), STORE_OK);
    store_close(store);
}

static void test_version_1_is_brought_up_in_place(void **state)
{
    AUTO_FREE char *path = mem_printf("%s/state.db", (char *)*state);

    run_sql(path, version_1);
    assert_goes_on(path, "a");
    assert_version(path, "2");
    store_close(try_open(path, "b"));
    AUTO_FREE char *window = ask(path, "SELECT text FROM lease_window");
    assert_string_equal(window, "{\"n\":1}");
}

static void test_a_new_file_is_like_one_brought_up(void **state)
{
    static const char schema[] = "SELECT group_concat(sql) FROM"
                                 " (SELECT sql FROM sqlite_master"
                                 "  ORDER BY name)";
    AUTO_FREE char *old = mem_printf("%s/old.db", (char *)*state);
    AUTO_FREE char *new = mem_printf("%s/new.db", (char *)*state);

    run_sql(old, version_1);
    store_close(try_open(old, "a"));
    store_close(try_open(new, "a"));
    AUTO_FREE char *of_old = ask(old, schema);
    AUTO_FREE char *of_new = ask(new, schema);
    assert_string_equal(of_old, of_new);
}

// Whatever call fails on the way, the file is of version 1 or of version 2, and
// the next open brings it up. False once no call failed.
static bool survives_a_fault(int after)
{
    struct fault fault = {.kind = FAULT_FULL_DISK, .after = after, .times = 1};
    char *folder = test_folder_create();
    AUTO_FREE char *path = mem_printf("%s/state.db", folder);
    AUTO_FREE char *version = NULL;
    struct store *store;

    run_sql(path, version_1);
    fault_vfs_install(&fault);
    store = try_open(path, "a");
    fault.times = 0;
    assert_true(store || fault.hits > 0);
    store_close(store);
    fault_vfs_remove();
    version = ask(path, "PRAGMA user_version");
    assert_true(!strcmp(version, "2") || (!store && !strcmp(version, "1")));
    assert_goes_on(path, "b");
    test_folder_remove(folder);
    return fault.hits > 0;
}

static void test_survives_a_fault_on_the_way_up(void **state)
{
    int step = 0;

    (void)state;
    while (survives_a_fault(step))
        step++;
    assert_in_range(step, 3, 100);
}

static void test_no_version_before_the_first_is_believed(void **state)
{
    AUTO_FREE char *path = mem_printf("%s/state.db", (char *)*state);

    run_sql(path, version_1);
    run_sql(path, "PRAGMA user_version=0");
    assert_fails(try_open(path, "a"), &err, ERROR_INVALID);
    assert_version(path, "0");
}

int main(void)
{
#define TEST(test_) cmocka_unit_test_setup_teardown(test_, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_version_1_is_brought_up_in_place),
        TEST(test_a_new_file_is_like_one_brought_up),
        TEST(test_survives_a_fault_on_the_way_up),
        TEST(test_no_version_before_the_first_is_believed),
    };

    return cmocka_run_group_tests_name("store versions", tests, NULL, NULL);
}
