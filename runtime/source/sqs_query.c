#include "source/sqs_query.h"

#include <string.h>

#include "aws/sqs_answer.h"
#include "aws/sqs_xml.h"
#include "base/error.h"
#include "source/sqs_collect.h"

// What is being read; NULL where there is none, or one too many.
struct reading {
    struct sqs_collect *collect;
    struct record *message;
    struct record_attribute *attribute;
    struct record_message_attribute *message_attribute;
    bool is_error;
    struct bytes error_code, error_message;
};

static void on_begin(void *context, const char *name)
{
    struct reading *reading = context;

    if (!strcmp(name, "Message"))
        reading->message = sqs_collect_message(reading->collect);
    else if (reading->message && !strcmp(name, "Attribute"))
        reading->attribute = sqs_collect_attribute(reading->collect);
    else if (reading->message && !strcmp(name, "MessageAttribute"))
        reading->message_attribute =
            sqs_collect_message_attribute(reading->collect);
    else if (!strcmp(name, "Error"))
        reading->is_error = true;
}

static void on_message_leaf(struct record *message, const char *name,
                            struct bytes text)
{
    if (!strcmp(name, "MessageId"))
        message->id = text;
    else if (!strcmp(name, "ReceiptHandle"))
        message->receipt_handle = text;
    else if (!strcmp(name, "Body"))
        message->data = text;
    else if (!strcmp(name, "MD5OfBody"))
        message->md5_of_body = text;
    else if (!strcmp(name, "MD5OfMessageAttributes"))
        message->md5_of_attributes = text;
}

static void on_attribute_leaf(struct record_attribute *attribute,
                              const char *name, struct bytes text)
{
    if (!strcmp(name, "Name"))
        attribute->name = text;
    else if (!strcmp(name, "Value"))
        attribute->value = text;
}

static void
on_message_attribute_leaf(struct record_message_attribute *attribute,
                          const char *name, struct bytes text)
{
    bool is_binary = !strcmp(name, "BinaryValue");

    if (!strcmp(name, "Name")) {
        attribute->name = text;
    } else if (!strcmp(name, "DataType")) {
        attribute->type = text;
    } else if (is_binary || !strcmp(name, "StringValue")) {
        attribute->value = text;
        attribute->binary = is_binary;
    }
}

static void on_leaf(void *context, const char *parent, const char *name,
                    struct bytes text)
{
    struct reading *reading = context;

    if (!strcmp(parent, "Message") && reading->message)
        on_message_leaf(reading->message, name, text);
    else if (!strcmp(parent, "Attribute") && reading->attribute)
        on_attribute_leaf(reading->attribute, name, text);
    else if (reading->message_attribute &&
             (!strcmp(parent, "MessageAttribute") || !strcmp(parent, "Value")))
        on_message_attribute_leaf(reading->message_attribute, name, text);
    else if (!strcmp(parent, "Error") && !strcmp(name, "Code"))
        reading->error_code = text;
    else if (!strcmp(parent, "Error") && !strcmp(name, "Message"))
        reading->error_message = text;
}

static void on_end(void *context, const char *name)
{
    struct reading *reading = context;

    if (!strcmp(name, "Message"))
        reading->message = NULL;
    else if (!strcmp(name, "Attribute"))
        reading->attribute = NULL;
    else if (!strcmp(name, "MessageAttribute"))
        reading->message_attribute = NULL;
}

bool sqs_query_read(struct sqs_collect *collect, struct buffer *body,
                    struct error *err)
{
    struct reading reading = {.collect = collect};
    const struct sqs_xml_events events = {
        .begin = on_begin, .leaf = on_leaf, .end = on_end, .context = &reading};
    struct buffer text;
    bool ok = sqs_xml_walk(buffer_bytes(body), &text, &events, err);

    buffer_finish(body);
    *body = text;
    if (ok && reading.is_error)
        return sqs_answer_inner_error(err, reading.error_code,
                                      reading.error_message);
    return ok;
}
