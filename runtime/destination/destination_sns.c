#include "aws/form.h"
#include "aws/sqs_request.h"
#include "aws/sqs_xml.h"
#include "base/error.h"
#include "destination/destination_inner.h"
#include "record/emission.h"

#define MESSAGE_MOST (256u * 1024) // bytes
#define BODY_LIMIT (2u * 1024 * 1024)

static bool sns_check(const struct destination *destination,
                      const struct emission *emission, struct error *err)
{
    (void)destination;
    if (!emission->data.size || emission->data.size > MESSAGE_MOST)
        return error_set(err, ERROR_INVALID,
                         "an SNS message has 1 byte to 256 KiB, this one has "
                         "%zu bytes",
                         emission->data.size);
    return destination_is_text(emission->data) ||
           error_set(err, ERROR_INVALID,
                     "an SNS message is UTF-8 text without control "
                     "characters, this one is not");
}

static void sns_write(struct destination *destination, const struct send *send,
                      struct aws_request *request)
{
    const struct emission *emission = send->parcels[0]->emission;
    struct sqs_attribute attributes[DESTINATION_ATTRIBUTES];
    size_t count = destination_attributes(emission, attributes);
    struct buffer *body = &request->body;

    request->service = AWS_SNS;
    request->protocol = AWS_QUERY;
    request->operation = "Publish";
    buffer_init(body, BODY_LIMIT);
    buffer_append_text(body, "TopicArn=");
    form_put(body, bytes_of(destination->arn));
    buffer_append_text(body, "&Message=");
    form_put(body, emission->data);
    sqs_request_put_attributes("MessageAttributes.entry", attributes, count,
                               body);
}

static void find_id(void *context, const char *parent, const char *name,
                    struct bytes text)
{
    bool *found = context;

    if (!strcmp(parent, "PublishResult") && !strcmp(name, "MessageId") &&
        text.size)
        *found = true;
}

static bool sns_read(const struct send *send, struct buffer *body,
                     struct verdicts *verdicts, struct error *err)
{
    bool found = false;
    const struct sqs_xml_events events = {.leaf = find_id, .context = &found};
    struct buffer text;
    bool ok;

    buffer_init(&text, body->size);
    ok = sqs_xml_walk(buffer_bytes(body), &text, &events, err);
    buffer_finish(&text);
    if (!ok)
        return error_wrap(err, "Publish");
    if (!found)
        return error_set(err, ERROR_TRANSIENT,
                         "Publish: the answer names no message");
    return destination_all_accepted(send, verdicts);
}

const struct destination_ops destination_sns = {
    .kind = TARGET_SNS,
    .size = sizeof(struct destination),
    .calls = 4,
    .limits = {.parcels = 1, .bytes = SIZE_MAX},
    .check = sns_check,
    .write = sns_write,
    .read = sns_read,
};
