#include "case_answer.h"

#include <inttypes.h>
#include <jansson.h>

#include "aws/client.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/digest.h"
#include "base/mem.h"
#include "case_world.h"
#include "record/record.h"
#include "source/dynamodb_records.h"
#include "source/kinesis_records.h"
#include "source/sqs_digest.h"
#include "source/sqs_message.h"
#include "test.h"

#define ANSWER_LIMIT (64u * 1024 * 1024)

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* The answer's text, as a body that came. */
static struct buffer body_of(json_t *answer)
{
    AUTO_FREE char *text =
        json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(15));
    struct buffer body;

    buffer_init(&body, ANSWER_LIMIT);
    buffer_append_text(&body, text);
    assert_true(buffer_ok(&body));
    json_decref(answer);
    return body;
}

// ---- SQS ----

static json_t *ms_text(int64_t ms)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, ms);
    return json_string(text);
}

/* The system attributes, in the order of some server. */
static json_t *system_attributes(const struct case_world *world,
                                 const struct case_message *message)
{
    json_t *all = json_object();
    char count[16];

    (void)snprintf(count, sizeof(count), "%u", message->receive_count);
    json_object_set_new(all, "SenderId", json_string("AIDATEST"));
    json_object_set_new(all, "SentTimestamp", ms_text(message->arrived_at_ms));
    json_object_set_new(all, "ApproximateReceiveCount", json_string(count));
    json_object_set_new(all, "ApproximateFirstReceiveTimestamp",
                        ms_text(case_world_wall_ms(world)));
    if (world->is_fifo) {
        json_object_set_new(all, "SequenceNumber",
                            json_string("18849496460467696128"));
        json_object_set_new(all, "MessageDeduplicationId",
                            json_string(message->name));
        json_object_set_new(all, "MessageGroupId", json_string(message->key));
    }
    return all;
}

static json_t *body_md5(const struct case_world *world,
                        const struct case_message *message)
{
    char text[SQS_DIGEST_TEXT];

    assert_true(sqs_digest_body(
        world->digest, (struct bytes){message->data, message->data_size},
        text));
    return json_string(text);
}

static json_t *sqs_answer(const struct case_world *world,
                          const struct case_message *message)
{
    json_t *attributes = json_object_get(message->spec, "message_attributes");
    json_t *one = json_pack(
        "{s:s, s:s, s:o, s:s%, s:o}", "MessageId", message->id, "ReceiptHandle",
        "receipt", "MD5OfBody", body_md5(world, message), "Body", message->data,
        message->data_size, "Attributes", system_attributes(world, message));

    if (attributes) {
        json_object_set(one, "MessageAttributes", attributes);
        json_object_set_new(
            one, "MD5OfMessageAttributes",
            json_string(text_of(message->spec, "md5_of_attributes")));
    }
    return json_pack("{s:[o]}", "Messages", one);
}

static struct record *receive(struct case_world *world,
                              const struct case_message *message)
{
    struct record_list records = {0}, refused = {0};
    struct buffer body = body_of(sqs_answer(world, message));
    struct error err = {0};

    assert_ok(sqs_message_read(
                  &world->collect, AWS_JSON_10,
                  &(struct sqs_arrival){.origin = &world->shards[0].origin,
                                        .received_ms = world->now_ms,
                                        .visible_ms = message->visible_ms},
                  &body, &records, &refused, &err),
              &err);
    assert_int_equal(refused.count, 0);
    assert_int_equal(records.count, 1);
    return record_list_take(&records);
}

// ---- Kinesis ----

static json_t *kinesis_answer(const struct case_message *message)
{
    size_t size = codec_base64_size(message->data_size);
    AUTO_FREE char *data = mem_calloc(1, size + 1);

    codec_base64_encode((struct bytes){message->data, message->data_size},
                        data);
    return json_pack("{s:[{s:s, s:s, s:f, s:s, s:s}], s:s, s:i}", "Records",
                     "EncryptionType", "KMS", "SequenceNumber", message->id,
                     "ApproximateArrivalTimestamp",
                     (double)message->arrived_at_ms / 1000, "Data", data,
                     "PartitionKey", message->key, "NextShardIterator", "next",
                     "MillisBehindLatest", 0);
}

// ---- DynamoDB ----

/* The case's own members of `dynamodb`, or an item with the record's name. */
static json_t *change_of(const struct case_message *message)
{
    json_t *members = json_object_get(message->spec, "data");
    json_t *change =
        json_pack("{s:s, s:i, s:s, s:I, s:{s:{s:s}}}", "SequenceNumber",
                  message->id, "SizeBytes", 26, "StreamViewType",
                  "NEW_AND_OLD_IMAGES", "ApproximateCreationDateTime",
                  (json_int_t)(message->arrived_at_ms / 1000), "Keys", "id",
                  "S", message->key);

    if (json_is_object(members))
        json_object_update(change, members);
    else
        json_object_set_new(change, "NewImage",
                            json_pack("{s:{s:s}, s:{s:s}}", "id", "S",
                                      message->key, "name", "S",
                                      message->data));
    return change;
}

static json_t *dynamodb_answer(const struct case_message *message)
{
    const char *event = text_of(message->spec, "event");
    json_t *identity = json_object_get(message->spec, "user_identity");
    AUTO_FREE char *event_id =
        mem_printf("%032llx", strtoull(message->id, NULL, 10));
    json_t *one =
        json_pack("{s:s, s:o, s:s, s:s, s:s, s:s}", "awsRegion", "us-east-1",
                  "dynamodb", change_of(message), "eventID", event_id,
                  "eventName", event ? event : "INSERT", "eventSource",
                  "aws:dynamodb", "eventVersion", "1.1");

    if (identity)
        json_object_set(one, "userIdentity", identity);
    return json_pack("{s:[o], s:s}", "Records", one, "NextShardIterator",
                     "next");
}

static struct record *read_page(struct case_world *world,
                                const struct case_message *message)
{
    const struct record_origin *origin = &world->shards[message->shard].origin;
    bool is_kinesis = origin->kind == RECORD_KINESIS;
    struct buffer body = body_of(is_kinesis ? kinesis_answer(message)
                                            : dynamodb_answer(message));
    struct stream_page page = {0};
    struct error err = {0};
    struct record *record;

    assert_ok(is_kinesis ? kinesis_page_parse(&body, false, origin,
                                              world->now_ms, &page, &err)
                         : dynamodb_page_parse(&body, origin, world->now_ms,
                                               &page, &err),
              &err);
    assert_int_equal(page.count, 1);
    record = &page.chunk->records[0];
    page.chunk = NULL; // it goes with its record
    stream_page_finish(&page);
    return record;
}

struct record *case_answer_record(struct case_world *world,
                                  const struct case_message *message)
{
    return world->is_queue ? receive(world, message)
                           : read_page(world, message);
}
