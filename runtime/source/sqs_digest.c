#include "source/sqs_digest.h"

#include <endian.h>
#include <stdint.h>

#include "base/codec.h"
#include "base/digest.h"
#include "record/record.h"

bool sqs_digest_body(struct digest *digest, struct bytes body,
                     char text[SQS_DIGEST_TEXT])
{
    uint8_t md5[DIGEST_MD5_SIZE];

    if (!digest_md5(digest, body, md5))
        return false;
    codec_hex_encode((struct bytes){(const char *)md5, sizeof(md5)}, text);
    return true;
}

static void put_sized(struct buffer *out, struct bytes bytes)
{
    uint32_t size = htobe32((uint32_t)bytes.size);

    buffer_append(out, &size, sizeof(size));
    buffer_append_bytes(out, bytes);
}

// Custom types ("Number.float") go by their first word.
static bool is_binary(struct bytes type)
{
    return type.size >= 6 && !memcmp(type.data, "Binary", 6);
}

static int compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;

    if (order)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

// The attribute that follows `after` in the order of names, or NULL. Messages
// have ten attributes at the most, so looking through all of them is cheap.
static const struct record_message_attribute *
next_by_name(const struct record_message_attribute *attributes, size_t count,
             const struct record_message_attribute *after)
{
    const struct record_message_attribute *best = NULL;

    for (size_t i = 0; i < count; i++) {
        const struct record_message_attribute *one = &attributes[i];

        if (after && compare(one->name, after->name) <= 0)
            continue;
        if (!best || compare(one->name, best->name) < 0)
            best = one;
    }
    return best;
}

bool sqs_digest_attributes(struct digest *digest,
                           const struct record_message_attribute *attributes,
                           size_t count, struct buffer *scratch,
                           char text[SQS_DIGEST_TEXT])
{
    const struct record_message_attribute *one = NULL;

    buffer_clear(scratch);
    while ((one = next_by_name(attributes, count, one))) {
        put_sized(scratch, one->name);
        put_sized(scratch, one->type);
        buffer_append_char(scratch, is_binary(one->type) ? 2 : 1);
        put_sized(scratch, one->value);
    }
    return buffer_ok(scratch) &&
           sqs_digest_body(digest, buffer_bytes(scratch), text);
}
