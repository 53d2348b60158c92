#include "record/event.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "base/codec.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "record/record.h"

#define SUB_ID_SIZE 11             // of ":4294967294"
#define REPLACEMENT "\xef\xbf\xbd" // U+FFFD

// The plain road of put_text for what is not UTF-8: rare, so by pieces.
static void put_repaired(struct buffer *out, struct bytes text)
{
    struct buffer repaired;

    buffer_init(&repaired, out->limit);
    while (text.size && buffer_ok(&repaired)) {
        size_t size = utf8_valid_size(text);

        buffer_append(&repaired, text.data, size);
        text.data += size;
        text.size -= size;
        if (!text.size)
            break;
        buffer_append_text(&repaired, REPLACEMENT);
        size = utf8_invalid_size(text);
        text.data += size;
        text.size -= size;
    }
    if (buffer_ok(&repaired))
        json_put_string(out, buffer_bytes(&repaired));
    else
        out->overflow = true;
    buffer_finish(&repaired);
}

// A JSON string, whatever the bytes.
static void put_text(struct buffer *out, struct bytes text)
{
    if (utf8_valid_size(text) == text.size)
        json_put_string(out, text);
    else
        put_repaired(out, text);
}

// ,"name":"text" with the comma and the name given as they are written.
static void put_member(struct buffer *out, struct bytes name, struct bytes text)
{
    buffer_append_bytes(out, name);
    put_text(out, text);
}

#define PUT(out_, literal_) \
    buffer_append((out_), (literal_), sizeof(literal_) - 1)

// The system attributes in the order of Lambda's events (lambda-esm.md section
// 2.1), whatever a server's; others follow in the server's.
static const struct bytes attribute_names[] = {
    BYTES("ApproximateReceiveCount"), BYTES("AWSTraceHeader"),
    BYTES("SentTimestamp"),           BYTES("SequenceNumber"),
    BYTES("MessageGroupId"),          BYTES("SenderId"),
    BYTES("MessageDeduplicationId"),  BYTES("ApproximateFirstReceiveTimestamp"),
};

#define ATTRIBUTE_NAMES (sizeof(attribute_names) / sizeof(attribute_names[0]))

// Its place in that order; ATTRIBUTE_NAMES: it has none.
static size_t attribute_rank(struct bytes name)
{
    size_t rank = 0;

    while (rank < ATTRIBUTE_NAMES && !bytes_equal(attribute_names[rank], name))
        rank++;
    return rank;
}

// The separator of a list's members: none before the first.
static void put_comma(struct buffer *out, bool *is_first)
{
    if (!*is_first)
        buffer_append_char(out, ',');
    *is_first = false;
}

static void put_attributes(struct buffer *out, const struct record *record)
{
    bool is_first = true;

    PUT(out, ",\"attributes\":{");
    for (size_t rank = 0; rank <= ATTRIBUTE_NAMES; rank++)
        for (size_t i = 0; i < record->attribute_count; i++) {
            const struct record_attribute *one = &record->attributes[i];

            if (attribute_rank(one->name) != rank)
                continue;
            put_comma(out, &is_first);
            put_text(out, one->name);
            buffer_append_char(out, ':');
            put_text(out, one->value);
        }
    buffer_append_char(out, '}');
}

static void put_message_attribute(struct buffer *out,
                                  const struct record_message_attribute *one)
{
    put_text(out, one->name);
    if (one->binary) {
        PUT(out, ":{\"binaryValue\":");
        json_put_base64(out, one->value);
    } else {
        put_member(out, BYTES(":{\"stringValue\":"), one->value);
    }
    PUT(out, ",\"stringListValues\":[],\"binaryListValues\":[]");
    put_member(out, BYTES(",\"dataType\":"), one->type);
    buffer_append_char(out, '}');
}

static void put_message_attributes(struct buffer *out,
                                   const struct record *record)
{
    PUT(out, ",\"messageAttributes\":{");
    for (size_t i = 0; i < record->message_attribute_count; i++) {
        if (i)
            buffer_append_char(out, ',');
        put_message_attribute(out, &record->message_attributes[i]);
    }
    PUT(out, "},\"md5OfMessageAttributes\":");
    if (record->md5_of_attributes.size)
        put_text(out, record->md5_of_attributes);
    else
        PUT(out, "null"); // AWS sends the key, lambda-esm.md section 2.1
}

static void put_sqs(struct buffer *out, const struct record *record)
{
    const struct record_origin *origin = record->origin;

    put_member(out, BYTES("{\"messageId\":"), record->id);
    put_member(out, BYTES(",\"receiptHandle\":"), record->receipt_handle);
    put_member(out, BYTES(",\"body\":"), record->data);
    put_attributes(out, record);
    put_message_attributes(out, record);
    put_member(out, BYTES(",\"md5OfBody\":"), record->md5_of_body);
    PUT(out, ",\"eventSource\":\"aws:sqs\"");
    put_member(out, BYTES(",\"eventSourceARN\":"), bytes_of(origin->arn));
    put_member(out, BYTES(",\"awsRegion\":"), bytes_of(origin->region));
    buffer_append_char(out, '}');
}

void event_put_seconds(struct buffer *out, int64_t ms)
{
    char text[32];
    int size;

    if (ms < 0)
        ms = 0;
    size = snprintf(text, sizeof(text), "%lld.%03d", (long long)(ms / 1000),
                    (int)(ms % 1000));
    while (text[size - 1] == '0' && text[size - 2] != '.')
        size--;
    buffer_append(out, text, (size_t)size);
}

// A shard id, and a sequence number, has 128 characters at the most.
static void put_event_id(struct buffer *out, const struct record *record)
{
    struct bytes id = record_full_id(record);
    char text[2 * 128 + SUB_ID_SIZE + 2];

    if (record->id.size > 128)
        id = (struct bytes){record->id.data, 128};
    (void)snprintf(text, sizeof(text), "%.128s:%.*s", record->origin->shard,
                   BYTES_ARGS(id));
    put_member(out, BYTES(",\"eventID\":"), bytes_of(text));
}

static void put_kinesis(struct buffer *out, const struct record *record)
{
    const struct record_origin *origin = record->origin;

    PUT(out, "{\"kinesis\":{\"kinesisSchemaVersion\":\"1.0\"");
    put_member(out, BYTES(",\"partitionKey\":"), record->key);
    put_member(out, BYTES(",\"sequenceNumber\":"), record->id);
    PUT(out, ",\"data\":");
    json_put_base64(out, record->data);
    PUT(out, ",\"approximateArrivalTimestamp\":");
    event_put_seconds(out, record->arrived_at_ms);
    if (record->sub)
        buffer_printf(out, ",\"subSequenceNumber\":%u", record->sub - 1);
    PUT(out, "},\"eventSource\":\"aws:kinesis\",\"eventVersion\":\"1.0\"");
    put_event_id(out, record);
    PUT(out, ",\"eventName\":\"aws:kinesis:record\"");
    put_member(out, BYTES(",\"invokeIdentityArn\":"),
               bytes_of(origin->identity));
    put_member(out, BYTES(",\"awsRegion\":"), bytes_of(origin->region));
    put_member(out, BYTES(",\"eventSourceARN\":"), bytes_of(origin->arn));
    buffer_append_char(out, '}');
}

// Fields in AWS's order (lambda-esm.md section 2.3); the two objects are AWS's
// own text.
static void put_dynamodb(struct buffer *out, const struct record *record)
{
    const struct record_origin *origin = record->origin;

    put_member(out, BYTES("{\"eventID\":"), record->event_id);
    put_member(out, BYTES(",\"eventName\":"), record->event_name);
    put_member(out, BYTES(",\"eventVersion\":"), record->event_version);
    PUT(out, ",\"eventSource\":\"aws:dynamodb\"");
    put_member(out, BYTES(",\"awsRegion\":"), bytes_of(origin->region));
    PUT(out, ",\"dynamodb\":");
    buffer_append(out, record->data.data, record->data.size);
    if (record->user_identity.size) {
        PUT(out, ",\"userIdentity\":");
        buffer_append(out, record->user_identity.data,
                      record->user_identity.size);
    }
    put_member(out, BYTES(",\"eventSourceARN\":"), bytes_of(origin->arn));
    buffer_append_char(out, '}');
}

static void put_record(struct buffer *out, const struct record *record)
{
    switch (record->origin->kind) {
    case RECORD_SQS:
        put_sqs(out, record);
        return;
    case RECORD_KINESIS:
        put_kinesis(out, record);
        return;
    case RECORD_DYNAMODB:
        put_dynamodb(out, record);
        return;
    }
}

static void put_records(struct buffer *out, const struct record *const *records,
                        size_t count)
{
    PUT(out, "{\"Records\":[");
    for (size_t i = 0; i < count; i++) {
        if (i)
            buffer_append_char(out, ',');
        put_record(out, records[i]);
    }
    buffer_append_char(out, ']');
}

void event_write(struct buffer *out, const struct record *const *records,
                 size_t count)
{
    put_records(out, records, count);
    buffer_append_char(out, '}');
}

// "2020-12-09T07:04:00Z"
static void put_time(struct buffer *out, int64_t ms)
{
    const time_t seconds = (time_t)(ms / 1000);
    char text[48] = "";
    struct tm utc;

    if (gmtime_r(&seconds, &utc))
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
    put_text(out, bytes_of(text));
}

static void put_flag(struct buffer *out, bool flag)
{
    buffer_append_text(out, flag ? "true" : "false");
}

void event_write_window(struct buffer *out, const struct record *const *records,
                        size_t count, const struct event_window *window)
{
    put_records(out, records, count);
    PUT(out, ",\"window\":{\"start\":");
    put_time(out, window->start_ms);
    PUT(out, ",\"end\":");
    put_time(out, window->end_ms);
    PUT(out, "},\"state\":");
    buffer_append_bytes(out, window->state);
    put_member(out, BYTES(",\"shardId\":"), bytes_of(window->origin->shard));
    put_member(out, BYTES(",\"eventSourceARN\":"),
               bytes_of(window->origin->arn));
    PUT(out, ",\"isFinalInvokeForWindow\":");
    put_flag(out, window->is_final);
    PUT(out, ",\"isWindowTerminatedEarly\":");
    put_flag(out, window->is_terminated_early);
    buffer_append_char(out, '}');
}

// Bytes that quoting adds: 5 for \u0000, 1 for what has a short form. Without
// branches and by blocks, because gcc makes vector code of it: this runs over
// each byte that pollard receives.
#define BLOCK 32

static inline uint8_t escape_cost(uint8_t c)
{
    uint8_t short_form = (uint8_t)(c - '\b') <= '\r' - '\b' && c != 0x0b;

    return (uint8_t)((c < 0x20) * 5 - short_form * 4 + (c == '"') +
                     (c == '\\'));
}

static size_t block_cost(const char *at, uint8_t *high)
{
    uint8_t cost = 0, seen = 0; // 5 * BLOCK fits

    for (int i = 0; i < BLOCK; i++) {
        cost = (uint8_t)(cost + escape_cost((uint8_t)at[i]));
        seen |= (uint8_t)at[i];
    }
    *high |= seen;
    return cost;
}

// What is left after whole blocks, as one more: filled up with what is free.
static size_t rest_cost(const char *at, size_t size, uint8_t *high)
{
    char rest[BLOCK];

    memset(rest, ' ', sizeof(rest));
    memcpy(rest, at, size);
    return block_cost(rest, high);
}

// The text as a JSON string: its exact size when it is UTF-8.
static size_t text_size(struct bytes text)
{
    size_t size = text.size + 2, i = 0;
    uint8_t high = 0;

    for (; i + BLOCK <= text.size; i += BLOCK)
        size += block_cost(text.data + i, &high);
    if (i < text.size)
        size += rest_cost(text.data + i, text.size - i, &high);
    if (high >= 0x80 && utf8_valid_size(text) < text.size)
        size += 2 * text.size; // each byte may become U+FFFD
    return size;
}

// Room for names, punctuation and constants; the test holds them to it.
#define SQS_FRAME 192
#define ATTRIBUTE_FRAME 2
#define MESSAGE_ATTRIBUTE_FRAME 80
#define KINESIS_FRAME 320
#define SUB_FRAME 32
#define DYNAMODB_FRAME 160
#define WINDOW_FRAME 256

size_t event_origin_size(const struct record_origin *origin)
{
    size_t size =
        text_size(bytes_of(origin->arn)) + text_size(bytes_of(origin->region));

    if (origin->kind == RECORD_SQS)
        return size + SQS_FRAME;
    if (origin->kind == RECORD_DYNAMODB)
        return size + DYNAMODB_FRAME;
    return size + KINESIS_FRAME + text_size(bytes_of(origin->shard)) +
           text_size(bytes_of(origin->identity));
}

static size_t sqs_size(const struct record *record)
{
    size_t size = text_size(record->id) + text_size(record->receipt_handle) +
                  text_size(record->data) + text_size(record->md5_of_body) +
                  text_size(record->md5_of_attributes);

    for (size_t i = 0; i < record->attribute_count; i++)
        size += ATTRIBUTE_FRAME + text_size(record->attributes[i].name) +
                text_size(record->attributes[i].value);
    for (size_t i = 0; i < record->message_attribute_count; i++) {
        const struct record_message_attribute *one =
            &record->message_attributes[i];

        size += MESSAGE_ATTRIBUTE_FRAME + text_size(one->name) +
                text_size(one->type) +
                (one->binary ? codec_base64_size(one->value.size) + 2
                             : text_size(one->value));
    }
    return size;
}

// A sequence number is digits, which need no escape.
static size_t kinesis_size(const struct record *record)
{
    size_t id_size = bytes_are_digits(record->id) ? record->id.size + 2
                                                  : text_size(record->id);

    return 2 * id_size + text_size(record->key) +
           codec_base64_size(record->data.size) +
           (record->sub ? SUB_FRAME + SUB_ID_SIZE : 0);
}

static size_t dynamodb_size(const struct record *record)
{
    return text_size(record->event_id) + text_size(record->event_name) +
           text_size(record->event_version) + record->data.size +
           record->user_identity.size;
}

size_t event_own_size(const struct record *record)
{
    switch (record->origin->kind) {
    case RECORD_SQS:
        return sqs_size(record);
    case RECORD_KINESIS:
        return kinesis_size(record);
    case RECORD_DYNAMODB:
        return dynamodb_size(record);
    }
    return 0;
}

size_t event_record_size(const struct record *record)
{
    return event_origin_size(record->origin) + event_own_size(record);
}

size_t event_window_size(const struct event_window *window)
{
    return WINDOW_FRAME + text_size(bytes_of(window->origin->shard)) +
           text_size(bytes_of(window->origin->arn));
}
