#include "aws/answer.h"

#include "test.h"

static bool header(struct answer *answer, const char *line)
{
    char copy[256];
    size_t size = strlen(line);

    memcpy(copy, line, size); // not terminated, as libcurl's are not
    return answer_on_header(copy, 1, size, answer) == size;
}

static struct header_case {
    const char *name, *line;
    const char *request_id, *error_type;
    int64_t date_ms, retry_after_ms;
    bool has_age;
} headers[] = {
    {"a status line", "HTTP/1.1 200 OK\r\n", "", "", -1, -1, false},
    {"the end of the head", "\r\n", "", "", -1, -1, false},
    {"a request id", "x-amzn-RequestId: r-1\r\n", "r-1", "", -1, -1, false},
    {"in capitals", "X-AMZN-REQUESTID:r-1\r\n", "r-1", "", -1, -1, false},
    {"a longer name", "x-amzn-RequestIds: r-1\r\n", "", "", -1, -1, false},
    {"a shorter name", "x-amzn-Request: r-1\r\n", "", "", -1, -1, false},
    {"white space", "x-amzn-RequestId: \t r-1 \t\r\n", "r-1", "", -1, -1,
     false},
    {"control characters", "x-amzn-RequestId: a\x1b[1mb\r\n", "a?[1mb", "", -1,
     -1, false},
    {"an error type", "x-amzn-ErrorType: X:http://y\r\n", "", "X:http://y", -1,
     -1, false},
    {"a date", "Date: Sun, 22 Nov 2026 15:00:00 GMT\r\n", "", "", 1795359600000,
     -1, false},
    {"a date that is none", "Date: soon\r\n", "", "", -1, -1, false},
    {"an age", "Age: 3\r\n", "", "", -1, -1, true},
    {"a hint", "x-amz-retry-after: 1500\r\n", "", "", -1, 1500, false},
    {"a negative hint", "x-amz-retry-after: -1\r\n", "", "", -1, -1, false},
    {"a hint of many digits", "x-amz-retry-after: 99999999999999999999\r\n", "",
     "", -1, -1, false},
    {"no name", ": x\r\n", "", "", -1, -1, false},
};

static void reset(struct answer *answer, size_t limit)
{
    struct buffer none;

    buffer_init(&none, 0);
    answer_reset(answer, &none, limit);
}

static void test_header(void **state)
{
    const struct header_case *c = *state;
    struct answer answer = {0};

    reset(&answer, 100);
    assert_true(header(&answer, c->line));
    assert_true(answer.has_begun);
    assert_string_equal(answer.request_id, c->request_id);
    assert_string_equal(answer.error_type, c->error_type);
    assert_int_equal(answer.date_ms, c->date_ms);
    assert_int_equal(answer.retry_after_ms, c->retry_after_ms);
    assert_int_equal(answer.has_age, c->has_age);
    answer_finish(&answer);
}

static void test_a_reset_forgets_all_but_what_a_date_means(void **state)
{
    struct answer answer = {0};
    static const char date[] = "Date: Sun, 22 Nov 2026 15:00:00 GMT\r\n";

    (void)state;
    reset(&answer, 100);
    assert_true(header(&answer, date));
    assert_true(header(&answer, "x-amzn-RequestId: r-1\r\n"));
    reset(&answer, 100);
    assert_int_equal(answer.date_ms, -1);
    assert_string_equal(answer.request_id, "");
    assert_true(header(&answer, date));
    assert_int_equal(answer.date_ms, 1795359600000);
    answer_finish(&answer);
}

static void test_the_limit_holds_from_the_length_on(void **state)
{
    struct answer answer = {0};

    (void)state;
    reset(&answer, 100);
    assert_true(header(&answer, "Content-Length: 100\r\n"));
    assert_false(answer.over_limit);
    assert_false(header(&answer, "content-length: 101\r\n"));
    assert_true(answer.over_limit);
    answer_finish(&answer);
}

static void test_the_limit_holds_where_the_length_is_a_lie(void **state)
{
    struct answer answer = {0};
    char data[60] = "";

    (void)state;
    reset(&answer, 100);
    assert_true(header(&answer, "Content-Length: 10\r\n"));
    assert_int_equal(answer_on_body(data, 1, sizeof(data), &answer), 60);
    assert_int_equal(answer_on_body(data, 1, sizeof(data), &answer), 0);
    assert_true(answer.over_limit);
    assert_int_equal(answer.body.size, 60);
    answer_finish(&answer);
}

static void test_the_body_begins_in_the_memory_it_is_given(void **state)
{
    struct answer answer = {0};
    struct buffer memory;
    char data[60] = "";
    const char *place;

    (void)state;
    buffer_init(&memory, 1000);
    place = buffer_reserve(&memory, 500);
    answer_reset(&answer, &memory, 100);
    assert_null(memory.data);
    assert_int_equal(answer_on_body(data, 1, sizeof(data), &answer), 60);
    assert_ptr_equal(answer.body.data, place);
    assert_int_equal(answer_on_body(data, 1, sizeof(data), &answer), 0);
    answer_finish(&answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_reset_forgets_all_but_what_a_date_means),
        cmocka_unit_test(test_the_limit_holds_from_the_length_on),
        cmocka_unit_test(test_the_limit_holds_where_the_length_is_a_lie),
        cmocka_unit_test(test_the_body_begins_in_the_memory_it_is_given),
    };

    return run_table("headers", headers, test_header) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
