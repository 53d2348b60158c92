/*
 * fuzz_dynamodb_records: whatever the bytes are, they are records with data
 * that is JSON, within the chunk, or an error.
 */
#include "source/dynamodb_records.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/json_read.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct record_origin origin = {
    .kind = RECORD_DYNAMODB,
    .arn = "arn:aws:dynamodb:r:123456789012:table/t/stream/l",
    .region = "r",
    .shard = "shardId-1"};

static struct buffer copy_of(const void *data, size_t size)
{
    struct buffer body;

    buffer_init(&body, size ? size : 1);
    body.data = malloc(size ? size : 1); // exact, so that ASan sees the end
    body.size = body.capacity = size;
    memcpy(body.data, data, size);
    return body;
}

static void check_json(struct bytes text)
{
    struct buffer copy = copy_of(text.data, text.size);
    struct json_read in;

    json_read_init(&in, copy.data, copy.size);
    if (!json_read_skip(&in) || !json_read_end(&in))
        abort();
    buffer_finish(&copy);
}

static void check_page(const struct stream_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct record *record = &page->chunk->records[i];

        if (!record->id.size)
            abort();
        check_json(record->data);
        if (record->key.size)
            check_json(record->key);
        if (record->user_identity.size)
            check_json(record->user_identity);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer body = copy_of(data, size);
    struct stream_page page = {0};
    struct error err = {0};

    if (dynamodb_page_parse(&body, &origin, 1, &page, &err))
        check_page(&page);
    else if (err.code != ERROR_TRANSIENT || !err.message[0] || page.chunk)
        abort();
    stream_page_finish(&page);
    buffer_finish(&body);
    return 0;
}
