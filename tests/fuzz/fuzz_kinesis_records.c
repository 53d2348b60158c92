/*
 * fuzz_kinesis_records: whatever the bytes are, they are records within the
 * body or an error.
 */
#include "source/kinesis_records.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct record_origin origin = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s",
    .region = "us-east-1",
    .shard = "shardId-000000000000",
    .identity = "arn:aws:iam::000000000000:role/pollard"};

static struct buffer copy_of(const uint8_t *data, size_t size)
{
    struct buffer body;

    buffer_init(&body, size ? size : 1);
    body.data = malloc(size ? size : 1); // exact, so that ASan sees the end
    body.size = body.capacity = size;
    memcpy(body.data, data, size);
    return body;
}

static bool is_within(const struct buffer *body, struct bytes slice)
{
    return !slice.size || (slice.data >= body->data &&
                           slice.data + slice.size <= body->data + body->size);
}

static void check_page(const struct stream_page *page)
{
    for (size_t i = 0; i < page->count; i++) {
        const struct record *record = &page->chunk->records[i];
        const struct buffer *body = &page->chunk->body;

        if (!is_within(body, record->data) || !is_within(body, record->key) ||
            !is_within(body, record->id) || !record->id.size)
            abort();
    }
}

static void try_page(const uint8_t *data, size_t size, bool cbor)
{
    struct buffer body = copy_of(data, size);
    struct stream_page page = {0};
    struct error err = {0};

    if (kinesis_page_parse(&body, cbor, &origin, 1, &page, &err))
        check_page(&page);
    else if (err.code != ERROR_TRANSIENT || !err.message[0] || page.chunk)
        abort();
    stream_page_finish(&page);
    buffer_finish(&body);
}

static void try_iterator(const uint8_t *data, size_t size, bool cbor)
{
    struct buffer body = copy_of(data, size);
    struct error err = {0};

    free(kinesis_iterator_parse(&body, cbor, &err));
    buffer_finish(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int cbor = 0; cbor <= 1; cbor++) {
        try_page(data, size, cbor);
        try_iterator(data, size, cbor);
    }
    return 0;
}
