#include "base/log.h"

#include <jansson.h>
#include <unistd.h>

#include "base/mem.h"

#include "test.h"

// What a logger writes, read back from a pipe.
struct capture {
    int ends[2];
    struct log_sink sink;
    struct log log;
    char text[40 * 1024];
};

static struct capture *capture_create(enum log_format format)
{
    struct capture *capture = mem_calloc(1, sizeof(*capture));

    assert_int_equal(pipe(capture->ends), 0);
    capture->sink = (struct log_sink){
        .fd = capture->ends[1], .format = format, .level = LOG_LEVEL_INFO};
    capture->log.sink = &capture->sink;
    return capture;
}

static const char *captured(struct capture *capture)
{
    size_t used = 0;
    ssize_t got;

    close(capture->ends[1]);
    while ((got = read(capture->ends[0], capture->text + used,
                       sizeof(capture->text) - 1 - used)) > 0)
        used += (size_t)got;
    capture->text[used] = '\0';
    return capture->text;
}

static void capture_destroy(struct capture *capture)
{
    close(capture->ends[0]);
    free(capture);
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;

    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void test_text_reads_well(void **state)
{
    struct capture *capture = capture_create(LOG_FORMAT_TEXT);
    struct error err = {ERROR_LOST, "held by \"host-3\""};
    const char *text;

    (void)state;
    log_warn(&capture->log, "lease.lost", LOG_STR("shard", "shard-7"),
             LOG_INT("epoch", -3), LOG_BYTES("empty", BYTES("")),
             LOG_STR("left_out", NULL), LOG_ERROR(&err));
    text = captured(capture);
    assert_string_equal(text + 12,
                        " warn  lease.lost shard=shard-7 epoch=-3 empty=\"\" "
                        "error=\"held by \\\"host-3\\\"\"\n");
    capture_destroy(capture);
}

static void test_json_is_one_object_a_line(void **state)
{
    struct capture *capture = capture_create(LOG_FORMAT_JSON);
    struct log child;
    json_t *line;

    (void)state;
    log_child(&child, &capture->log, "trigger", "orders");
    log_info(&child, "poller.started", LOG_STR("text", "a\"b\n"),
             LOG_INT("count", INT64_MAX));
    line = json_loads(captured(capture), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")),
                        "info");
    assert_string_equal(json_string_value(json_object_get(line, "event")),
                        "poller.started");
    assert_string_equal(json_string_value(json_object_get(line, "trigger")),
                        "orders");
    assert_string_equal(json_string_value(json_object_get(line, "text")),
                        "a\"b\n");
    assert_int_equal(json_integer_value(json_object_get(line, "count")),
                     INT64_MAX);
    assert_int_equal(json_string_length(json_object_get(line, "timestamp")),
                     24);
    json_decref(line);
    capture_destroy(capture);
}

static struct forgery_case {
    const char *name, *value;
} forgeries[] = {
    {"a newline", "x\n12:00:00.000 error forged a=b"},
    {"a carriage return", "x\rforged"},
    {"quotes and a newline", "\"\n{\"event\":\"forged\"}"},
    {"a line separator and a next line", "x\xe2\x80\xa8y\xc2\x85z"},
    {"a terminal's escape", "\x1b[2Jforged"},
    {"a C1 control", "\xc2\x9b"
                     "2Jforged"},
    {"bytes that are no UTF-8", "x\xff\xc0\x80\xed\xa0\x80\xf5y"},
    {"a cut off character", "x\xe2\x82"},
    {"our own field marks", "x\x1e"
                            "forged\x1fy\x1e"},
};

// One line, that a JSON reader takes, without a steering byte in it.
static void check_forgery(enum log_format format, const char *value)
{
    struct capture *capture = capture_create(format);
    struct log child;
    const char *text;

    log_child(&child, &capture->log, "component", value);
    log_error(&child, "test.event", LOG_STR("text", value),
              LOG_BYTES("bytes", bytes_of(value)));
    text = captured(capture);
    assert_int_equal(count_lines(text), 1);
    assert_int_equal(text[strlen(text) - 1], '\n');
    for (const char *c = text; c[1]; c++)
        assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
    assert_null(strstr(text, "\xc2\x9b"));
    assert_null(strstr(text, " forged="));
    if (format == LOG_FORMAT_JSON) {
        json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

        assert_non_null(line);
        assert_int_equal(json_object_size(line), 6);
        json_decref(line);
    }
    capture_destroy(capture);
}

static void test_a_value_cannot_forge(void **state)
{
    const struct forgery_case *c = *state;

    check_forgery(LOG_FORMAT_TEXT, c->value);
    check_forgery(LOG_FORMAT_JSON, c->value);
}

// Whatever the length, the line ends and says that it was cut.
static void test_long_lines_are_cut(void **state)
{
    const size_t limit = (size_t)16 * 1024;

    (void)state;
    for (size_t size = limit - 60; size < limit + 10; size++) {
        struct capture *capture = capture_create(LOG_FORMAT_JSON);
        AUTO_FREE char *value = mem_calloc(size + 1, 1);
        json_t *line;

        memset(value, 'x', size);
        log_info(&capture->log, "e", LOG_STR("v", value));
        line = json_loads(captured(capture), 0, NULL);
        assert_non_null(line);
        assert_int_equal(count_lines(capture->text), 1);
        assert_true(json_object_get(line, "v") != NULL ||
                    json_object_get(line, "cut") != NULL);
        json_decref(line);
        capture_destroy(capture);
    }
}

static void test_a_component_too_long_is_cut_not_lost(void **state)
{
    struct capture *capture = capture_create(LOG_FORMAT_TEXT);
    struct log child, grandchild;
    char value[300];

    (void)state;
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    log_child(&child, &capture->log, "a", value);
    log_child(&grandchild, &child, "b", "y");
    log_info(&grandchild, "e");
    assert_contains(captured(capture), " e a=xxxxxxxxxx");
    assert_int_equal(count_lines(capture->text), 1);
    capture_destroy(capture);
}

static void test_levels_and_silence(void **state)
{
    struct capture *capture = capture_create(LOG_FORMAT_TEXT);
    struct log silent = {0};

    (void)state;
    log_debug(&capture->log, "below.the.level");
    log_error(&silent, "no.sink");
    assert_string_equal(captured(capture), "");
    capture_destroy(capture);
}

static void test_repeats_are_counted(void **state)
{
    struct log_repeat repeat = {0};

    (void)state;
    assert_true(log_repeat_due(&repeat, 1000, 60000));
    assert_false(log_repeat_due(&repeat, 1001, 60000));
    assert_false(log_repeat_due(&repeat, 60999, 60000));
    assert_int_equal(repeat.suppressed, 2);
    assert_true(log_repeat_due(&repeat, 61000, 60000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_reads_well),
        cmocka_unit_test(test_json_is_one_object_a_line),
        cmocka_unit_test(test_long_lines_are_cut),
        cmocka_unit_test(test_a_component_too_long_is_cut_not_lost),
        cmocka_unit_test(test_levels_and_silence),
        cmocka_unit_test(test_repeats_are_counted),
    };

    return run_table("forgery", forgeries, test_a_value_cannot_forge) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
