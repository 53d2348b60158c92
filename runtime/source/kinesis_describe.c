#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "source/kinesis.h"
#include "source/kinesis_ask.h"
#include "source/kinesis_calls.h"
#include "source/kinesis_shards.h"

#define PAGES_LIMIT 1000

void kinesis_summary_finish(struct kinesis_summary *summary)
{
    free(summary->arn);
    *summary = (struct kinesis_summary){0};
}

static const char *const statuses[] = {
    [KINESIS_CREATING] = "CREATING",
    [KINESIS_ACTIVE] = "ACTIVE",
    [KINESIS_UPDATING] = "UPDATING",
    [KINESIS_DELETING] = "DELETING",
};

static bool read_status(const json_t *description, enum kinesis_status *status,
                        struct error *err)
{
    const char *name =
        json_string_value(json_object_get(description, "StreamStatus"));

    for (int i = KINESIS_CREATING; name && i <= KINESIS_DELETING; i++)
        if (!strcmp(name, statuses[i])) {
            *status = (enum kinesis_status)i;
            return true;
        }
    return error_set(err, ERROR_TRANSIENT, "no known StreamStatus: '%.50s'",
                     name ? name : "");
}

// Epoch seconds as milliseconds; 0 for what no stream was created at.
static int64_t read_time_ms(const json_t *description, const char *name)
{
    double seconds = json_number_value(json_object_get(description, name));

    return seconds > 0 && seconds < 1e12 ? 1000 * (int64_t)seconds : 0;
}

static size_t read_count(const json_t *description, const char *name)
{
    json_int_t count = json_integer_value(json_object_get(description, name));

    return count > 0 ? (size_t)count : 0;
}

static bool read_summary(const json_t *description,
                         struct kinesis_summary *summary, struct error *err)
{
    if (!read_status(description, &summary->status, err))
        return false;
    free(summary->arn);
    summary->arn = mem_strdup(
        json_string_value(json_object_get(description, "StreamARN")));
    summary->retention_hours = json_integer_value(
        json_object_get(description, "RetentionPeriodHours"));
    summary->open_shards = read_count(description, "OpenShardCount");
    summary->created_ms = read_time_ms(description, "StreamCreationTimestamp");
    return true;
}

static void count_open(const struct stream_shards *shards,
                       struct kinesis_summary *summary)
{
    for (size_t i = 0; i < shards->count; i++)
        summary->open_shards += !shards->list[i].closed;
}

// Adds the page's shards.
static bool read_page(struct aws_client *client, const char *stream,
                      const bool *stop, struct stream_shards *shards,
                      struct kinesis_summary *summary, bool *has_more,
                      struct error *err)
{
    struct aws_request request = kinesis_ask_begin("DescribeStream");
    json_auto_t *description = NULL;
    char code[96];

    kinesis_put_describe_call(&request.body, stream,
                              shards->count ? shards->list[shards->count - 1].id
                                            : NULL);
    description =
        kinesis_ask(client, &request, stop, "StreamDescription", code, err);
    *has_more = json_is_true(json_object_get(description, "HasMoreShards"));
    return description && read_summary(description, summary, err) &&
           kinesis_shards_add(shards, json_object_get(description, "Shards"),
                              err);
}

static bool describe_stream(struct aws_client *client, const char *stream,
                            const bool *stop, struct kinesis_summary *summary,
                            struct error *err)
{
    struct stream_shards shards = {0};
    bool ok = true, has_more = true;

    for (int pages = 0; ok && has_more && pages < PAGES_LIMIT; pages++)
        ok = read_page(client, stream, stop, &shards, summary, &has_more, err);
    if (ok && has_more)
        ok = error_set(err, ERROR_INVALID, "DescribeStream: more than %d pages",
                       PAGES_LIMIT);
    count_open(&shards, summary);
    stream_shards_finish(&shards);
    return ok;
}

static bool describe_summary(struct aws_client *client, const char *stream,
                             const bool *stop, struct kinesis_summary *summary,
                             char code[96], struct error *err)
{
    struct aws_request request = kinesis_ask_begin("DescribeStreamSummary");
    json_auto_t *description;

    kinesis_put_describe_call(&request.body, stream, NULL);
    description = kinesis_ask(client, &request, stop,
                              "StreamDescriptionSummary", code, err);
    return description && read_summary(description, summary, err);
}

// What servers say to an operation that they do not have, and what AWS says
// where the policy grants only the older one.
static bool lacks_operation(const char *code)
{
    return !strcmp(code, "UnknownOperationException") ||
           !strcmp(code, "InvalidAction") ||
           !strcmp(code, "AccessDeniedException");
}

bool kinesis_describe(struct aws_client *client, const char *stream,
                      const bool *stop, struct kinesis_summary *summary,
                      struct error *err)
{
    struct kinesis_summary read = {0};
    char code[96] = "";

    if (describe_summary(client, stream, stop, &read, code, err) ||
        (lacks_operation(code) &&
         describe_stream(client, stream, stop, &read, err))) {
        *summary = read;
        return true;
    }
    kinesis_summary_finish(&read);
    return error_wrap(err, "stream %s", stream);
}
