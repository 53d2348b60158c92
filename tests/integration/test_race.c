#include <sqlite3.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "invoker.h"
#include "printed.h"
#include "test.h"

#define RACE BUILD "/handlers/race.so"
#define STANDINGS BUILD "/handlers/standings.so"
#define PODIUM BUILD "/handlers/podium.so"

#define NIGHT                                                         \
    "{\"race\":\"r-01\",\"title\":\"Night on the Wheel\",\"league\":" \
    "\"pine\",\"laps\":3,\"hamsters\":[\"Pip\",\"Biscuit\",\"Mochi\"]"

static void open_handler(struct invoker *invoker, const char *library,
                         const char *settings)
{
    struct error err = {0};

    assert_ok(invoker_init(invoker, library, settings, 2, clock_system(), &err),
              &err);
}

static struct shipment *race(struct invoker *invoker, const char *request,
                             uint32_t receive_count, bool may_emit)
{
    const char *const texts[] = {request, NULL};
    struct shipment *shipment = shipment_create(invoker, RECORD_SQS, texts);

    shipment->record[0].receive_count = receive_count;
    shipment->invocation.may_emit = may_emit;
    shipment_run(invoker, shipment);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    return shipment;
}

static void test_a_race_ends_the_same_way_every_time(void **state)
{
    struct shipment *first, *again;
    const struct emission *result;
    struct invoker invoker;

    (void)state;
    open_handler(&invoker, RACE, NULL);
    first = race(&invoker, NIGHT "}", 1, true);
    again = race(&invoker, NIGHT "}", 2, true);
    assert_int_equal(first->invocation.outcome.failed_count, 0);
    assert_int_equal(first->invocation.outcome.emission_count, 1);
    result = first->invocation.outcome.emissions;
    assert_true(bytes_equal(result->key, BYTES("pine")));
    assert_true(
        bytes_equal(result->data, again->invocation.outcome.emissions->data));
    shipment_destroy(first);
    shipment_destroy(again);
    invoker_finish(&invoker);
}

static struct request_case {
    const char *name, *request;
    uint32_t receive_count;
    bool may_emit, fails;
} request_cases[] = {
    {"fails twice: first", NIGHT ",\"fails\":2}", 1, true, true},
    {"fails twice: second", NIGHT ",\"fails\":2}", 2, true, true},
    {"fails twice: third", NIGHT ",\"fails\":2}", 3, true, false},
    {"a poisonous one", NIGHT ",\"poisonous\":true}", 9, true, true},
    {"not JSON", "hello", 1, true, true},
    {"no hamsters",
     "{\"race\":\"r\",\"title\":\"t\",\"league\":\"l\",\"hamsters\":[]}", 1,
     true, true},
    {"a hamster that is a number",
     "{\"race\":\"r\",\"title\":\"t\",\"league\":\"l\",\"hamsters\":[7]}", 1,
     true, true},
    {"an endless race",
     "{\"race\":\"r\",\"title\":\"t\",\"league\":\"l\",\"laps\":2000000000,"
     "\"hamsters\":[\"Pip\"]}",
     1, true, true},
    {"nowhere to send the result", NIGHT "}", 1, false, true},
};

static void test_request(void **state)
{
    const struct request_case *c = *state;
    struct shipment *shipment;
    struct invoker invoker;

    open_handler(&invoker, RACE, NULL);
    shipment = race(&invoker, c->request, c->receive_count, c->may_emit);
    assert_int_equal(shipment->invocation.outcome.failed_count, c->fails);
    assert_int_equal(shipment->invocation.outcome.emission_count, !c->fails);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

/* The result of NIGHT, as the race handler emits it. Caller frees. */
static char *result_of_night(void)
{
    const struct emission *emission;
    struct shipment *shipment;
    struct invoker invoker;
    char *result;

    open_handler(&invoker, RACE, NULL);
    shipment = race(&invoker, NIGHT "}", 1, true);
    emission = shipment->invocation.outcome.emissions;
    result = mem_strndup(emission->data.data, emission->data.size);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
    return result;
}

static void deliver(struct invoker *invoker, const char *const *texts)
{
    struct shipment *shipment = shipment_create(invoker, RECORD_KINESIS, texts);

    shipment_run(invoker, shipment);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    assert_int_equal(shipment->invocation.outcome.failed_count, 0);
    shipment_destroy(shipment);
}

static int query(const char *path, const char *sql)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    int number;

    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    number = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return number;
}

static void test_standings_count_a_race_once(void **state)
{
    char *folder = test_folder_create();
    AUTO_FREE char *path = mem_printf("%s/standings.db", folder);
    AUTO_FREE char *settings = mem_printf("{\"database\":\"%s\"}", path);
    AUTO_FREE char *result = result_of_night();
    const char *const texts[] = {result, "not a result", result, NULL};
    struct invoker invoker;

    (void)state;
    open_handler(&invoker, STANDINGS, settings);
    deliver(&invoker, texts);
    deliver(&invoker, texts);
    assert_int_equal(query(path, "SELECT count(*) FROM races"), 1);
    assert_int_equal(query(path, "SELECT count(*) FROM standings"), 3);
    assert_int_equal(query(path, "SELECT sum(races) FROM standings"), 3);
    assert_int_equal(query(path, "SELECT sum(wins) FROM standings"), 1);
    assert_int_equal(query(path, "SELECT sum(points) FROM standings"),
                     10 + 6 + 4);
    invoker_finish(&invoker);
    test_folder_remove(folder);
}

static void test_the_podium_is_printed(void **state)
{
    AUTO_FREE char *result = result_of_night();
    AUTO_FREE char *text = NULL;
    const char *const texts[] = {result, "not a result", NULL};
    struct printed printed;
    struct invoker invoker;

    (void)state;
    open_handler(&invoker, PODIUM, NULL);
    printed_begin(&printed);
    deliver(&invoker, texts);
    text = printed_end(&printed);
    assert_contains(
        text, "\n  Night on the Wheel   (pine league, 3 laps, 3 hamsters)\n");
    assert_contains(text, "    1. ");
    assert_contains(text, "    3. ");
    assert_contains(text, "Biscuit");
    invoker_finish(&invoker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_race_ends_the_same_way_every_time),
        cmocka_unit_test(test_standings_count_a_race_once),
        cmocka_unit_test(test_the_podium_is_printed),
    };

    return run_table("race requests", request_cases, test_request) +
           cmocka_run_group_tests_name("race", tests, NULL, NULL);
}
