#include <sqlite3.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "invoker.h"
#include "test.h"

#define ORDERS BUILD "/handlers/orders.so"

struct shop {
    char *folder, *path, *settings; // owned
    struct invoker invoker;
};

static int set_up(void **state)
{
    struct shop *shop = mem_calloc(1, sizeof(*shop));
    struct error err = {0};

    shop->folder = test_folder_create();
    shop->path = mem_printf("%s/orders.db", shop->folder);
    shop->settings = mem_printf("{\"database\":\"%s\"}", shop->path);
    assert_ok(invoker_init(&shop->invoker, ORDERS, shop->settings, 4,
                           clock_system(), &err),
              &err);
    *state = shop;
    return 0;
}

static int tear_down(void **state)
{
    struct shop *shop = *state;

    invoker_finish(&shop->invoker);
    test_folder_remove(shop->folder);
    free(shop->settings);
    free(shop->path);
    free(shop);
    return 0;
}

static int64_t query(const struct shop *shop, const char *sql)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    int64_t number;

    assert_int_equal(sqlite3_open(shop->path, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 10000);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return number;
}

static void test_each_order_is_stored_once(void **state)
{
    static const char *const texts[] = {
        "{\"id\": \"A-1\", \"customer\": \"Ann\", \"cents\": 1999}",
        "{\"id\": \"A-2\", \"customer\": \"Bob\", \"cents\": 250}",
        "{\"id\": \"A-1\", \"customer\": \"Ann\", \"cents\": 1999}", NULL};
    struct shop *shop = *state;

    for (int delivery = 0; delivery < 2; delivery++) {
        struct shipment *shipment =
            shipment_create(&shop->invoker, RECORD_SQS, texts);

        shipment_run(&shop->invoker, shipment);
        assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
        assert_int_equal(shipment->invocation.outcome.failed_count, 0);
        shipment_destroy(shipment);
    }
    assert_int_equal(query(shop, "SELECT count(*) FROM orders"), 2);
    assert_int_equal(query(shop, "SELECT sum(cents) FROM orders"), 2249);
}

static void test_a_malformed_order_fails_alone(void **state)
{
    static const char *const texts[] = {
        "{\"id\": \"B-1\", \"customer\": \"Ann\", \"cents\": 1}",
        "not JSON",
        "{\"id\": \"B-2\", \"customer\": \"Ann\"}",
        "{\"id\": \"B-3\", \"customer\": \"Ann\", \"cents\": \"much\"}",
        "{\"id\": \"B-4\", \"customer\": \"Ann\", \"cents\": 1}",
        NULL};
    static const bool failed[] = {false, true, true, true, false};
    struct shop *shop = *state;
    struct shipment *shipment =
        shipment_create(&shop->invoker, RECORD_SQS, texts);
    const struct outcome *outcome = &shipment->invocation.outcome;

    shipment_run(&shop->invoker, shipment);
    assert_int_equal(outcome->kind, OUTCOME_DONE);
    assert_memory_equal(outcome->failed, failed, sizeof(failed));
    assert_int_equal(query(shop, "SELECT count(*) FROM orders"), 2);
    shipment_destroy(shipment);
}

static void
test_a_locked_database_fails_the_batch_and_keeps_nothing(void **state)
{
    static const char *const texts[] = {
        "{\"id\": \"C-1\", \"customer\": \"Ann\", \"cents\": 1}", NULL};
    struct shop *shop = *state;
    struct shipment *shipment =
        shipment_create(&shop->invoker, RECORD_SQS, texts);
    sqlite3 *other;

    assert_int_equal(sqlite3_open(shop->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    shipment_run(&shop->invoker, shipment);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_FAILED);
    assert_string_equal(shipment->invocation.outcome.reason,
                        "database is locked");
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(other);

    // The next delivery goes through.
    shipment_run(&shop->invoker, shipment);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    assert_int_equal(query(shop, "SELECT count(*) FROM orders"), 1);
    shipment_destroy(shipment);
}

static struct refused_case {
    const char *name, *settings, *reason;
} refused_cases[] = {
    {"no settings", NULL, "settings need `database`: a path"},
    {"a folder that is not there", "{\"database\":\"/nowhere/orders.db\"}",
     "/nowhere/orders.db: unable to open database file"},
};

static void test_refused(void **state)
{
    const struct refused_case *c = *state;
    struct invoker invoker;
    struct error err = {0};

    assert_fails(
        invoker_init(&invoker, ORDERS, c->settings, 1, clock_system(), &err),
        &err, ERROR_INVALID);
    assert_contains(err.message, c->reason);
    invoker_finish(&invoker);
}

int main(void)
{
#define SHOP_TEST(name_) \
    cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SHOP_TEST(test_each_order_is_stored_once),
        SHOP_TEST(test_a_malformed_order_fails_alone),
        SHOP_TEST(test_a_locked_database_fails_the_batch_and_keeps_nothing),
    };

    return run_table("orders refuses", refused_cases, test_refused) +
           cmocka_run_group_tests_name("orders", tests, NULL, NULL);
}
