#include "destination/failure_read.h"

#include "base/error.h"
#include "base/json_read.h"
#include "base/utf8.h"

struct member { // of an object: where its value goes
    const char *name;
    struct bytes *text;
    int64_t *number;
};

// As it is written.
static struct bytes take_raw(struct json_read *in, const struct buffer *raw)
{
    size_t from;

    (void)json_read_peek(in);
    from = json_read_offset(in);
    if (!json_read_skip(in))
        return (struct bytes){0};
    return (struct bytes){raw->data + from, json_read_offset(in) - from};
}

static const struct member *find(const struct member *members,
                                 struct bytes name)
{
    while (members->name && !bytes_equal(name, bytes_of(members->name)))
        members++;
    return members;
}

static void read_members(struct json_read *in, const struct member *members)
{
    struct bytes name;

    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        const struct member *member = find(members, name);

        if (member->text)
            (void)json_read_string(in, member->text);
        else if (member->number)
            (void)json_read_int(in, member->number);
        else
            (void)json_read_skip(in);
    }
}

static void read_request(struct json_read *in, struct failure_read *read)
{
    const struct member members[] = {
        {"functionArn", &read->function_arn, NULL},
        {"condition", &read->condition, NULL},
        {"approximateInvokeCount", NULL, &read->invoke_count},
        {0}};

    read_members(in, members);
}

static void read_batch(struct json_read *in, struct failure_read *read)
{
    const struct member members[] = {
        {"shardId", &read->shard, NULL},
        {"startSequenceNumber", &read->first, NULL},
        {"endSequenceNumber", &read->last, NULL},
        {"batchSize", NULL, &read->batch_size},
        {"streamArn", &read->stream_arn, NULL},
        {0}};

    read_members(in, members);
}

// AWS's documents have it as a string; others write the object itself.
static void read_payload(struct json_read *in, struct failure_read *read)
{
    if (json_read_peek(in) == JSON_READ_OBJECT)
        read->payload = take_raw(in, &read->raw);
    else
        (void)json_read_string(in, &read->payload);
}

static void read_report(struct json_read *in, struct failure_read *read,
                        bool *is_event)
{
    struct bytes name;

    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        if (bytes_equal(name, BYTES("requestContext")))
            read_request(in, read);
        else if (bytes_equal(name, BYTES("timestamp")))
            (void)json_read_string(in, &read->timestamp);
        else if (bytes_equal(name, BYTES("KinesisBatchInfo")) ||
                 bytes_equal(name, BYTES("DDBStreamBatchInfo")))
            read_batch(in, read);
        else if (bytes_equal(name, BYTES("payload")))
            read_payload(in, read);
        else {
            *is_event |= bytes_equal(name, BYTES("Records"));
            (void)json_read_skip(in);
        }
    }
}

static bool judge(struct failure_read *read, const struct json_read *in,
                  bool is_event, struct error *err)
{
    if (in->error)
        return error_set(err, ERROR_INVALID, "no JSON: %s, at byte %zu",
                         in->error, json_read_offset(in));
    if (read->condition.size)
        return (read->shard.size && read->first.size && read->last.size) ||
               error_set(err, ERROR_INVALID,
                         "a failure report without its shard and its sequence "
                         "numbers");
    if (!is_event)
        return error_set(err, ERROR_INVALID,
                         "no failure report: it has neither requestContext nor "
                         "Records");
    read->condition = BYTES("Filtered");
    read->payload = buffer_bytes(&read->raw);
    return true;
}

bool failure_read(struct failure_read *read, struct buffer *text,
                  struct error *err)
{
    struct json_read in;
    bool is_event = false;

    *read = (struct failure_read){.text = *text};
    buffer_init(text, text->limit);
    buffer_init(&read->raw, read->text.size);
    buffer_append_bytes(&read->raw, buffer_bytes(&read->text));
    if (utf8_valid_size(buffer_bytes(&read->text)) != read->text.size)
        return error_set(err, ERROR_INVALID, "no JSON: it is not UTF-8");
    json_read_init(&in, read->text.data, read->text.size);
    read_report(&in, read, &is_event);
    (void)json_read_end(&in);
    return judge(read, &in, is_event, err);
}

void failure_read_finish(struct failure_read *read)
{
    buffer_finish(&read->text);
    buffer_finish(&read->raw);
}
