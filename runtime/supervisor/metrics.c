#include "supervisor/metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"

#define METRICS_FIELDS_MOST 32

#define STAT(member_) .offset = offsetof(struct poller_stats, member_)
#define QUEUES .of_queues = true
#define STREAMS .of_streams = true
#define BOTH QUEUES, STREAMS

// clang-format off
const struct metric metrics[] = {
    {"pollard_records_polled_total", STAT(counts.polled), BOTH,
     .aws_name = "PolledEventCount",
     .help = "Records read from the source."},
    {"pollard_records_filtered_total", STAT(counts.filtered), BOTH,
     .aws_name = "FilteredOutEventCount",
     .help = "Records that no filter matched."},
    {"pollard_records_dispatched_total", STAT(counts.dispatched), BOTH,
     .aws_name = "InvokedEventCount",
     .help = "Records sent to the handler, counted again with each retry."},
    {"pollard_records_failed_total", "error_type", "error",
     STAT(counts.failed_error), BOTH, .aws_name = "FailedInvokeEventCount",
     .help = "Records of invocations that failed, or whose response lists "
             "failures."},
    {"pollard_records_failed_total", "error_type", "timeout",
     STAT(counts.failed_timeout), BOTH, .aws_name = "FailedInvokeEventCount"},
    {"pollard_records_failed_total", "error_type", "records",
     STAT(counts.failed_records), BOTH, .aws_name = "FailedInvokeEventCount"},
    {"pollard_records_failed_total", "error_type", "response",
     STAT(counts.failed_response), BOTH, .aws_name = "FailedInvokeEventCount"},
    {"pollard_records_deleted_total", STAT(records_deleted), QUEUES,
     .aws_name = "DeletedEventCount",
     .help = "Messages deleted from the queue, by the queue's own word."},
    {"pollard_records_dropped_total", "reason", "attempts",
     STAT(counts.dropped_attempts), STREAMS, .aws_name = "DroppedEventCount",
     .help = "Records given up and reported nowhere."},
    {"pollard_records_dropped_total", "reason", "age",
     STAT(counts.dropped_age), STREAMS, .aws_name = "DroppedEventCount"},
    {"pollard_on_failure_delivered_total", STAT(counts.reported), STREAMS,
     .aws_name = "OnFailureDestinationDeliveredEventCount",
     .help = "Records given up whose report the on-failure destination "
             "accepted."},
    {"pollard_source_lag_seconds", .type = METRIC_GAUGE,
     .value = METRIC_SECONDS, STAT(counts.lag_ms), BOTH,
     .aws_name = "IteratorAge",
     .help = "Time from the arrival of the last record of the last batch at "
             "the source until the batch was sent to the handler; the longest "
             "of a stream's shards. The log has milliseconds."},

    {"pollard_records_done_total", STAT(records_done), BOTH,
     .help = "Records that are done with: handled, filtered or given up."},
    {"pollard_records_moved_total", STAT(counts.moved), QUEUES,
     .help = "Messages that no filter matched, moved to the destination of "
             "on_filtered."},
    {"pollard_records_returned_total", STAT(records_returned), QUEUES,
     .help = "Messages that were given back to the queue before they ran."},
    {"pollard_records_left_hidden_total", STAT(records_left_hidden), QUEUES,
     .help = "Messages that could not be settled, an expired receipt handle "
             "among the reasons: they come again."},
    {"pollard_visibility_extensions_total", STAT(visibility_extensions), QUEUES,
     .help = "Visibility timeouts extended by the heartbeat, by message."},
    {"pollard_batches_dispatched_total", STAT(batches_started), BOTH,
     .help = "Invocations of the handler."},
    {"pollard_batches_failed_total", STAT(batches_failed), BOTH,
     .help = "Invocations that failed, or whose response lists failures."},
    {"pollard_responses_invalid_total", STAT(counts.invalid_responses), BOTH,
     .help = "Responses that broke the rules, so that their whole batch "
             "failed."},
    {"pollard_breaker_opened_total", STAT(counts.breaker_opened), BOTH,
     .help = "Pauses that the circuit breaker began."},
    {"pollard_breaker_open", .type = METRIC_GAUGE, STAT(counts.breakers_open),
     BOTH,
     .help = "Circuit breakers that are open; a stream's trigger has one a "
             "shard."},
    {"pollard_inflight_records", .type = METRIC_GAUGE, STAT(records_inside),
     BOTH,
     .help = "Records received and not settled."},
    {"pollard_source_missing", .type = METRIC_GAUGE, .value = METRIC_FLAG,
     STAT(waits_for_source), BOTH,
     .help = "1 while the queue or stream does not exist."},
    {"pollard_last_progress_timestamp_seconds", .type = METRIC_GAUGE,
     .value = METRIC_WALL_TIME, STAT(progressed_ms), BOTH,
     .help = "When the trigger's loop last went round; the oldest of a "
             "stream's."},
    {0},
};
// clang-format on

static bool has(const struct metric *metric,
                const struct metrics_trigger *trigger)
{
    return trigger->is_queue ? metric->of_queues : metric->of_streams;
}

static const void *value_at(const struct metric *metric,
                            const struct poller_stats *stats)
{
    return (const char *)stats + metric->offset;
}

// Backslash, quote and newline: the format's only escapes.
static void write_label(struct buffer *text, const char *value)
{
    for (; *value; value++) {
        if (*value == '\\' || *value == '"')
            buffer_append_char(text, '\\');
        if (*value == '\n')
            buffer_append_text(text, "\\n");
        else
            buffer_append_char(text, *value);
    }
}

static void write_ms(struct buffer *text, int64_t ms)
{
    if (ms < 0)
        ms = 0;
    buffer_printf(text, "%" PRId64 ".%03d", ms / 1000, (int)(ms % 1000));
}

static void write_value(struct buffer *text, const struct metric *metric,
                        const struct metrics_options *options,
                        const struct poller_stats *stats)
{
    const void *at = value_at(metric, stats);
    int64_t ms;

    switch (metric->value) {
    case METRIC_COUNT:
        buffer_printf(text, "%" PRIu64, *(const uint64_t *)at);
        break;
    case METRIC_SECONDS:
        write_ms(text, *(const int64_t *)at);
        break;
    case METRIC_FLAG:
        buffer_append_char(text, *(const bool *)at ? '1' : '0');
        break;
    case METRIC_WALL_TIME:
        ms = *(const int64_t *)at;
        write_ms(text, ms ? options->wall_ms - (options->now_ms - ms) : 0);
        break;
    }
}

static void write_sample(struct buffer *text, const struct metric *metric,
                         const struct metrics_options *options,
                         const struct metrics_trigger *trigger)
{
    buffer_append_text(text, metric->name);
    buffer_append_text(text, "{trigger=\"");
    write_label(text, trigger->name);
    buffer_append_char(text, '"');
    if (metric->label)
        buffer_printf(text, ",%s=\"%s\"", metric->label, metric->label_value);
    buffer_append_text(text, "} ");
    write_value(text, metric, options, &trigger->stats);
    buffer_append_char(text, '\n');
}

static void write_head(struct buffer *text, const struct metric *metric)
{
    buffer_printf(text, "# HELP %s %s\n# TYPE %s %s\n", metric->name,
                  metric->help, metric->name,
                  metric->type == METRIC_GAUGE ? "gauge" : "counter");
}

static bool is_first_of_name(const struct metric *metric)
{
    return metric == metrics || strcmp(metric[-1].name, metric->name) != 0;
}

void metrics_write(const struct metrics_options *options, struct buffer *text)
{
    buffer_append_text(text, "# HELP pollard_build_info The running version.\n"
                             "# TYPE pollard_build_info gauge\n"
                             "pollard_build_info{version=\"" POLLARD_VERSION
                             "\"} 1\n");
    for (const struct metric *metric = metrics; metric->name; metric++) {
        if (is_first_of_name(metric))
            write_head(text, metric);
        for (size_t i = 0; i < options->count; i++)
            if (has(metric, &options->triggers[i]))
                write_sample(text, metric, options, &options->triggers[i]);
    }
}

static int64_t number_of(const struct metric *metric,
                         const struct metrics_options *options,
                         const struct poller_stats *stats)
{
    const void *at = value_at(metric, stats);
    int64_t ms;

    switch (metric->value) {
    case METRIC_COUNT:
        return (int64_t) * (const uint64_t *)at;
    case METRIC_SECONDS:
        return *(const int64_t *)at;
    case METRIC_FLAG:
        return *(const bool *)at;
    case METRIC_WALL_TIME:
        ms = *(const int64_t *)at;
        return ms ? (options->wall_ms - (options->now_ms - ms)) / 1000 : 0;
    }
    return 0;
}

// Under its AWS name, else under its own. Rows of one name are summed.
static struct log_field *add_number(struct log_field *field,
                                    const struct metric *metric, int64_t number)
{
    if (!is_first_of_name(metric)) {
        field[-1].number += number;
        return field;
    }
    *field =
        LOG_INT(metric->aws_name ? metric->aws_name : metric->name, number);
    return field + 1;
}

static void log_trigger(const struct metrics_options *options,
                        const struct metrics_trigger *trigger,
                        const struct log *log)
{
    struct log_field fields[METRICS_FIELDS_MOST] = {0}, *field = fields;

    *field++ = LOG_STR("trigger", trigger->name);
    for (const struct metric *metric = metrics; metric->name; metric++)
        if (has(metric, trigger))
            field = add_number(field, metric,
                               number_of(metric, options, &trigger->stats));
    assert(field < fields + METRICS_FIELDS_MOST); // the last one ends the list
    log_write(log, LOG_LEVEL_INFO, "trigger.counters", fields);
}

void metrics_log(const struct metrics_options *options, const struct log *log)
{
    for (size_t i = 0; i < options->count; i++)
        log_trigger(options, &options->triggers[i], log);
}
