#include "aws/event_stream.h"

#include <zlib.h>

#include "base/error.h"

#define PRELUDE 12u // two lengths and their checksum
#define TRAILER 4u
#define SMALLEST (PRELUDE + TRAILER)

void event_stream_init(struct event_stream *stream, size_t payload_limit)
{
    *stream = (struct event_stream){.payload_limit = payload_limit};
    buffer_init(&stream->headers, EVENT_STREAM_HEADERS_LIMIT);
    buffer_init(&stream->payload, payload_limit);
}

void event_stream_finish(struct event_stream *stream)
{
    buffer_finish(&stream->headers);
    buffer_finish(&stream->payload);
}

bool event_stream_is_between(const struct event_stream *stream)
{
    return stream->have == 0;
}

void event_message_finish(struct event_message *message)
{
    buffer_finish(&message->payload);
}

static uint64_t read_number(const void *data, size_t size)
{
    const unsigned char *at = data;
    uint64_t number = 0;

    for (size_t i = 0; i < size; i++)
        number = number << 8 | at[i];
    return number;
}

static uint32_t checksum(uint32_t crc, const void *data, size_t size)
{
    return (uint32_t)crc32(crc, data, (uInt)size);
}

static bool take(struct bytes *from, size_t size, struct bytes *taken)
{
    if (from->size < size)
        return false;
    *taken = (struct bytes){from->data, size};
    *from = (struct bytes){from->data + size, from->size - size};
    return true;
}

static bool take_number(struct bytes *from, size_t size, uint64_t *number)
{
    struct bytes taken;

    if (!take(from, size, &taken))
        return false;
    *number = read_number(taken.data, size);
    return true;
}

// The number of so many bytes, with its sign.
static int64_t extend(uint64_t number, size_t size)
{
    unsigned shift = (unsigned)(64 - 8 * size);

    return (int64_t)(number << shift) >> shift;
}

static bool take_value(struct bytes *from, struct event_header *header)
{
    static const unsigned char sizes[] = {
        [EVENT_HEADER_INT8] = 1,      [EVENT_HEADER_INT16] = 2,
        [EVENT_HEADER_INT32] = 4,     [EVENT_HEADER_INT64] = 8,
        [EVENT_HEADER_TIMESTAMP] = 8, [EVENT_HEADER_UUID] = 16};
    uint64_t number;

    switch (header->type) {
    case EVENT_HEADER_TRUE:
    case EVENT_HEADER_FALSE:
        return true;
    case EVENT_HEADER_INT8:
    case EVENT_HEADER_INT16:
    case EVENT_HEADER_INT32:
    case EVENT_HEADER_INT64:
    case EVENT_HEADER_TIMESTAMP:
        if (!take_number(from, sizes[header->type], &number))
            return false;
        header->number = extend(number, sizes[header->type]);
        return true;
    case EVENT_HEADER_BYTES:
    case EVENT_HEADER_STRING:
        return take_number(from, 2, &number) &&
               take(from, number, &header->value);
    case EVENT_HEADER_UUID:
        return take(from, sizes[EVENT_HEADER_UUID], &header->value);
    }
    return false;
}

static bool take_header(struct bytes *from, struct event_header *header)
{
    uint64_t size, type;

    *header = (struct event_header){0};
    if (!take_number(from, 1, &size) || !size ||
        !take(from, size, &header->name) || !take_number(from, 1, &type) ||
        type > EVENT_HEADER_UUID)
        return false;
    header->type = (enum event_header_type)type;
    return take_value(from, header);
}

bool event_header_next(struct bytes *headers, struct event_header *header)
{
    return headers->size && take_header(headers, header);
}

struct bytes event_message_text(const struct event_message *message,
                                const char *name)
{
    struct bytes headers = message->headers, wanted = bytes_of(name);
    struct event_header header;

    while (event_header_next(&headers, &header))
        if (header.type == EVENT_HEADER_STRING &&
            bytes_equal(header.name, wanted))
            return header.value;
    return (struct bytes){0};
}

static bool are_headers(struct bytes headers)
{
    struct event_header header;

    while (headers.size)
        if (!take_header(&headers, &header))
            return false;
    return true;
}

// The lengths are believed once their checksum has been.
static bool check_prelude(struct event_stream *stream, struct error *err)
{
    uint32_t size = (uint32_t)read_number(stream->prelude, 4);
    uint32_t headers = (uint32_t)read_number(stream->prelude + 4, 4);

    if (checksum(0, stream->prelude, 8) !=
        (uint32_t)read_number(stream->prelude + 8, 4))
        return error_set(err, ERROR_TRANSIENT,
                         "an event stream's prelude whose checksum is wrong");
    if (headers > EVENT_STREAM_HEADERS_LIMIT || size < SMALLEST ||
        size - SMALLEST < headers)
        return error_set(err, ERROR_TRANSIENT,
                         "a message of %u bytes with %u bytes of headers", size,
                         headers);
    if (size - SMALLEST - headers > stream->payload_limit)
        return error_set(err, ERROR_TRANSIENT,
                         "a message of %u bytes: more than %zu are not taken",
                         size, stream->payload_limit);
    stream->size = size;
    stream->headers_size = headers;
    buffer_clear(&stream->headers);
    (void)buffer_reserve(&stream->payload, size - SMALLEST - headers);
    return true;
}

static bool check_message(struct event_stream *stream,
                          struct event_message *message, struct error *err)
{
    if (stream->crc != (uint32_t)read_number(stream->trailer, TRAILER))
        return error_set(
            err, ERROR_TRANSIENT,
            "a message of an event stream whose checksum is wrong");
    if (!are_headers(buffer_bytes(&stream->headers)))
        return error_set(err, ERROR_TRANSIENT,
                         "a message of an event stream whose headers cannot be "
                         "read");
    message->headers = buffer_bytes(&stream->headers);
    message->payload = stream->payload;
    buffer_init(&stream->payload, stream->payload_limit);
    stream->have = stream->crc = 0;
    return true;
}

// The part that comes next, up to its own end.
static struct bytes take_part(struct event_stream *stream, struct bytes *bytes,
                              size_t end)
{
    size_t size = end - stream->have;
    struct bytes part = {0};

    (void)take(bytes, size < bytes->size ? size : bytes->size, &part);
    stream->have += part.size;
    return part;
}

static bool read_prelude(struct event_stream *stream, struct bytes *bytes,
                         struct error *err)
{
    size_t at = stream->have;
    struct bytes part = take_part(stream, bytes, PRELUDE);

    if (part.size)
        memcpy(stream->prelude + at, part.data, part.size);
    if (stream->have < PRELUDE)
        return true;
    stream->crc = checksum(0, stream->prelude, PRELUDE);
    return check_prelude(stream, err);
}

static void read_into(struct event_stream *stream, struct bytes *bytes,
                      size_t end, struct buffer *buffer)
{
    struct bytes part = take_part(stream, bytes, end);

    if (!part.size)
        return;
    stream->crc = checksum(stream->crc, part.data, part.size);
    buffer_append_bytes(buffer, part);
}

static void read_trailer(struct event_stream *stream, struct bytes *bytes)
{
    size_t at = stream->have - (stream->size - TRAILER);
    struct bytes part = take_part(stream, bytes, stream->size);

    if (part.size)
        memcpy(stream->trailer + at, part.data, part.size);
}

// True: the message is whole.
static bool read_rest(struct event_stream *stream, struct bytes *bytes)
{
    size_t headers_end = PRELUDE + stream->headers_size;
    size_t payload_end = stream->size - TRAILER;

    if (stream->have < headers_end)
        read_into(stream, bytes, headers_end, &stream->headers);
    if (stream->have >= headers_end && stream->have < payload_end)
        read_into(stream, bytes, payload_end, &stream->payload);
    if (stream->have >= payload_end)
        read_trailer(stream, bytes);
    return stream->have == stream->size;
}

static enum event_stream_step broken(struct event_stream *stream)
{
    stream->is_broken = true;
    return EVENT_STREAM_BROKEN;
}

enum event_stream_step event_stream_read(struct event_stream *stream,
                                         struct bytes *bytes,
                                         struct event_message *message,
                                         struct error *err)
{
    if (stream->is_broken) {
        error_set(err, ERROR_TRANSIENT, "an event stream that is broken");
        return EVENT_STREAM_BROKEN;
    }
    if (stream->have < PRELUDE && !read_prelude(stream, bytes, err))
        return broken(stream);
    if (stream->have < PRELUDE || !read_rest(stream, bytes))
        return EVENT_STREAM_MORE;
    return check_message(stream, message, err) ? EVENT_STREAM_MESSAGE
                                               : broken(stream);
}
