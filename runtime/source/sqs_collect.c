#include "source/sqs_collect.h"

#include <stdlib.h>
#include <strings.h>

#include "base/codec.h"
#include "base/digest.h"
#include "base/mem.h"
#include "record/event.h"
#include "source/sqs_digest.h"

#define ATTRIBUTES_MOST 1024 // of each kind in one answer; AWS has 200
#define ATTRIBUTE_BYTES_MOST (2u * 1024 * 1024)
#define RECEIPT_HANDLE_MOST (32u * 1024)

void sqs_collect_init(struct sqs_collect *collect)
{
    *collect = (struct sqs_collect){.digest = digest_create()};
    buffer_init(&collect->scratch, ATTRIBUTE_BYTES_MOST);
}

void sqs_collect_finish(struct sqs_collect *collect)
{
    digest_destroy(collect->digest);
    buffer_finish(&collect->scratch);
    free(collect->attributes);
    free(collect->message_attributes);
}

void sqs_collect_clear(struct sqs_collect *collect)
{
    collect->count = 0;
    collect->attribute_count = 0;
    collect->message_attribute_count = 0;
}

struct record *sqs_collect_message(struct sqs_collect *collect)
{
    struct record *record;

    if (collect->count == SQS_BATCH_MOST)
        return NULL;
    record = &collect->records[collect->count++];
    *record = (struct record){.receive_count = 1};
    return record;
}

// Room for one more of `count` things.
static void *grown(void *array, size_t size, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity ? *capacity * 2 : 64;
    return mem_realloc(array, *capacity, size);
}

struct record_attribute *sqs_collect_attribute(struct sqs_collect *collect)
{
    struct record_attribute *attribute;

    if (!collect->count || collect->attribute_count == ATTRIBUTES_MOST)
        return NULL;
    collect->attributes =
        grown(collect->attributes, sizeof(*collect->attributes),
              collect->attribute_count, &collect->attribute_capacity);
    collect->records[collect->count - 1].attribute_count++;
    attribute = &collect->attributes[collect->attribute_count++];
    *attribute = (struct record_attribute){0};
    return attribute;
}

struct record_message_attribute *
sqs_collect_message_attribute(struct sqs_collect *collect)
{
    struct record_message_attribute *attribute;

    if (!collect->count || collect->message_attribute_count == ATTRIBUTES_MOST)
        return NULL;
    collect->message_attributes = grown(
        collect->message_attributes, sizeof(*collect->message_attributes),
        collect->message_attribute_count, &collect->message_attribute_capacity);
    collect->records[collect->count - 1].message_attribute_count++;
    attribute =
        &collect->message_attributes[collect->message_attribute_count++];
    *attribute = (struct record_message_attribute){0};
    return attribute;
}

struct sqs_state *sqs_collect_state(const struct record *record)
{
    struct sqs_state *states = record->chunk->extra;

    return &states[record - record->chunk->records];
}

static int64_t number_of(struct bytes text)
{
    int64_t number = 0;

    for (size_t i = 0; i < text.size && i < 18; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return 0;
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}

static void use_attribute(struct record *record,
                          const struct record_attribute *attribute)
{
    if (bytes_equal(attribute->name, BYTES("SentTimestamp")))
        record->arrived_at_ms = number_of(attribute->value);
    else if (bytes_equal(attribute->name, BYTES("ApproximateReceiveCount")))
        record->receive_count = (uint32_t)number_of(attribute->value);
    else if (bytes_equal(attribute->name, BYTES("MessageGroupId")))
        record->key = attribute->value;
}

// Base64 to bytes, in the chunk's own memory.
static bool decode_binaries(struct chunk *chunk,
                            struct record_message_attribute *attributes,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct bytes *value = &attributes[i].value;
        char *at;

        if (!attributes[i].binary || !value->size)
            continue;
        at = chunk->body.data + (value->data - chunk->body.data);
        if (!codec_base64_decode(*value, at, &value->size))
            return false;
    }
    return true;
}

static bool is_digest(struct bytes theirs, const char *ours)
{
    return theirs.size == SQS_DIGEST_TEXT - 1 &&
           !strncasecmp(theirs.data, ours, theirs.size);
}

// A server that sends no digest, or an OpenSSL that knows no MD5, leaves
// nothing to compare.
static const char *check_digests(struct sqs_collect *collect,
                                 const struct record *record)
{
    char text[SQS_DIGEST_TEXT];

    if (record->md5_of_body.size &&
        sqs_digest_body(collect->digest, record->data, text) &&
        !is_digest(record->md5_of_body, text))
        return "the body's MD5 is another than MD5OfBody";
    if (record->md5_of_attributes.size && record->message_attribute_count &&
        sqs_digest_attributes(collect->digest, record->message_attributes,
                              record->message_attribute_count,
                              &collect->scratch, text) &&
        !is_digest(record->md5_of_attributes, text))
        return "the attributes' MD5 is another than MD5OfMessageAttributes";
    return NULL;
}

// Why the record must not be handed out, or NULL.
static const char *check(struct sqs_collect *collect,
                         const struct record *record)
{
    if (!record->id.size)
        return "no MessageId";
    if (!record->receipt_handle.size)
        return "no ReceiptHandle";
    if (record->receipt_handle.size > RECEIPT_HANDLE_MOST)
        return "a ReceiptHandle over 32 KiB";
    if (!record->data.data)
        return "no Body";
    return check_digests(collect, record);
}

// The attributes of all messages behind the states, in one allocation.
struct extra {
    struct sqs_state *states;
    struct record_attribute *attributes;
    struct record_message_attribute *message_attributes;
};

static struct extra create_extra(const struct sqs_collect *collect)
{
    size_t states = collect->count * sizeof(struct sqs_state);
    size_t attributes = collect->attribute_count * sizeof(*collect->attributes);
    size_t message_attributes =
        collect->message_attribute_count * sizeof(*collect->message_attributes);
    char *at = mem_calloc(1, states + attributes + message_attributes);
    struct extra extra = {(void *)at, (void *)(at + states),
                          (void *)(at + states + attributes)};

    if (attributes)
        memcpy(extra.attributes, collect->attributes, attributes);
    if (message_attributes)
        memcpy(extra.message_attributes, collect->message_attributes,
               message_attributes);
    return extra;
}

// Takes its attributes off the front of `extra`.
static void complete(struct sqs_collect *collect, struct record *record,
                     const struct sqs_arrival *arrival, struct extra *extra)
{
    struct sqs_state *state = extra->states++;

    record->origin = arrival->origin;
    record->received_ms = arrival->received_ms;
    record->visible_ms = arrival->visible_ms;
    record->attributes = extra->attributes;
    record->message_attributes = extra->message_attributes;
    extra->attributes += record->attribute_count;
    for (size_t i = 0; i < record->attribute_count; i++)
        use_attribute(record, &record->attributes[i]);
    if (decode_binaries(record->chunk, extra->message_attributes,
                        record->message_attribute_count))
        state->refusal = check(collect, record);
    else
        state->refusal = "a BinaryValue is not base64";
    extra->message_attributes += record->message_attribute_count;
    record->event_size = (uint32_t)event_record_size(record);
}

void sqs_collect_take(struct sqs_collect *collect,
                      const struct sqs_arrival *arrival, struct buffer *body,
                      struct record_list *records, struct record_list *refused)
{
    struct chunk *chunk;
    struct extra extra;

    if (!collect->count) {
        buffer_finish(body);
        return;
    }
    chunk = chunk_create(body, collect->count);
    extra = create_extra(collect);
    chunk->extra = extra.states;
    for (size_t i = 0; i < collect->count; i++) {
        struct record *record = &chunk->records[i];

        *record = collect->records[i];
        record->chunk = chunk;
        complete(collect, record, arrival, &extra);
        record_list_add(sqs_collect_state(record)->refusal ? refused : records,
                        record);
    }
    sqs_collect_clear(collect);
}
