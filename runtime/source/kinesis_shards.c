#include "source/kinesis_shards.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "base/error.h"
#include "base/mem.h"
#include "source/kinesis.h"
#include "source/kinesis_calls.h"

#define REQUEST_LIMIT (64u * 1024)
#define PAGES_LIMIT 1000
#define RESTARTS_LIMIT 3
#define ATTEMPTS 8

static char *copy_text(const json_t *object, const char *name)
{
    return mem_strdup(json_string_value(json_object_get(object, name)));
}

static void add_shard(struct stream_shards *shards, const json_t *object)
{
    const json_t *keys = json_object_get(object, "HashKeyRange");
    const json_t *numbers = json_object_get(object, "SequenceNumberRange");

    *stream_shards_add(shards) = (struct stream_shard){
        .id = copy_text(object, "ShardId"),
        .parent = copy_text(object, "ParentShardId"),
        .adjacent_parent = copy_text(object, "AdjacentParentShardId"),
        .starting_hash_key = copy_text(keys, "StartingHashKey"),
        .ending_hash_key = copy_text(keys, "EndingHashKey"),
        .closed =
            json_is_string(json_object_get(numbers, "EndingSequenceNumber")),
    };
}

bool kinesis_shards_add(struct stream_shards *shards, const json_t *array,
                        struct error *err)
{
    size_t count = json_array_size(array);

    if (!json_is_array(array))
        return error_set(err, ERROR_TRANSIENT, "no Shards in the answer");
    if (count > STREAM_SHARDS_LIMIT - shards->count)
        return error_set(err, ERROR_INVALID, "more than %d shards",
                         STREAM_SHARDS_LIMIT);
    for (size_t i = 0; i < count; i++) {
        const json_t *object = json_array_get(array, i);

        if (!json_string_length(json_object_get(object, "ShardId")))
            return error_set(err, ERROR_TRANSIENT, "a shard without ShardId");
        add_shard(shards, object);
    }
    return true;
}

bool kinesis_shards_parse(struct bytes body, struct stream_shards *shards,
                          char **next_token, struct error *err)
{
    json_error_t where;
    json_auto_t *root = json_loadb(body.data ? body.data : "", body.size,
                                   JSON_REJECT_DUPLICATES, &where);

    if (!root)
        return error_set(err, ERROR_TRANSIENT, "no JSON, at byte %d: %s",
                         where.position, where.text);
    if (!kinesis_shards_add(shards, json_object_get(root, "Shards"), err))
        return false;
    *next_token = copy_text(root, "NextToken");
    return true;
}

enum page_result { PAGE_FAILED, PAGE_READ, PAGE_TOKEN_EXPIRED };

// Reads the page that *token names, NULL: the first, and moves *token on.
static enum page_result read_page(struct aws_client *client, const char *stream,
                                  const bool *stop, char **token,
                                  struct stream_shards *shards,
                                  struct error *err)
{
    struct aws_request request = {.service = AWS_KINESIS,
                                  .protocol = AWS_JSON_11,
                                  .operation = "ListShards",
                                  .max_attempts = ATTEMPTS};
    struct aws_reply reply = {0};
    char *next = NULL;
    enum page_result result = PAGE_FAILED;

    buffer_init(&request.body, REQUEST_LIMIT);
    kinesis_put_shards_call(&request.body, stream, *token);
    (void)aws_client_call(client, &request, stop, &reply);
    if (reply.ok &&
        kinesis_shards_parse(buffer_bytes(&reply.body), shards, &next, err))
        result = PAGE_READ;
    else if (reply.ok)
        error_wrap(err, "ListShards");
    else if (*token && !strcmp(reply.code, "ExpiredNextTokenException"))
        result = PAGE_TOKEN_EXPIRED;
    if (!reply.ok)
        *err = reply.error;
    aws_reply_finish(&reply);
    free(*token);
    *token = next;
    return result;
}

// One run from the first page to the last.
static enum page_result read_pages(struct aws_client *client,
                                   const char *stream, const bool *stop,
                                   struct stream_shards *shards,
                                   struct error *err)
{
    AUTO_FREE char *token = NULL;
    enum page_result result;

    for (int pages = 0; pages < PAGES_LIMIT; pages++) {
        result = read_page(client, stream, stop, &token, shards, err);
        if (result != PAGE_READ || !token)
            return result;
    }
    error_set(err, ERROR_INVALID, "ListShards: more than %d pages",
              PAGES_LIMIT);
    return PAGE_FAILED;
}

bool kinesis_list_shards(struct aws_client *client, const char *stream,
                         const bool *stop, struct stream_shards *shards,
                         struct error *err)
{
    struct stream_shards read = {0};
    enum page_result result = PAGE_TOKEN_EXPIRED;

    for (int runs = 0; result == PAGE_TOKEN_EXPIRED && runs <= RESTARTS_LIMIT;
         runs++) {
        stream_shards_finish(&read);
        result = read_pages(client, stream, stop, &read, err);
    }
    if (result == PAGE_READ) {
        *shards = read;
        return true;
    }
    stream_shards_finish(&read);
    return error_wrap(err, "stream %s", stream);
}
