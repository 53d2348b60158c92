#include "filter/fields.h"

#include <stdio.h>

#include "base/codec.h"
#include "base/mem.h"
#include "filter/walk.h"
#include "record/record.h"

static const char *const sqs_fields[] = {"body",
                                         "messageId",
                                         "receiptHandle",
                                         "attributes",
                                         "messageAttributes",
                                         "md5OfBody",
                                         "md5OfMessageAttributes",
                                         "eventSource",
                                         "eventSourceARN",
                                         "awsRegion",
                                         NULL};

// What stands within `kinesis` in the event may be named without it.
static const char *const kinesis_fields[] = {"data",
                                             "kinesis",
                                             "partitionKey",
                                             "sequenceNumber",
                                             "approximateArrivalTimestamp",
                                             "kinesisSchemaVersion",
                                             "eventSource",
                                             "eventVersion",
                                             "eventID",
                                             "eventName",
                                             "invokeIdentityArn",
                                             "eventSourceARN",
                                             "awsRegion",
                                             NULL};

static const char *const dynamodb_fields[] = {
    "dynamodb",     "eventID",      "eventName",
    "eventVersion", "eventSource",  "eventSourceARN",
    "awsRegion",    "userIdentity", NULL};

const char *const *fields_of(enum pattern_view view)
{
    switch (view) {
    case PATTERN_VIEW_SQS:
        return sqs_fields;
    case PATTERN_VIEW_KINESIS:
        return kinesis_fields;
    case PATTERN_VIEW_DYNAMODB:
        return dynamodb_fields;
    case PATTERN_VIEW_EVENT:
        break;
    }
    return NULL;
}

const char *fields_data_key(enum pattern_view view)
{
    const char *const *fields = fields_of(view);

    return fields ? fields[0] : NULL;
}

// ---- showing them ----------------------------------------------------------

static uint32_t below(const struct walk *walk, uint32_t node, const char *name)
{
    return pattern_find(walk->pattern, node, bytes_of(name));
}

// What a record does not have (data is NULL) is not shown.
static void show(struct walk *walk, uint32_t node, const char *name,
                 struct bytes text)
{
    uint32_t found = text.data ? below(walk, node, name) : 0;

    if (found)
        walk_text(walk, found, text);
}

static void show_null(struct walk *walk, uint32_t node, const char *name)
{
    uint32_t found = below(walk, node, name);

    if (found)
        walk_value(walk, found,
                   &(struct criterion_value){VALUE_NULL, BYTES("null")});
}

static void show_attributes(struct walk *walk, uint32_t node,
                            const struct record *record)
{
    for (size_t i = 0; node && i < record->attribute_count; i++) {
        uint32_t found =
            pattern_find(walk->pattern, node, record->attributes[i].name);

        if (found)
            walk_text(walk, found, record->attributes[i].value);
    }
}

static void show_base64(struct walk *walk, uint32_t node, struct bytes data)
{
    uint32_t found = below(walk, node, "binaryValue");
    AUTO_FREE char *text = NULL;

    if (!found)
        return;
    text = mem_calloc(codec_base64_size(data.size) + 1, 1);
    (void)codec_base64_encode(data, text);
    walk_text(walk, found, bytes_of(text));
}

static void show_message_attributes(struct walk *walk, uint32_t node,
                                    const struct record *record)
{
    for (size_t i = 0; node && i < record->message_attribute_count; i++) {
        const struct record_message_attribute *one =
            &record->message_attributes[i];
        uint32_t found = pattern_find(walk->pattern, node, one->name);

        if (!found)
            continue;
        show(walk, found, "dataType", one->type);
        if (one->binary)
            show_base64(walk, found, one->value);
        else
            show(walk, found, "stringValue", one->value);
    }
}

static void show_sqs(struct walk *walk, const struct record *record)
{
    show(walk, PATTERN_ROOT, "messageId", record->id);
    show(walk, PATTERN_ROOT, "receiptHandle", record->receipt_handle);
    show(walk, PATTERN_ROOT, "md5OfBody", record->md5_of_body);
    if (record->md5_of_attributes.size)
        show(walk, PATTERN_ROOT, "md5OfMessageAttributes",
             record->md5_of_attributes);
    else
        show_null(walk, PATTERN_ROOT, "md5OfMessageAttributes");
    show_attributes(walk, below(walk, PATTERN_ROOT, "attributes"), record);
    show_message_attributes(
        walk, below(walk, PATTERN_ROOT, "messageAttributes"), record);
    show(walk, PATTERN_ROOT, "eventSource", BYTES("aws:sqs"));
}

static void show_arrival(struct walk *walk, uint32_t node,
                         const struct record *record)
{
    uint32_t found = below(walk, node, "approximateArrivalTimestamp");
    int64_t ms = record->arrived_at_ms > 0 ? record->arrived_at_ms : 0;
    char text[32];

    if (!found) // printing costs more than all else
        return;
    (void)snprintf(text, sizeof(text), "%lld.%03d", (long long)(ms / 1000),
                   (int)(ms % 1000));
    walk_value(walk, found,
               &(struct criterion_value){VALUE_NUMBER, bytes_of(text)});
}

static void show_stream_record(struct walk *walk, uint32_t node,
                               const struct record *record)
{
    show(walk, node, "kinesisSchemaVersion", BYTES("1.0"));
    show(walk, node, "partitionKey", record->key);
    show(walk, node, "sequenceNumber", record->id);
    show_arrival(walk, node, record);
}

static void show_kinesis(struct walk *walk, const struct record *record)
{
    uint32_t nested = below(walk, PATTERN_ROOT, "kinesis");
    struct bytes full_id;
    AUTO_FREE char *id = NULL;

    show_stream_record(walk, PATTERN_ROOT, record);
    if (nested)
        show_stream_record(walk, nested, record);
    show(walk, PATTERN_ROOT, "eventSource", BYTES("aws:kinesis"));
    show(walk, PATTERN_ROOT, "eventVersion", BYTES("1.0"));
    show(walk, PATTERN_ROOT, "eventName", BYTES("aws:kinesis:record"));
    show(walk, PATTERN_ROOT, "invokeIdentityArn",
         bytes_of(record->origin->identity));
    if (!below(walk, PATTERN_ROOT, "eventID") || !record->origin->shard)
        return;
    full_id = record_full_id(record);
    id = mem_printf("%s:%.*s", record->origin->shard, BYTES_ARGS(full_id));
    show(walk, PATTERN_ROOT, "eventID", bytes_of(id));
}

static void show_dynamodb(struct walk *walk, const struct record *record)
{
    uint32_t identity = below(walk, PATTERN_ROOT, "userIdentity");

    show(walk, PATTERN_ROOT, "eventID", record->event_id);
    show(walk, PATTERN_ROOT, "eventName", record->event_name);
    show(walk, PATTERN_ROOT, "eventVersion", record->event_version);
    show(walk, PATTERN_ROOT, "eventSource", BYTES("aws:dynamodb"));
    if (identity && record->user_identity.size)
        (void)walk_json(walk, identity, record->user_identity);
}

void fields_walk(struct walk *walk, const struct record *record)
{
    switch (record->origin->kind) {
    case RECORD_SQS:
        show_sqs(walk, record);
        break;
    case RECORD_KINESIS:
        show_kinesis(walk, record);
        break;
    case RECORD_DYNAMODB:
        show_dynamodb(walk, record);
        break;
    }
    show(walk, PATTERN_ROOT, "awsRegion", bytes_of(record->origin->region));
    show(walk, PATTERN_ROOT, "eventSourceARN", bytes_of(record->origin->arn));
}
