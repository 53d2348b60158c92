/*
 * fuzz_kpl: whatever the bytes are, they are parts within their chunk or an
 * ordinary record. The first byte is how many parts are left out; the rest is
 * tried as it is, and as what a magic and the right digest stand around.
 */
#include "source/kpl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEQUENCE "49590338271490256608559692538361571095921575989136588898"

static const struct record_origin origin = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s",
    .region = "us-east-1",
    .shard = "shardId-000000000000",
    .identity = "arn:aws:iam::000000000000:role/pollard"};

static void check(bool is_so)
{
    if (!is_so)
        abort();
}

static bool is_within(const struct buffer *body, struct bytes slice)
{
    return slice.data >= body->data &&
           slice.data + slice.size <= body->data + body->size;
}

static void check_part(const struct chunk *chunk, size_t i, uint32_t skip)
{
    const struct record *part = &chunk->records[i];
    struct bytes id = record_full_id(part);
    char text[100];

    check(is_within(&chunk->body, part->data));
    check(is_within(&chunk->body, part->key));
    check(is_within(&chunk->body, id));
    check(part->sub == skip + i + 1);
    check(part->is_last_sub == (i + 1 == chunk->live));
    (void)snprintf(text, sizeof(text), SEQUENCE ":%u", part->sub - 1);
    check(bytes_equal(id, bytes_of(text)));
    check(part->event_size > part->data.size + part->key.size);
}

/* How many parts there are, or -1: an ordinary record. */
static long open_data(struct kpl *kpl, struct bytes data, uint32_t skip)
{
    struct record record = {
        .origin = &origin, .id = BYTES(SEQUENCE), .data = data};
    const char *why = "";
    struct chunk *chunk = kpl_open(kpl, &record, skip, &why);
    long count = -1;

    if (!chunk)
        return count;
    check(!why && buffer_ok(&chunk->body));
    count = (long)chunk->live;
    for (size_t i = 0; i < chunk->live; i++)
        check_part(chunk, i, skip);
    chunk_destroy(chunk);
    return count;
}

/* With and without the first parts it is the same. Exactly as long as it is, so
 * that ASan sees the end. */
static void try_data(struct kpl *kpl, struct bytes data, uint32_t skip)
{
    char *exact = malloc(data.size ? data.size : 1);
    long all, rest;

    memcpy(exact, data.data, data.size);
    data.data = exact;
    all = open_data(kpl, data, 0);
    rest = open_data(kpl, data, skip);
    check(rest == (all < 0 ? -1 : all < (long)skip ? 0 : all - (long)skip));
    free(exact);
}

static void try_message(struct kpl *kpl, struct bytes message, uint32_t skip)
{
    struct digest *digest = digest_create();
    uint8_t sum[DIGEST_MD5_SIZE];
    struct buffer data;

    buffer_init(&data, message.size + 20);
    buffer_append(&data, "\xf3\x89\x9a\xc2", 4);
    buffer_append_bytes(&data, message);
    check(digest_md5(digest, message, sum));
    buffer_append(&data, sum, sizeof(sum));
    try_data(kpl, buffer_bytes(&data), skip);
    buffer_finish(&data);
    digest_destroy(digest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kpl *kpl = kpl_create();
    uint32_t skip = size ? data[0] : 0;
    struct bytes rest = {size ? (const char *)data + 1 : "",
                         size ? size - 1 : 0};

    try_data(kpl, rest, skip);
    try_message(kpl, rest, skip);
    kpl_destroy(kpl);
    return 0;
}
