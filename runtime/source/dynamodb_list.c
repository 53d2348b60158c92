#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "base/error.h"
#include "base/mem.h"
#include "source/dynamodb.h"
#include "source/dynamodb_calls.h"
#include "source/dynamodb_shards.h"
#include "source/stream_list.h"

#define REQUEST_LIMIT (64u * 1024)
#define PAGES_LIMIT 1000
#define ATTEMPTS 8

// The answer's body, to be finished by the caller.
static bool ask(struct aws_client *client, struct aws_request *request,
                const bool *stop, struct buffer *body, struct error *err)
{
    struct aws_reply reply = {0};
    bool ok;

    request->service = AWS_DYNAMODB_STREAMS;
    request->protocol = AWS_JSON_10;
    request->max_attempts = ATTEMPTS;
    (void)aws_client_call(client, request, stop, &reply);
    ok = reply.ok;
    if (ok) {
        *body = reply.body;
        buffer_init(&reply.body, 0);
    } else {
        *err = reply.error;
    }
    aws_reply_finish(&reply);
    return ok;
}

// Reads the page behind *last, NULL: the first, and moves it on.
static bool read_shards(struct aws_client *client, const char *arn,
                        const bool *stop, struct stream_shards *shards,
                        char **last, struct error *err)
{
    struct aws_request request = {.operation = "DescribeStream"};
    struct buffer body = {0};
    char *next = NULL;
    bool ok;

    buffer_init(&request.body, REQUEST_LIMIT);
    dynamodb_put_describe_call(&request.body, arn, *last);
    if (!ask(client, &request, stop, &body, err))
        return false;
    ok = dynamodb_shards_parse(buffer_bytes(&body), shards, &next, err) ||
         error_wrap(err, "DescribeStream");
    buffer_finish(&body);
    free(*last);
    *last = next;
    return ok;
}

static bool read_all_shards(struct aws_client *client, const char *arn,
                            const bool *stop, struct stream_shards *shards,
                            struct error *err)
{
    AUTO_FREE char *last = NULL;

    for (int pages = 0; pages < PAGES_LIMIT; pages++) {
        if (!read_shards(client, arn, stop, shards, &last, err))
            return false;
        if (!last)
            return true;
    }
    return error_set(err, ERROR_INVALID, "DescribeStream: more than %d pages",
                     PAGES_LIMIT);
}

bool dynamodb_list_stream(struct aws_client *client, const char *arn,
                          const bool *stop, struct stream_listing *listing,
                          struct error *err)
{
    struct stream_shards shards = {0};
    struct stream_listed *listed;

    if (!read_all_shards(client, arn, stop, &shards, err)) {
        stream_shards_finish(&shards);
        return error_wrap(err, "stream %s", arn);
    }
    listed = stream_listing_add(listing);
    listed->identity = mem_strdup(arn);
    listed->shards = shards;
    return true;
}

static bool read_streams(struct aws_client *client, const char *table,
                         const bool *stop, struct dynamodb_streams *streams,
                         char **last, struct error *err)
{
    struct aws_request request = {.operation = "ListStreams"};
    struct buffer body = {0};
    char *next = NULL;
    bool ok;

    buffer_init(&request.body, REQUEST_LIMIT);
    dynamodb_put_list_call(&request.body, table, *last);
    if (!ask(client, &request, stop, &body, err))
        return false;
    ok = dynamodb_streams_parse(buffer_bytes(&body), table, streams, &next,
                                err) ||
         error_wrap(err, "ListStreams");
    buffer_finish(&body);
    free(*last);
    *last = next;
    return ok;
}

static bool read_all_streams(struct aws_client *client, const char *table,
                             const bool *stop, struct dynamodb_streams *streams,
                             struct error *err)
{
    AUTO_FREE char *last = NULL;

    for (int pages = 0; pages < PAGES_LIMIT; pages++) {
        if (!read_streams(client, table, stop, streams, &last, err))
            return false;
        if (!last)
            return true;
    }
    return error_set(err, ERROR_INVALID, "ListStreams: more than %d pages",
                     PAGES_LIMIT);
}

// One that went meanwhile, a day after it was disabled, is none.
static bool list_streams(struct aws_client *client,
                         const struct dynamodb_streams *streams,
                         const bool *stop, struct stream_listing *listing,
                         struct error *err)
{
    size_t skipped = streams->count > STREAM_LISTING_LIMIT
                         ? streams->count - STREAM_LISTING_LIMIT
                         : 0;

    for (size_t i = skipped; i < streams->count; i++)
        if (!dynamodb_list_stream(client, streams->list[i].arn, stop, listing,
                                  err) &&
            err->code != ERROR_NOT_FOUND)
            return false;
    return listing->count > 0 ||
           error_set(err, ERROR_NOT_FOUND, "it has no stream");
}

bool dynamodb_list_table(struct aws_client *client, const char *table,
                         const bool *stop, struct stream_listing *listing,
                         struct error *err)
{
    struct dynamodb_streams streams = {0};
    bool ok = read_all_streams(client, table, stop, &streams, err) &&
              list_streams(client, &streams, stop, listing, err);

    dynamodb_streams_finish(&streams);
    if (ok)
        *err = (struct error){0};
    return ok || error_wrap(err, "table %s", table);
}
