#include "poller/trigger_config.h"

#include <stdlib.h>
#include <string.h>

static const struct choice starts[] = {
    {"TRIM_HORIZON", TRIGGER_START_TRIM_HORIZON},
    {"LATEST", TRIGGER_START_LATEST},
    {"AT_TIMESTAMP", TRIGGER_START_AT_TIMESTAMP},
    {0},
};

static const struct field scaling_fields[] = {
    {"maximum_concurrency",
     FIELD_INT(struct trigger_config, scaling_config.maximum_concurrency),
     .min = 1, .max = 1000, .otherwise = "10",
     .help = "Batches of the queue that run at once, at most. (Lambda's least "
             "is 2.)"},
    {0},
};

static const struct field poller_fields[] = {
    {"minimum_pollers",
     FIELD_INT(struct trigger_config,
               provisioned_poller_config.minimum_pollers),
     .fallback = "1", .min = 1, .max = 200,
     .help = "Long polls that are kept in flight on an idle queue."},
    {"maximum_pollers",
     FIELD_INT(struct trigger_config,
               provisioned_poller_config.maximum_pollers),
     .fallback = "200", .min = 1, .max = 10000,
     .help = "Receives in flight, at most; never more than there is room to "
             "run what they may bring."},
    {0},
};

static const struct field backoff_fields[] = {
    {"base", FIELD_MS(struct trigger_config, retry_backoff.base_ms),
     .fallback = "1s", .min = 1, .max = 60 * 60 * 1000,
     .help = "The longest delay before the first retry; it doubles with each "
             "further one."},
    {"maximum", FIELD_MS(struct trigger_config, retry_backoff.maximum_ms),
     .fallback = "5m", .min = 1, .max = 12 * 60 * 60 * 1000,
     .help = "What the delay never exceeds."},
    {0},
};

static const struct choice fifo_failures[] = {
    {"release_group", TRIGGER_FIFO_RELEASE_GROUP},
    {"lambda", TRIGGER_FIFO_LAMBDA},
    {0},
};

static const struct choice response_types[] = {
    {"ReportBatchItemFailures", TRIGGER_REPORT_BATCH_ITEM_FAILURES},
    {0},
};

// ErrorCount and KafkaMetrics are Kafka's.
static const struct choice metrics[] = {{"EventCount", 1}, {0}};

static const struct field metrics_fields[] = {
    {"metrics", FIELD_CHOICES(struct trigger_config, metrics_config.metrics),
     .choices = metrics, .help = "Groups of metrics."},
    {0},
};

static const struct choice deaggregates[] = {
    {"off", TRIGGER_DEAGGREGATE_OFF},
    {"auto", TRIGGER_DEAGGREGATE_AUTO},
    {0},
};

static const struct choice trimmed_choices[] = {
    {"skip", TRIGGER_TRIMMED_SKIP},
    {"stop", TRIGGER_TRIMMED_STOP},
    {0},
};

static const struct field rate_fields[] = {
    {"records_per_second",
     FIELD_INT(struct trigger_config, rate_limit.records_per_second),
     .required = true, .min = 1, .max = 1000000,
     .help = "A token bucket that holds one second's records."},
    {0},
};

static const struct field breaker_fields[] = {
    {"failures", FIELD_INT(struct trigger_config, circuit_breaker.failures),
     .required = true, .min = 1, .max = 10000,
     .help = "So many failed batches in a row open it."},
    {"pause", FIELD_MS(struct trigger_config, circuit_breaker.pause_ms),
     .fallback = "30s", .min = 1000, .max = 60 * 60 * 1000,
     .help = "How long nothing is started; then one batch is tried."},
    {0},
};

const struct field trigger_config_fields[] = {
    {"source", FIELD_SECTION(source_config_fields),
     .offset = offsetof(struct trigger_config, source), .required = true,
     .one_of = true, .help = "The queue or stream that records come from."},
    {"handler", FIELD_TYPE_NAME_OR_SECTION, .alias = "FunctionName",
     .required = true, .fields = handler_config_fields,
     .help = "A name from `handlers`, or the same mapping in place."},
    {"enabled", FIELD_BOOL(struct trigger_config, enabled), .fallback = "true",
     .help = "`false` keeps the trigger, but does not run it."},
    {"batch_size", FIELD_INT(struct trigger_config, batch_size), .min = 1,
     .max = 10000, .otherwise = "10 for queues, 100 for streams",
     .help = "Records of one invocation, at most. A FIFO queue has at most 10; "
             "over 10, a queue needs a batching window."},
    {"maximum_batching_window_in_seconds",
     FIELD_INT(struct trigger_config, maximum_batching_window_in_seconds),
     .fallback = "0", .unset = -1, .min = 0, .max = 300,
     .help = "How long records are gathered until a batch is full. A FIFO "
             "queue has no window."},
    {"starting_position",
     FIELD_CHOICE(struct trigger_config, starting_position), .choices = starts,
     .otherwise = "required for streams",
     .help = "Where a stream without checkpoint begins: with its oldest "
             "record, with what comes from now on, or at a time. Streams "
             "only."},
    {"starting_position_timestamp",
     FIELD_TIMESTAMP(struct trigger_config, starting_position_timestamp_ms),
     .otherwise = "required with `AT_TIMESTAMP`",
     .help = "The time for `AT_TIMESTAMP`; not in the future."},
    {"scaling_config", FIELD_SECTION(scaling_fields),
     .help = "How many batches run at once. Queues only: a shard runs as many "
             "as `parallelization_factor` says."},
    {"provisioned_poller_config", FIELD_SECTION(poller_fields),
     .help = "How many receives are in flight on the queue's one thread, "
             "growing and shrinking with the backlog. Queues only. (Lambda "
             "has either this or `scaling_config`. Here they go together: one "
             "counts receives, the other batches.)"},
    {"destination_config", FIELD_SECTION(destination_config_fields),
     .offset = offsetof(struct trigger_config, destination_config),
     .help = "Where results go."},
    {"visibility_timeout",
     FIELD_MS(struct trigger_config, visibility_timeout_ms), .unset = -1,
     .min = 1000, .max = 12 * 60 * 60 * 1000, .otherwise = "the queue's own",
     .beyond_lambda = true,
     .help = "How long a received message stays hidden from others, in whole "
             "seconds; at least the handler's timeout. Queues only."},
    {"wait_time_seconds", FIELD_INT(struct trigger_config, wait_time_seconds),
     .fallback = "20", .min = 1, .max = 20, .beyond_lambda = true,
     .help = "How long a receive waits for messages. A stop waits as long for "
             "the receive that is under way. Queues only."},
    {"visibility_heartbeat",
     FIELD_BOOL(struct trigger_config, visibility_heartbeat),
     .fallback = "false", .beyond_lambda = true,
     .help = "Keep messages hidden while their batch runs, up to SQS's 12 "
             "hours. Queues only."},
    {"retry_backoff", FIELD_SECTION(backoff_fields),
     .given = FIELD_GIVEN(struct trigger_config, retry_backoff.given),
     .beyond_lambda = true,
     .help = "How long failed records wait, with full jitter: anything from "
             "nothing to the delay. Given for a queue, it replaces what is "
             "left of the visibility timeout, by receive count; a stream "
             "retries by it in any case."},
    {"function_response_types",
     FIELD_CHOICES(struct trigger_config, function_response_types),
     .choices = response_types,
     .help = "`ReportBatchItemFailures`: the handler's response lists the "
             "records that failed. (What it marks by fail_record counts in "
             "any case.)"},
    {"filter_criteria", FIELD_SECTION(filter_config_fields),
     .offset = offsetof(struct trigger_config, filter_criteria),
     .help = "Which records are wanted: those that one of the patterns "
             "matches. The others never reach the handler."},
    {"parallelization_factor",
     FIELD_INT(struct trigger_config, parallelization_factor), .fallback = "1",
     .min = 1, .max = 10,
     .help = "Batches of one shard that run at once; records of one key stay "
             "in order. With a tumbling window it is one. Streams only."},
    {"bisect_batch_on_function_error",
     FIELD_BOOL(struct trigger_config, bisect_batch_on_function_error),
     .fallback = "false",
     .help = "Split a batch that failed in two, to find the record it fails "
             "for; a split uses up no attempt. Streams only."},
    {"maximum_retry_attempts",
     FIELD_INT(struct trigger_config, maximum_retry_attempts), .fallback = "-1",
     .unset = -1, .min = -1, .max = 10000,
     .help = "Retries of a batch before it is discarded; only failures of the "
             "handler count. -1: until it succeeds or the stream lets go of "
             "it. Streams only."},
    {"maximum_record_age_in_seconds",
     FIELD_INT(struct trigger_config, maximum_record_age_in_seconds),
     .fallback = "-1", .unset = -1, .min = -1, .max = 604800,
     .help = "Age from which records are discarded: -1 (any age), or 60 to "
             "604800. Streams only."},
    {"tumbling_window_in_seconds",
     FIELD_INT(struct trigger_config, tumbling_window_in_seconds),
     .fallback = "0", .min = 0, .max = 900,
     .help = "Length of the windows over which a shard's records are "
             "aggregated, with a state handed from call to call; 0: none. "
             "Streams only."},
    {"kms_key_arn", FIELD_STRING(struct trigger_config, kms_key_arn),
     .or_empty = true, .alias = "KMSKeyArn",
     .help = "Accepted, so that an entry moves over as it is, and without "
             "meaning: Lambda encrypts the filter that it stores, and here "
             "the filter stands in this file."},
    {"metrics_config", FIELD_SECTION(metrics_fields),
     .help = "Accepted and without meaning: metrics are always on."},
    {"fifo_failure", FIELD_CHOICE(struct trigger_config, fifo_failure),
     .choices = fifo_failures, .fallback = "release_group",
     .beyond_lambda = true,
     .help = "What a failed record of a FIFO queue means for the later ones of "
             "its group in the batch: `release_group` sends them back too, so "
             "that order holds; `lambda` deletes those that were not reported, "
             "as Lambda does."},
    {"on_filtered", FIELD_STRING(struct trigger_config, on_filtered),
     .fallback = "delete", .beyond_lambda = true,
     .help = "What becomes of messages that no filter matches: `delete`, as "
             "Lambda does; `leave`, for others to receive; or a destination "
             "that they are moved to. Queues only."},
    {"deaggregate", FIELD_CHOICE(struct trigger_config, deaggregate),
     .choices = deaggregates, .fallback = "off", .beyond_lambda = true,
     .help = "`auto` splits the records that the Kinesis Producer Library "
             "aggregated: batches, filters, keys and counts are of user "
             "records, and the checkpoint may lie between two of them. All of "
             "one have its sequence number; `kinesis.subSequenceNumber` and "
             "the end of `eventID`, `SEQUENCE:N`, tell them apart, and "
             "`itemIdentifier` may be either: `SEQUENCE` is all of them that "
             "are in the batch. What is no aggregated record to the last byte "
             "is handed out as it is. `off`, as Lambda does, leaves all as "
             "they are. Kinesis only."},
    {"on_trimmed_data", FIELD_CHOICE(struct trigger_config, on_trimmed_data),
     .choices = trimmed_choices, .fallback = "skip", .beyond_lambda = true,
     .help = "A DynamoDB stream keeps a change for 24 hours. Should the next "
             "one be gone before it was read, `skip` logs an error and goes on "
             "with the oldest that is left; `stop` stops the shard until "
             "somebody has decided. DynamoDB only."},
    {"rate_limit", FIELD_SECTION(rate_fields), .beyond_lambda = true,
     .help = "How fast records are handed to the handler, at most."},
    {"circuit_breaker", FIELD_SECTION(breaker_fields), .beyond_lambda = true,
     .help = "Pause while the handler fails all the time."},
    {0},
};

void trigger_config_finish(struct trigger_config *config)
{
    schema_release(trigger_config_fields, config);
    schema_release(handler_config_fields, &config->handler);
    source_config_finish(&config->source);
    free(config->handler_name);
    free(config->name);
}

bool trigger_config_equal(const struct trigger_config *a,
                          const struct trigger_config *b)
{
    return !strcmp(a->name, b->name) &&
           schema_equal(trigger_config_fields, a, b) &&
           schema_equal(handler_config_fields, &a->handler, &b->handler);
}

static bool same_handler(const struct trigger_config *a,
                         const struct trigger_config *b)
{
    if (a->handler_name && b->handler_name)
        return !strcmp(a->handler_name, b->handler_name);
    return schema_equal(handler_config_fields, &a->handler, &b->handler);
}

bool trigger_config_is_twin(const struct trigger_config *a,
                            const struct trigger_config *b)
{
    return source_config_same(&a->source, &b->source) && same_handler(a, b);
}
