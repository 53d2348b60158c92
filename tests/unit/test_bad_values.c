/* Every key of the file, with every wrong value that a user may come up with,
 * and what is said then. A key of the schema tables without a row fails. */
#include "supervisor/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "config/schema.h"
#include "config/schema_name.h"
#include "settings_file.h"
#include "test.h"

enum kind { QUEUE, FIFO, KINESIS, TABLE };

/* What a trigger needs beside the key that is wrong. */
static const char *const sources[] = {
    [QUEUE] = "sqs: {queue: q}",
    [FIFO] = "sqs: {queue: q.fifo}",
    [KINESIS] = "kinesis: {stream: s}",
    [TABLE] = "dynamodb: {table: tab}",
};

#define ARN(service_, name_) \
    "arn:aws:" service_ ":eu-west-1:123456789012:" name_
#define QUEUE_ARN ARN("sqs", "dead")
#define FILTERED "filter_criteria: {filters: [{pattern: {body: [x]}}]}"
#define AT_TIME "starting_position: AT_TIMESTAMP"
#define LONG_50 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define LONG_250 LONG_50 LONG_50 LONG_50 LONG_50 LONG_50
#define KINDS                                                                 \
    "the ARN of an SQS queue, an SNS topic or an S3 bucket, file:///folder/ " \
    "or https://..."
#define DURATION "a duration with its unit (500ms, 30s, 5m, 2h), "
#define ONLY_STREAM "only a stream has it"
#define ONLY_QUEUE "only a queue has it"

#define BAD(key_, value_, message_, ...)                                       \
    {                                                                          \
        .key = (key_), .value = (value_), .message = (message_), ##__VA_ARGS__ \
    }

/* The key is written as in docs/triggers.md; a trigger's without its name. */
static struct bad_case {
    const char *key;
    const char *value;   // as YAML
    const char *message; // the whole of it, behind the key
    enum kind kind;
    const char *with; // another line of the trigger
    const char *at;   // the key that the message names, where it is another
} cases[] = {
    // The file.
    BAD("version", "2", "2 is not allowed: 1"),
    BAD("version", "'1'",
        "\"1\" is not allowed: a whole number, 1 (without quotes)"),
    BAD("stop_grace", "30", "30 is not allowed: " DURATION "100ms to 1h"),
    BAD("stop_grace", "2h", "\"2h\" is not allowed: 100ms to 1h"),
    BAD("stop_grace", "1.5s",
        "\"1.5s\" is not allowed: " DURATION "100ms to 1h"),
    BAD("admin", "{listen: none}",
        "not implemented in this version of pollard"),

    BAD("aws.region", "eu west",
        "\"eu west\" is not allowed: a region's name, as eu-west-1"),
    BAD("aws.profile", "''", "\"\" is not allowed: text that is not empty"),
    BAD("aws.endpoint_url", "localhost:9324",
        "\"localhost:9324\" is not allowed: a URL that begins with http:// or "
        "https://"),
    BAD("aws.endpoint_urls.sqs", "'http://me:secret@host'",
        "a URL without user, password, query and fragment is wanted"),
    BAD("aws.endpoint_urls.kinesis", "'ftp://host'",
        "\"ftp://host\" is not allowed: a URL that begins with http:// or "
        "https://"),
    BAD("aws.endpoint_urls.sts", "'https://'",
        "\"https://\" is no URL: No host part in the URL"),
    BAD("aws.endpoint_urls.dynamodb_streams", "'http://host/?a=b'",
        "a URL without user, password, query and fragment is wanted"),
    BAD("aws.endpoint_urls.sns", "host",
        "\"host\" is not allowed: a URL that begins with http:// or https://"),
    BAD("aws.endpoint_urls.s3", "host",
        "\"host\" is not allowed: a URL that begins with http:// or https://"),
    BAD("aws.ca_bundle", "''", "\"\" is not allowed: a path"),
    BAD("aws.sqs_protocol", "xml",
        "\"xml\" is not allowed: auto, json or query"),
    BAD("aws.connect_timeout", "99ms", "\"99ms\" is not allowed: 100ms to 1m"),
    BAD("aws.response_limit", "32MB",
        "\"32MB\" is not allowed: a size with its unit (64KiB, 6MiB), 1MiB to "
        "1GiB"),

    BAD("store.sqlite.path", "[a]", "a list is not allowed: a path"),
    BAD("store.application", "a/b",
        "\"a/b\" is not allowed: 1 to 128 letters, digits, -, _ and ."),
    BAD("store.lease_duration", "2s", "\"2s\" is not allowed: 3s to 5m"),
    BAD("store.heartbeat", "4s",
        "a heartbeat of 4s is too slow for a lease_duration of 10s: at most "
        "3s"),
    BAD("store.checkpoint_interval", "9ms",
        "\"9ms\" is not allowed: 10ms to 1m"),
    BAD("store.postgres", "{url: x}",
        "not implemented in this version of pollard"),
    BAD("store.dynamodb", "{table: t}",
        "not implemented in this version of pollard"),

    BAD("log.level", "loud",
        "\"loud\" is not allowed: debug, info, warn or error"),
    BAD("log.format", "xml", "\"xml\" is not allowed: auto, text or json"),
    BAD("log.payloads", "yes", "\"yes\" is not allowed: true or false"),

    BAD("handlers.h.library", "''", "\"\" is not allowed: a path"),
    BAD("handlers.h.settings", "many", "\"many\" is not allowed: a mapping"),
    BAD("handlers.h.settings", "{a: .inf}", "\".inf\" has no form in JSON"),
    BAD("handlers.h.timeout", "16m", "\"16m\" is not allowed: 100ms to 15m"),
    BAD("handlers.h.timeout", "30",
        "30 is not allowed: " DURATION "100ms to 15m"),
    BAD("handlers.h.isolation", "process",
        "process: not implemented in this version of pollard"),
    BAD("handlers.h.isolation", "none", "\"none\" is not allowed: thread"),
    BAD("handlers.h.memory", "64MiB",
        "not implemented in this version of pollard"),

    // Sources.
    BAD("source.sqs.queue", "a/b",
        "\"a/b\" is not allowed: 1 to 80 letters, digits, - and _, and perhaps "
        ".fifo at the end"),
    BAD("source.sqs.queue", ".fifo",
        "\".fifo\" is not allowed: 1 to 80 letters, digits, - and _, and "
        "perhaps "
        ".fifo at the end"),
    BAD("source.sqs.queue_url", "'http://host:1'",
        "\"http://host:1\" does not end with a queue's name"),
    BAD("source.sqs.queue_url", "'https://me:secret@host/q'",
        "a URL without user, password, query and fragment is wanted"),
    BAD("source.kinesis.stream", "'a b'",
        "\"a b\" is not allowed: 1 to 128 letters, digits, -, _ and ."),
    BAD("source.kinesis.consumer", "c/d",
        "\"c/d\" is not allowed: 1 to 128 letters, digits, -, _ and .",
        .kind = KINESIS),
    BAD("source.kinesis.register_consumer", "true",
        "there is no consumer to register: kinesis.consumer names it",
        .kind = KINESIS),
    BAD("source.dynamodb.table", "t",
        "\"t\" is not allowed: 3 to 255 letters, digits, -, _ and ."),
    BAD("source.dynamodb.stream_arn", ARN("sqs", "q"),
        "\"" ARN("sqs", "q") "\" is no stream of a table"),
    BAD("source.arn", "orders",
        "\"orders\" is no ARN: arn:aws:SERVICE:REGION:ACCOUNT:NAME"),
    BAD("source.arn", "'arn:aws:sqs:eu-west-1:1234:q'",
        "\"arn:aws:sqs:eu-west-1:1234:q\" lacks its region or an account of 12 "
        "digits"),
    BAD("source.arn", "'arn:aws:sqs::123456789012:q'",
        "\"arn:aws:sqs::123456789012:q\" lacks its region or an account of 12 "
        "digits"),
    BAD("source.arn", "'arn:amazon:sqs:eu-west-1:123456789012:q'",
        "\"amazon\" is no partition of AWS: aws, aws-cn or aws-us-gov"),
    BAD("source.arn", "'" ARN("sqs", "a/b") "'",
        "\"a/b\" is no name of a queue"),
    BAD("source.arn", "'" ARN("sns", "topic") "'",
        "sns is not implemented in this version of pollard: sqs, kinesis or "
        "dynamodb"),
    BAD("source.arn", "'" ARN("lambda", "function:f") "'",
        "lambda is not implemented in this version of pollard: sqs, kinesis or "
        "dynamodb"),
    BAD("source.arn", "'" ARN("ec2", "i") "'",
        "\"ec2\" is no service known here: sqs, kinesis or dynamodb"),
    BAD("source.arn", "'" ARN("kinesis", "s") "'",
        "\"s\" is no stream: ...:ACCOUNT:stream/NAME"),
    BAD("source.arn", "'" ARN("kinesis", "stream/s/consumer/c") "'",
        "\"" ARN("kinesis",
                 "stream/s/consumer/c") "\" is no consumer: "
                                        "arn:aws:kinesis:REGION:"
                                        "ACCOUNT:stream/NAME/consumer/"
                                        "NAME:CREATION"),
    BAD("source.arn", "'" ARN("dynamodb", "table/tab") "'",
        "\"table/tab\" is no stream of a table: "
        "...:ACCOUNT:table/NAME/stream/LABEL (or name the table: `source: "
        "{dynamodb: {table: NAME}}`)"),

    BAD("handler", "none",
        "\"none\" is not defined under handlers (a library in place is written "
        "{library: PATH})"),
    BAD("handler", "[a]", "a name or a mapping is wanted"),
    BAD("enabled", "1", "1 is not allowed: true or false"),
    BAD("enabled", "'true'",
        "\"true\" is not allowed: true or false (without quotes)"),

    // Batches.
    BAD("batch_size", "0", "0 is not allowed: 1 to 10000"),
    BAD("batch_size", "10001", "10001 is not allowed: 1 to 10000",
        .kind = KINESIS),
    BAD("batch_size", "11",
        "over 10, a queue needs maximum_batching_window_in_seconds, 1 to 300"),
    BAD("batch_size", "11", "11 is not allowed: 1 to 10 for a FIFO queue",
        .kind = FIFO),
    BAD("batch_size", "9223372036854775808",
        "\"9223372036854775808\" is not allowed: a whole number, 1 to 10000"),
    BAD("batch_size", "1e2",
        "\"1e2\" is not allowed: a whole number, 1 to 10000"),
    BAD("maximum_batching_window_in_seconds", "301",
        "301 is not allowed: 0 to 300"),
    BAD("maximum_batching_window_in_seconds", "0.5",
        "\"0.5\" is not allowed: a whole number, 0 to 300"),
    BAD("maximum_batching_window_in_seconds", "5s",
        "\"5s\" is not allowed: a whole number, 0 to 300"),
    BAD("maximum_batching_window_in_seconds", "1",
        "a FIFO queue has no batching window", .kind = FIFO),

    // Where a stream begins.
    BAD("starting_position", "latest",
        "\"latest\" is not allowed: TRIM_HORIZON, LATEST or AT_TIMESTAMP",
        .kind = KINESIS),
    BAD("starting_position", "LATEST", ONLY_STREAM),
    BAD("starting_position", "LATEST", ONLY_STREAM, .kind = FIFO),
    BAD("starting_position", "AT_TIMESTAMP", "missing; AT_TIMESTAMP needs it",
        .kind = KINESIS, .at = "starting_position_timestamp"),
    BAD("starting_position", "AT_TIMESTAMP",
        "unsupported starting position: a DynamoDB stream has TRIM_HORIZON and "
        "LATEST",
        .kind = TABLE, .with = "starting_position_timestamp: 1700000000"),
    BAD("starting_position_timestamp", "1700000000",
        "only with starting_position: AT_TIMESTAMP", .kind = KINESIS),
    BAD("starting_position_timestamp", "1700000000", ONLY_STREAM),
    BAD("starting_position_timestamp", "2999-01-01T00:00:00Z",
        "lies in the future", .kind = KINESIS, .with = AT_TIME),
    BAD("starting_position_timestamp", "yesterday",
        "\"yesterday\" is not allowed: a time with its zone "
        "(2026-11-22T15:00:00Z) or seconds since 1970",
        .kind = KINESIS, .with = AT_TIME),
    BAD("starting_position_timestamp", "2026-11-22T15:00:00",
        "\"2026-11-22T15:00:00\" is not allowed: a time with its zone "
        "(2026-11-22T15:00:00Z) or seconds since 1970",
        .kind = KINESIS, .with = AT_TIME),

    // Queues.
    BAD("scaling_config.maximum_concurrency", "0",
        "0 is not allowed: 1 to 1000"),
    BAD("scaling_config.maximum_concurrency", "1001",
        "1001 is not allowed: 1 to 1000"),
    BAD("scaling_config.maximum_concurrency", "2", ONLY_QUEUE, .kind = KINESIS,
        .at = "scaling_config"),
    BAD("scaling_config.maximum_concurrency", "2", ONLY_QUEUE, .kind = TABLE,
        .at = "scaling_config"),
    BAD("provisioned_poller_config.minimum_pollers", "201",
        "201 is not allowed: 1 to 200"),
    BAD("provisioned_poller_config.minimum_pollers", "3",
        "minimum_pollers is over maximum_pollers",
        .with = "provisioned_poller_config.maximum_pollers: 2",
        .at = "provisioned_poller_config"),
    BAD("provisioned_poller_config.maximum_pollers", "10001",
        "10001 is not allowed: 1 to 10000"),
    BAD("provisioned_poller_config.maximum_pollers", "2", ONLY_QUEUE,
        .kind = KINESIS, .at = "provisioned_poller_config"),
    BAD("visibility_timeout", "30", "30 is not allowed: " DURATION "1s to 12h"),
    BAD("visibility_timeout", "13h", "\"13h\" is not allowed: 1s to 12h"),
    BAD("visibility_timeout", "3500ms", "SQS counts in whole seconds"),
    BAD("visibility_timeout", "2s",
        "2s is shorter than the handler's timeout, 3s: a message would come "
        "back "
        "while it is handled (or set visibility_heartbeat)"),
    BAD("visibility_timeout", "30s", ONLY_QUEUE, .kind = KINESIS),
    BAD("wait_time_seconds", "0", "0 is not allowed: 1 to 20"),
    BAD("wait_time_seconds", "21", "21 is not allowed: 1 to 20"),
    BAD("wait_time_seconds", "5", ONLY_QUEUE, .kind = TABLE),
    BAD("visibility_heartbeat", "on", "\"on\" is not allowed: true or false"),
    BAD("visibility_heartbeat", "true", ONLY_QUEUE, .kind = KINESIS),
    BAD("fifo_failure", "stop",
        "\"stop\" is not allowed: release_group or lambda", .kind = FIFO),
    BAD("fifo_failure", "lambda", "only a FIFO queue has it"),
    BAD("fifo_failure", "lambda", ONLY_QUEUE, .kind = KINESIS),
    BAD("on_filtered", "drop",
        "\"drop\" is not allowed: delete, leave, or a destination (an ARN, "
        "file:///folder/ or https://...)",
        .with = FILTERED),
    BAD("on_filtered", "leave",
        "means nothing without filter_criteria, which leaves nothing out"),
    BAD("on_filtered", "leave",
        "a message left in a FIFO queue blocks its group; delete it, or move "
        "it "
        "to a destination",
        .kind = FIFO, .with = FILTERED),
    BAD("on_filtered", "'" ARN("sqs", "dead.fifo") "'",
        "\"" ARN(
            "sqs",
            "dead.fifo") "\" is a FIFO queue, which takes no message without a "
                         "group (Lambda's reports fail there too)",
        .with = FILTERED),
    BAD("on_filtered", "'" ARN("kinesis", "stream/s") "'",
        "\"" ARN("kinesis",
                 "stream/s") "\": a stream takes no reports; "
                             "an SQS queue, an SNS topic, an S3 "
                             "bucket, file:///folder/ or https://...",
        .with = FILTERED),
    BAD("on_filtered", "'file:dead'",
        "\"file:dead\" is not absolute: file:///folder/", .with = FILTERED),
    BAD("on_filtered", "'dead:letters'",
        "\"dead:letters\" is no destination: " KINDS, .with = FILTERED),
    BAD("on_filtered", "'" ARN("sqs", "q") "'",
        "is the queue that the messages come from: they would go round for "
        "ever",
        .with = FILTERED),
    BAD("on_filtered", "leave", ONLY_QUEUE, .kind = KINESIS),

    // Destinations.
    BAD("destination_config.on_success.destination", "done",
        "\"done\" is no destination: " KINDS),
    BAD("destination_config.on_success.destination", "''",
        "\"\" is not allowed: text that is not empty"),
    BAD("destination_config.on_failure.destination", "'" QUEUE_ARN "'",
        "only a stream has it; a queue's redrive policy says where failed "
        "messages go",
        .at = "destination_config.on_failure"),
    BAD("destination_config.on_failure.destination", "/var/lib/failed",
        "\"/var/lib/failed\" is no destination: " KINDS, .kind = KINESIS),
    BAD("destination_config.on_failure.destination", "'" QUEUE_ARN ".fifo'",
        "\"" QUEUE_ARN ".fifo\" is a FIFO queue, which takes no message "
        "without a group (Lambda's reports fail there too)",
        .kind = KINESIS),
    BAD("destination_config.on_failure.destination",
        "'" ARN("sns", "t.fifo") "'",
        "\"" ARN("sns", "t.fifo") "\" is a FIFO topic, which takes no message "
                                  "without a group",
        .kind = TABLE),
    BAD("destination_config.on_failure.destination",
        "'" ARN("lambda", "function:f") "'",
        "\"" ARN("lambda", "function:f") "\" is no destination: " KINDS,
        .kind = KINESIS),
    BAD("destination_config.on_failure.destination",
        "'arn:aws:sqs:eu-west-1:123:dead'",
        "\"arn:aws:sqs:eu-west-1:123:dead\" lacks its region or an account of "
        "12 "
        "digits",
        .kind = KINESIS),
    BAD("destination_config.on_failure.destination",
        "'arn:amazon:sqs:eu-west-1:123456789012:dead'",
        "\"amazon\" is no partition of AWS: aws, aws-cn or aws-us-gov",
        .kind = KINESIS),
    BAD("destination_config.on_failure.destination", "'arn:aws:s3:::Dead'",
        "\"Dead\" is no name of a bucket: 3 to 63 lower-case letters, digits, "
        "'.' "
        "and '-'",
        .kind = KINESIS),
    BAD("destination_config.on_failure.destination", "'arn:aws:s3:::a..b'",
        "\"a..b\" is no name of a bucket: 3 to 63 lower-case letters, digits, "
        "'.' "
        "and '-'",
        .kind = KINESIS),
    BAD("destination_config.on_failure.destination",
        "'arn:aws:s3:eu-west-1::dead'",
        "\"arn:aws:s3:eu-west-1::dead\" is no bucket: arn:aws:s3:::BUCKET",
        .kind = KINESIS),
    BAD("destination_config.on_failure.destination", "'file://dead'",
        "\"file://dead\" is not absolute: file:///folder/", .kind = KINESIS),
    BAD("destination_config.on_failure.destination", "'file:///tmp'",
        "everybody may write to folder /tmp (mode 1777): chmod o-w /tmp",
        .kind = KINESIS),
    BAD("destination_config.on_failure.destination", "'file:///dev/null'",
        "/dev/null is no folder", .kind = KINESIS),
    BAD("destination_config.on_failure.destination", "'file:///dev/null/dead'",
        "folder /dev/null/dead: Not a directory", .kind = KINESIS),
    BAD("destination_config.on_failure.destination",
        "'http://example.com/dead'",
        "\"http://example.com/dead\": records do not leave the machine "
        "unencrypted; https://, or http:// to 127.0.0.1",
        .kind = KINESIS),
    BAD("destination_config.on_failure.destination", "'kafka://dead'",
        "\"kafka://dead\": a Kafka topic takes the reports of Kafka sources "
        "only; " KINDS,
        .kind = KINESIS),
    BAD("destination_config.on_failure.destination",
        "'https://example.com/" LONG_250 LONG_50 LONG_50 "'",
        "a destination is 350 characters at the most, this one has 370",
        .kind = KINESIS),
    BAD("destination_config.on_failure.include_payload", "true",
        "means nothing without a destination", .kind = KINESIS),
    BAD("destination_config.on_failure.include_payload", "all",
        "\"all\" is not allowed: true or false", .kind = KINESIS,
        .with = "destination_config.on_failure.destination: '" QUEUE_ARN "'"),

    // Responses and filters.
    BAD("function_response_types", "[ReportBatchItemFailure]",
        "\"ReportBatchItemFailure\" is not allowed: a list, each at most once, "
        "of "
        "ReportBatchItemFailures"),
    BAD("function_response_types", "ReportBatchItemFailures",
        "\"ReportBatchItemFailures\" is not allowed: a list, each at most "
        "once, "
        "of ReportBatchItemFailures"),
    BAD("function_response_types",
        "[ReportBatchItemFailures, ReportBatchItemFailures]",
        "\"ReportBatchItemFailures\" is not allowed: a list, each at most "
        "once, "
        "of ReportBatchItemFailures"),
    BAD("filter_criteria.filters", "{pattern: {body: [x]}}",
        "a mapping is not allowed: a list of mappings, at most 10"),
    BAD("filter_criteria.filters",
        "[{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}]",
        "11 are too many: at most 10"),
    BAD("filter_criteria.filters", "[x]",
        "a single value, not a mapping; allowed here: pattern",
        .at = "filter_criteria.filters[0]"),
    BAD("filter_criteria.filters", "[{}]",
        "missing. What a record must have, in EventBridge's pattern syntax "
        "(see "
        "docs/filters.md).",
        .at = "filter_criteria.filters[0].pattern"),
    BAD("filter_criteria.filters[].pattern", "7",
        "7 is not allowed: a mapping of fields, {\"body\": {\"type\": "
        "[\"created\"]}} (character 1 of the string)"),

    // Streams.
    BAD("parallelization_factor", "0", "0 is not allowed: 1 to 10",
        .kind = KINESIS),
    BAD("parallelization_factor", "11", "11 is not allowed: 1 to 10",
        .kind = TABLE),
    BAD("parallelization_factor", "2", ONLY_STREAM),
    BAD("bisect_batch_on_function_error", "1",
        "1 is not allowed: true or false", .kind = KINESIS),
    BAD("bisect_batch_on_function_error", "true", ONLY_STREAM),
    BAD("maximum_retry_attempts", "-2", "-2 is not allowed: -1 to 10000",
        .kind = KINESIS),
    BAD("maximum_retry_attempts", "10001", "10001 is not allowed: -1 to 10000",
        .kind = TABLE),
    BAD("maximum_retry_attempts", "1", ONLY_STREAM, .kind = FIFO),
    BAD("maximum_record_age_in_seconds", "-2",
        "-2 is not allowed: -1 to 604800", .kind = KINESIS),
    BAD("maximum_record_age_in_seconds", "0",
        "0 is not allowed: -1 (any age), or 60 to 604800", .kind = KINESIS),
    BAD("maximum_record_age_in_seconds", "59",
        "59 is not allowed: -1 (any age), or 60 to 604800", .kind = TABLE),
    BAD("maximum_record_age_in_seconds", "604801",
        "604801 is not allowed: -1 to 604800", .kind = KINESIS),
    BAD("maximum_record_age_in_seconds", "60", ONLY_STREAM),
    BAD("tumbling_window_in_seconds", "901", "901 is not allowed: 0 to 900",
        .kind = KINESIS),
    BAD("tumbling_window_in_seconds", "-1", "-1 is not allowed: 0 to 900",
        .kind = TABLE),
    BAD("tumbling_window_in_seconds", "60", ONLY_STREAM),
    BAD("deaggregate", "true", "\"true\" is not allowed: off or auto",
        .kind = KINESIS),
    BAD("deaggregate", "auto", ONLY_STREAM),
    BAD("deaggregate", "auto", "only a Kinesis stream has it", .kind = TABLE),
    BAD("on_trimmed_data", "ignore", "\"ignore\" is not allowed: skip or stop",
        .kind = TABLE),
    BAD("on_trimmed_data", "stop", "only a DynamoDB stream has it",
        .kind = KINESIS),
    BAD("on_trimmed_data", "stop", ONLY_STREAM),

    // Of both kinds.
    BAD("retry_backoff.base", "0s", "\"0s\" is not allowed: 1ms to 1h"),
    BAD("retry_backoff.base", "6m", "base is over maximum", .kind = KINESIS,
        .at = "retry_backoff"),
    BAD("retry_backoff.maximum", "13h", "\"13h\" is not allowed: 1ms to 12h"),
    BAD("retry_backoff.maximum", "999ms", "base is over maximum",
        .at = "retry_backoff"),
    BAD("rate_limit.records_per_second", "0", "0 is not allowed: 1 to 1000000"),
    BAD("rate_limit.records_per_second", "100/s",
        "\"100/s\" is not allowed: a whole number, 1 to 1000000"),
    BAD("circuit_breaker.failures", "0", "0 is not allowed: 1 to 10000"),
    BAD("circuit_breaker.pause", "999ms", "\"999ms\" is not allowed: 1s to 1h",
        .with = "circuit_breaker.failures: 3"),
    BAD("circuit_breaker.pause", "30s",
        "missing. So many failed batches in a row open it.",
        .at = "circuit_breaker.failures"),
    BAD("kms_key_arn", "alias/mine",
        "\"alias/mine\" is no ARN: arn:aws:kms:REGION:ACCOUNT:key/ID"),
    BAD("metrics_config.metrics", "[KafkaMetrics]",
        "\"KafkaMetrics\" is not allowed: a list, each at most once, of "
        "EventCount"),
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

// ---- A file with one key ---------------------------------------------------

static bool is_of(const char *key, const char *first)
{
    size_t size = strcspn(key, ".");

    return strlen(first) == size && !strncmp(key, first, size);
}

static bool is_of_root(const char *key)
{
    static const char *const roots[] = {"version",  "stop_grace", "admin",
                                        "aws",      "store",      "log",
                                        "handlers", "triggers"};

    for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
        if (is_of(key, roots[i]))
            return true;
    return false;
}

/* "a.b[].c" and "v" to "a: {b: [{c: v}]}". */
static void nest(struct buffer *out, const char *key, const char *value)
{
    size_t size = strcspn(key, ".["), skip = size;
    bool is_list = !strncmp(key + size, "[]", 2);

    buffer_printf(out, "%.*s: ", (int)size, key);
    if (is_list)
        skip += 2;
    if (!key[skip]) {
        buffer_append_text(out, value);
        return;
    }
    buffer_append_text(out, is_list ? "[{" : "{");
    nest(out, key + skip + 1, value);
    buffer_append_text(out, is_list ? "}]" : "}");
}

/* Two keys of one section become one mapping. */
static void put_keys(struct buffer *out, const char *key, const char *value,
                     const char *with)
{
    const char *inner = strrchr(key, '.');
    size_t shared = inner ? (size_t)(inner - key) + 1 : 0;
    AUTO_FREE char *both = NULL;

    if (!with || !inner || strncmp(with, key, shared) != 0) {
        buffer_append_text(out, "    ");
        nest(out, key, value);
        buffer_printf(out, "\n%s%s\n", with ? "    " : "", with ? with : "");
        return;
    }
    both = mem_printf("%s, %s", value, with + shared);
    buffer_append_text(out, "    ");
    nest(out, key, both);
    buffer_append_char(out, '\n');
}

static bool needs_start(const struct bad_case *c)
{
    bool is_stream = c->kind >= KINESIS || is_of(c->key, "source");

    return is_stream && !is_of(c->key, "starting_position") &&
           !(c->with && strstr(c->with, "starting_position:")) &&
           !strstr(c->key, "sqs") &&
           !(c->value && strstr(c->value, ":sqs:") && is_of(c->key, "source"));
}

static void put_trigger(struct buffer *out, const struct bad_case *c)
{
    AUTO_FREE char *key = mem_strdup(c->key);

    buffer_append_text(out, "  a:\n");
    if (!is_of(c->key, "source"))
        buffer_printf(out, "    source: {%s}\n", sources[c->kind]);
    if (!is_of(c->key, "handler"))
        buffer_append_text(out, "    handler: {library: a.so}\n");
    if (needs_start(c))
        buffer_append_text(out, "    starting_position: LATEST\n");
    // A consumer belongs to a stream.
    if (!strncmp(c->key, "source.kinesis.", 15) && c->kind == KINESIS)
        put_keys(out, c->key, c->value, "source.kinesis.stream: s");
    else
        put_keys(out, c->key, c->value, c->with);
}

static char *file_of(const struct bad_case *c)
{
    static const struct bad_case good = BAD("batch_size", "1", "");
    bool is_root = is_of_root(c->key);
    struct buffer out;

    buffer_init(&out, 65536);
    if (!is_of(c->key, "version"))
        buffer_append_text(&out, "version: 1\n");
    if (!is_of(c->key, "triggers")) {
        buffer_append_text(&out, "triggers:\n");
        put_trigger(&out, is_root ? &good : c);
    }
    if (is_root) {
        AUTO_FREE char *whole = mem_printf(
            "%s%s", c->value,
            !strncmp(c->key, "handlers.h.", 11) && !strstr(c->key, "library")
                ? ", library: a.so"
                : "");

        nest(&out, c->key, whole);
        buffer_append_char(&out, '\n');
    }
    assert_true(buffer_ok(&out));
    return buffer_detach(&out);
}

// ---- What is said ----------------------------------------------------------

/* "handlers.h.library" is itself, "batch_size" is triggers.a.batch_size. */
static char *path_of(const char *key, bool is_root)
{
    AUTO_FREE char *first = mem_strdup(key);
    char *list = strstr(first, "[]");

    if (list) // the first item
        return mem_printf("triggers.a.%.*s[0]%s", (int)(list - first), first,
                          list + 2);
    return mem_printf("%s%s", is_root ? "" : "triggers.a.", key);
}

static void test_bad_value(void **state)
{
    const struct bad_case *c = *state;
    AUTO_FREE char *text = file_of(c);
    AUTO_FREE char *path = path_of(c->at ? c->at : c->key, is_of_root(c->key));
    AUTO_FREE char *wanted = mem_printf("%s: %s", path, c->message);
    struct settings_file *file = settings_file_create(text);
    struct settings *settings = settings_file_load(file);

    if (settings)
        fail_msg("taken:\n%s", text);
    assert_string_equal(file->problems.list[0].text, wanted);
    assert_int_equal(file->problems.count, 1); // one mistake, one line
    assert_true(file->problems.list[0].line > 0);
    assert_true(file->problems.list[0].column > 0);
    settings_file_destroy(file);
}

// ---- Every key of the tables ------------------------------------------------

typedef void visit_fn(const struct field *field, const char *key);

static void walk(const struct field *fields, const char *above, visit_fn *visit)
{
    for (const struct field *field = fields; field->name; field++) {
        AUTO_FREE char *key =
            mem_printf("%s%s%s", above, *above ? "." : "", field->name);

        visit(field, key);
        if (field->type == FIELD_TYPE_SECTION)
            walk(field->fields, key, visit);
        if (field->type == FIELD_TYPE_LIST) {
            AUTO_FREE char *item = mem_printf("%s[]", key);

            walk(field->fields, item, visit);
        }
        if (field->type == FIELD_TYPE_MAP && !strcmp(field->name, "handlers")) {
            AUTO_FREE char *entry = mem_printf("%s.h", key);

            walk(field->fields, entry, visit);
        }
        if (field->type == FIELD_TYPE_MAP && !strcmp(field->name, "triggers"))
            walk(field->fields, "", visit);
    }
}

static void must_have_row(const struct field *field, const char *key)
{
    if (field->type == FIELD_TYPE_SECTION || field->type == FIELD_TYPE_MAP)
        return; // test_wrong_types
    for (size_t i = 0; i < CASES; i++)
        if (!strcmp(cases[i].key, key))
            return;
    fail_msg("%s has no wrong value in this file", key);
}

static void test_every_key_has_a_row(void **state)
{
    (void)state;
    walk(settings_fields, "", must_have_row);
}

/* The file that has the key so is refused, with these words at `at`. */
static void refused(const char *key, const char *at, const char *value,
                    const char *words)
{
    const struct bad_case c = {.key = key, .value = value};
    AUTO_FREE char *text = file_of(&c);
    AUTO_FREE char *path = path_of(at, is_of_root(key));
    AUTO_FREE char *begin = mem_printf("%s: ", path);
    struct settings_file *file = settings_file_create(text);
    struct settings *settings = settings_file_load(file);
    bool found = false;

    for (size_t i = 0; i < file->problems.count; i++)
        found |= !strncmp(file->problems.list[i].text, begin, strlen(begin)) &&
                 strstr(file->problems.list[i].text, words);
    if (!found) {
        AUTO_FREE char *told = settings_file_told(file);

        fail_msg("\"%s\" is not said of\n%sbut:\n%s", words, text, told);
    }
    settings_destroy(settings);
    settings_file_destroy(file);
}

static void try_wrong_types(const struct field *field, const char *key)
{
    switch (field->type) {
    case FIELD_TYPE_STRING:
    case FIELD_TYPE_PATH:
        if (!field->or_empty)
            refused(key, key, "''", "is not allowed");
        refused(key, key, "", "nothing is not allowed");
        refused(key, key, "[1]", "a list is not allowed");
        refused(key, key, "{x: 1}", "a mapping is not allowed");
        return;
    case FIELD_TYPE_INT:
    case FIELD_TYPE_BOOL:
    case FIELD_TYPE_MS:
    case FIELD_TYPE_SIZE:
    case FIELD_TYPE_CHOICE:
    case FIELD_TYPE_TIMESTAMP:
        refused(key, key, "", "nothing is not allowed");
        refused(key, key, "''", "\"\" is not allowed");
        refused(key, key, "much", "\"much\" is not allowed");
        refused(key, key, "[1]", "a list is not allowed");
        refused(key, key, "{x: 1}", "a mapping is not allowed");
        return;
    case FIELD_TYPE_CHOICES:
        refused(key, key, "much", "\"much\" is not allowed");
        refused(key, key, "{x: 1}", "a mapping is not allowed");
        refused(key, key, "[[1]]", "a list is not allowed");
        return;
    case FIELD_TYPE_JSON:
        refused(key, key, "much", "\"much\" is not allowed: a mapping");
        refused(key, key, "[1]", "a list is not allowed: a mapping");
        return;
    case FIELD_TYPE_JSON_TEXT:
        refused(key, key, "[1]", "a list is not allowed: a mapping, or JSON");
        refused(key, key, "", "nothing is not allowed");
        refused(key, key, "''", "\"\" is not allowed");
        return;
    case FIELD_TYPE_LIST:
        refused(key, key, "much",
                "\"much\" is not allowed: a list of mappings");
        refused(key, key, "{x: 1}", "a mapping is not allowed");
        return;
    case FIELD_TYPE_SECTION:
    case FIELD_TYPE_MAP:
        refused(key, key, "much", "a single value, not a mapping");
        refused(key, key, "[1]", "a list, not a mapping");
        return;
    case FIELD_TYPE_PLANNED:
        refused(key, key, "", "not implemented");
        refused(key, key, "{x: 1}", "not implemented");
        return;
    case FIELD_TYPE_NAME_OR_SECTION:
        refused(key, key, "[1]", "a name or a mapping is wanted");
        refused(key, key, "", "a name or a mapping is wanted");
        return;
    case FIELD_TYPE_NONE:
        return;
    }
}

static void test_wrong_types(void **state)
{
    (void)state;
    walk(settings_fields, "", try_wrong_types);
}

static char *write_number(enum field_type type, int64_t number)
{
    return mem_printf("%" PRId64 "%s", number,
                      type == FIELD_TYPE_MS     ? "ms"
                      : type == FIELD_TYPE_SIZE ? "B"
                                                : "");
}

static bool has_range(const struct field *field)
{
    return (field->min || field->max) &&
           (field->type == FIELD_TYPE_INT || field->type == FIELD_TYPE_MS ||
            field->type == FIELD_TYPE_SIZE);
}

/* The ends of a range are inside it: nothing is said of the range itself. */
static void taken(const struct field *field, const char *key, int64_t number)
{
    AUTO_FREE char *value = write_number(field->type, number);
    const struct bad_case c = {.key = key, .value = value, .kind = KINESIS};
    AUTO_FREE char *text = file_of(&c);
    AUTO_FREE char *path = path_of(key, is_of_root(key));
    AUTO_FREE char *begin = mem_printf("%s: ", path);
    struct settings_file *file = settings_file_create(text);
    struct settings *settings = settings_file_load(file);

    for (size_t i = 0; i < file->problems.count; i++)
        if (!strncmp(file->problems.list[i].text, begin, strlen(begin)) &&
            strstr(file->problems.list[i].text, "is not allowed"))
            fail_msg("%s", file->problems.list[i].text);
    settings_destroy(settings);
    settings_file_destroy(file);
}

static void try_range(const struct field *field, const char *key)
{
    AUTO_FREE char *below = NULL, *above = NULL;

    if (!has_range(field))
        return;
    below = write_number(field->type, field->min - 1);
    above = write_number(field->type, field->max + 1);
    refused(key, key, below, "is not allowed");
    refused(key, key, above, "is not allowed");
    taken(field, key, field->min);
    taken(field, key, field->max);
}

static void test_ranges_have_ends(void **state)
{
    (void)state;
    walk(settings_fields, "", try_range);
}

/* Twice in one spelling, and once in each. */
static void try_twice(const struct field *field, const char *key)
{
    const char *dot = strrchr(key, '.');
    const char *gap = dot ? ", " : is_of_root(key) ? "\n" : "\n    ";
    AUTO_FREE char *alias = schema_name_alias(field);
    AUTO_FREE char *again = mem_printf("x%s%s: x", gap, field->name);
    AUTO_FREE char *other = mem_printf("x%s%s: x", gap, alias);
    AUTO_FREE char *spelled =
        mem_printf("%.*s%s", dot ? (int)(dot - key) + 1 : 0, key, alias);

    refused(key, key, again, "given twice");
    if (strcmp(alias, field->name) != 0)
        refused(key, spelled, other, "the same as ");
}

static void test_a_key_is_given_once(void **state)
{
    (void)state;
    walk(settings_fields, "", try_twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_has_a_row),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_ranges_have_ends),
        cmocka_unit_test(test_a_key_is_given_once),
    };

    return run_table("bad_values", cases, test_bad_value) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
