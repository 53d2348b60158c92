#include <string.h>

#include "base/clock.h"
#include "config/problems.h"
#include "poller/trigger_config.h"

#define QUEUE_BATCH_SIZE 10
#define STREAM_BATCH_SIZE 100
#define FIFO_BATCH_LIMIT 10
#define UNWINDOWED_BATCH_LIMIT 10
#define LEAST_RECORD_AGE 60

struct check {
    struct trigger_config *config;
    const struct schema_map *map;
    struct problems *problems;
};

static void complain(const struct check *check, const char *name,
                     const char *text)
{
    schema_complain(check->map, name, check->problems, "%s", text);
}

static bool is_given(const struct check *check, const char *name)
{
    return schema_find(check->map, name) != NULL;
}

// Keys that have no meaning for the trigger's kind of source.
static void refuse_given(const struct check *check, const char *const *names,
                         const char *text)
{
    for (; *names; names++)
        if (is_given(check, *names))
            complain(check, *names, text);
}

static void check_batch(const struct check *check)
{
    const struct trigger_config *config = check->config;
    bool is_fifo = source_config_is_fifo(&config->source);

    if (is_fifo && config->maximum_batching_window_in_seconds)
        complain(check, "maximum_batching_window_in_seconds",
                 "a FIFO queue has no batching window");
    if (is_fifo && config->batch_size > FIFO_BATCH_LIMIT)
        schema_complain(check->map, "batch_size", check->problems,
                        "%lld is not allowed: 1 to 10 for a FIFO queue",
                        (long long)config->batch_size);
    if (!is_fifo && config->batch_size > UNWINDOWED_BATCH_LIMIT &&
        !config->maximum_batching_window_in_seconds)
        complain(check, "batch_size",
                 "over 10, a queue needs maximum_batching_window_in_seconds, 1 "
                 "to 300");
}

static void check_visibility(const struct check *check)
{
    const struct trigger_config *config = check->config;
    int64_t visible_ms = config->visibility_timeout_ms;
    char visible[SCHEMA_DURATION_SIZE], timeout[SCHEMA_DURATION_SIZE];

    if (visible_ms < 0)
        return;
    if (visible_ms % 1000)
        complain(check, "visibility_timeout", "SQS counts in whole seconds");
    if (config->visibility_heartbeat ||
        config->handler.timeout_ms <= visible_ms)
        return;
    schema_format_duration(visible_ms, visible);
    schema_format_duration(config->handler.timeout_ms, timeout);
    schema_complain(check->map, "visibility_timeout", check->problems,
                    "%s is shorter than the handler's timeout, %s: a message "
                    "would come back while it is handled (or set "
                    "visibility_heartbeat)",
                    visible, timeout);
}

static bool is_own_queue(const struct source_config *source, const char *arn)
{
    const char *name = strrchr(arn, ':') + 1;

    return source->arn
               ? !strcmp(arn, source->arn)
               : !strncmp(arn, "arn:", 4) && !strcmp(name, source->name);
}

/* Where messages are moved to that no filter matches. */
static void check_filtered_destination(const struct check *check)
{
    const char *destination = check->config->on_filtered;

    if (is_own_queue(&check->config->source, destination))
        complain(check, "on_filtered",
                 "is the queue that the messages come from: they would go "
                 "round for ever");
    else
        destination_config_check_report("on_filtered", destination, check->map,
                                        check->problems);
}

/* What becomes of what no filter matches. */
static void check_filtered(const struct check *check)
{
    const char *what = check->config->on_filtered;

    if (!is_given(check, "on_filtered"))
        return;
    if (!check->config->filter_criteria.filters.count)
        complain(check, "on_filtered",
                 "means nothing without filter_criteria, which leaves nothing "
                 "out");
    if (what && !strcmp(what, "leave") &&
        source_config_is_fifo(&check->config->source))
        complain(check, "on_filtered",
                 "a message left in a FIFO queue blocks its group; delete it, "
                 "or move it to a destination");
    if (what && strchr(what, ':'))
        check_filtered_destination(check);
    else if (what && strcmp(what, "delete") != 0 && strcmp(what, "leave") != 0)
        schema_complain(check->map, "on_filtered", check->problems,
                        "\"%.60s\" is not allowed: delete, leave, or a "
                        "destination (an ARN, file:///folder/ or https://...)",
                        what);
}

static void check_queue(const struct check *check)
{
    static const char *const stream_keys[] = {"starting_position",
                                              "starting_position_timestamp",
                                              "parallelization_factor",
                                              "bisect_batch_on_function_error",
                                              "maximum_retry_attempts",
                                              "maximum_record_age_in_seconds",
                                              "tumbling_window_in_seconds",
                                              "deaggregate",
                                              "on_trimmed_data",
                                              NULL};
    const struct trigger_config *config = check->config;
    int64_t pollers = config->provisioned_poller_config.maximum_pollers;

    refuse_given(check, stream_keys, "only a stream has it");
    if (is_given(check, "destination_config.on_failure"))
        complain(check, "destination_config.on_failure",
                 "only a stream has it; a queue's redrive policy says where "
                 "failed messages go");
    if (!source_config_is_fifo(&config->source) &&
        is_given(check, "fifo_failure"))
        complain(check, "fifo_failure", "only a FIFO queue has it");
    check_filtered(check);
    if (pollers > 0 &&
        config->provisioned_poller_config.minimum_pollers > pollers)
        complain(check, "provisioned_poller_config",
                 "minimum_pollers is over maximum_pollers");
    check_batch(check);
    check_visibility(check);
}

static void check_timestamp(const struct check *check)
{
    const struct trigger_config *config = check->config;
    bool is_wanted = config->starting_position == TRIGGER_START_AT_TIMESTAMP;
    bool is_there = is_given(check, "starting_position_timestamp");

    if (is_wanted && !is_there)
        complain(check, "starting_position_timestamp",
                 "missing; AT_TIMESTAMP needs it");
    if (!is_wanted && is_there && config->starting_position)
        complain(check, "starting_position_timestamp",
                 "only with starting_position: AT_TIMESTAMP");
    if (config->starting_position_timestamp_ms > clock_wall_ms(clock_system()))
        complain(check, "starting_position_timestamp", "lies in the future");
}

/* The rule of the API: -1, or 60 and more. */
static void check_age(const struct check *check)
{
    int64_t age = check->config->maximum_record_age_in_seconds;

    if (age >= 0 && age < LEAST_RECORD_AGE)
        schema_complain(check->map, "maximum_record_age_in_seconds",
                        check->problems,
                        "%lld is not allowed: -1 (any age), or 60 to 604800",
                        (long long)age);
}

static void check_dynamodb(const struct check *check)
{
    if (check->config->starting_position == TRIGGER_START_AT_TIMESTAMP)
        complain(check, "starting_position",
                 "unsupported starting position: a DynamoDB stream has "
                 "TRIM_HORIZON and LATEST");
    if (is_given(check, "deaggregate"))
        complain(check, "deaggregate", "only a Kinesis stream has it");
}

static void check_stream(const struct check *check)
{
    static const char *const queue_keys[] = {
        "scaling_config",     "provisioned_poller_config",
        "visibility_timeout", "visibility_heartbeat",
        "wait_time_seconds",  "fifo_failure",
        "on_filtered",        NULL};

    refuse_given(check, queue_keys, "only a queue has it");
    if (!is_given(check, "starting_position"))
        complain(check, "starting_position",
                 "missing; a stream needs it: TRIM_HORIZON, LATEST or "
                 "AT_TIMESTAMP");
    check_timestamp(check);
    check_age(check);
    if (check->config->source.type == SOURCE_TYPE_DYNAMODB)
        check_dynamodb(check);
    else if (is_given(check, "on_trimmed_data"))
        complain(check, "on_trimmed_data", "only a DynamoDB stream has it");
}

/* Nothing reads it; but what is no key is a mistake all the same. */
static void check_key(const struct check *check)
{
    const char *key = check->config->kms_key_arn;

    if (key && strncmp(key, "arn:", 4) != 0)
        schema_complain(check->map, "kms_key_arn", check->problems,
                        "\"%.60s\" is no ARN: "
                        "arn:aws:kms:REGION:ACCOUNT:key/ID",
                        key);
}

static void check_filters(const struct check *check)
{
    struct schema_map inner;
    enum record_kind kind = RECORD_SQS;

    switch (check->config->source.type) {
    case SOURCE_TYPE_SQS:
        kind = RECORD_SQS;
        break;
    case SOURCE_TYPE_KINESIS:
        kind = RECORD_KINESIS;
        break;
    case SOURCE_TYPE_DYNAMODB:
        kind = RECORD_DYNAMODB;
        break;
    }
    schema_enter(check->map, "filter_criteria", &inner);
    filter_config_check(&check->config->filter_criteria, kind, &inner,
                        check->problems);
}

static void check_parts(const struct check *check)
{
    const struct trigger_config *config = check->config;
    struct schema_map inner;

    schema_enter(check->map, "destination_config", &inner);
    destination_config_check(&config->destination_config, &inner,
                             check->problems);
    if (config->retry_backoff.maximum_ms &&
        config->retry_backoff.base_ms > config->retry_backoff.maximum_ms)
        complain(check, "retry_backoff", "base is over maximum");
    check_key(check);
}

static bool check_source(const struct check *check)
{
    struct schema_map inner;

    schema_enter(check->map, "source", &inner);
    return source_config_check(&check->config->source, &inner, check->problems);
}

bool trigger_config_check(struct trigger_config *config,
                          const struct schema_map *map,
                          struct problems *problems)
{
    const struct check check = {config, map, problems};
    size_t before = problems->added;

    config->reports_batch_item_failures =
        config->function_response_types & TRIGGER_REPORT_BATCH_ITEM_FAILURES;
    if (check_source(&check)) {
        bool is_queue = config->source.type == SOURCE_TYPE_SQS;

        if (!config->batch_size)
            config->batch_size =
                is_queue ? QUEUE_BATCH_SIZE : STREAM_BATCH_SIZE;
        if (is_queue)
            check_queue(&check);
        else
            check_stream(&check);
        check_filters(&check);
    }
    check_parts(&check);
    return problems->added == before;
}
