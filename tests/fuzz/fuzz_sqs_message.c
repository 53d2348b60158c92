/*
 * fuzz_sqs_message: answers of ReceiveMessage and of batch calls, in both
 * forms, from anybody. The first byte chooses the form. Whatever is handed out
 * lies inside its chunk.
 */
#include "source/sqs_message.h"

#include <stdlib.h>
#include <string.h>

#include "aws/sqs_answer.h"
#include "base/error.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buffer copy_of(const uint8_t *data, size_t size)
{
    struct buffer copy;

    buffer_init(&copy, 1024 * 1024);
    copy.data = malloc(size ? size : 1); // exact, so that ASan sees the end
    copy.size = copy.capacity = size;
    if (size)
        memcpy(copy.data, data, size);
    return copy;
}

static void check_slice(const struct record *record, struct bytes slice)
{
    const struct buffer *body = &record->chunk->body;

    if (slice.size && (slice.data < body->data ||
                       slice.data + slice.size > body->data + body->size))
        abort();
}

static void check_record(const struct record *record)
{
    check_slice(record, record->id);
    check_slice(record, record->data);
    check_slice(record, record->key);
    check_slice(record, record->receipt_handle);
    check_slice(record, record->md5_of_body);
    check_slice(record, record->md5_of_attributes);
    for (size_t i = 0; i < record->attribute_count; i++) {
        check_slice(record, record->attributes[i].name);
        check_slice(record, record->attributes[i].value);
    }
    for (size_t i = 0; i < record->message_attribute_count; i++) {
        check_slice(record, record->message_attributes[i].name);
        check_slice(record, record->message_attributes[i].type);
        check_slice(record, record->message_attributes[i].value);
    }
}

static void release_all(struct record_list *list)
{
    struct record *record;

    while ((record = record_list_take(list))) {
        check_record(record);
        record_release(record);
    }
}

static void read_messages(enum aws_protocol protocol, const uint8_t *data,
                          size_t size)
{
    static const struct record_origin origin = {
        .kind = RECORD_SQS, .arn = "arn:aws:sqs:r:1:q", .region = "r"};
    const struct sqs_arrival arrival = {.origin = &origin};
    struct record_list records = {0}, refused = {0};
    struct buffer body = copy_of(data, size);
    struct sqs_collect collect;
    struct error err;

    sqs_collect_init(&collect);
    (void)sqs_message_read(&collect, protocol, &arrival, &body, &records,
                           &refused, &err);
    release_all(&records);
    release_all(&refused);
    sqs_collect_finish(&collect);
}

static void read_others(enum aws_protocol protocol, const uint8_t *data,
                        size_t size)
{
    struct sqs_attributes attributes = {0};
    struct sqs_results results;
    struct buffer body = copy_of(data, size);
    struct error err;

    (void)sqs_answer_results(protocol, &body, &results, &err);
    buffer_finish(&body);
    body = copy_of(data, size);
    (void)sqs_answer_attributes(protocol, &body, &attributes, &err);
    free(attributes.arn);
    buffer_finish(&body);
    body = copy_of(data, size);
    free(sqs_answer_queue_url(protocol, &body, &err));
    buffer_finish(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum aws_protocol protocol;

    if (!size)
        return 0;
    protocol = data[0] == 'q' ? AWS_QUERY : AWS_JSON_10;
    read_messages(protocol, data + 1, size - 1);
    read_others(protocol, data + 1, size - 1);
    return 0;
}
