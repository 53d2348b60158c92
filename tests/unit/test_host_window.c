#include "handler/host.h"

#include <jansson.h>
#include <stddef.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "handler/host_call.h"
#include "invoker.h"
#include "poller/tumbling.h"
#include "record/event.h"
#include "sim_clock.h"
#include "test.h"

#define FIXTURE(name_) BUILD "/tests/handlers/" name_ ".so"

static const struct record_origin shard = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-1:000000000000:stream/stream",
    .region = "us-east-1",
    .shard = "shardId-000000000000",
    .identity = "arn:aws:iam::000000000000:role/pollard",
};

static const char *const two[] = {"a", "b", NULL};
static const char *const none[] = {NULL};

static struct sim_clock sim;
static struct invoker invoker;

static void open_handler(const char *library)
{
    struct error err = {0};

    sim_clock_init(&sim);
    assert_ok(invoker_init(&invoker, library, NULL, 1, &sim.clock, &err), &err);
}

static struct event_window window(const char *state)
{
    return (struct event_window){.origin = &shard,
                                 .start_ms = 1607497440000,
                                 .end_ms = 1607497560000,
                                 .state = bytes_of(state)};
}

// Caller destroys.
static struct shipment *run(const char *const *texts,
                            const struct event_window *as)
{
    struct shipment *shipment =
        shipment_create(&invoker, RECORD_KINESIS, texts);

    shipment->invocation.window = as;
    shipment_run(&invoker, shipment);
    return shipment;
}

static void assert_state(struct shipment *shipment, const char *expected)
{
    struct outcome *outcome = &shipment->invocation.outcome;

    assert_int_equal(outcome->kind, OUTCOME_DONE);
    assert_true(outcome->has_state);
    assert_string_equal(buffer_text(&outcome->state), expected);
    shipment_destroy(shipment);
}

static void test_a_handler_sees_the_window_and_leaves_a_state(void **state)
{
    struct event_window as = window("{\"n\":1}");

    (void)state;
    open_handler(FIXTURE("windowed"));
    assert_state(run(two, &as),
                 "{\"was\":{\"n\":1},\"records\":2,\"from\":1607497440000,"
                 "\"to\":1607497560000,\"final\":0,\"early\":0,"
                 "\"shard\":\"shardId-000000000000\"}");
    invoker_finish(&invoker);
}

static void test_the_final_call_has_no_records(void **state)
{
    struct event_window as = window("{}");

    (void)state;
    as.is_final = as.is_terminated_early = true;
    open_handler(FIXTURE("windowed"));
    assert_state(run(none, &as),
                 "{\"was\":{},\"records\":0,\"from\":1607497440000,"
                 "\"to\":1607497560000,\"final\":1,\"early\":1,"
                 "\"shard\":\"shardId-000000000000\"}");
    invoker_finish(&invoker);
}

static void test_without_a_window_there_is_none_to_see(void **state)
{
    struct shipment *shipment;

    (void)state;
    open_handler(FIXTURE("windowed"));
    shipment = run(two, NULL);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_FAILED);
    assert_false(shipment->invocation.outcome.has_state);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

// What 1.0 had, where it had it: the copy of its header is compiled into the
// fixture, and these are the sizes that it has on a 64-bit machine.
_Static_assert(sizeof(void *) != 8 ||
                   (offsetof(struct pollard_batch, window) == 56 &&
                    offsetof(struct pollard_host, set_state) == 80 &&
                    sizeof(struct pollard_record) == 72 &&
                    sizeof(struct pollard_handler) == 48),
               "a member of ABI 1.0 has moved");

static void test_a_handler_of_the_first_minor_version_leaves_one_too(void **s)
{
    struct event_window as = window("{}");
    struct shipment *shipment;

    (void)s;
    open_handler(FIXTURE("minor_0"));
    shipment = run(two, &as);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    assert_string_equal(buffer_text(&shipment->invocation.outcome.response),
                        "{\"state\":{\"records\":2}}");
    shipment_destroy(shipment);
    as.is_final = true;
    shipment = run(none, &as);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

static int try_states(const struct pollard_host *host,
                      const struct pollard_batch *batch, void *context)
{
    static const char *const bad[] = {
        "",      "{",        "[]",
        "null",  "7",        "\"s\"",
        "{} {}", "{\"a\":}", "{\"a\":\"\xff\"}",
        " ",
    };
    size_t size = HOST_CALL_RESPONSE_LIMIT + 1;
    char *huge = context;

    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        assert_int_equal(host->set_state(batch, "{}", 2), 0);
        assert_int_equal(host->set_state(batch, bad[i], strlen(bad[i])), -1);
    }
    assert_int_equal(host->set_state(batch, NULL, 0), -1);
    assert_int_equal(host->set_state(batch, NULL, 2), -1);
    assert_int_equal(host->set_state(NULL, "{}", 2), -1);
    assert_int_equal(host->set_state(batch, huge, size), -1);
    assert_int_equal(host->set_state(batch, huge, size - 1), -1);
    huge[size - 2] = '}'; // an object and white space, as large as it may be
    assert_int_equal(host->set_state(batch, huge, size - 1), 0);
    return 0;
}

/* {"a":{"a":...{}...}}: so many objects. Returns the size. */
static size_t nest(char *text, size_t depth)
{
    size_t size = 0;

    for (size_t i = 1; i < depth; i++, size += 5)
        memcpy(text + size, "{\"a\":", 5);
    text[size++] = '{';
    memset(text + size, '}', depth);
    return size + depth;
}

static int try_depths(const struct pollard_host *host,
                      const struct pollard_batch *batch, void *context)
{
    char text[1024];

    (void)context;
    assert_int_equal(host->set_state(batch, text, nest(text, 128)), -1);
    assert_int_equal(host->set_state(batch, "{},{}", 5), -1);
    assert_int_equal(host->set_state(batch, "{}]", 3), -1);
    assert_int_equal(host->set_state(batch, text, nest(text, 127)), 0);
    return 0;
}

/* The store has it within an object, and so must read it one level deeper. */
static void test_what_is_left_can_be_stored_and_read_again(void **state)
{
    struct script script = {try_depths, NULL};
    struct event_window as = window("{}");
    struct tumbling_stored stored;
    struct error err = {0};
    struct shipment *shipment;
    const struct outcome *outcome;
    char *text;

    (void)state;
    open_handler(FIXTURE("script"));
    shipment = shipment_of_script(&invoker, &script, 1);
    shipment->invocation.window = &as;
    shipment_run(&invoker, shipment);
    outcome = &shipment->invocation.outcome;
    assert_true(outcome->has_state);
    text = mem_printf("{\"version\":1,\"start\":0,\"end\":1000,\"state\":%.*s}",
                      BYTES_ARGS(buffer_bytes(&outcome->state)));
    assert_ok(tumbling_read(text, &stored, &err), &err);
    free(text);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

static void test_a_state_is_a_json_object_of_6_mib_at_the_most(void **state)
{
    char *huge = mem_calloc(HOST_CALL_RESPONSE_LIMIT + 2, 1);
    struct script script = {try_states, huge};
    struct event_window as = window("{}");
    struct shipment *shipment;

    (void)state;
    memset(huge, ' ', HOST_CALL_RESPONSE_LIMIT + 1);
    huge[0] = '{';
    open_handler(FIXTURE("script"));
    shipment = shipment_of_script(&invoker, &script, 1);
    shipment->invocation.window = &as;
    shipment_run(&invoker, shipment);
    assert_true(shipment->invocation.outcome.has_state);
    assert_int_equal(shipment->invocation.outcome.state.size,
                     HOST_CALL_RESPONSE_LIMIT);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
    free(huge);
}

static int set_bad_after_good(const struct pollard_host *host,
                              const struct pollard_batch *batch, void *context)
{
    (void)context;
    assert_int_equal(host->set_state(batch, "{}", 2), 0);
    assert_int_equal(host->set_state(batch, "[]", 2), -1);
    return 0;
}

static int set_and_fail(const struct pollard_host *host,
                        const struct pollard_batch *batch, void *context)
{
    (void)context;
    assert_int_equal(host->set_state(batch, "{}", 2), 0);
    return 1;
}

static void test_a_refused_state_and_a_failed_call_leave_none(void **state)
{
    struct script scripts[] = {{set_bad_after_good, NULL},
                               {set_and_fail, NULL}};
    struct event_window as = window("{}");

    (void)state;
    open_handler(FIXTURE("script"));
    for (int i = 0; i < 2; i++) {
        struct shipment *shipment =
            shipment_of_script(&invoker, &scripts[i], 1);

        shipment->invocation.window = &as;
        shipment_run(&invoker, shipment);
        assert_false(shipment->invocation.outcome.has_state);
        shipment_destroy(shipment);
    }
    invoker_finish(&invoker);
}

static int set_without_window(const struct pollard_host *host,
                              const struct pollard_batch *batch, void *context)
{
    (void)context;
    assert_null(batch->window);
    assert_int_equal(host->set_state(batch, "{}", 2), -1);
    return 0;
}

static void test_a_batch_of_no_window_takes_no_state(void **state)
{
    struct script script = {set_without_window, NULL};
    struct shipment *shipment;

    (void)state;
    open_handler(FIXTURE("script"));
    shipment = shipment_of_script(&invoker, &script, 1);
    shipment_run(&invoker, shipment);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

static int read_event(const struct pollard_host *host,
                      const struct pollard_batch *batch, void *out)
{
    const char *text;
    size_t size;

    assert_int_equal(host->event_json(batch, &text, &size), 0);
    *(json_t **)out = json_loadb(text, size, JSON_ALLOW_NUL, NULL);
    return host->set_state(batch, "{}", 2);
}

static void test_the_event_says_the_window(void **state)
{
    json_t *event = NULL;
    struct script script = {read_event, &event};
    struct event_window as = window("{\"n\":[1,2]}");
    struct shipment *shipment;
    const char *start;
    json_int_t second;

    (void)state;
    open_handler(FIXTURE("script"));
    shipment = shipment_of_script(&invoker, &script, 1);
    shipment->invocation.window = &as;
    shipment_run(&invoker, shipment);
    assert_non_null(event);
    assert_int_equal(json_unpack(event, "{s{s:s}s{s[i,I]}}", "window", "start",
                                 &start, "state", "n", &(int){0}, &second),
                     0);
    assert_string_equal(start, "2020-12-09T07:04:00Z");
    assert_int_equal(second, 2);
    json_decref(event);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_handler_sees_the_window_and_leaves_a_state),
        cmocka_unit_test(test_the_final_call_has_no_records),
        cmocka_unit_test(test_without_a_window_there_is_none_to_see),
        cmocka_unit_test(
            test_a_handler_of_the_first_minor_version_leaves_one_too),
        cmocka_unit_test(test_a_state_is_a_json_object_of_6_mib_at_the_most),
        cmocka_unit_test(test_what_is_left_can_be_stored_and_read_again),
        cmocka_unit_test(test_a_refused_state_and_a_failed_call_leave_none),
        cmocka_unit_test(test_a_batch_of_no_window_takes_no_state),
        cmocka_unit_test(test_the_event_says_the_window),
    };

    return cmocka_run_group_tests_name("host: windows", tests, NULL, NULL);
}
