#include "poller/trigger_config.h"

#include <stdio.h>

#include "base/mem.h"
#include "settings_file.h"
#include "test.h"

enum kind { QUEUE, FIFO, STREAM };

/* One trigger each, whose own lines begin on line 6, column 5. */
static struct check_case {
    const char *name;
    enum kind kind;
    const char *lines;    // what the trigger says beside source and handler
    const char *problems; // the place and the rule; "": good
} cases[] = {
    // What only streams have.
    {"factor of a queue", QUEUE, "parallelization_factor: 2",
     "6:29: triggers.a.parallelization_factor: only a stream has it\n"},
    {"bisect of a queue", QUEUE, "bisect_batch_on_function_error: false",
     "6:37: triggers.a.bisect_batch_on_function_error: only a stream has it\n"},
    {"retries of a queue", QUEUE, "maximum_retry_attempts: 1",
     "6:29: triggers.a.maximum_retry_attempts: only a stream has it\n"},
    {"age of a queue", QUEUE, "maximum_record_age_in_seconds: 60",
     "6:36: triggers.a.maximum_record_age_in_seconds: only a stream has it\n"},
    {"tumbling window of a queue", QUEUE, "tumbling_window_in_seconds: 60",
     "6:33: triggers.a.tumbling_window_in_seconds: only a stream has it\n"},
    {"deaggregate of a queue", QUEUE, "deaggregate: auto",
     "6:18: triggers.a.deaggregate: only a stream has it\n"},
    {"timestamp of a queue", QUEUE, "starting_position_timestamp: 1700000000",
     "6:34: triggers.a.starting_position_timestamp: only a stream has it\n"},
    {"failure destination of a queue", QUEUE,
     "destination_config: {on_failure: {destination: "
     "'arn:aws:sqs:eu-west-1:123456789012:d'}}",
     "6:38: triggers.a.destination_config.on_failure: only a stream has it; a "
     "queue's redrive policy says where failed messages go\n"},

    // What only queues have.
    {"scaling of a stream", STREAM, "scaling_config: {maximum_concurrency: 2}",
     "6:21: triggers.a.scaling_config: only a queue has it\n"},
    {"pollers of a stream", STREAM,
     "provisioned_poller_config: {minimum_pollers: 2}",
     "6:32: triggers.a.provisioned_poller_config: only a queue has it\n"},
    {"FIFO failure of a stream", STREAM, "fifo_failure: lambda",
     "6:19: triggers.a.fifo_failure: only a queue has it\n"},
    {"on_filtered of a stream", STREAM, "on_filtered: leave",
     "6:18: triggers.a.on_filtered: only a queue has it\n"},
    {"wait time of a stream", STREAM, "wait_time_seconds: 3",
     "6:24: triggers.a.wait_time_seconds: only a queue has it\n"},
    {"FIFO failure of a standard queue", QUEUE, "fifo_failure: release_group",
     "6:19: triggers.a.fifo_failure: only a FIFO queue has it\n"},
    {"FIFO failure of a FIFO queue", FIFO, "fifo_failure: lambda", ""},
    {"FIFO failure of another kind", FIFO, "fifo_failure: stop",
     "6:19: triggers.a.fifo_failure: \"stop\" is not allowed: release_group or "
     "lambda\n"},

    // Ranges of section 1.1.
    {"batch of none", QUEUE, "batch_size: 0",
     "6:17: triggers.a.batch_size: 0 is not allowed: 1 to 10000\n"},
    {"batch of too many", STREAM, "batch_size: 10001",
     "6:17: triggers.a.batch_size: 10001 is not allowed: 1 to 10000\n"},
    {"window below none", STREAM, "maximum_batching_window_in_seconds: -1",
     "6:41: triggers.a.maximum_batching_window_in_seconds: -1 is not allowed: "
     "0 to 300\n"},
    {"window with a fraction", STREAM,
     "maximum_batching_window_in_seconds: 1.5",
     "6:41: triggers.a.maximum_batching_window_in_seconds: \"1.5\" is not "
     "allowed: a whole number, 0 to 300\n"},
    {"no lane", STREAM, "parallelization_factor: 0",
     "6:29: triggers.a.parallelization_factor: 0 is not allowed: 1 to 10\n"},
    {"too many lanes", STREAM, "parallelization_factor: 11",
     "6:29: triggers.a.parallelization_factor: 11 is not allowed: 1 to 10\n"},
    {"the most lanes", STREAM, "parallelization_factor: 10", ""},
    {"bisect by number", STREAM, "bisect_batch_on_function_error: 1",
     "6:37: triggers.a.bisect_batch_on_function_error: 1 is not allowed: true "
     "or false\n"},
    {"retries below endless", STREAM, "maximum_retry_attempts: -2",
     "6:29: triggers.a.maximum_retry_attempts: -2 is not allowed: -1 to "
     "10000\n"},
    {"too many retries", STREAM, "maximum_retry_attempts: 10001",
     "6:29: triggers.a.maximum_retry_attempts: 10001 is not allowed: -1 to "
     "10000\n"},
    {"no retry", STREAM, "maximum_retry_attempts: 0", ""},
    {"age of nothing", STREAM, "maximum_record_age_in_seconds: 0",
     "6:36: triggers.a.maximum_record_age_in_seconds: 0 is not allowed: -1 "
     "(any age), or 60 to 604800\n"},
    {"age of 59 seconds", STREAM, "maximum_record_age_in_seconds: 59",
     "6:36: triggers.a.maximum_record_age_in_seconds: 59 is not allowed: -1 "
     "(any age), or 60 to 604800\n"},
    {"age of a minute", STREAM, "maximum_record_age_in_seconds: 60", ""},
    {"any age", STREAM, "maximum_record_age_in_seconds: -1", ""},
    {"age over a week", STREAM, "maximum_record_age_in_seconds: 604801",
     "6:36: triggers.a.maximum_record_age_in_seconds: 604801 is not allowed: "
     "-1 to 604800\n"},
    {"tumbling window over 15 minutes", STREAM,
     "tumbling_window_in_seconds: 901",
     "6:33: triggers.a.tumbling_window_in_seconds: 901 is not allowed: 0 to "
     "900\n"},
    {"concurrency of none", QUEUE, "scaling_config: {maximum_concurrency: 0}",
     "6:43: triggers.a.scaling_config.maximum_concurrency: 0 is not allowed: 1 "
     "to 1000\n"},
    {"concurrency over 1000", QUEUE,
     "scaling_config: {maximum_concurrency: 1001}",
     "6:43: triggers.a.scaling_config.maximum_concurrency: 1001 is not "
     "allowed: 1 to 1000\n"},
    {"AWS's way to unset the concurrency", QUEUE, "scaling_config: {}", ""},
    {"too many receives kept", QUEUE,
     "provisioned_poller_config: {minimum_pollers: 201}",
     "6:50: triggers.a.provisioned_poller_config.minimum_pollers: 201 is not "
     "allowed: 1 to 200\n"},
    {"an unknown start", STREAM, "StartingPosition: NOW",
     "6:23: triggers.a.starting_position: \"NOW\" is not allowed: "
     "TRIM_HORIZON, LATEST or AT_TIMESTAMP\n"},
    {"deaggregate by yes", STREAM, "deaggregate: true",
     "6:18: triggers.a.deaggregate: \"true\" is not allowed: off or auto\n"},

    // Combinations.
    {"a large batch without a window", QUEUE, "batch_size: 11",
     "6:17: triggers.a.batch_size: over 10, a queue needs "
     "maximum_batching_window_in_seconds, 1 to 300\n"},
    {"a window on FIFO", FIFO, "maximum_batching_window_in_seconds: 1",
     "6:41: triggers.a.maximum_batching_window_in_seconds: a FIFO queue has no "
     "batching window\n"},
    {"on_filtered without a filter", QUEUE, "on_filtered: leave",
     "6:18: triggers.a.on_filtered: means nothing without filter_criteria, "
     "which leaves nothing out\n"},
    {"on_filtered of an unknown kind", QUEUE,
     "filter_criteria: {filters: [{pattern: {body: [x]}}]}\n"
     "    on_filtered: drop",
     "7:18: triggers.a.on_filtered: \"drop\" is not allowed: delete, leave, or "
     "a destination (an ARN, file:///folder/ or https://...)\n"},
    {"on_filtered to leave", QUEUE,
     "filter_criteria: {filters: [{pattern: {body: [x]}}]}\n"
     "    on_filtered: leave",
     ""},
    {"on_filtered to leave, on FIFO", FIFO,
     "filter_criteria: {filters: [{pattern: {body: [x]}}]}\n"
     "    on_filtered: leave",
     "7:18: triggers.a.on_filtered: a message left in a FIFO queue blocks its "
     "group; delete it, or move it to a destination\n"},

    // What a handler's response means.
    {"partial batch responses", QUEUE,
     "function_response_types: [ReportBatchItemFailures]", ""},
    {"partial batch responses by AWS's spelling", STREAM,
     "FunctionResponseTypes:\n    - ReportBatchItemFailures", ""},
    {"no response types", QUEUE, "function_response_types: []", ""},
    {"an unknown response type", QUEUE,
     "function_response_types: [ReportBatchItemFailure]",
     "6:31: triggers.a.function_response_types: \"ReportBatchItemFailure\" is "
     "not allowed: a list, each at most once, of ReportBatchItemFailures\n"},
    {"a response type twice", QUEUE,
     "function_response_types: [ReportBatchItemFailures, "
     "ReportBatchItemFailures]",
     "6:56: triggers.a.function_response_types: \"ReportBatchItemFailures\" is "
     "not allowed: a list, each at most once, of ReportBatchItemFailures\n"},
    {"a response type alone", QUEUE,
     "function_response_types: ReportBatchItemFailures",
     "6:30: triggers.a.function_response_types: \"ReportBatchItemFailures\" is "
     "not allowed: a list, each at most once, of ReportBatchItemFailures\n"},
    {"a list within", QUEUE, "function_response_types: [[]]",
     "6:31: triggers.a.function_response_types: a list is not allowed: a list, "
     "each at most once, of ReportBatchItemFailures\n"},

    // Lambda's, without meaning here.
    {"no failure destination, as AWS lists it", STREAM,
     "DestinationConfig: {OnFailure: {}}", ""},
    {"a key", QUEUE, "KMSKeyArn: 'arn:aws:kms:eu-west-1:123456789012:key/k'",
     ""},
    {"a key that is none", QUEUE, "kms_key_arn: alias/mine",
     "6:18: triggers.a.kms_key_arn: \"alias/mine\" is no ARN: "
     "arn:aws:kms:REGION:ACCOUNT:key/ID\n"},
    {"metrics", STREAM, "metrics_config: {metrics: [EventCount]}", ""},
    {"metrics of Kafka", STREAM, "metrics_config: {metrics: [KafkaMetrics]}",
     "6:32: triggers.a.metrics_config.metrics: \"KafkaMetrics\" is not "
     "allowed: a list, each at most once, of EventCount\n"},

    // Beyond Lambda.
    {"a rate of none", QUEUE, "rate_limit: {records_per_second: 0}",
     "6:38: triggers.a.rate_limit.records_per_second: 0 is not allowed: 1 to "
     "1000000\n"},
    {"a rate unsaid", QUEUE, "rate_limit: {}",
     "6:5: triggers.a.rate_limit.records_per_second: missing. A token bucket "
     "that holds one second's records.\n"},
    {"a breaker that never closes", STREAM,
     "circuit_breaker: {failures: 0, pause: 2h}",
     "6:33: triggers.a.circuit_breaker.failures: 0 is not allowed: 1 to 10000\n"
     "6:43: triggers.a.circuit_breaker.pause: \"2h\" is not allowed: 1s to "
     "1h\n"},
    {"a breaker without failures", STREAM, "circuit_breaker: {pause: 30s}",
     "6:5: triggers.a.circuit_breaker.failures: missing. So many failed "
     "batches in a row open it.\n"},
    {"a backoff upside down", STREAM, "retry_backoff: {base: 2s, maximum: 1s}",
     "6:20: triggers.a.retry_backoff: base is over maximum\n"},
    {"a heartbeat by number", QUEUE, "visibility_heartbeat: 1",
     "6:27: triggers.a.visibility_heartbeat: 1 is not allowed: true or "
     "false\n"},
};

static char *text_of(const struct check_case *c)
{
    static const char *const sources[] = {
        "sqs: {queue: q}", "sqs: {queue: q.fifo}", "kinesis: {stream: s}"};
    bool starts = c->kind != STREAM || strstr(c->lines, "StartingPosition");

    return mem_printf("version: 1\ntriggers:\n  a:\n"
                      "    handler: {library: a.so}\n"
                      "    source: {%s}\n    %s\n%s",
                      sources[c->kind], c->lines,
                      starts ? "" : "    starting_position: LATEST\n");
}

static void test_check(void **state)
{
    const struct check_case *c = *state;
    AUTO_FREE char *text = text_of(c);
    struct settings_file *file = settings_file_create(text);
    struct settings *settings = settings_file_load(file);
    AUTO_FREE char *told = settings_file_told(file);

    assert_string_equal(told, c->problems);
    assert_int_equal(settings != NULL, !*c->problems);
    settings_destroy(settings);
    settings_file_destroy(file);
}

static bool reports(const char *lines)
{
    AUTO_FREE char *text =
        text_of(&(struct check_case){.kind = QUEUE, .lines = lines});
    struct settings_file *file = settings_file_create(text);
    struct settings *settings = settings_file_load_good(file);
    bool is_on = settings->triggers[0].reports_batch_item_failures;

    settings_destroy(settings);
    settings_file_destroy(file);
    return is_on;
}

static void test_responses_are_read_when_they_are_listed(void **state)
{
    (void)state;
    assert_true(reports("function_response_types: [ReportBatchItemFailures]"));
    assert_false(reports("function_response_types: []"));
    assert_false(reports("function_response_types:"));
    assert_false(reports("batch_size: 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses_are_read_when_they_are_listed),
    };

    return run_table("trigger_check", cases, test_check) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
