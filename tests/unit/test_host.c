#include <jansson.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "handler/host_call.h"
#include "invoker.h"
#include "sim_clock.h"
#include "test.h"

#define SCRIPT BUILD "/tests/handlers/script.so"

static struct sim_clock sim;
static struct invoker invoker;

static int set_up(void **state)
{
    struct error err = {0};

    (void)state;
    sim_clock_init(&sim);
    assert_ok(invoker_init(&invoker, SCRIPT, NULL, 2, &sim.clock, &err), &err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    invoker_finish(&invoker);
    return 0;
}

static struct shipment *run_script(int (*run)(const struct pollard_host *,
                                              const struct pollard_batch *,
                                              void *),
                                   void *context, bool may_emit)
{
    static struct script script; // one test runs one script at a time
    struct shipment *shipment;

    script = (struct script){run, context};
    shipment = shipment_of_script(&invoker, &script, 3);
    shipment->invocation.may_emit = may_emit;
    shipment_run(&invoker, shipment);
    return shipment;
}

static int look(const struct pollard_host *host,
                const struct pollard_batch *batch, void *context)
{
    const struct pollard_record *last = batch->records[2];

    (void)context;
    assert_int_equal(host->size, sizeof(*host));
    assert_int_equal(host->major, POLLARD_HANDLER_MAJOR);
    assert_int_equal(batch->size, sizeof(*batch));
    assert_string_equal(batch->trigger, "races");
    assert_string_equal(batch->source_arn,
                        "arn:aws:sqs:us-east-1:000000000000:queue");
    assert_null(batch->shard);
    assert_int_equal(batch->count, 3);
    assert_int_equal(last->size, sizeof(*last));
    assert_int_equal(last->id_size, 2);
    assert_memory_equal(last->id, "id", 2);
    assert_int_equal(last->data_size, 0);
    assert_int_equal(last->key_size, 0);
    assert_int_equal(last->arrived_at_ms, 1700000000000);
    assert_int_equal(last->receive_count, 1);
    assert_int_equal(host->remaining_ms(batch), INVOKER_TIMEOUT_MS);
    sim_clock_advance(&sim, 1000);
    assert_int_equal(host->remaining_ms(batch), INVOKER_TIMEOUT_MS - 1000);
    return 0;
}

static void test_a_batch_as_the_handler_sees_it(void **state)
{
    struct shipment *shipment = run_script(look, NULL, false);
    const struct outcome *outcome = &shipment->invocation.outcome;

    (void)state;
    assert_int_equal(outcome->kind, OUTCOME_DONE);
    assert_null(outcome->failed);
    assert_string_equal(outcome->reason, "");
    assert_int_equal(outcome->ended_ms - outcome->started_ms, 1000);
    shipment_destroy(shipment);
}

static int fail_some(const struct pollard_host *host,
                     const struct pollard_batch *batch, void *context)
{
    (void)context;
    assert_int_equal(host->fail_record(batch, 1), 0);
    assert_int_equal(host->fail_record(batch, 1), 0);
    assert_int_equal(host->fail_record(batch, 3), -1);
    assert_int_equal(host->fail_record(batch, SIZE_MAX), -1);
    return 0;
}

static void test_single_records_fail_once(void **state)
{
    struct shipment *shipment = run_script(fail_some, NULL, false);
    const struct outcome *outcome = &shipment->invocation.outcome;

    (void)state;
    assert_int_equal(outcome->kind, OUTCOME_DONE);
    assert_int_equal(outcome->failed_count, 1);
    assert_false(outcome->failed[0]);
    assert_true(outcome->failed[1]);
    assert_false(outcome->failed[2]);
    assert_true(outcome->invalid_report);
    assert_string_equal(outcome->invalid_why, "fail_record(3) of a batch of 3");
    shipment_destroy(shipment);
}

static int fail_all(const struct pollard_host *host,
                    const struct pollard_batch *batch, void *reason)
{
    (void)host->fail_record(batch, 0);
    assert_int_equal(host->emit(batch, "x", 1, NULL, 0), 0);
    assert_int_equal(host->respond(batch, "{}", 2), 0);
    host->fail_reason(batch, reason);
    assert_int_equal(host->emit(batch, "y", 1, NULL, 0), 0);
    return -3;
}

static void test_a_failed_batch_leaves_only_its_reason(void **state)
{
    struct shipment *shipment =
        run_script(fail_all, (char[]){"no database"}, true);
    const struct outcome *outcome = &shipment->invocation.outcome;

    (void)state;
    assert_int_equal(outcome->kind, OUTCOME_FAILED);
    assert_string_equal(outcome->reason, "no database");
    assert_null(outcome->failed);
    assert_int_equal(outcome->failed_count, 0);
    assert_null(outcome->emissions);
    assert_int_equal(outcome->emission_count, 0);
    assert_int_equal(outcome->response.size, 0);
    shipment_destroy(shipment);
}

static void test_without_a_reason_the_result_is_told(void **state)
{
    struct shipment *shipment = run_script(fail_all, NULL, true);

    (void)state;
    assert_string_equal(shipment->invocation.outcome.reason,
                        "handle() returned -3");
    shipment_destroy(shipment);
}

static void test_a_long_reason_is_cut_between_characters(void **state)
{
    char reason[400], expected[256];
    struct shipment *shipment;

    (void)state;
    for (size_t i = 0; i + 2 < sizeof(reason); i += 2)
        memcpy(reason + i, "\xc3\xa4", 3);
    shipment = run_script(fail_all, reason, true);
    memcpy(expected, reason, 254);
    expected[254] = '\0';
    assert_string_equal(shipment->invocation.outcome.reason, expected);
    shipment_destroy(shipment);
}

static int be_late(const struct pollard_host *host,
                   const struct pollard_batch *batch, void *context)
{
    (void)context;
    assert_int_equal(host->emit(batch, "x", 1, NULL, 0), 0);
    host->fail_reason(batch, "killed");
    sim_clock_advance(&sim, INVOKER_TIMEOUT_MS);
    assert_int_equal(host->remaining_ms(batch), 0);
    sim_clock_advance(&sim, 20);
    assert_int_equal(host->remaining_ms(batch), 0);
    return 0;
}

static void test_a_late_success_is_a_time_out(void **state)
{
    struct shipment *shipment = run_script(be_late, NULL, true);
    const struct outcome *outcome = &shipment->invocation.outcome;

    (void)state;
    assert_int_equal(outcome->kind, OUTCOME_TIMED_OUT);
    assert_string_equal(outcome->reason, "took 60020 ms of 60000 ms: killed");
    assert_null(outcome->emissions);
    shipment_destroy(shipment);
}

static int emit_some(const struct pollard_host *host,
                     const struct pollard_batch *batch, void *context)
{
    char data[] = "first", key[] = "k1";

    (void)context;
    assert_int_equal(host->emit(batch, data, 5, key, 2), 0);
    memset(data, 'X', sizeof(data)); // it was copied
    memset(key, 'X', sizeof(key));
    assert_int_equal(host->emit(batch, "a\0b", 3, NULL, 77), 0);
    assert_int_equal(host->emit(batch, NULL, 0, NULL, 0), 0);
    assert_int_equal(host->emit(batch, NULL, 1, NULL, 0), -1);
    return 0;
}

static void test_emitted_records_are_copied_in_order(void **state)
{
    struct shipment *shipment = run_script(emit_some, NULL, true);
    const struct emission *one = shipment->invocation.outcome.emissions;

    (void)state;
    assert_int_equal(shipment->invocation.outcome.emission_count, 3);
    assert_true(bytes_equal(one->data, BYTES("first")));
    assert_true(bytes_equal(one->key, BYTES("k1")));
    one = one->next;
    assert_true(bytes_equal(one->data, BYTES("a\0b")));
    assert_int_equal(one->key.size, 0);
    one = one->next;
    assert_int_equal(one->data.size, 0);
    assert_null(one->next);
    shipment_destroy(shipment);
}

static int emit_nowhere(const struct pollard_host *host,
                        const struct pollard_batch *batch, void *context)
{
    (void)context;
    return host->emit(batch, "x", 1, NULL, 0);
}

static void test_emit_needs_a_destination(void **state)
{
    struct shipment *shipment = run_script(emit_nowhere, NULL, false);

    (void)state;
    assert_string_equal(shipment->invocation.outcome.reason,
                        "handle() returned -1");
    shipment_destroy(shipment);
}

static int emit_too_much(const struct pollard_host *host,
                         const struct pollard_batch *batch, void *count)
{
    AUTO_FREE char *data = mem_calloc(1, HOST_CALL_EMISSION_LIMIT + 1);

    assert_int_equal(
        host->emit(batch, data, HOST_CALL_EMISSION_LIMIT + 1, NULL, 0), -1);
    assert_int_equal(host->emit(batch, data, HOST_CALL_EMISSION_LIMIT, "k", 1),
                     -1);
    assert_int_equal(host->emit(batch, data, 1, data, SIZE_MAX), -1);
    while (!host->emit(batch, data, HOST_CALL_EMISSION_LIMIT, NULL, 0))
        ++*(int *)count;
    return 0;
}

static void test_emit_is_bounded(void **state)
{
    int count = 0;
    struct shipment *shipment = run_script(emit_too_much, &count, true);

    (void)state;
    assert_int_equal(count, 63); // 64 MiB with what pollard adds to each
    assert_int_equal(shipment->invocation.outcome.emission_count, 63);
    shipment_destroy(shipment);
}

static int respond_twice(const struct pollard_host *host,
                         const struct pollard_batch *batch, void *context)
{
    AUTO_FREE char *huge = mem_calloc(1, HOST_CALL_RESPONSE_LIMIT + 1);

    (void)context;
    assert_int_equal(host->respond(batch, "{\"first\":1}", 11), 0);
    assert_int_equal(host->respond(batch, "{}", 2), 0);
    assert_int_equal(host->respond(batch, huge, HOST_CALL_RESPONSE_LIMIT + 1),
                     -1);
    assert_int_equal(host->respond(batch, NULL, 1), -1);
    return 0;
}

static void test_the_last_good_response_wins(void **state)
{
    struct shipment *shipment = run_script(respond_twice, NULL, false);
    const struct outcome *outcome = &shipment->invocation.outcome;

    (void)state;
    assert_true(bytes_equal(buffer_bytes(&outcome->response), BYTES("{}")));
    assert_true(outcome->response_too_large); // and nobody took it back
    shipment_destroy(shipment);
}

static int respond_smaller(const struct pollard_host *host,
                           const struct pollard_batch *batch, void *context)
{
    (void)respond_twice(host, batch, context);
    return host->respond(batch, "null", 4);
}

static void test_a_smaller_response_makes_up_for_a_large_one(void **state)
{
    struct shipment *shipment = run_script(respond_smaller, NULL, false);
    const struct outcome *outcome = &shipment->invocation.outcome;

    (void)state;
    assert_true(bytes_equal(buffer_bytes(&outcome->response), BYTES("null")));
    assert_false(outcome->response_too_large);
    shipment_destroy(shipment);
}

static int read_attributes(const struct pollard_host *host,
                           const struct pollard_batch *batch, void *context)
{
    const char *value;
    size_t size;

    (void)context;
    assert_int_equal(host->attribute(batch, 1, "SentTimestamp", &value, &size),
                     0);
    assert_int_equal(size, 13);
    assert_memory_equal(value, "1764090000123", 13);
    assert_int_equal(host->attribute(batch, 1, "Author", &value, &size), 0);
    assert_memory_equal(value, "Ann", 3);
    assert_int_equal(host->attribute(batch, 1, "Nothing", &value, &size), -1);
    assert_int_equal(host->attribute(batch, 0, "Author", &value, &size), -1);
    assert_int_equal(host->attribute(batch, 9, "Author", &value, &size), -1);
    return 0;
}

static void test_attributes_by_name(void **state)
{
    static const struct record_attribute system[] = {
        {BYTES("SentTimestamp"), BYTES("1764090000123")}};
    static const struct record_message_attribute user[] = {
        {.name = BYTES("Author"),
         .type = BYTES("String"),
         .value = BYTES("Ann")}};
    struct script script = {read_attributes, NULL};
    struct shipment *shipment = shipment_of_script(&invoker, &script, 2);

    (void)state;
    shipment->record[1].attributes = system;
    shipment->record[1].attribute_count = 1;
    shipment->record[1].message_attributes = user;
    shipment->record[1].message_attribute_count = 1;
    shipment_run(&invoker, shipment);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    shipment_destroy(shipment);
}

static int read_event(const struct pollard_host *host,
                      const struct pollard_batch *batch, void *out)
{
    const char *json, *again;
    size_t size;

    assert_int_equal(host->event_json(batch, &json, &size), 0);
    assert_int_equal(host->event_json(batch, &again, &size), 0);
    assert_ptr_equal(json, again);
    *(json_t **)out = json_loadb(json, size, JSON_ALLOW_NUL, NULL);
    return 0;
}

static void test_the_event_is_made_for_each_batch(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        json_t *event = NULL;
        struct shipment *shipment = run_script(read_event, &event, false);

        assert_non_null(event);
        assert_int_equal(json_array_size(json_object_get(event, "Records")), 3);
        json_decref(event);
        shipment_destroy(shipment);
    }
}

static int read_huge_event(const struct pollard_host *host,
                           const struct pollard_batch *batch, void *context)
{
    const char *json;
    size_t size;

    (void)context;
    assert_int_equal(host->event_json(batch, &json, &size), -1);
    assert_int_equal(host->event_json(batch, &json, &size), -1);
    return 0;
}

static void test_an_event_over_6_mib_is_refused(void **state)
{
    size_t size = 7 * 1024 * 1024;
    char *huge = mem_calloc(1, size);
    struct script script = {read_huge_event, NULL};
    struct shipment *shipment = shipment_of_script(&invoker, &script, 2);
    json_t *event = NULL;

    (void)state;
    memset(huge, 'x', size);
    shipment->record[1].data = (struct bytes){huge, size};
    shipment_run(&invoker, shipment);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    shipment_destroy(shipment);

    // And the one after it is as good as any.
    shipment = run_script(read_event, &event, false);
    assert_non_null(event);
    json_decref(event);
    shipment_destroy(shipment);
    free(huge);
}

static int keep_batch(const struct pollard_host *host,
                      const struct pollard_batch *batch, void *out)
{
    const void **kept = out;

    kept[0] = host;
    kept[1] = batch;
    return 0;
}

static void test_a_batch_is_dead_after_its_return(void **state)
{
    const void *kept[2];
    struct shipment *shipment = run_script(keep_batch, kept, true);
    const struct pollard_host *host = kept[0];
    const struct pollard_batch *batch = kept[1];
    const char *text;
    size_t size;

    (void)state;
    assert_int_equal(host->fail_record(batch, 0), -1);
    assert_int_equal(host->emit(batch, "x", 1, NULL, 0), -1);
    assert_int_equal(host->respond(batch, "{}", 2), -1);
    assert_int_equal(host->event_json(batch, &text, &size), -1);
    assert_int_equal(host->attribute(batch, 0, "x", &text, &size), -1);
    assert_int_equal(host->remaining_ms(batch), 0);
    host->fail_reason(batch, "too late");
    assert_int_equal(host->fail_record(NULL, 0), -1);
    assert_string_equal(shipment->invocation.outcome.reason, "");
    shipment_destroy(shipment);
}

static void *log_from_a_stranger(void *host)
{
    ((const struct pollard_host *)host)->log(POLLARD_LOG_WARN, "from outside");
    return NULL;
}

static int log_much(const struct pollard_host *host,
                    const struct pollard_batch *batch, void *context)
{
    pthread_t thread;
    char huge[10000];
    struct pollard_host copy = *host;

    (void)batch;
    (void)context;
    memset(huge, 'h', sizeof(huge));
    huge[sizeof(huge) - 1] = '\0';
    host->log(POLLARD_LOG_WARN, "a line\nand another");
    host->log(99, "strange level");
    host->log(POLLARD_LOG_INFO, NULL);
    host->log(POLLARD_LOG_INFO, huge);
    assert_int_equal(pthread_create(&thread, NULL, log_from_a_stranger, &copy),
                     0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return 0;
}

static void test_log_lines_bear_the_trigger(void **state)
{
    struct shipment *shipment = run_script(log_much, NULL, false);
    char *logged = invoker_logged(&invoker);

    (void)state;
    assert_contains(logged, "info  handler.log trigger=races "
                            "message=\"instance created\"");
    assert_contains(logged, "warn  handler.log trigger=races "
                            "message=\"a line\\nand another\"");
    assert_contains(logged, "error handler.log trigger=races "
                            "message=\"strange level\"");
    assert_contains(logged, "message=hhhhhhhhhh");
    assert_contains(logged, "warn  handler.log message=\"from outside\"");
    assert_true(strlen(logged) < 6000);
    free(logged);
    shipment_destroy(shipment);
}

int main(void)
{
#define HOST_TEST(name_) \
    cmocka_unit_test_setup_teardown(name_, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        HOST_TEST(test_a_batch_as_the_handler_sees_it),
        HOST_TEST(test_single_records_fail_once),
        HOST_TEST(test_a_failed_batch_leaves_only_its_reason),
        HOST_TEST(test_without_a_reason_the_result_is_told),
        HOST_TEST(test_a_long_reason_is_cut_between_characters),
        HOST_TEST(test_a_late_success_is_a_time_out),
        HOST_TEST(test_emitted_records_are_copied_in_order),
        HOST_TEST(test_emit_needs_a_destination),
        HOST_TEST(test_emit_is_bounded),
        HOST_TEST(test_the_last_good_response_wins),
        HOST_TEST(test_a_smaller_response_makes_up_for_a_large_one),
        HOST_TEST(test_attributes_by_name),
        HOST_TEST(test_the_event_is_made_for_each_batch),
        HOST_TEST(test_an_event_over_6_mib_is_refused),
        HOST_TEST(test_a_batch_is_dead_after_its_return),
        HOST_TEST(test_log_lines_bear_the_trigger),
    };

    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
