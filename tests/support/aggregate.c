#include "aggregate.h"

#include <stdio.h>

#include "base/digest.h"

#define MAGIC_SIZE 4

void aggregate_begin(struct buffer *data)
{
    buffer_init(data, 64u << 20);
    buffer_append(data, "\xf3\x89\x9a\xc2", MAGIC_SIZE);
}

void aggregate_end(struct buffer *data)
{
    struct digest *digest = digest_create();
    uint8_t sum[DIGEST_MD5_SIZE] = {0};

    (void)digest_md5(
        digest,
        (struct bytes){data->data + MAGIC_SIZE, data->size - MAGIC_SIZE}, sum);
    buffer_append(data, sum, sizeof(sum));
    digest_destroy(digest);
}

void aggregate_varint(struct buffer *data, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        buffer_append_char(data, (char)(number | 0x80));
    buffer_append_char(data, (char)number);
}

void aggregate_bytes(struct buffer *data, unsigned field, struct bytes bytes)
{
    aggregate_varint(data, field << 3 | 2);
    aggregate_varint(data, bytes.size);
    buffer_append_bytes(data, bytes);
}

void aggregate_key(struct buffer *data, const char *key)
{
    aggregate_bytes(data, 1, bytes_of(key));
}

void aggregate_part(struct buffer *data, uint64_t key_index,
                    struct bytes content)
{
    struct buffer part;

    buffer_init(&part, 64u << 20);
    aggregate_varint(&part, 1 << 3);
    aggregate_varint(&part, key_index);
    aggregate_bytes(&part, 3, content);
    aggregate_bytes(data, 3, buffer_bytes(&part));
    buffer_finish(&part);
}

void aggregate_make(struct buffer *data, unsigned count)
{
    char text[24];

    aggregate_begin(data);
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(text, sizeof(text), "key-%u", i);
        aggregate_key(data, text);
    }
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(text, sizeof(text), "part-%u", i);
        aggregate_part(data, i % 3, bytes_of(text));
    }
    aggregate_end(data);
}
