#include "base/json_write.h"

#include <stdio.h>

#include "base/codec.h"

static bool must_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

static void put_escape(struct buffer *buffer, unsigned char c)
{
    switch (c) {
    case '"':
        buffer_append(buffer, "\\\"", 2);
        return;
    case '\\':
        buffer_append(buffer, "\\\\", 2);
        return;
    case '\n':
        buffer_append(buffer, "\\n", 2);
        return;
    case '\r':
        buffer_append(buffer, "\\r", 2);
        return;
    case '\t':
        buffer_append(buffer, "\\t", 2);
        return;
    case '\b':
        buffer_append(buffer, "\\b", 2);
        return;
    case '\f':
        buffer_append(buffer, "\\f", 2);
        return;
    default:
        buffer_printf(buffer, "\\u%04x", c);
    }
}

void json_put_string(struct buffer *buffer, struct bytes text)
{
    size_t from = 0;

    buffer_append_char(buffer, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];

        if (!must_escape(c))
            continue;
        buffer_append(buffer, text.data + from, i - from);
        put_escape(buffer, c);
        from = i + 1;
    }
    if (text.size > from)
        buffer_append(buffer, text.data + from, text.size - from);
    buffer_append_char(buffer, '"');
}

void json_put_base64(struct buffer *buffer, struct bytes data)
{
    char *room;

    buffer_append_char(buffer, '"');
    room = buffer_reserve(buffer, codec_base64_size(data.size));
    if (room)
        buffer->size += codec_base64_encode(data, room);
    buffer_append_char(buffer, '"');
}

void json_put_int(struct buffer *buffer, int64_t number)
{
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%lld", (long long)number);

    buffer_append(buffer, digits, (size_t)size);
}
