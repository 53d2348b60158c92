#include "source/dynamodb_shards.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "source/kinesis_shards.h"
#include "source/stream.h"

static char *copy_text(const json_t *object, const char *name)
{
    return mem_strdup(json_string_value(json_object_get(object, name)));
}

static json_t *load(struct bytes body, struct error *err)
{
    json_error_t where;
    json_t *root = json_loadb(body.data ? body.data : "", body.size,
                              JSON_REJECT_DUPLICATES, &where);

    if (!root)
        error_set(err, ERROR_TRANSIENT, "no JSON, at byte %d: %s",
                  where.position, where.text);
    return root;
}

bool dynamodb_shards_parse(struct bytes body, struct stream_shards *shards,
                           char **last_shard, struct error *err)
{
    json_auto_t *root = load(body, err);
    const json_t *description = json_object_get(root, "StreamDescription");
    const char *status =
        json_string_value(json_object_get(description, "StreamStatus"));

    if (!root)
        return false;
    if (!status)
        return error_set(err, ERROR_TRANSIENT, "no StreamStatus in the answer");
    if (!kinesis_shards_add(shards, json_object_get(description, "Shards"),
                            err))
        return false;
    shards->is_final = !strcmp(status, "DISABLED");
    shards->lists_gone = true;
    *last_shard = copy_text(description, "LastEvaluatedShardId");
    return true;
}

static void drop_oldest(struct dynamodb_streams *streams)
{
    free(streams->list[0].arn);
    free(streams->list[0].label);
    memmove(&streams->list[0], &streams->list[1],
            --streams->count * sizeof(streams->list[0]));
}

// A label is the time of the stream's creation: 2024-06-10T19:26:16.525.
static void add_stream(struct dynamodb_streams *streams, const json_t *object)
{
    struct dynamodb_stream stream = {copy_text(object, "StreamArn"),
                                     copy_text(object, "StreamLabel")};
    size_t at;

    if (streams->count == DYNAMODB_STREAMS_LIMIT)
        drop_oldest(streams);
    at = streams->count++;
    for (; at && strcmp(streams->list[at - 1].label, stream.label) > 0; at--)
        streams->list[at] = streams->list[at - 1];
    streams->list[at] = stream;
}

bool dynamodb_streams_parse(struct bytes body, const char *table,
                            struct dynamodb_streams *streams, char **last_arn,
                            struct error *err)
{
    json_auto_t *root = load(body, err);
    const json_t *array = json_object_get(root, "Streams");
    const json_t *object;
    size_t i;

    if (!root)
        return false;
    if (!json_is_array(array))
        return error_set(err, ERROR_TRANSIENT, "no Streams in the answer");
    json_array_foreach(array, i, object)
    {
        const char *name =
            json_string_value(json_object_get(object, "TableName"));

        if (!json_is_string(json_object_get(object, "StreamArn")) ||
            !json_is_string(json_object_get(object, "StreamLabel")))
            return error_set(err, ERROR_TRANSIENT,
                             "a stream without StreamArn or StreamLabel");
        if (name && !strcmp(name, table))
            add_stream(streams, object);
    }
    *last_arn = copy_text(root, "LastEvaluatedStreamArn");
    return true;
}

void dynamodb_streams_finish(struct dynamodb_streams *streams)
{
    while (streams->count)
        drop_oldest(streams);
}
