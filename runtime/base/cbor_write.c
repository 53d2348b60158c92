#include "base/cbor_write.h"

#include <cbor/encoding.h>

enum major { UNSIGNED, NEGATIVE, BYTE_STRING, TEXT_STRING, ARRAY, MAP, TAG };

#define HEAD_SIZE 9 // of the longest

// Every item starts alike: its major type in three bits, then a number.
static void put_head(struct buffer *buffer, enum major major, uint64_t number)
{
    unsigned char head[HEAD_SIZE];
    size_t size = cbor_encode_uint(number, head, sizeof(head));

    head[0] |= (unsigned char)(major << 5);
    buffer_append(buffer, head, size);
}

void cbor_put_map(struct buffer *buffer, size_t count)
{
    put_head(buffer, MAP, count);
}

void cbor_put_array(struct buffer *buffer, size_t count)
{
    put_head(buffer, ARRAY, count);
}

void cbor_put_text(struct buffer *buffer, struct bytes text)
{
    put_head(buffer, TEXT_STRING, text.size);
    buffer_append_bytes(buffer, text);
}

void cbor_put_bytes(struct buffer *buffer, struct bytes bytes)
{
    put_head(buffer, BYTE_STRING, bytes.size);
    buffer_append_bytes(buffer, bytes);
}

void cbor_put_int(struct buffer *buffer, int64_t number)
{
    if (number >= 0)
        put_head(buffer, UNSIGNED, (uint64_t)number);
    else
        put_head(buffer, NEGATIVE, (uint64_t)(-1 - number));
}

void cbor_put_time_ms(struct buffer *buffer, int64_t ms)
{
    put_head(buffer, TAG, 1);
    cbor_put_int(buffer, ms);
}

void cbor_put_null(struct buffer *buffer)
{
    buffer_append(buffer, "\xf6", 1);
}
