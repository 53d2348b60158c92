#include "cli/filter_record.h"

#include <stdlib.h>

#include "base/codec.h"
#include "base/error.h"
#include "base/json_read.h"
#include "base/mem.h"

struct reader {
    struct filter_record *out;
    struct json_read in;
    const char *wrong; // what the key must be and is not; static, or NULL
    size_t at;         // of that value
    struct bytes key;
    bool has_data;
};

// A member of an object, and where its value goes: into the struct at `to`.
struct member {
    const char *name;
    void (*take)(struct reader *reader, void *to);
    size_t to;
};

#define AT(member_) offsetof(struct filter_record, member_)

static bool expect(struct reader *reader, enum json_read_type type,
                   const char *wrong)
{
    if (json_read_peek(&reader->in) == type)
        return true;
    if (!reader->wrong && json_read_peek(&reader->in) != JSON_READ_NOTHING) {
        reader->wrong = wrong;
        reader->at = json_read_offset(&reader->in);
    }
    (void)json_read_skip(&reader->in);
    return false;
}

static void take_members(struct reader *reader, const struct member *members,
                         void *base)
{
    struct bytes name;

    if (!expect(reader, JSON_READ_OBJECT, "an object"))
        return;
    (void)json_read_object(&reader->in);
    while (!reader->wrong && json_read_member(&reader->in, &name)) {
        const struct member *one = members;

        while (one->name && !bytes_equal(name, bytes_of(one->name)))
            one++;
        reader->key = name;
        if (one->name)
            one->take(reader, (char *)base + one->to);
        else
            (void)json_read_skip(&reader->in);
    }
}

// ---- values ----------------------------------------------------------------

static void take_text(struct reader *reader, void *to)
{
    if (json_read_peek(&reader->in) == JSON_READ_NULL)
        (void)json_read_skip(&reader->in);
    else if (expect(reader, JSON_READ_STRING, "a string"))
        (void)json_read_string(&reader->in, to);
}

// A text of the origin, which wants it terminated.
static void take_name(struct reader *reader, void *to)
{
    struct bytes text = {0};
    char **name = to;

    take_text(reader, &text);
    free(*name);
    *name = text.data ? mem_strndup(text.data, text.size) : NULL;
}

static void take_raw(struct reader *reader, void *to)
{
    if (json_read_peek(&reader->in) == JSON_READ_NULL)
        (void)json_read_skip(&reader->in);
    else if (expect(reader, JSON_READ_OBJECT, "an object"))
        (void)json_read_raw(&reader->in, to);
}

static void take_base64(struct reader *reader, void *to)
{
    struct bytes text = {0}, *data = to;
    size_t at, size;
    char *out;

    (void)json_read_peek(&reader->in); // passes white space
    at = json_read_offset(&reader->in);
    take_text(reader, &text);
    if (!text.data || reader->wrong)
        return;
    out = reader->in.start + (text.data - reader->in.start);
    if (codec_base64_decode(text, out, &size)) {
        *data = (struct bytes){out, size};
        return;
    }
    reader->wrong = "base64 (--data takes the data as it is)";
    reader->at = at;
}

static void take_seconds(struct reader *reader, void *to)
{
    if (expect(reader, JSON_READ_NUMBER, "a number of seconds"))
        (void)json_read_seconds_as_ms(&reader->in, to);
}

// ---- SQS -------------------------------------------------------------------

static void take_body(struct reader *reader, void *to)
{
    reader->has_data = true;
    if (expect(reader, JSON_READ_STRING,
               "a string, in which JSON is written as text (--data takes a "
               "body as it is)"))
        (void)json_read_string(&reader->in, to);
}

// Room for one more in an array that grows at powers of two.
static void *grow(void *array, size_t count, size_t size)
{
    if (count & (count - 1))
        return array;
    return mem_realloc(array, count ? 2 * count : 1, size);
}

static void take_attributes(struct reader *reader, void *to)
{
    struct filter_record *out = to;
    size_t *count = &out->record.attribute_count;
    struct bytes name;

    if (!expect(reader, JSON_READ_OBJECT, "an object"))
        return;
    (void)json_read_object(&reader->in);
    for (*count = 0; !reader->wrong && json_read_member(&reader->in, &name);
         ++*count) {
        out->attributes =
            grow(out->attributes, *count, sizeof(*out->attributes));
        out->attributes[*count] = (struct record_attribute){.name = name};
        reader->key = name;
        take_text(reader, &out->attributes[*count].value);
    }
    out->record.attributes = out->attributes;
}

struct attribute {
    struct bytes text, binary, type;
};

static const struct member attribute_members[] = {
    {"stringValue", take_text, offsetof(struct attribute, text)},
    {"binaryValue", take_base64, offsetof(struct attribute, binary)},
    {"dataType", take_text, offsetof(struct attribute, type)},
    {0}};

static void take_message_attributes(struct reader *reader, void *to)
{
    struct filter_record *out = to;
    size_t *count = &out->record.message_attribute_count;
    struct bytes name;

    if (!expect(reader, JSON_READ_OBJECT, "an object"))
        return;
    (void)json_read_object(&reader->in);
    for (*count = 0; !reader->wrong && json_read_member(&reader->in, &name);
         ++*count) {
        struct attribute one = {0};

        reader->key = name;
        take_members(reader, attribute_members, &one);
        out->message_attributes = grow(out->message_attributes, *count,
                                       sizeof(*out->message_attributes));
        out->message_attributes[*count] = (struct record_message_attribute){
            .name = name,
            .type = one.type,
            .value = one.binary.data ? one.binary : one.text,
            .binary = one.binary.data != NULL};
    }
    out->record.message_attributes = out->message_attributes;
}

static const struct member sqs_members[] = {
    {"messageId", take_text, AT(record.id)},
    {"receiptHandle", take_text, AT(record.receipt_handle)},
    {"body", take_body, AT(record.data)},
    {"attributes", take_attributes, 0},
    {"messageAttributes", take_message_attributes, 0},
    {"md5OfBody", take_text, AT(record.md5_of_body)},
    {"md5OfMessageAttributes", take_text, AT(record.md5_of_attributes)},
    {"eventSourceARN", take_name, AT(arn)},
    {"awsRegion", take_name, AT(region)},
    {0}};

// ---- Kinesis ---------------------------------------------------------------

static void take_data(struct reader *reader, void *to)
{
    reader->has_data = json_read_peek(&reader->in) != JSON_READ_NULL;
    take_base64(reader, to);
}

static const struct member kinesis_inner_members[] = {
    {"partitionKey", take_text, AT(record.key)},
    {"sequenceNumber", take_text, AT(record.id)},
    {"data", take_data, AT(record.data)},
    {"approximateArrivalTimestamp", take_seconds, AT(record.arrived_at_ms)},
    {0}};

static void take_kinesis(struct reader *reader, void *to)
{
    take_members(reader, kinesis_inner_members, to);
}

// "SHARD:SEQUENCE"
static void take_shard(struct reader *reader, void *to)
{
    char **shard = to, *colon;

    take_name(reader, to);
    colon = *shard ? strchr(*shard, ':') : NULL;
    if (colon)
        *colon = 0;
}

static const struct member kinesis_members[] = {
    {"kinesis", take_kinesis, 0},
    {"eventID", take_shard, AT(shard)},
    {"invokeIdentityArn", take_name, AT(identity)},
    {"eventSourceARN", take_name, AT(arn)},
    {"awsRegion", take_name, AT(region)},
    {0}};

// ---- DynamoDB --------------------------------------------------------------

static void take_dynamodb(struct reader *reader, void *to)
{
    reader->has_data = json_read_peek(&reader->in) != JSON_READ_NULL;
    take_raw(reader, to);
}

static const struct member dynamodb_members[] = {
    {"dynamodb", take_dynamodb, AT(record.data)},
    {"eventID", take_text, AT(record.event_id)},
    {"eventName", take_text, AT(record.event_name)},
    {"eventVersion", take_text, AT(record.event_version)},
    {"userIdentity", take_raw, AT(record.user_identity)},
    {"eventSourceARN", take_name, AT(arn)},
    {"awsRegion", take_name, AT(region)},
    {0}};

// ---- the whole -------------------------------------------------------------

static const struct kind {
    const char *name, *source;
    const char *data; // where it is
    const struct member *members;
} kinds[] = {
    [RECORD_SQS] = {"sqs", "aws:sqs", "body", sqs_members},
    [RECORD_KINESIS] = {"kinesis", "aws:kinesis", "kinesis.data",
                        kinesis_members},
    [RECORD_DYNAMODB] = {"dynamodb", "aws:dynamodb", "dynamodb",
                         dynamodb_members},
};

const char *filter_record_kind_name(enum record_kind kind)
{
    return kinds[kind].name;
}

static bool complain(const struct reader *reader, enum record_kind kind,
                     size_t *offset, struct error *err)
{
    *offset = reader->wrong ? reader->at : json_read_offset(&reader->in);
    if (reader->wrong)
        return error_set(err, ERROR_INVALID, "%.*s must be %s",
                         reader->key.size < 80 ? (int)reader->key.size : 80,
                         reader->key.data, reader->wrong);
    if (reader->in.error)
        return error_set(err, ERROR_INVALID, "not JSON: %s", reader->in.error);
    *offset = 0;
    return error_set(err, ERROR_INVALID,
                     "a record of %s has its data in `%s`; this one has none",
                     kinds[kind].name, kinds[kind].data);
}

static void set_origin(struct filter_record *out, enum record_kind kind)
{
    out->origin = (struct record_origin){.kind = kind,
                                         .arn = out->arn,
                                         .region = out->region,
                                         .shard = out->shard,
                                         .identity = out->identity};
    out->record.origin = &out->origin;
}

bool filter_record_read(struct filter_record *out, enum record_kind kind,
                        struct bytes text, size_t *offset, struct error *err)
{
    struct reader reader = {.out = out, .key = BYTES("an event")};

    *out = (struct filter_record){.text = mem_strndup(text.data, text.size)};
    json_read_init(&reader.in, out->text, text.size);
    take_members(&reader, kinds[kind].members, out);
    set_origin(out, kind);
    return (!reader.wrong && json_read_end(&reader.in) && reader.has_data) ||
           complain(&reader, kind, offset, err);
}

void filter_record_of_data(struct filter_record *out, enum record_kind kind,
                           struct bytes data)
{
    *out = (struct filter_record){.record = {.data = data}};
    set_origin(out, kind);
}

void filter_record_finish(struct filter_record *record)
{
    free(record->text);
    free(record->arn);
    free(record->region);
    free(record->shard);
    free(record->identity);
    free(record->attributes);
    free(record->message_attributes);
    *record = (struct filter_record){0};
}

static const struct member source_members[] = {{"eventSource", take_text, 0},
                                               {0}};

bool filter_record_kind(struct bytes text, enum record_kind *kind)
{
    AUTO_FREE char *copy = mem_strndup(text.data, text.size);
    struct bytes source = {0};
    struct reader reader = {0};

    json_read_init(&reader.in, copy, text.size);
    take_members(&reader, source_members, &source);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (bytes_equal(source, bytes_of(kinds[i].source))) {
            *kind = (enum record_kind)i;
            return true;
        }
    return false;
}

static void note_presence(struct reader *reader, void *to)
{
    *(bool *)to = true;
    (void)json_read_skip(&reader->in);
}

static const struct member telling_members[] = {{"body", note_presence, 0},
                                                {"kinesis", note_presence, 0},
                                                {"dynamodb", note_presence, 0},
                                                {0}};

bool filter_record_seems_one(struct bytes text)
{
    AUTO_FREE char *copy = mem_strndup(text.data, text.size);
    struct reader reader = {0};
    bool found = false;

    json_read_init(&reader.in, copy, text.size);
    take_members(&reader, telling_members, &found);
    return found;
}
