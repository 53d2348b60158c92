#include <inttypes.h>
#include <stdio.h>

#include "aws/client.h"
#include "base/error.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/utf8.h"
#include "cli/send_target.h"
#include "source/source_config.h"

#define CALL_ITEMS 500
#define CALL_BYTES (5u * 1024 * 1024) // AWS takes 10 MiB by now, others do not
#define RECORD_BYTES (10u * 1024 * 1024)
#define BODY_LIMIT (48u * 1024 * 1024)

static const char *stream_objection(const struct source_config *source,
                                    const struct send_options *options)
{
    struct bytes key = bytes_of(options->key);

    (void)source;
    if (options->group)
        return "--group is for FIFO queues; a stream has --key";
    if (options->delay_s)
        return "a stream knows no --delay";
    if (options->key &&
        (!key.size || key.size > 256 || utf8_valid_size(key) != key.size))
        return "--key is UTF-8 text of 1 to 256 characters";
    return NULL;
}

static bool stream_open(struct send_target *target, struct error *err)
{
    (void)target;
    (void)err;
    return true;
}

// Without a key, any shard will do.
static void put_key(struct send_target *target, struct buffer *body)
{
    char chance[17];

    (void)snprintf(chance, sizeof(chance), "%016" PRIx64,
                   random_next(&target->random));
    json_put_string(
        body, bytes_of(target->options->key ? target->options->key : chance));
}

static void write_call(struct send_target *target,
                       struct send_item *const *items, size_t count,
                       struct buffer *body)
{
    buffer_init(body, BODY_LIMIT);
    buffer_append_text(body, "{\"StreamName\":");
    json_put_string(body, bytes_of(target->source->name));
    buffer_append_text(body, ",\"Records\":[");
    for (size_t i = 0; i < count; i++) {
        buffer_append_text(body, i ? ",{\"Data\":" : "{\"Data\":");
        json_put_base64(body, items[i]->data);
        buffer_append_text(body, ",\"PartitionKey\":");
        put_key(target, body);
        buffer_append_text(body, "}");
    }
    buffer_append_text(body, "]}");
}

static void read_result(struct json_read *in, struct send_item *item)
{
    struct bytes name, code = {0}, text = {0}, sequence = {0};

    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        if (bytes_equal(name, BYTES("SequenceNumber")))
            (void)json_read_string(in, &sequence);
        else if (bytes_equal(name, BYTES("ErrorCode")))
            (void)json_read_string(in, &code);
        else if (bytes_equal(name, BYTES("ErrorMessage")))
            (void)json_read_string(in, &text);
        else
            (void)json_read_skip(in);
    }
    if (sequence.size && !code.size)
        item->state = SEND_ACCEPTED;
    (void)snprintf(item->why, sizeof(item->why), "%.*s: %.*s", BYTES_ARGS(code),
                   BYTES_ARGS(text));
}

// In the order of the request.
static void read_results(struct json_read *in, struct send_item *const *items,
                         size_t count)
{
    struct send_item beyond;

    if (!json_read_array(in))
        return;
    for (size_t i = 0; json_read_element(in); i++)
        read_result(in, i < count ? items[i] : &beyond);
}

static bool read_answer(struct buffer *body, struct send_item *const *items,
                        size_t count, struct error *err)
{
    struct json_read in;
    struct bytes name;

    json_read_init(&in, body->data, body->size);
    if (json_read_object(&in))
        while (json_read_member(&in, &name)) {
            if (bytes_equal(name, BYTES("Records")))
                read_results(&in, items, count);
            else
                (void)json_read_skip(&in);
        }
    return json_read_end(&in) ||
           error_set(err, ERROR_TRANSIENT,
                     "PutRecords: the answer is not JSON: %s, at byte %zu",
                     in.error, json_read_offset(&in));
}

static bool stream_send(struct send_target *target,
                        struct send_item *const *items, size_t count,
                        struct error *err)
{
    struct aws_request request = {.service = AWS_KINESIS,
                                  .protocol = AWS_JSON_11,
                                  .operation = "PutRecords"};
    struct aws_reply reply = {0};
    bool ok;

    write_call(target, items, count, &request.body);
    ok = aws_client_call(target->client, &request, NULL, &reply);
    if (!ok)
        *err = reply.error;
    else
        ok = read_answer(&reply.body, items, count, err);
    aws_reply_finish(&reply);
    return ok;
}

static void stream_close(struct send_target *target)
{
    (void)target;
}

const struct send_target_ops send_stream = {
    .noun = "records",
    .one = "record",
    .size = sizeof(struct send_target),
    .items = CALL_ITEMS,
    .bytes = CALL_BYTES,
    .item_bytes = RECORD_BYTES,
    .objection = stream_objection,
    .open = stream_open,
    .check = NULL,
    .send = stream_send,
    .close = stream_close,
};
