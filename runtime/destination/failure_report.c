#include "destination/failure_report.h"

#include "aws/arn.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json_write.h"
#include "destination/on_failure.h"
#include "record/event.h"
#include "record/record.h"

// In the partition, region and account of the source.
static void put_function(struct buffer *out, const struct record_origin *origin,
                         const char *function)
{
    struct arn arn;
    struct error err;
    struct buffer text;

    if (!arn_parse(origin->arn, &arn, &err))
        arn = (struct arn){.partition = BYTES("aws"),
                           .account = BYTES("000000000000")};
    buffer_init(&text, 8 * 1024);
    buffer_printf(&text, "arn:%.*s:lambda:%s:%.*s:function:%.1024s",
                  BYTES_ARGS(arn.partition), origin->region,
                  BYTES_ARGS(arn.account), function);
    json_put_string(out, buffer_bytes(&text));
    buffer_finish(&text);
}

static void put_text(struct buffer *out, const char *name, struct bytes text)
{
    buffer_append_text(out, name);
    json_put_string(out, text);
}

// DynamoDB's arrival times are whole seconds.
static void put_time(struct buffer *out, const char *name, int64_t wall_ms,
                     enum record_kind kind)
{
    char at[25];

    clock_format_utc(wall_ms, at);
    if (kind == RECORD_DYNAMODB && at[0])
        memcpy(at + 19, "Z", 2);
    put_text(out, name, bytes_of(at));
}

static void put_request(struct buffer *out, const struct failure_report *report)
{
    const struct failure *failure = report->failure;

    put_text(out, "{\"requestContext\":{\"requestId\":",
             bytes_of(report->request_id));
    buffer_append_text(out, ",\"functionArn\":");
    put_function(out, failure->records[0]->origin, report->function);
    put_text(out, ",\"condition\":",
             bytes_of(failure_condition_name(failure->condition)));
    buffer_append_text(out, ",\"approximateInvokeCount\":");
    json_put_int(out, failure->invoke_count);
    buffer_append_char(out, '}');
}

// Nothing was invoked when records were too old.
static void put_response(struct buffer *out, const struct failure *failure)
{
    if (failure->condition == FAILURE_RECORD_AGE_EXCEEDED)
        return;
    buffer_append_text(out, ",\"responseContext\":{\"statusCode\":200,"
                            "\"executedVersion\":\"$LATEST\","
                            "\"functionError\":");
    buffer_append_text(out, failure->is_unhandled ? "\"Unhandled\"}" : "null}");
}

static void put_batch(struct buffer *out, const struct failure *failure)
{
    const struct record *first = failure->records[0];
    const struct record *last = failure->records[failure->count - 1];
    const struct record_origin *origin = first->origin;
    enum record_kind kind = origin->kind;

    buffer_append_text(out, kind == RECORD_DYNAMODB ? ",\"DDBStreamBatchInfo\":"
                                                    : ",\"KinesisBatchInfo\":");
    put_text(out,
             "{\"shardId\":", bytes_of(origin->shard ? origin->shard : ""));
    put_text(out, ",\"startSequenceNumber\":", first->id);
    put_text(out, ",\"endSequenceNumber\":", last->id);
    put_time(out, ",\"approximateArrivalOfFirstRecord\":", first->arrived_at_ms,
             kind);
    put_time(out, ",\"approximateArrivalOfLastRecord\":", last->arrived_at_ms,
             kind);
    buffer_append_text(out, ",\"batchSize\":");
    json_put_int(out, (int64_t)failure->count);
    put_text(out, ",\"streamArn\":", bytes_of(origin->arn));
    buffer_append_char(out, '}');
}

void failure_report_event(struct buffer *out, const struct failure *failure)
{
    const struct record *const *records =
        (const struct record *const *)failure->records;

    if (failure->window)
        event_write_window(out, records, failure->count, failure->window);
    else
        event_write(out, records, failure->count);
}

static void put_payload(struct buffer *out, const struct failure *failure)
{
    struct buffer event;

    buffer_init(&event, out->limit);
    failure_report_event(&event, failure);
    if (buffer_ok(&event))
        put_text(out, ",\"payload\":", buffer_bytes(&event));
    else
        out->overflow = true;
    buffer_finish(&event);
}

void failure_report_write(struct buffer *out,
                          const struct failure_report *report)
{
    const struct failure *failure = report->failure;

    put_request(out, report);
    put_response(out, failure);
    buffer_append_text(out, ",\"version\":\"1.0\"");
    put_time(out, ",\"timestamp\":", failure->failed_wall_ms, RECORD_KINESIS);
    put_batch(out, failure);
    if (report->has_payload)
        put_payload(out, failure);
    buffer_append_char(out, '}');
}
