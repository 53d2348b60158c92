#include "aws/sqs_request.h"

#include <assert.h>

#include "aws/form.h"
#include "base/codec.h"
#include "base/json_write.h"
#include "base/mem.h"

// One request on its way into a buffer, in either form.
struct writer {
    struct buffer *body;
    bool is_query;
    bool first;         // JSON: no comma is due
    const char *prefix; // Query: of the entries' members, or NULL
    size_t entry;       // Query: the entry's number, from 1
};

static struct writer begin(enum aws_protocol protocol, const char *operation,
                           struct buffer *body)
{
    struct writer writer = {
        .body = body, .is_query = protocol == AWS_QUERY, .first = true};

    assert(protocol == AWS_QUERY || protocol == AWS_JSON_10);
    if (writer.is_query) {
        buffer_append_text(body, "Action=");
        buffer_append_text(body, operation);
        buffer_append_text(body, "&Version=2012-11-05");
    } else {
        buffer_append_char(body, '{');
    }
    return writer;
}

static void end(struct writer *writer)
{
    if (!writer->is_query)
        buffer_append_char(writer->body, '}');
}

static void put_name(struct writer *writer, const char *name)
{
    struct buffer *body = writer->body;

    if (writer->is_query) {
        buffer_append_char(body, '&');
        if (writer->prefix)
            buffer_printf(body, "%s.%zu.", writer->prefix, writer->entry);
        buffer_append_text(body, name);
        buffer_append_char(body, '=');
        return;
    }
    if (!writer->first)
        buffer_append_char(body, ',');
    writer->first = false;
    buffer_append_char(body, '"');
    buffer_append_text(body, name);
    buffer_append(body, "\":", 2);
}

static void put_text(struct writer *writer, const char *name, struct bytes text)
{
    put_name(writer, name);
    if (writer->is_query)
        form_put(writer->body, text);
    else
        json_put_string(writer->body, text);
}

static void put_int(struct writer *writer, const char *name, int64_t number)
{
    put_name(writer, name);
    json_put_int(writer->body, number);
}

// A list of names. Query numbers them under the list's name in the singular.
static void put_names(struct writer *writer, const char *list,
                      const char *singular, const char *const *names,
                      size_t count)
{
    struct buffer *body = writer->body;

    for (size_t i = 0; writer->is_query && i < count; i++)
        buffer_printf(body, "&%s.%zu=%s", singular, i + 1, names[i]);
    if (writer->is_query)
        return;
    put_name(writer, list);
    for (size_t i = 0; i < count; i++) {
        buffer_append_char(body, i ? ',' : '[');
        json_put_string(body, bytes_of(names[i]));
    }
    buffer_append_char(body, ']');
}

static void begin_entries(struct writer *writer, const char *prefix)
{
    writer->prefix = prefix;
    writer->entry = 0;
    if (!writer->is_query)
        buffer_append_text(writer->body, ",\"Entries\":[");
}

// Each entry has its index as Id.
static void begin_entry(struct writer *writer)
{
    size_t index = writer->entry++;

    if (!writer->is_query)
        buffer_append_text(writer->body, index ? "},{" : "{");
    writer->first = true;
    put_text(writer, "Id", (struct bytes){&"0123456789"[index], 1});
}

static void end_entries(struct writer *writer)
{
    if (!writer->is_query)
        buffer_append_text(writer->body, "}]");
}

void sqs_request_queue_url(enum aws_protocol protocol, const char *name,
                           const char *owner_account, struct buffer *body)
{
    struct writer writer = begin(protocol, "GetQueueUrl", body);

    put_text(&writer, "QueueName", bytes_of(name));
    if (owner_account)
        put_text(&writer, "QueueOwnerAWSAccountId", bytes_of(owner_account));
    end(&writer);
}

void sqs_request_attributes(enum aws_protocol protocol, const char *url,
                            struct buffer *body)
{
    static const char *const names[] = {"QueueArn", "VisibilityTimeout"};
    struct writer writer = begin(protocol, "GetQueueAttributes", body);

    put_text(&writer, "QueueUrl", bytes_of(url));
    put_names(&writer, "AttributeNames", "AttributeName", names, 2);
    end(&writer);
}

void sqs_request_receive(enum aws_protocol protocol,
                         const struct sqs_receive *receive, struct buffer *body)
{
    static const char *const all[] = {"All"};
    struct writer writer = begin(protocol, "ReceiveMessage", body);

    put_text(&writer, "QueueUrl", bytes_of(receive->url));
    put_int(&writer, "MaxNumberOfMessages", (int64_t)receive->most);
    put_int(&writer, "WaitTimeSeconds", receive->wait_s);
    if (receive->visibility_s >= 0)
        put_int(&writer, "VisibilityTimeout", receive->visibility_s);
    if (receive->attempt_id)
        put_text(&writer, "ReceiveRequestAttemptId",
                 bytes_of(receive->attempt_id));
    put_names(&writer, "AttributeNames", "AttributeName", all, 1);
    put_names(&writer, "MessageSystemAttributeNames",
              "MessageSystemAttributeName", all, 1);
    put_names(&writer, "MessageAttributeNames", "MessageAttributeName", all, 1);
    end(&writer);
}

void sqs_request_delete_batch(enum aws_protocol protocol, const char *url,
                              const struct sqs_change *changes, size_t count,
                              struct buffer *body)
{
    struct writer writer = begin(protocol, "DeleteMessageBatch", body);

    put_text(&writer, "QueueUrl", bytes_of(url));
    begin_entries(&writer, "DeleteMessageBatchRequestEntry");
    for (size_t i = 0; i < count; i++) {
        begin_entry(&writer);
        put_text(&writer, "ReceiptHandle", changes[i].receipt_handle);
    }
    end_entries(&writer);
    end(&writer);
}

void sqs_request_change_batch(enum aws_protocol protocol, const char *url,
                              const struct sqs_change *changes, size_t count,
                              struct buffer *body)
{
    struct writer writer =
        begin(protocol, "ChangeMessageVisibilityBatch", body);

    put_text(&writer, "QueueUrl", bytes_of(url));
    begin_entries(&writer, "ChangeMessageVisibilityBatchRequestEntry");
    for (size_t i = 0; i < count; i++) {
        begin_entry(&writer);
        put_text(&writer, "ReceiptHandle", changes[i].receipt_handle);
        put_int(&writer, "VisibilityTimeout", changes[i].visibility_s);
    }
    end_entries(&writer);
    end(&writer);
}

void sqs_request_delete(enum aws_protocol protocol, const char *url,
                        const struct sqs_change *change, struct buffer *body)
{
    struct writer writer = begin(protocol, "DeleteMessage", body);

    put_text(&writer, "QueueUrl", bytes_of(url));
    put_text(&writer, "ReceiptHandle", change->receipt_handle);
    end(&writer);
}

void sqs_request_change(enum aws_protocol protocol, const char *url,
                        const struct sqs_change *change, struct buffer *body)
{
    struct writer writer = begin(protocol, "ChangeMessageVisibility", body);

    put_text(&writer, "QueueUrl", bytes_of(url));
    put_text(&writer, "ReceiptHandle", change->receipt_handle);
    put_int(&writer, "VisibilityTimeout", change->visibility_s);
    end(&writer);
}

static void put_base64_form(struct buffer *body, struct bytes data)
{
    AUTO_FREE char *text = mem_calloc(codec_base64_size(data.size) + 1, 1);

    (void)codec_base64_encode(data, text);
    form_put(body, bytes_of(text));
}

void sqs_request_put_attributes(const char *prefix,
                                const struct sqs_attribute *attributes,
                                size_t count, struct buffer *body)
{
    for (size_t i = 0; i < count; i++) {
        const struct sqs_attribute *one = &attributes[i];

        buffer_printf(body, "&%s.%zu.Name=", prefix, i + 1);
        form_put(body, one->name);
        buffer_printf(body, "&%s.%zu.Value.DataType=", prefix, i + 1);
        form_put(body, one->type);
        buffer_printf(body, "&%s.%zu.Value.%sValue=", prefix, i + 1,
                      one->is_binary ? "Binary" : "String");
        if (one->is_binary)
            put_base64_form(body, one->value);
        else
            form_put(body, one->value);
    }
}

static void put_json_attributes(struct writer *writer,
                                const struct sqs_send *send)
{
    struct buffer *body = writer->body;

    put_name(writer, "MessageAttributes");
    for (size_t i = 0; i < send->attribute_count; i++) {
        const struct sqs_attribute *one = &send->attributes[i];

        buffer_append_char(body, i ? ',' : '{');
        json_put_string(body, one->name);
        buffer_append_text(body, ":{\"DataType\":");
        json_put_string(body, one->type);
        buffer_append_text(body, one->is_binary ? ",\"BinaryValue\":"
                                                : ",\"StringValue\":");
        if (one->is_binary)
            json_put_base64(body, one->value);
        else
            json_put_string(body, one->value);
        buffer_append_char(body, '}');
    }
    buffer_append_char(body, '}');
}

static void put_attributes(struct writer *writer, const struct sqs_send *send)
{
    AUTO_FREE char *prefix = NULL;

    if (!send->attribute_count)
        return;
    if (!writer->is_query) {
        put_json_attributes(writer, send);
        return;
    }
    prefix =
        mem_printf("%s.%zu.MessageAttribute", writer->prefix, writer->entry);
    sqs_request_put_attributes(prefix, send->attributes, send->attribute_count,
                               writer->body);
}

void sqs_request_send_batch(enum aws_protocol protocol, const char *url,
                            const struct sqs_send *sends, size_t count,
                            struct buffer *body)
{
    struct writer writer = begin(protocol, "SendMessageBatch", body);

    put_text(&writer, "QueueUrl", bytes_of(url));
    begin_entries(&writer, "SendMessageBatchRequestEntry");
    for (size_t i = 0; i < count; i++) {
        begin_entry(&writer);
        put_text(&writer, "MessageBody", sends[i].message);
        if (sends[i].delay_s)
            put_int(&writer, "DelaySeconds", sends[i].delay_s);
        if (sends[i].group.data)
            put_text(&writer, "MessageGroupId", sends[i].group);
        if (sends[i].deduplication.data)
            put_text(&writer, "MessageDeduplicationId", sends[i].deduplication);
        put_attributes(&writer, &sends[i]);
    }
    end_entries(&writer);
    end(&writer);
}
