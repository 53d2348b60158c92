#include "poller/response.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "handler/handler.h"
#include "poller/batch.h"
#include "records.h"
#include "test.h"

/* Four records with the ids a, b, c, c. One letter a record: x failed, - not.
 */
static struct response_case {
    const char *name;
    const char *response; // NULL: the handler gave none
    const char *flags;    // what comes of it; NULL: all failed
    const char *why;      // part of it; NULL: the report is good
    const char *marks;    // the ABI's
    const char *state;    // of a window; "" is none. NULL: no window
    bool is_off;          // ReportBatchItemFailures
} cases[] = {
    {"no response", NULL, "----", .why = NULL},
    {"no bytes", "", "----", .why = NULL},
    {"null", "null", "----", .why = NULL},
    {"an empty object", "{}", "----", .why = NULL},
    {"an empty string", "\"\"", "----", .why = NULL},
    {"an empty list", " [ ] ", "----", .why = NULL},
    {"an empty list of failures", "{\"batchItemFailures\":[]}", "----",
     .why = NULL},
    {"null for the list", "{\"batchItemFailures\":null}", "----", .why = NULL},
    {"an object without the key", "{\"ok\":1,\"a\":[{}]}", "----", .why = NULL},
    {"another case of the key",
     "{\"BatchItemFailures\":[{\"itemIdentifier\":\"x\"}]}", "----",
     .why = NULL},

    {"one id", "{\"batchItemFailures\":[{\"itemIdentifier\":\"b\"}]}", "-x--",
     .why = NULL},
    {"ids out of order",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"b\"},"
     "{\"itemIdentifier\":\"a\"}]}",
     "xx--", .why = NULL},
    {"one id twice",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"b\"},"
     "{\"itemIdentifier\":\"b\"}]}",
     "-x--", .why = NULL},
    {"an id that two records have",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"c\"},"
     "{\"itemIdentifier\":\"c\"}]}",
     "--xx", .why = NULL},
    {"an id with escapes",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"\\u0062\"}]}", "-x--",
     .why = NULL},
    {"other keys of an entry mean nothing",
     "{\"batchItemFailures\":[{\"why\":[1],\"itemIdentifier\":\"b\"}]}", "-x--",
     .why = NULL},
    {"all ids",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"a\"},"
     "{\"itemIdentifier\":\"b\"},{\"itemIdentifier\":\"c\"}]}",
     "xxxx", .why = NULL},

    {"an entry with another key",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"a\"},{\"foo\":\"b\"}]}",
     NULL, .why = "batchItemFailures[1] has no itemIdentifier"},
    {"an empty id", "{\"batchItemFailures\":[{\"itemIdentifier\":\"\"}]}", NULL,
     .why = "batchItemFailures[0].itemIdentifier is empty"},
    {"null for an id", "{\"batchItemFailures\":[{\"itemIdentifier\":null}]}",
     NULL, .why = "batchItemFailures[0].itemIdentifier is null, not a string"},
    {"a number for an id", "{\"batchItemFailures\":[{\"itemIdentifier\":123}]}",
     NULL,
     .why = "batchItemFailures[0].itemIdentifier is a number, not a string"},
    {"a list for an id", "{\"batchItemFailures\":[{\"itemIdentifier\":[]}]}",
     NULL,
     .why = "batchItemFailures[0].itemIdentifier is a list, not a string"},
    {"a stranger",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"a\"},"
     "{\"itemIdentifier\":\"x\"}]}",
     NULL,
     .why = "batchItemFailures[1].itemIdentifier \"x\" is not in this batch"},
    {"a stranger first, good ones behind",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"A\"},"
     "{\"itemIdentifier\":\"b\"}]}",
     NULL,
     .why = "batchItemFailures[0].itemIdentifier \"A\" is not in this batch"},
    {"the first mistake is told",
     "{\"batchItemFailures\":[1,{\"itemIdentifier\":\"x\"}]}", NULL,
     .why = "batchItemFailures[0] is a number, not an object"},
    {"an id twice in one entry",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"a\","
     "\"itemIdentifier\":\"b\"}]}",
     NULL, .why = "batchItemFailures[0] has more than one itemIdentifier"},
    {"null for an entry", "{\"batchItemFailures\":[null]}", NULL,
     .why = "batchItemFailures[0] is null, not an object"},
    {"bare ids", "{\"batchItemFailures\":[\"a\"]}", NULL,
     .why = "batchItemFailures[0] is a string, not an object"},
    {"an object for the list",
     "{\"batchItemFailures\":{\"itemIdentifier\":\"a\"}}", NULL,
     .why = "batchItemFailures is an object, not a list"},
    {"a string for the list", "{\"batchItemFailures\":\"a\"}", NULL,
     .why = "batchItemFailures is a string, not a list"},
    {"two lists",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"a\"}],"
     "\"batchItemFailures\":[]}",
     NULL, .why = "batchItemFailures is there twice"},
    {"a string", "\"done\"", NULL,
     .why = "the response is a string, not an object"},
    {"a number", "17", NULL, .why = "the response is a number, not an object"},
    {"a boolean", "true", NULL,
     .why = "the response is a boolean, not an object"},
    {"a list of something", "[{\"itemIdentifier\":\"a\"}]", NULL,
     .why = "the response is a list, not an object"},
    {"no JSON", "done", NULL, .why = "the response is not JSON: "},
    {"cut short", "{\"batchItemFailures\":[{\"itemIdentifier\":\"a\"", NULL,
     .why = "the response is not JSON: the document ends early at byte 43"},
    {"something behind it", "{}{}", NULL,
     .why =
         "the response is not JSON: something follows the document at byte 2"},
    {"a good list in what is no JSON", "{\"batchItemFailures\":[],}", NULL,
     .why = "the response is not JSON"},
    {"white space alone", " \n", NULL, .why = "the response is not JSON"},
    {"not UTF-8", "{\"a\":\"\xff\"}", NULL,
     .why = "the response is not UTF-8 at byte 6"},

    {"off: a good list means nothing",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"b\"}]}", "----",
     .is_off = true},
    {"off: no JSON means nothing", "done", "----", .is_off = true},
    {"off: marks count all the same", "done", "-x--", .marks = "-x--",
     .is_off = true},

    {"marks alone", NULL, "x--x", .marks = "x--x"},
    {"marks and a list together",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"b\"}]}", "xx--",
     .marks = "x---"},
    {"marks and a list say the same",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"b\"}]}", "-x--",
     .marks = "-x--"},
    {"a mark on the second of one id, the id listed",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"c\"}]}", "--xx",
     .marks = "---x"},
    {"marks, and a bad list",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"z\"}]}", NULL,
     .why = "is not in this batch", .marks = "x---"},

    {"a state", "{ \"state\" : {\"a\": [1.0, {}]} , \"x\":1}", "----",
     .state = "{\"a\": [1.0, {}]}"},
    {"a state and a list",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"b\"}],\"state\":{}}",
     "-x--", .state = "{}"},
    {"a state is wanted though the list is off",
     "{\"batchItemFailures\":[{\"itemIdentifier\":\"z\"}],\"state\":{\"n\":1}}",
     "----", .state = "{\"n\":1}", .is_off = true},
    {"a state with escapes is handed on as it was",
     "{\"state\":{\"\\u00e4\":\"a\\nb\"}}", "----",
     .state = "{\"\\u00e4\":\"a\\nb\"}"},
    {"no state", "{\"batchItemFailures\":[]}", NULL,
     .why = "a tumbling window's handler must respond with a state",
     .state = ""},
    {"no response of a window", NULL, NULL, .why = "must respond with a state",
     .state = ""},
    {"null for the state", "{\"state\":null}", NULL,
     .why = "must respond with a state", .state = ""},
    {"a list for the state", "{\"state\":[]}", NULL,
     .why = "state is a list, not an object", .state = ""},
    {"two states", "{\"state\":{\"a\":1},\"state\":{}}", NULL,
     .why = "state is there twice", .state = ""},
    {"no window, any state", "{\"state\":17}", "----", .why = NULL},
};

#define COUNT 4

static struct batch *make_batch(const char *const *ids, size_t count)
{
    struct batch *batch = batch_create(count);

    for (size_t i = 0; i < count; i++)
        batch->records[i] = record_make(&(struct record_spec){.id = ids[i]});
    batch->count = count;
    return batch;
}

static void destroy_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        record_release(batch->records[i]);
    free(batch);
}

static struct batch *make_four(void)
{
    static const char *const ids[COUNT] = {"a", "b", "c", "c"};

    return make_batch(ids, COUNT);
}

static void respond(struct outcome *outcome, const char *text, size_t size)
{
    outcome->has_response = true;
    buffer_append(&outcome->response, text, size);
}

static void fill(const struct response_case *c, struct outcome *outcome)
{
    outcome_init(outcome);
    outcome->kind = OUTCOME_DONE;
    if (c->response)
        respond(outcome, c->response, strlen(c->response));
    if (!c->marks)
        return;
    outcome->failed = mem_calloc(COUNT, sizeof(*outcome->failed));
    for (size_t i = 0; i < COUNT; i++)
        outcome->failed[i] = c->marks[i] == 'x';
}

static void check_flags(const char *flags,
                        const struct response_verdict *verdict)
{
    size_t failed = 0;

    assert_int_equal(verdict->all_failed, !flags);
    for (size_t i = 0; i < COUNT; i++) {
        bool is_failed = !flags || flags[i] == 'x';

        assert_int_equal(response_is_failed(verdict, i), is_failed);
        failed += is_failed;
    }
    assert_int_equal(verdict->failed_count, failed);
    assert_int_equal(response_done_prefix(verdict, COUNT),
                     flags ? strcspn(flags, "x") : 0);
    if (!flags || !failed)
        assert_null(verdict->failed);
}

static void test_response(void **state)
{
    const struct response_case *c = *state;
    const struct response_rules rules = {!c->is_off, c->state != NULL};
    struct batch *batch = make_four();
    struct response_verdict verdict;
    struct outcome outcome;

    fill(c, &outcome);
    response_read(&outcome, batch, &rules, &verdict);
    assert_false(verdict.is_unhandled);
    assert_false(verdict.is_unstarted);
    assert_int_equal(verdict.is_invalid, c->why != NULL);
    if (c->why)
        assert_contains(verdict.why, c->why);
    else
        assert_string_equal(verdict.why, "");
    check_flags(c->flags, &verdict);
    if (c->state && *c->state) {
        assert_true(verdict.has_state);
        assert_true(bytes_equal(verdict.state, bytes_of(c->state)));
    }
    response_verdict_finish(&verdict);
    outcome_finish(&outcome);
    destroy_batch(batch);
}

static void read_all(struct outcome *outcome,
                     const struct response_rules *rules,
                     struct response_verdict *verdict)
{
    struct batch *batch = make_four();

    response_read(outcome, batch, rules, verdict);
    destroy_batch(batch);
}

/* Two aggregated records, of three parts and of four, the second of these
 * filtered out, and an ordinary record between: 7:0 7:1 7:2 8 9:0 9:2 9:3. */
static struct part_case {
    const char *name, *id;
    const char *flags; // NULL: no record has this id
} part_cases[] = {
    {"the sequence number is of all parts", "7", "xxx----"},
    {"the other's", "9", "----xxx"},
    {"an ordinary record's", "8", "---x---"},
    {"the first part", "7:0", "x------"},
    {"a part in the middle", "7:1", "-x-----"},
    {"the last part", "7:2", "--x----"},
    {"the first of the second", "9:0", "----x--"},
    {"behind the one that is not there", "9:2", "-----x-"},
    {"the last of all", "9:3", "------x"},
    {"the one that is not there", "9:1", NULL},
    {"past the last", "9:4", NULL},
    {"past the last, in front of others", "7:3", NULL},
    {"a part of what has none", "8:0", NULL},
    {"no number", "7:", NULL},
    {"no digits", "7:x", NULL},
    {"with a zero in front", "7:01", NULL},
    {"a sign", "7:-1", NULL},
    {"too long a number", "7:00000000001", NULL},
    {"the largest number", "7:4294967295", NULL},
    {"a number that wraps", "7:4294967296", NULL},
    {"twice", "7:1:1", NULL},
    {"no id", ":1", NULL},
};

#define PARTS 7

static struct batch *make_parts(void)
{
    static const struct record_spec specs[PARTS] = {
        {.id = "7", .sub = 1}, {.id = "7", .sub = 2}, {.id = "7", .sub = 3},
        {.id = "8"},           {.id = "9", .sub = 1}, {.id = "9", .sub = 3},
        {.id = "9", .sub = 4}};
    struct batch *batch = batch_create(PARTS);

    for (size_t i = 0; i < PARTS; i++)
        batch->records[i] = record_make(&specs[i]);
    batch->count = PARTS;
    return batch;
}

static void test_part(void **state)
{
    const struct part_case *c = *state;
    const struct response_rules rules = {true, false};
    struct batch *batch = make_parts();
    struct response_verdict verdict;
    struct outcome outcome;
    char text[200];

    (void)snprintf(text, sizeof(text),
                   "{\"batchItemFailures\":[{\"itemIdentifier\":\"%s\"}]}",
                   c->id);
    outcome_init(&outcome);
    outcome.kind = OUTCOME_DONE;
    respond(&outcome, text, strlen(text));
    response_read(&outcome, batch, &rules, &verdict);
    assert_int_equal(verdict.is_invalid, c->flags == NULL);
    for (size_t i = 0; i < PARTS; i++)
        assert_int_equal(response_is_failed(&verdict, i),
                         !c->flags || c->flags[i] == 'x');
    response_verdict_finish(&verdict);
    outcome_finish(&outcome);
    destroy_batch(batch);
}

static void test_what_ran_and_failed_is_unhandled(void **state)
{
    static const enum outcome_kind kinds[] = {OUTCOME_FAILED,
                                              OUTCOME_TIMED_OUT};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct outcome outcome = {.kind = kinds[i], .invalid_report = true};
        struct response_verdict verdict;

        read_all(&outcome, &(struct response_rules){true, true}, &verdict);
        assert_true(verdict.is_unhandled);
        assert_false(verdict.is_invalid);
        check_flags(NULL, &verdict);
    }
}

static void test_what_never_ran_has_no_failures(void **state)
{
    struct outcome outcome = {.kind = OUTCOME_UNSTARTED};
    struct response_verdict verdict;

    (void)state;
    read_all(&outcome, &(struct response_rules){true, true}, &verdict);
    assert_true(verdict.is_unstarted);
    assert_false(verdict.all_failed);
    assert_int_equal(verdict.failed_count, 0);
    assert_int_equal(response_done_prefix(&verdict, COUNT), 0);
}

/* Whether the setting is on or not: the handler meant something by it. */
static void test_a_refused_call_of_the_abi_fails_the_batch(void **state)
{
    (void)state;
    for (int on = 0; on < 2; on++) {
        struct outcome index = {.kind = OUTCOME_DONE,
                                .invalid_report = true,
                                .invalid_why = "fail_record(4) of a batch of "
                                               "4"};
        struct outcome large = {.kind = OUTCOME_DONE,
                                .response_too_large = true};
        const struct response_rules rules = {on, false};
        struct response_verdict verdict;

        read_all(&index, &rules, &verdict);
        assert_true(verdict.is_invalid);
        assert_string_equal(verdict.why, "fail_record(4) of a batch of 4");
        check_flags(NULL, &verdict);
        read_all(&large, &rules, &verdict);
        assert_true(verdict.is_invalid);
        assert_string_equal(verdict.why, "the response is over 6 MiB");
        check_flags(NULL, &verdict);
    }
}

static void test_the_state_set_by_the_abi_goes_before_the_response(void **state)
{
    struct response_verdict verdict;
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    outcome.kind = OUTCOME_DONE;
    outcome.has_state = true;
    buffer_init(&outcome.state, 100);
    buffer_append_text(&outcome.state, "{\"n\":1}");
    respond(&outcome, "{\"state\":{\"n\":2}}", 17);
    read_all(&outcome, &(struct response_rules){true, true}, &verdict);
    assert_false(verdict.is_invalid);
    assert_true(bytes_equal(verdict.state, BYTES("{\"n\":1}")));
    buffer_finish(&outcome.state);
    outcome_finish(&outcome);
}

/* The last invocation of a window has none. */
static void test_a_batch_without_records(void **state)
{
    struct batch *batch = batch_create(0);
    struct response_verdict verdict;
    struct outcome outcome;

    (void)state;
    outcome_init(&outcome);
    outcome.kind = OUTCOME_DONE;
    respond(&outcome,
            "{\"state\":{},\"batchItemFailures\":"
            "[{\"itemIdentifier\":\"a\"}]}",
            57);
    response_read(&outcome, batch, &(struct response_rules){true, true},
                  &verdict);
    assert_true(verdict.all_failed);
    assert_int_equal(verdict.failed_count, 0);
    assert_contains(verdict.why, "\"a\" is not in this batch");
    outcome_finish(&outcome);
    free(batch);
}

static void test_a_long_id_is_cut_between_characters(void **state)
{
    struct buffer text;
    struct response_verdict verdict;
    struct outcome outcome;

    (void)state;
    buffer_init(&text, 1000);
    buffer_append_text(&text,
                       "{\"batchItemFailures\":[{\"itemIdentifier\":\"a");
    for (int i = 0; i < 200; i++)
        buffer_append_text(&text, "\xc3\xa4");
    buffer_append_text(&text, "\"}]}");
    outcome_init(&outcome);
    outcome.kind = OUTCOME_DONE;
    respond(&outcome, text.data, text.size);
    read_all(&outcome, &(struct response_rules){true, false}, &verdict);
    assert_contains(verdict.why, "\xc3\xa4...\" is not in this batch");
    assert_true(strlen(verdict.why) < 200);
    assert_int_equal(utf8_valid_size(bytes_of(verdict.why)),
                     strlen(verdict.why));
    outcome_finish(&outcome);
    buffer_finish(&text);
}

static void test_deep_nesting_is_refused_and_no_crash(void **state)
{
    size_t size = 3 * 1024 * 1024;
    char *deep = mem_calloc(1, 2 * size);
    struct response_verdict verdict;
    struct outcome outcome;

    (void)state;
    memset(deep, '[', size);
    memset(deep + size, ']', size);
    outcome_init(&outcome);
    outcome.kind = OUTCOME_DONE;
    respond(&outcome, deep, 2 * size);
    read_all(&outcome, &(struct response_rules){true, false}, &verdict);
    assert_contains(verdict.why, "not JSON: nested deeper than 128");
    outcome_finish(&outcome);
    free(deep);
}

/* 10,000 records, a list of 130,000 that names each of them again and again:
 * were it not for the index, over a billion comparisons. */
static void test_a_huge_list(void **state)
{
    enum { RECORDS = 10000, ENTRIES = 130000 };
    struct batch *batch = batch_create(RECORDS);
    struct response_verdict verdict;
    struct outcome outcome;
    char id[64];

    (void)state;
    for (size_t i = 0; i < RECORDS; i++) {
        (void)snprintf(id, sizeof(id), "%zu", i);
        batch->records[i] = record_make(&(struct record_spec){.id = id});
    }
    batch->count = RECORDS;
    outcome_init(&outcome);
    outcome.kind = OUTCOME_DONE;
    outcome.has_response = true;
    buffer_append_text(&outcome.response, "{\"batchItemFailures\":[");
    for (size_t i = 0; i < ENTRIES; i++)
        buffer_printf(&outcome.response, "%s{\"itemIdentifier\":\"%zu\"}",
                      i ? "," : "", i * 7919 % RECORDS);
    buffer_append_text(&outcome.response, "]}");
    assert_true(buffer_ok(&outcome.response));
    response_read(&outcome, batch, &(struct response_rules){true, false},
                  &verdict);
    assert_false(verdict.is_invalid);
    assert_int_equal(verdict.failed_count, RECORDS);
    response_verdict_finish(&verdict);
    outcome_finish(&outcome);
    destroy_batch(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_ran_and_failed_is_unhandled),
        cmocka_unit_test(test_what_never_ran_has_no_failures),
        cmocka_unit_test(test_a_refused_call_of_the_abi_fails_the_batch),
        cmocka_unit_test(
            test_the_state_set_by_the_abi_goes_before_the_response),
        cmocka_unit_test(test_a_batch_without_records),
        cmocka_unit_test(test_a_long_id_is_cut_between_characters),
        cmocka_unit_test(test_deep_nesting_is_refused_and_no_crash),
        cmocka_unit_test(test_a_huge_list),
    };
    int failed = run_table("response", cases, test_response) +
                 run_table("parts", part_cases, test_part);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
