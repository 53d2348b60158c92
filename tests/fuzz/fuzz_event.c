/*
 * fuzz_event: whatever bytes a message consists of, its event is JSON, and not
 * longer than estimated.
 */
#include "record/event.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

#include "record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Up to the next line end. */
static struct bytes next(const uint8_t **data, size_t *size)
{
    const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
    struct bytes field = {(const char *)*data,
                          end ? (size_t)(end - *data) : *size};

    *data += field.size + (end != NULL);
    *size -= field.size + (end != NULL);
    return field;
}

static void check(const struct record *record)
{
    struct buffer out;
    json_t *event;

    buffer_init(&out, 8u * 1024 * 1024);
    event_write(&out, &record, 1);
    event = json_loadb(out.data, out.size, JSON_ALLOW_NUL, NULL);
    if (!buffer_ok(&out) || !event ||
        out.size > event_record_size(record) + EVENT_FRAME)
        abort();
    json_decref(event);
    buffer_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct record_origin queue = {
        .kind = RECORD_SQS, .arn = "arn:\"q", .region = "us\xff"};
    static const struct record_origin shard = {.kind = RECORD_KINESIS,
                                               .arn = "arn",
                                               .region = "us",
                                               .shard = "shard\"\xf0",
                                               .identity = "role"};
    struct record_attribute system;
    struct record_message_attribute user = {.binary = size & 1};
    struct record record = {.origin = &queue,
                            .arrived_at_ms = (int64_t)size * 977,
                            .attributes = &system,
                            .attribute_count = 1,
                            .message_attributes = &user,
                            .message_attribute_count = 1};
    struct bytes *fields[] = {
        &system.name,
        &user.name,
        &system.value,
        &user.type,
        &user.value,
        &record.id,
        &record.key,
        &record.md5_of_body,
        &record.md5_of_attributes,
        &record.receipt_handle,
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        *fields[i] = next(&data, &size);
    record.data = (struct bytes){(const char *)data, size};
    // jansson takes no zero byte in a member's name.
    if (memchr(system.name.data, 0, system.name.size) ||
        memchr(user.name.data, 0, user.name.size))
        return 0;
    check(&record);
    record.origin = &shard;
    check(&record);
    return 0;
}
