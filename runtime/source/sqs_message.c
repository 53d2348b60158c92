#include "source/sqs_message.h"

#include "aws/sqs_answer.h"
#include "base/json_read.h"
#include "source/sqs_query.h"

// Some servers write counts as numbers; structure where text belongs is passed
// over.
static void read_text(struct json_read *in, struct bytes *text)
{
    enum json_read_type type = json_read_peek(in);

    if (type == JSON_READ_STRING || type == JSON_READ_NULL)
        (void)json_read_string(in, text);
    else if (type == JSON_READ_NUMBER)
        (void)json_read_number(in, text);
    else
        (void)json_read_skip(in);
}

static void read_attributes(struct json_read *in, struct sqs_collect *collect)
{
    struct bytes name;

    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        struct record_attribute *attribute = sqs_collect_attribute(collect);

        if (!attribute) {
            (void)json_read_skip(in);
            continue;
        }
        attribute->name = name;
        read_text(in, &attribute->value);
    }
}

static void read_value(struct json_read *in,
                       struct record_message_attribute *attribute)
{
    struct bytes name, value = {0};

    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        bool is_binary = bytes_equal(name, BYTES("BinaryValue"));

        if (bytes_equal(name, BYTES("DataType"))) {
            read_text(in, &attribute->type);
        } else if (is_binary || bytes_equal(name, BYTES("StringValue"))) {
            read_text(in, &value);
            if (!value.data)
                continue; // null: the other one counts
            attribute->value = value;
            attribute->binary = is_binary;
        } else {
            (void)json_read_skip(in);
        }
    }
}

static void read_message_attributes(struct json_read *in,
                                    struct sqs_collect *collect)
{
    struct bytes name;

    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        struct record_message_attribute *attribute =
            sqs_collect_message_attribute(collect);

        if (!attribute) {
            (void)json_read_skip(in);
            continue;
        }
        attribute->name = name;
        read_value(in, attribute);
    }
}

static void read_member(struct json_read *in, struct bytes name,
                        struct sqs_collect *collect, struct record *record)
{
    if (bytes_equal(name, BYTES("MessageId")))
        read_text(in, &record->id);
    else if (bytes_equal(name, BYTES("ReceiptHandle")))
        read_text(in, &record->receipt_handle);
    else if (bytes_equal(name, BYTES("Body")))
        read_text(in, &record->data);
    else if (bytes_equal(name, BYTES("MD5OfBody")))
        read_text(in, &record->md5_of_body);
    else if (bytes_equal(name, BYTES("MD5OfMessageAttributes")))
        read_text(in, &record->md5_of_attributes);
    else if (bytes_equal(name, BYTES("Attributes")))
        read_attributes(in, collect);
    else if (bytes_equal(name, BYTES("MessageAttributes")))
        read_message_attributes(in, collect);
    else
        (void)json_read_skip(in);
}

static void read_message(struct json_read *in, struct sqs_collect *collect)
{
    struct record *record = sqs_collect_message(collect);
    struct bytes name;

    if (!record) {
        (void)json_read_skip(in);
        return;
    }
    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name))
        read_member(in, name, collect, record);
}

// What an answer holds beside messages.
struct inner_error {
    struct bytes code, message;
};

static void read_answer(struct json_read *in, struct sqs_collect *collect,
                        struct inner_error *error)
{
    struct bytes name;

    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        if (bytes_equal(name, BYTES("__type")))
            read_text(in, &error->code);
        else if (bytes_equal(name, BYTES("message")) ||
                 bytes_equal(name, BYTES("Message")))
            read_text(in, &error->message);
        else if (!bytes_equal(name, BYTES("Messages")))
            (void)json_read_skip(in);
        else if (json_read_array(in))
            while (json_read_element(in))
                read_message(in, collect);
    }
}

static bool read_json(struct sqs_collect *collect, struct buffer *body,
                      struct error *err)
{
    struct inner_error inner = {0};
    struct json_read in;

    if (!body->size)
        return true; // an answer without members
    json_read_init(&in, body->data, body->size);
    read_answer(&in, collect, &inner);
    if (!json_read_end(&in))
        return error_set(err, ERROR_TRANSIENT,
                         "answer is not JSON: %s, at byte %zu of %zu", in.error,
                         json_read_offset(&in), body->size);
    if (inner.code.size)
        return sqs_answer_inner_error(err, inner.code, inner.message);
    return true;
}

bool sqs_message_read(struct sqs_collect *collect, enum aws_protocol protocol,
                      const struct sqs_arrival *arrival, struct buffer *body,
                      struct record_list *records, struct record_list *refused,
                      struct error *err)
{
    bool ok = protocol == AWS_QUERY ? sqs_query_read(collect, body, err)
                                    : read_json(collect, body, err);

    if (!ok) {
        sqs_collect_clear(collect);
        buffer_finish(body);
        return error_wrap(err, "ReceiveMessage");
    }
    sqs_collect_take(collect, arrival, body, records, refused);
    return true;
}
