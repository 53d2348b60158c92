#include "source/kinesis_consumer.h"

#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "source/kinesis_ask.h"

static void put_member(struct buffer *out, const char *name, const char *value)
{
    buffer_append_char(out, out->size ? ',' : '{');
    json_put_string(out, bytes_of(name));
    buffer_append_char(out, ':');
    json_put_string(out, bytes_of(value));
}

static void put_consumer(struct buffer *out,
                         const struct kinesis_consumer *consumer)
{
    if (consumer->arn) {
        put_member(out, "ConsumerARN", consumer->arn);
    } else {
        put_member(out, "StreamARN", consumer->stream_arn);
        put_member(out, "ConsumerName", consumer->name);
    }
    buffer_append_char(out, '}');
}

static const char *text_of(const json_t *description, const char *name)
{
    const char *text = json_string_value(json_object_get(description, name));

    return text ? text : "";
}

static char *arn_when_active(const struct kinesis_consumer *consumer,
                             const json_t *description, struct error *err)
{
    const char *status = text_of(description, "ConsumerStatus");
    const char *arn = text_of(description, "ConsumerARN");

    if (strcmp(status, "ACTIVE") != 0 || !arn[0]) {
        error_set(err, ERROR_TRANSIENT, "consumer %s is not ACTIVE yet: %.20s",
                  consumer->name, status);
        return NULL;
    }
    return mem_strdup(arn);
}

static char *describe(struct aws_client *client,
                      const struct kinesis_consumer *consumer, const bool *stop,
                      struct error *err)
{
    struct aws_request request = kinesis_ask_begin("DescribeStreamConsumer");
    json_auto_t *description;
    char code[96];

    put_consumer(&request.body, consumer);
    description =
        kinesis_ask(client, &request, stop, "ConsumerDescription", code, err);
    return description ? arn_when_active(consumer, description, err) : NULL;
}

// What is registered takes a while to become ACTIVE: it is asked for again.
// Another worker may have been quicker.
static char *enroll(struct aws_client *client,
                    const struct kinesis_consumer *consumer, const bool *stop,
                    struct error *err)
{
    struct aws_request request = kinesis_ask_begin("RegisterStreamConsumer");
    json_auto_t *description;
    char code[96];

    put_consumer(&request.body, consumer);
    description = kinesis_ask(client, &request, stop, "Consumer", code, err);
    if (description)
        return arn_when_active(consumer, description, err);
    if (!strcmp(code, "ResourceInUseException"))
        error_set(err, ERROR_TRANSIENT, "consumer %s is not ACTIVE yet",
                  consumer->name);
    return NULL;
}

char *kinesis_find_consumer(struct aws_client *client,
                            const struct kinesis_consumer *consumer,
                            const bool *stop, struct error *err)
{
    char *arn = describe(client, consumer, stop, err);

    if (arn || err->code != ERROR_NOT_FOUND)
        return arn;
    if (consumer->registers && !consumer->arn)
        return enroll(client, consumer, stop, err);
    if (consumer->arn)
        error_set(err, ERROR_NOT_FOUND,
                  "there is no consumer %s (any more); "
                  "source.kinesis.consumer names one whatever its ARN",
                  consumer->arn);
    else
        error_set(err, ERROR_NOT_FOUND,
                  "%s has no consumer %s; source.kinesis.register_consumer "
                  "registers it",
                  consumer->stream_arn, consumer->name);
    return NULL;
}
