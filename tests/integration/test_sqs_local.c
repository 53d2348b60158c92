/* The SQS source and the destinations against the embedded server. */
#include "source/sqs.h"

#include <jansson.h>
#include <stdio.h>

#include "aws/aws_config.h"
#include "aws/client.h"
#include "aws_environment.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "destination/destination.h"
#include "local/local.h"
#include "record/emission.h"
#include "record/record.h"
#include "source/source.h"
#include "test.h"

#define WITHIN_MS 30000 // what is waited for must happen
#define MESSAGES 1000
#define QUEUE "orders"
#define QUEUE_ARN "arn:aws:sqs:us-east-1:000000000000:" QUEUE
#define STREAM_ARN "arn:aws:kinesis:us-east-1:000000000000:stream/results"

struct stage {
    struct log log; // silent
    struct local *local;
    struct aws_config config;
    struct aws_session *session;
    struct aws_client *client;
    struct destination *destination;
    struct source *source;
    struct delivery delivery;
    struct emission *emissions; // owned
    char (*texts)[48];          // owned
    unsigned handled[MESSAGES]; // times
    size_t distinct;            // handled at least once
    bool is_delivered;
    bool returns; // what arrives goes back
};

static struct stage *stage_create(const char *faults, int protocol)
{
    struct stage *stage = mem_calloc(1, sizeof(*stage));
    struct error err = {0};

    aws_environment_clear();
    stage->local = local_start(&(struct local_options){.address = "127.0.0.1",
                                                       .faults = faults,
                                                       .seed = 7,
                                                       .log = &stage->log},
                               &err);
    assert_ok(stage->local, &err);
    assert_ok(local_create_queue(stage->local, QUEUE, &err), &err);
    assert_ok(local_create_stream(stage->local, "results", 2, &err), &err);
    stage->config.endpoint_url =
        mem_printf("http://127.0.0.1:%u", local_port(stage->local));
    stage->config.sqs_protocol = protocol;
    stage->session = aws_session_create(
        &(struct aws_session_options){.config = &stage->config,
                                      .clock = clock_system(),
                                      .log = &stage->log},
        &err);
    assert_ok(stage->session, &err);
    stage->client = aws_client_create(
        &(struct aws_client_options){.session = stage->session,
                                     .clock = clock_system(),
                                     .log = &stage->log,
                                     .seed = 1});
    return stage;
}

static void stage_destroy(struct stage *stage)
{
    source_close(stage->source);
    destination_close(stage->destination);
    aws_client_destroy(stage->client);
    aws_session_destroy(stage->session);
    local_stop(stage->local);
    free(stage->config.endpoint_url);
    free(stage->emissions);
    free(stage->texts);
    free(stage);
}

static void open_source(struct stage *stage, int64_t visibility_ms,
                        int64_t wait_ms)
{
    stage->source =
        sqs_open(&(struct sqs_options){.session = stage->session,
                                       .client = stage->client,
                                       .clock = clock_system(),
                                       .log = &stage->log,
                                       .queue = QUEUE,
                                       .minimum_receives = 1,
                                       .maximum_receives = 4,
                                       .visibility_timeout_ms = visibility_ms,
                                       .wait_ms = wait_ms,
                                       .seed = 2});
}

static void open_destination(struct stage *stage, const char *arn)
{
    struct error err = {0};

    stage->destination = destination_open(
        &(struct destination_options){.arn = arn,
                                      .session = stage->session,
                                      .client = stage->client,
                                      .clock = clock_system(),
                                      .log = &stage->log,
                                      .seed = 3},
        &err);
    assert_ok(stage->destination, &err);
}

static void deliver(struct stage *stage, size_t count)
{
    free(stage->emissions);
    free(stage->texts);
    stage->is_delivered = false;
    stage->emissions = mem_calloc(count, sizeof(*stage->emissions));
    stage->texts = mem_calloc(count, sizeof(*stage->texts));
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(stage->texts[i], sizeof(stage->texts[i]),
                       "message %zu \"<&>\" \xc3\xa9", i);
        stage->emissions[i].data = bytes_of(stage->texts[i]);
        stage->emissions[i].next =
            i + 1 < count ? &stage->emissions[i + 1] : NULL;
    }
    stage->delivery =
        (struct delivery){.emissions = stage->emissions, .count = count};
    destination_deliver(stage->destination, &stage->delivery,
                        clock_now_ms(clock_system()));
}

static void take_replies(struct stage *stage, int64_t now_ms)
{
    struct aws_reply reply;

    while (aws_client_next(stage->client, &reply)) {
        if (stage->source && reply.owner == stage->source)
            source_reply(stage->source, &reply, now_ms);
        else
            destination_reply(stage->destination, &reply, now_ms);
        aws_reply_finish(&reply);
    }
}

static void handle(struct stage *stage, struct record *record, int64_t now_ms)
{
    char text[48];
    unsigned number;

    (void)snprintf(text, sizeof(text), "%.*s", BYTES_ARGS(record->data));
    assert_int_equal(sscanf(text, "message %u \"<&>\"", &number), 1);
    assert_true(number < MESSAGES);
    stage->distinct += !stage->handled[number]++;
    source_settle(stage->source, record,
                  stage->returns ? SOURCE_RETURN : SOURCE_DONE, -1, now_ms);
}

static int64_t deadline_of(const struct stage *stage)
{
    int64_t deadline_ms = CLOCK_NEVER;

    if (stage->source)
        deadline_ms = source_deadline_ms(stage->source);
    if (stage->destination)
        deadline_ms = clock_earlier(
            deadline_ms, destination_deadline_ms(stage->destination));
    return deadline_ms;
}

// One turn of the loop; what is waited for is asked for in between.
static void turn(struct stage *stage)
{
    int64_t now_ms = clock_now_ms(clock_system());
    struct record *record;

    take_replies(stage, now_ms);
    while (stage->source && (record = source_next(stage->source)))
        handle(stage, record, now_ms);
    if (stage->source)
        source_poll(stage->source, 100, now_ms);
    if (stage->destination) {
        destination_poll(stage->destination, now_ms);
        stage->is_delivered |= destination_next(stage->destination) != NULL;
    }
    aws_client_wait(stage->client,
                    clock_until_ms(deadline_of(stage), now_ms, 200));
}

#define run_until(stage_, condition_)                                     \
    do {                                                                  \
        int64_t until_ms_ = clock_now_ms(clock_system()) + WITHIN_MS;     \
        while (!(condition_)) {                                           \
            if (clock_now_ms(clock_system()) > until_ms_)                 \
                fail_msg("%s: not within %d ms", #condition_, WITHIN_MS); \
            turn(stage_);                                                 \
        }                                                                 \
    } while (0)

// A call beside the source's own.
static json_t *ask(struct stage *stage, enum aws_service service,
                   const char *operation, json_t *input)
{
    AUTO_FREE char *text = json_dumps(input, 0);
    struct aws_request request = {.service = service,
                                  .protocol = service == AWS_SQS ? AWS_JSON_10
                                                                 : AWS_JSON_11,
                                  .operation = operation};
    struct aws_reply reply;
    json_t *answer;

    json_decref(input);
    buffer_init(&request.body, 65536);
    buffer_append_text(&request.body, text);
    if (!aws_client_call(stage->client, &request, NULL, &reply))
        fail_msg("%s", reply.error.message);
    answer = json_loadb(reply.body.data, reply.body.size, 0, NULL);
    assert_non_null(answer);
    aws_reply_finish(&reply);
    return answer;
}

// Messages on the queue: visible, or hidden.
static int counted(struct stage *stage, const char *name)
{
    AUTO_FREE char *url =
        mem_printf("%s/000000000000/" QUEUE, stage->config.endpoint_url);
    json_t *answer = ask(
        stage, AWS_SQS, "GetQueueAttributes",
        json_pack("{s:s, s:[s]}", "QueueUrl", url, "AttributeNames", "All"));
    const char *text = NULL;
    int count;

    assert_int_equal(
        json_unpack(answer, "{s:{s:s}}", "Attributes", name, &text), 0);
    count = atoi(text);
    json_decref(answer);
    return count;
}

static int visible(struct stage *stage)
{
    return counted(stage, "ApproximateNumberOfMessages");
}

static int hidden(struct stage *stage)
{
    return counted(stage, "ApproximateNumberOfMessagesNotVisible");
}

static struct source_counts counts_of(const struct stage *stage)
{
    struct source_counts counts;

    source_counts(stage->source, &counts);
    return counts;
}

static struct drain_case {
    const char *name, *faults;
    int protocol;
    int64_t visibility_ms;
} drains[] = {
    {"JSON", NULL, AWS_SQS_AUTO, -1},
    {"Query", NULL, AWS_SQS_QUERY, -1},
    {"answers lost, cut short, and wrong",
     "*Message*:drop=before:rate=0.05; *Message*:drop=after:rate=0.05; "
     "*Message*:error=InternalFailure:rate=0.05; "
     "*Message*:truncate:rate=0.05; *Message*:html:rate=0.03; "
     "*Message*:error_in_200=InternalFailure:rate=0.03",
     AWS_SQS_JSON, 1000},
    {"entries that fail", "*:partial=InternalFailure:rate=0.2", AWS_SQS_AUTO,
     -1},
    {"duplicates and broken digests",
     "ReceiveMessage:duplicate:rate=0.1; "
     "ReceiveMessage:broken_md5:rate=0.1",
     AWS_SQS_AUTO, 1000},
    {"throttled",
     "ReceiveMessage:error=RequestThrottled:rate=0.3; "
     "ReceiveMessage:error=OverLimit:rate=0.2",
     AWS_SQS_AUTO, -1},
};

static void test_every_message_is_handled_and_deleted(void **state)
{
    const struct drain_case *c = *state;
    struct stage *stage = stage_create(c->faults, c->protocol);
    bool at_least_once = c->faults != NULL;

    open_destination(stage, QUEUE_ARN);
    deliver(stage, MESSAGES);
    open_source(stage, c->visibility_ms, 1000);
    run_until(stage, stage->is_delivered && stage->distinct == MESSAGES);
    source_stop(stage->source);
    run_until(stage, source_is_idle(stage->source));
    if (!at_least_once) {
        assert_int_equal(counts_of(stage).received, MESSAGES);
        assert_int_equal(counts_of(stage).deleted, MESSAGES);
        assert_int_equal(visible(stage) + hidden(stage), 0);
    }
    assert_int_equal(counts_of(stage).returned, 0);
    stage_destroy(stage);
}

static void test_what_a_parked_receive_brings_is_returned(void **state)
{
    struct stage *stage = stage_create(NULL, AWS_SQS_AUTO);

    (void)state;
    open_source(stage, -1, 20000);
    open_destination(stage, QUEUE_ARN);
    deliver(stage, 1);
    run_until(stage, stage->is_delivered && counts_of(stage).deleted == 1 &&
                         aws_client_pending(stage->client, stage->source) == 1);
    stage->returns = true;
    source_stop(stage->source);
    assert_false(source_is_idle(stage->source)); // a receive is parked
    deliver(stage, 1);
    run_until(stage, source_is_idle(stage->source) && stage->is_delivered);
    assert_int_equal(counts_of(stage).received, 2);
    assert_int_equal(counts_of(stage).returned, 1);
    assert_int_equal(visible(stage), 1);
    assert_int_equal(hidden(stage), 0);
    stage_destroy(stage);
}

static size_t records_of(struct stage *stage, const char *shard)
{
    json_t *answer =
        ask(stage, AWS_KINESIS, "GetShardIterator",
            json_pack("{s:s, s:s, s:s}", "StreamName", "results", "ShardId",
                      shard, "ShardIteratorType", "TRIM_HORIZON"));
    size_t count;

    answer = json_incref(answer);
    json_t *records = ask(stage, AWS_KINESIS, "GetRecords",
                          json_pack("{s:O}", "ShardIterator",
                                    json_object_get(answer, "ShardIterator")));
    count = json_array_size(json_object_get(records, "Records"));
    json_decref(records);
    json_decref(answer);
    json_decref(answer);
    return count;
}

static void test_a_delivery_reaches_every_shard_of_a_stream(void **state)
{
    struct stage *stage = stage_create(
        "PutRecords:partial=ProvisionedThroughputExceededException:rate=0.2",
        AWS_SQS_AUTO);
    size_t first, second;

    (void)state;
    open_destination(stage, STREAM_ARN);
    deliver(stage, MESSAGES);
    run_until(stage, stage->is_delivered);
    first = records_of(stage, "shardId-000000000000");
    second = records_of(stage, "shardId-000000000001");
    assert_int_equal(first + second, MESSAGES);
    assert_in_range(first, MESSAGES / 4, MESSAGES * 3 / 4);
    stage_destroy(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_parked_receive_brings_is_returned),
        cmocka_unit_test(test_a_delivery_reaches_every_shard_of_a_stream),
    };

    return run_table("drains", drains,
                     test_every_message_is_handled_and_deleted) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
