#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "destination/destination_inner.h"

#define RECORD_MOST (10u * 1024 * 1024) // bytes, where the stream allows it
#define KEY_MOST 256                    // characters
// Bytes of a call, keys and all. AWS takes 10 MiB since October 2025, older
// servers half of it.
#define CALL_MOST (5u * 1024 * 1024)
#define BODY_LIMIT (48u * 1024 * 1024)

struct destination_kinesis {
    struct destination base; // first
    char *stream;            // owned
};

static struct destination_kinesis *kinesis_of(struct destination *destination)
{
    return (struct destination_kinesis *)destination;
}

static bool kinesis_open(struct destination *destination, struct bytes name,
                         const struct destination_options *options,
                         struct outbox_limits *limits, struct error *err)
{
    (void)options;
    (void)limits;
    (void)err;
    kinesis_of(destination)->stream = mem_strndup(name.data, name.size);
    return true;
}

static size_t characters(struct bytes text) // of valid UTF-8
{
    size_t count = 0;

    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xc0) != 0x80;
    return count;
}

static bool kinesis_check(const struct destination *destination,
                          const struct emission *emission, struct error *err)
{
    struct bytes key = emission->key;

    (void)destination;
    if (emission->data.size + key.size > RECORD_MOST)
        return error_set(err, ERROR_INVALID,
                         "a Kinesis record is 10 MiB at the most, this one has "
                         "%zu bytes",
                         emission->data.size + key.size);
    if (utf8_valid_size(key) != key.size || characters(key) > KEY_MOST)
        return error_set(err, ERROR_INVALID,
                         "a partition key is UTF-8 text of 256 characters at "
                         "the most, this one is not");
    return true;
}

// Without a key, any shard will do.
static void write_key(struct destination *destination, struct bytes key,
                      struct buffer *body)
{
    char chance[17];

    if (!key.size) {
        (void)snprintf(chance, sizeof(chance), "%016" PRIx64,
                       random_next(&destination->random));
        key = bytes_of(chance);
    }
    json_put_string(body, key);
}

static void kinesis_write(struct destination *destination,
                          const struct send *send, struct aws_request *request)
{
    struct buffer *body = &request->body;

    request->service = AWS_KINESIS;
    request->protocol = AWS_JSON_11;
    request->operation = "PutRecords";
    buffer_init(body, BODY_LIMIT);
    buffer_append_text(body, "{\"StreamName\":");
    json_put_string(body, bytes_of(kinesis_of(destination)->stream));
    buffer_append_text(body, ",\"Records\":[");
    for (size_t i = 0; i < send->count; i++) {
        const struct emission *emission = send->parcels[i]->emission;

        buffer_append_text(body, i ? "},{\"Data\":" : "{\"Data\":");
        json_put_base64(body, emission->data);
        buffer_append_text(body, ",\"PartitionKey\":");
        write_key(destination, emission->key, body);
    }
    buffer_append_text(body, "}]}");
    assert(buffer_ok(body)); // the outbox bounds what goes in
}

static void read_record(struct json_read *in, enum verdict *verdict,
                        struct verdicts *verdicts)
{
    struct bytes name, code = {0}, message = {0}, sequence = {0};

    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        if (bytes_equal(name, BYTES("SequenceNumber")))
            (void)json_read_string(in, &sequence);
        else if (bytes_equal(name, BYTES("ErrorCode")))
            (void)json_read_string(in, &code);
        else if (bytes_equal(name, BYTES("ErrorMessage")))
            (void)json_read_string(in, &message);
        else
            (void)json_read_skip(in);
    }
    *verdict = code.size || !sequence.size ? VERDICT_AGAIN : VERDICT_ACCEPTED;
    if (*verdict == VERDICT_AGAIN)
        (void)snprintf(verdicts->why, sizeof(verdicts->why),
                       "PutRecords: %.*s: %.*s", (int)code.size,
                       code.size ? code.data : "", (int)message.size,
                       message.size ? message.data : "");
}

// In the order of the request.
static void read_records(struct json_read *in, const struct send *send,
                         struct verdicts *verdicts)
{
    enum verdict beyond;

    if (!json_read_array(in))
        return;
    for (size_t i = 0; json_read_element(in); i++)
        read_record(in, i < send->count ? &verdicts->of[i] : &beyond, verdicts);
}

static bool kinesis_read(const struct send *send, struct buffer *body,
                         struct verdicts *verdicts, struct error *err)
{
    struct json_read in;
    struct bytes name;

    (void)snprintf(verdicts->why, sizeof(verdicts->why),
                   "PutRecords: the answer does not mention it");
    json_read_init(&in, body->data, body->size);
    if (json_read_object(&in))
        while (json_read_member(&in, &name)) {
            if (bytes_equal(name, BYTES("Records")))
                read_records(&in, send, verdicts);
            else
                (void)json_read_skip(&in);
        }
    if (!json_read_end(&in))
        return error_set(err, ERROR_TRANSIENT,
                         "PutRecords: answer is not JSON: %s, at byte %zu",
                         in.error, json_read_offset(&in));
    return true;
}

static void kinesis_close(struct destination *destination)
{
    free(kinesis_of(destination)->stream);
}

const struct destination_ops destination_kinesis = {
    .kind = TARGET_KINESIS,
    .size = sizeof(struct destination_kinesis),
    .calls = 4,
    .limits = {.parcels = OUTBOX_MOST, .bytes = CALL_MOST},
    .open = kinesis_open,
    .check = kinesis_check,
    .write = kinesis_write,
    .read = kinesis_read,
    .close = kinesis_close,
};
