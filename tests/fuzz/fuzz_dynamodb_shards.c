/*
 * fuzz_dynamodb_shards: whatever the bytes are, they are shards with ids, or
 * streams in their order, or an error.
 */
#include "source/dynamodb_shards.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/error.h"
#include "source/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_shards(struct bytes body)
{
    struct stream_shards shards = {0};
    struct error err = {0};
    char *next = NULL;

    if (dynamodb_shards_parse(body, &shards, &next, &err) ==
        (err.code != ERROR_NONE))
        abort();
    for (size_t i = 0; i < shards.count; i++)
        if (!shards.list[i].id || !shards.list[i].id[0])
            abort();
    stream_shards_finish(&shards);
    free(next);
}

static void try_streams(struct bytes body)
{
    struct dynamodb_streams streams = {.count = 0};
    struct error err = {0};
    char *next = NULL;

    if (dynamodb_streams_parse(body, "items", &streams, &next, &err) ==
        (err.code != ERROR_NONE))
        abort();
    for (size_t i = 1; i < streams.count; i++)
        if (strcmp(streams.list[i - 1].label, streams.list[i].label) > 0)
            abort();
    dynamodb_streams_finish(&streams);
    free(next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes body = {(const char *)data, size};

    try_shards(body);
    try_streams(body);
    return 0;
}
