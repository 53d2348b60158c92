#include "supervisor/metrics.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "test.h"

static const struct metrics_trigger orders = {
    .name = "orders",
    .is_queue = true,
    .stats = {.records_done = 9,
              .records_deleted = 8,
              .records_inside = 3,
              .batches_started = 7,
              .progressed_ms = 500,
              .waits_for_source = true,
              .counts = {.polled = 20,
                         .filtered = 2,
                         .dispatched = 21,
                         .failed_error = 4,
                         .failed_timeout = 3,
                         .failed_records = 2,
                         .failed_response = 1,
                         .lag_ms = 1234}},
};
static const struct metrics_trigger clicks = {
    .name = "click\\s \"and\"\nmore",
    .stats = {.counts = {.dropped_age = 5,
                         .dropped_attempts = 6,
                         .reported = 7,
                         .breakers_open = 2}},
};

static char *write_both(void)
{
    const struct metrics_trigger triggers[] = {orders, clicks};
    struct buffer text;

    buffer_init(&text, 1024 * 1024);
    metrics_write(&(struct metrics_options){.triggers = triggers,
                                            .count = 2,
                                            .now_ms = 2500,
                                            .wall_ms = 1700000000000},
                  &text);
    assert_true(buffer_ok(&text));
    return buffer_detach(&text);
}

static void test_writes_counters_and_gauges(void **state)
{
    char *text = write_both();

    (void)state;
    assert_contains(text,
                    "# TYPE pollard_records_polled_total counter\n"
                    "pollard_records_polled_total{trigger=\"orders\"} 20\n");
    assert_contains(text, "# TYPE pollard_source_lag_seconds gauge\n"
                          "pollard_source_lag_seconds{trigger=\"orders\"} "
                          "1.234\n");
    assert_contains(text, "\npollard_source_missing{trigger=\"orders\"} 1\n");
    assert_contains(text, "\npollard_last_progress_timestamp_seconds{trigger="
                          "\"orders\"} 1699999998.000\n");
    assert_contains(text, "\npollard_inflight_records{trigger=\"orders\"} 3\n");
    free(text);
}

static void test_writes_labels(void **state)
{
    char *text = write_both();

    (void)state;
    assert_contains(text, "\npollard_records_failed_total{trigger=\"orders\","
                          "error_type=\"timeout\"} 3\n");
    assert_contains(text,
                    "\npollard_records_dropped_total{trigger=\"click\\\\s "
                    "\\\"and\\\"\\nmore\",reason=\"age\"} 5\n");
    free(text);
}

static void test_each_source_has_its_own(void **state)
{
    char *text = write_both();

    (void)state;
    assert_null(strstr(text, "dropped_total{trigger=\"orders\""));
    assert_null(strstr(text, "deleted_total{trigger=\"click"));
    assert_contains(text, "deleted_total{trigger=\"orders\"} 8\n");
    free(text);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

/* One head a name, before its samples; names end as Prometheus wants them. */
static void test_families_are_well_formed(void **state)
{
    char *text = write_both(), head[128];

    (void)state;
    for (const struct metric *metric = metrics; metric->name; metric++) {
        (void)snprintf(head, sizeof(head), "# TYPE %s ", metric->name);
        assert_int_equal(count_of(text, head), 1);
        assert_int_equal(metric->type == METRIC_COUNTER,
                         strstr(metric->name, "_total") != NULL);
        assert_true(metric->of_queues || metric->of_streams);
        assert_true(metric->help || !strcmp(metric[-1].name, metric->name));
    }
    free(text);
}

static void log_one(const struct metrics_trigger *trigger, char text[2048])
{
    struct log_sink sink = {.fd = memfd_create("log", MFD_CLOEXEC),
                            .level = LOG_LEVEL_INFO};
    struct log log = {.sink = &sink};
    ssize_t size;

    metrics_log(&(struct metrics_options){.triggers = trigger,
                                          .count = 1,
                                          .now_ms = 2500,
                                          .wall_ms = 1700000000000},
                &log);
    size = pread(sink.fd, text, 2047, 0);
    assert_true(size > 0);
    text[size] = '\0';
    (void)close(sink.fd);
}

static void test_logs_by_the_names_of_aws_or_else_its_own(void **state)
{
    char text[2048];

    (void)state;
    log_one(&orders, text);
    assert_contains(text, "trigger.counters trigger=orders PolledEventCount=20 "
                          "FilteredOutEventCount=2 InvokedEventCount=21 "
                          "FailedInvokeEventCount=10 DeletedEventCount=8 "
                          "IteratorAge=1234 "
                          "pollard_records_done_total=9 ");
    assert_contains(text, " pollard_inflight_records=3 "
                          "pollard_source_missing=1 "
                          "pollard_last_progress_timestamp_seconds=1699999998");
    log_one(&clicks, text);
    assert_contains(text, "FailedInvokeEventCount=0 DroppedEventCount=11 "
                          "OnFailureDestinationDeliveredEventCount=7 "
                          "IteratorAge=0");
    assert_null(strstr(text, "DeletedEventCount"));
}

static const char *sources_of(const struct metric *metric)
{
    if (metric->of_queues && metric->of_streams)
        return "both";
    return metric->of_queues ? "queues" : "streams";
}

static void append_row(struct buffer *text, const struct metric *metric)
{
    const struct metric *next = metric;

    buffer_printf(text, "| `%s` | %s | ", metric->name,
                  metric->type == METRIC_GAUGE ? "gauge" : "counter");
    if (metric->label)
        buffer_printf(text, "`%s`: ", metric->label);
    for (; next->name && !strcmp(next->name, metric->name); next++)
        if (next->label)
            buffer_printf(text, "%s`%s`", next == metric ? "" : ", ",
                          next->label_value);
    buffer_printf(text, " | %s | ", sources_of(metric));
    if (metric->aws_name)
        buffer_printf(text, "`%s`", metric->aws_name);
    buffer_printf(text, " | %s |\n", metric->help);
}

/* The table of docs/metrics.md. Caller frees. */
static char *table(void)
{
    struct buffer text;

    buffer_init(&text, 64 * 1024);
    buffer_append_text(&text, "| name | type | label | of | Lambda's | what it "
                              "is |\n| --- | --- | --- | --- | --- | --- |\n");
    for (const struct metric *metric = metrics; metric->name; metric++)
        if (metric->help)
            append_row(&text, metric);
    return buffer_detach(&text);
}

static void test_the_page_has_the_table(void **state)
{
    char *wanted = table(), *page = mem_calloc(1, 65536);
    FILE *file = fopen("docs/metrics.md", "re");

    (void)state;
    assert_non_null(file);
    assert_true(fread(page, 1, 65535, file) > 0);
    (void)fclose(file);
    if (!strstr(page, wanted)) {
        printf("docs/metrics.md must have this table:\n%s", wanted);
        fail();
    }
    free(page);
    free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_counters_and_gauges),
        cmocka_unit_test(test_writes_labels),
        cmocka_unit_test(test_each_source_has_its_own),
        cmocka_unit_test(test_families_are_well_formed),
        cmocka_unit_test(test_logs_by_the_names_of_aws_or_else_its_own),
        cmocka_unit_test(test_the_page_has_the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
