/*
 * fuzz_event_stream: whatever the bytes are, and however they are cut, they are
 * the same messages or broken. Checksums are mended first, so that what is
 * behind them is reached.
 */
#include "aws/event_stream.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
    size_t messages, bytes;
    bool broken;
};

static void check_message(struct event_message *message, struct result *result)
{
    struct bytes headers = message->headers;
    struct event_header header;
    volatile char sum = 0;

    while (event_header_next(&headers, &header))
        for (size_t i = 0; i < header.value.size; i++)
            sum = (char)(sum + header.value.data[i]);
    if (headers.size)
        abort();
    result->messages++;
    result->bytes += message->headers.size + message->payload.size;
    event_message_finish(message);
}

static struct result read_in_pieces(const uint8_t *data, size_t size,
                                    size_t piece)
{
    struct event_stream stream;
    struct result result = {0};
    struct event_message message;
    struct error err;
    enum event_stream_step step;

    event_stream_init(&stream, 1 << 20);
    for (size_t at = 0; at < size && !result.broken; at += piece) {
        struct bytes bytes = {(const char *)data + at,
                              size - at < piece ? size - at : piece};

        while ((step = event_stream_read(&stream, &bytes, &message, &err)) ==
               EVENT_STREAM_MESSAGE)
            check_message(&message, &result);
        result.broken = step == EVENT_STREAM_BROKEN;
    }
    event_stream_finish(&stream);
    return result;
}

static void put_crc(uint8_t *at, const uint8_t *data, size_t size)
{
    uint32_t crc = (uint32_t)crc32(0, data, (uInt)size);

    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(crc >> (24 - 8 * i));
}

static void mend(uint8_t *data, size_t size)
{
    for (size_t at = 0; size - at >= 16;) {
        size_t length = (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 |
                        (size_t)data[at + 2] << 8 | data[at + 3];

        put_crc(data + at + 8, data + at, 8);
        if (length < 16 || length > size - at)
            return;
        put_crc(data + at + length - 4, data + at, length - 4);
        at += length;
    }
}

static void try(const uint8_t *data, size_t size)
{
    struct result whole = read_in_pieces(data, size, size ? size : 1);
    struct result single = read_in_pieces(data, size, 1);
    struct result sevens = read_in_pieces(data, size, 7);

    if (memcmp(&whole, &single, sizeof(whole)) != 0 ||
        memcmp(&whole, &sevens, sizeof(whole)) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    try(copy, size);
    mend(copy, size);
    try(copy, size);
    free(copy);
    return 0;
}
