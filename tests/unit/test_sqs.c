#include "source/sqs.h"

#include <stdio.h>

#include "aws/aws_config.h"
#include "aws/client.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake_aws.h"
#include "sim_clock.h"
#include "source/source.h"
#include "test.h"

#define URL "http://sqs.eu-west-1.localhost:4100/000000000000/orders"
#define ATTRIBUTES                                           \
    "{\"Attributes\":{\"QueueArn\":\"arn:aws:sqs:eu-west-1:" \
    "000000000000:orders\",\"VisibilityTimeout\":\"30\"}}"
#define FIFO_URL URL ".fifo"
#define XML_HEAD "<?xml version=\"1.0\"?>\n"

void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request);
void __wrap_aws_client_cancel(struct aws_client *client, const void *owner);
void __wrap_aws_client_no_more_retries(struct aws_client *client,
                                       const void *owner);
const char *__wrap_aws_session_region(const struct aws_session *session);
const char *__wrap_aws_session_account(const struct aws_session *session);
int __wrap_aws_session_sqs_protocol(const struct aws_session *session);
void __wrap_aws_session_set_sqs_protocol(struct aws_session *session,
                                         int protocol);

void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request)
{
    fake_aws_send(client, request);
}

void __wrap_aws_client_cancel(struct aws_client *client, const void *owner)
{
    (void)client;
    (void)owner;
}

void __wrap_aws_client_no_more_retries(struct aws_client *client,
                                       const void *owner)
{
    (void)client;
    (void)owner;
}

const char *__wrap_aws_session_region(const struct aws_session *session)
{
    (void)session;
    return "eu-west-1";
}

const char *__wrap_aws_session_account(const struct aws_session *session)
{
    (void)session;
    return "123456789012";
}

// The test's session is what is known of the protocol.
int __wrap_aws_session_sqs_protocol(const struct aws_session *session)
{
    return *(const int *)(const void *)session;
}

void __wrap_aws_session_set_sqs_protocol(struct aws_session *session,
                                         int protocol)
{
    *(int *)(void *)session = protocol;
}

struct world {
    int protocol; // first: the session
    struct fake_aws fake;
    struct sim_clock clock;
    struct log log; // silent
    struct source *source;
    struct digest *digest;
    size_t room;
    struct record *out[64]; // taken, oldest first
    size_t out_count;
};

static struct world *world_speaking(int protocol,
                                    const struct sqs_options *options)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    struct sqs_options all = *options;

    fake_aws_init(&world->fake);
    sim_clock_init(&world->clock);
    world->digest = digest_create();
    world->room = 100;
    world->protocol = protocol;
    all.session = (struct aws_session *)(void *)&world->protocol;
    all.client = fake_aws_client(&world->fake);
    all.clock = &world->clock.clock;
    all.log = &world->log;
    if (!all.queue && !all.queue_url)
        all.queue_url = URL;
    if (!all.minimum_receives)
        all.minimum_receives = 1;
    if (!all.maximum_receives)
        all.maximum_receives = 4;
    if (!all.visibility_timeout_ms)
        all.visibility_timeout_ms = -1;
    all.wait_ms = 20000;
    all.seed = 11;
    world->source = sqs_open(&all);
    source_poll(world->source, world->room, world->clock.now_ms);
    return world;
}

static struct world *world_create(const struct sqs_options *options)
{
    return world_speaking(AWS_SQS_AUTO, options);
}

static void world_destroy(struct world *world)
{
    for (size_t i = 0; i < world->out_count; i++)
        source_settle(world->source, world->out[i], SOURCE_AGAIN, -1,
                      world->clock.now_ms);
    source_close(world->source);
    digest_destroy(world->digest);
    fake_aws_finish(&world->fake);
    free(world);
}

// One turn of the loop.
static void turn(struct world *world)
{
    struct record *record;

    while ((record = source_next(world->source))) {
        assert_true(world->out_count < 64);
        world->out[world->out_count++] = record;
    }
    source_poll(world->source, world->room, world->clock.now_ms);
}

static void pass(struct world *world, int64_t ms)
{
    sim_clock_advance(&world->clock, ms);
    turn(world);
}

// To the source's own deadline, which must be there.
static void pass_to_deadline(struct world *world, int64_t most_ms)
{
    int64_t deadline_ms = source_deadline_ms(world->source);

    assert_true(deadline_ms != CLOCK_NEVER);
    assert_in_range(deadline_ms, 0, world->clock.now_ms + most_ms);
    if (deadline_ms > world->clock.now_ms)
        pass(world, deadline_ms - world->clock.now_ms);
    else
        turn(world);
}

static void deliver(struct world *world, struct aws_reply *reply)
{
    source_reply(world->source, reply, world->clock.now_ms);
    buffer_finish(&reply->body);
    turn(world);
}

static void answer(struct world *world, const char *operation, const char *body)
{
    struct fake_call call = fake_aws_take(&world->fake, operation);
    struct aws_reply reply = fake_reply(&call, body, world->clock.now_ms);

    reply.sent_ms -= 5000; // it was a long poll
    deliver(world, &reply);
    fake_call_finish(&call);
}

static void refuse(struct world *world, const char *operation, int status,
                   enum error_code reaction, const char *code)
{
    struct fake_call call = fake_aws_take(&world->fake, operation);
    struct aws_reply reply =
        fake_failure(&call, status, reaction, code, world->clock.now_ms);

    deliver(world, &reply);
    fake_call_finish(&call);
}

// The next call of this operation holds this text.
static void expect(struct world *world, const char *operation, const char *text)
{
    for (size_t i = 0; i < world->fake.count; i++) {
        if (strcmp(world->fake.calls[i].request.operation, operation) != 0)
            continue;
        assert_contains(world->fake.calls[i].body, text);
        return;
    }
    fail_msg("no %s was sent", operation);
}

static size_t waiting(const struct world *world, const char *operation)
{
    return fake_aws_waiting(&world->fake, operation);
}

// Messages m<first>, m<first + 1>, ... as JSON. Caller frees.
static char *messages(struct world *world, unsigned first, unsigned count)
{
    struct buffer body;

    buffer_init(&body, 1024 * 1024);
    buffer_append_text(&body, "{\"Messages\":[");
    for (unsigned i = first; i < first + count; i++) {
        uint8_t md5[DIGEST_MD5_SIZE];
        char text[16], hex[33];

        (void)snprintf(text, sizeof(text), "body %u", i);
        assert_true(digest_md5(world->digest, bytes_of(text), md5));
        codec_hex_encode((struct bytes){(char *)md5, sizeof(md5)}, hex);
        buffer_printf(&body,
                      "%s{\"MessageId\":\"m%u\",\"ReceiptHandle\":\"r%u\","
                      "\"Body\":\"%s\",\"MD5OfBody\":\"%s\"}",
                      i > first ? "," : "", i, i, text, hex);
    }
    buffer_append_text(&body, "]}");
    return buffer_detach(&body);
}

static void receive(struct world *world, unsigned first, unsigned count)
{
    char *body = messages(world, first, count);

    answer(world, "ReceiveMessage", body);
    free(body);
}

static struct world *world_ready(void)
{
    struct world *world = world_create(&(struct sqs_options){0});

    answer(world, "GetQueueAttributes", ATTRIBUTES);
    return world;
}

static void settle_first(struct world *world, enum source_verdict verdict,
                         int64_t delay_ms)
{
    struct record *record = world->out[0];

    assert_true(world->out_count > 0);
    memmove(world->out, world->out + 1,
            --world->out_count * sizeof(world->out[0]));
    source_settle(world->source, record, verdict, delay_ms,
                  world->clock.now_ms);
}

static void settle_all(struct world *world, enum source_verdict verdict)
{
    while (world->out_count)
        settle_first(world, verdict, -1);
    turn(world);
}

// {"Successful":[{"Id":"0"},...]}
static void accept(struct world *world, const char *operation, int count)
{
    char body[512] = "{\"Successful\":[";

    for (int i = 0; i < count; i++)
        (void)sprintf(body + strlen(body), "%s{\"Id\":\"%d\"}", i ? "," : "",
                      i);
    (void)strcat(body, "],\"Failed\":[]}");
    answer(world, operation, body);
}

static void expect_counts(const struct world *world, uint64_t received,
                          uint64_t deleted, uint64_t returned,
                          uint64_t left_hidden)
{
    struct source_counts counts;

    source_counts(world->source, &counts);
    assert_int_equal(counts.received, received);
    assert_int_equal(counts.deleted, deleted);
    assert_int_equal(counts.returned, returned);
    assert_int_equal(counts.left_hidden, left_hidden);
}

static void test_a_message_is_received_handed_out_and_deleted(void **state)
{
    struct world *world = world_ready();
    const struct record *record;

    (void)state;
    expect(world, "ReceiveMessage",
           "{\"QueueUrl\":\"" URL "\",\"MaxNumberOfMessages\":10,"
           "\"WaitTimeSeconds\":20,\"AttributeNames\":[\"All\"],"
           "\"MessageSystemAttributeNames\":[\"All\"],"
           "\"MessageAttributeNames\":[\"All\"]}");
    receive(world, 1, 1);
    record = world->out[0];
    assert_memory_equal(record->data.data, "body 1", 6);
    assert_string_equal(record->origin->arn,
                        "arn:aws:sqs:eu-west-1:000000000000:orders");
    assert_int_equal(record->visible_ms, world->clock.now_ms + 30000);
    assert_false(source_is_idle(world->source));
    settle_all(world, SOURCE_DONE);
    assert_int_equal(waiting(world, "DeleteMessageBatch"), 0);
    pass(world, 50);
    expect(world, "DeleteMessageBatch",
           "{\"QueueUrl\":\"" URL
           "\",\"Entries\":[{\"Id\":\"0\",\"ReceiptHandle\":\"r1\"}]}");
    accept(world, "DeleteMessageBatch", 1);
    expect_counts(world, 1, 1, 0, 0);
    world_destroy(world);
}

static void test_ten_deletes_go_at_once(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 10);
    settle_all(world, SOURCE_DONE);
    assert_int_equal(waiting(world, "DeleteMessageBatch"), 1);
    accept(world, "DeleteMessageBatch", 10);
    expect_counts(world, 10, 10, 0, 0);
    world_destroy(world);
}

static void test_receives_grow_with_the_backlog_within_the_room(void **state)
{
    struct world *world = world_ready();

    (void)state;
    assert_int_equal(waiting(world, "ReceiveMessage"), 1);
    receive(world, 1, 10);
    assert_int_equal(waiting(world, "ReceiveMessage"), 2);
    world->room = 5;
    receive(world, 11, 10);
    assert_int_equal(waiting(world, "ReceiveMessage"), 1);
    world_destroy(world);
}

static void test_only_failed_entries_are_sent_again(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 3);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    answer(world, "DeleteMessageBatch",
           "{\"Successful\":[{\"Id\":\"0\"},{\"Id\":\"2\"}],\"Failed\":[{"
           "\"Id\":\"1\",\"SenderFault\":false,\"Code\":\"InternalError\"}]}");
    expect_counts(world, 3, 2, 0, 0);
    pass(world, 200);
    expect(world, "DeleteMessageBatch",
           "\"Entries\":[{\"Id\":\"0\",\"ReceiptHandle\":\"r2\"}]");
    accept(world, "DeleteMessageBatch", 1);
    expect_counts(world, 3, 3, 0, 0);
    world_destroy(world);
}

static void test_an_entry_the_answer_forgot_is_sent_again(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 2);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    accept(world, "DeleteMessageBatch", 1);
    pass(world, 200);
    expect(world, "DeleteMessageBatch",
           "[{\"Id\":\"0\",\"ReceiptHandle\":\"r2\"}]");
    world_destroy(world);
}

static void test_a_senders_fault_is_not_tried_again(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    answer(world, "DeleteMessageBatch",
           "{\"Failed\":[{\"Id\":\"0\",\"SenderFault\":\"true\",\"Code\":"
           "\"1\"}]}");
    pass(world, 30000);
    assert_int_equal(waiting(world, "DeleteMessageBatch"), 0);
    expect_counts(world, 1, 0, 0, 1);
    world_destroy(world);
}

static void test_a_lost_delete_is_repeated_until_it_arrives(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    for (int i = 0; i < 5; i++) {
        refuse(world, "DeleteMessageBatch", 0, ERROR_TRANSIENT, "");
        pass(world, 20050);
    }
    accept(world, "DeleteMessageBatch", 1);
    expect_counts(world, 1, 1, 0, 0);
    world_destroy(world);
}

static void test_a_delete_that_never_works_ends_as_left_hidden(void **state)
{
    struct world *world = world_ready();
    int tries = 0;

    (void)state;
    receive(world, 1, 1);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    for (; waiting(world, "DeleteMessageBatch"); tries++) {
        assert_true(tries < 100);
        refuse(world, "DeleteMessageBatch", 503, ERROR_TRANSIENT,
               "ServiceUnavailable");
        pass(world, 20050);
    }
    assert_int_equal(tries, 8);
    expect_counts(world, 1, 0, 0, 1);
    world_destroy(world);
}

static void test_one_bad_entry_does_not_take_its_batch_with_it(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 2);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    refuse(world, "DeleteMessageBatch", 404, ERROR_LOST,
           "ReceiptHandleIsInvalid");
    assert_int_equal(waiting(world, "DeleteMessage"), 2);
    refuse(world, "DeleteMessage", 404, ERROR_LOST, "ReceiptHandleIsInvalid");
    answer(world, "DeleteMessage", "");
    expect_counts(world, 2, 1, 0, 1);
    world_destroy(world);
}

static void test_a_failed_message_is_left_or_delayed(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 2);
    settle_first(world, SOURCE_AGAIN, -1);
    expect_counts(world, 2, 0, 0, 0);
    settle_first(world, SOURCE_AGAIN, 2001);
    pass(world, 50);
    expect(world, "ChangeMessageVisibilityBatch",
           "{\"Id\":\"0\",\"ReceiptHandle\":\"r2\",\"VisibilityTimeout\":3}");
    accept(world, "ChangeMessageVisibilityBatch", 1);
    expect_counts(world, 2, 0, 1, 0);
    world_destroy(world);
}

static void test_a_stop_waits_out_the_parked_receive(void **state)
{
    struct world *world = world_ready();

    (void)state;
    source_stop(world->source);
    turn(world);
    assert_false(source_is_idle(world->source));
    receive(world, 1, 3);
    assert_int_equal(waiting(world, "ReceiveMessage"), 0);
    assert_int_equal(world->out_count, 3);
    settle_all(world, SOURCE_RETURN);
    expect(world, "ChangeMessageVisibilityBatch",
           "{\"Id\":\"2\",\"ReceiptHandle\":\"r3\",\"VisibilityTimeout\":0}");
    assert_false(source_is_idle(world->source));
    accept(world, "ChangeMessageVisibilityBatch", 3);
    assert_true(source_is_idle(world->source));
    expect_counts(world, 3, 0, 3, 0);
    world_destroy(world);
}

static void test_a_stop_with_an_empty_receive_is_over_with_it(void **state)
{
    struct world *world = world_ready();

    (void)state;
    source_stop(world->source);
    answer(world, "ReceiveMessage", "{\"Messages\":null}");
    assert_true(source_is_idle(world->source));
    assert_true(source_deadline_ms(world->source) == CLOCK_NEVER);
    world_destroy(world);
}

static void test_a_returned_message_that_is_visible_is_returned(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    settle_all(world, SOURCE_RETURN);
    pass(world, 50);
    answer(world, "ChangeMessageVisibilityBatch",
           "{\"Failed\":[{\"Id\":\"0\",\"SenderFault\":true,\"Code\":"
           "\"AWS.SimpleQueueService.MessageNotInflight\"}]}");
    expect_counts(world, 1, 0, 1, 0);
    world_destroy(world);
}

static void test_without_visibility_batches_single_calls_do(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 2);
    settle_all(world, SOURCE_RETURN);
    pass(world, 50);
    refuse(world, "ChangeMessageVisibilityBatch", 400, ERROR_INVALID,
           "InvalidAction");
    assert_int_equal(waiting(world, "ChangeMessageVisibility"), 2);
    expect(world, "ChangeMessageVisibility",
           "{\"QueueUrl\":\"" URL
           "\",\"ReceiptHandle\":\"r1\",\"VisibilityTimeout\":0}");
    answer(world, "ChangeMessageVisibility", "");
    answer(world, "ChangeMessageVisibility", "{}");
    expect_counts(world, 2, 0, 2, 0);
    receive(world, 3, 1);
    settle_all(world, SOURCE_RETURN);
    assert_int_equal(waiting(world, "ChangeMessageVisibilityBatch"), 0);
    assert_int_equal(waiting(world, "ChangeMessageVisibility"), 1);
    world_destroy(world);
}

static void test_a_heartbeat_moves_the_visibility_once_accepted(void **state)
{
    struct world *world = world_ready();
    int64_t visible_ms;

    (void)state;
    receive(world, 1, 2);
    visible_ms = world->out[0]->visible_ms;
    pass(world, 15000);
    source_extend(world->source, world->out, 2, world->clock.now_ms);
    source_extend(world->source, world->out, 2, world->clock.now_ms);
    assert_int_equal(waiting(world, "ChangeMessageVisibilityBatch"), 1);
    expect(world, "ChangeMessageVisibilityBatch",
           "{\"Id\":\"1\",\"ReceiptHandle\":\"r2\",\"VisibilityTimeout\":30}");
    assert_int_equal(world->out[0]->visible_ms, visible_ms);
    answer(world, "ChangeMessageVisibilityBatch",
           "{\"Successful\":[{\"Id\":\"0\"}],\"Failed\":[{\"Id\":\"1\","
           "\"SenderFault\":true,\"Code\":\"MessageNotInflight\"}]}");
    assert_int_equal(world->out[0]->visible_ms, visible_ms + 15000);
    assert_int_equal(world->out[1]->visible_ms, visible_ms);
    world_destroy(world);
}

static void test_a_heartbeat_ends_with_the_12_hours(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    pass(world, 43200000 - 10000);
    source_extend(world->source, world->out, 1, world->clock.now_ms);
    expect(world, "ChangeMessageVisibilityBatch", "\"VisibilityTimeout\":10}");
    accept(world, "ChangeMessageVisibilityBatch", 1);
    pass(world, 10000);
    source_extend(world->source, world->out, 1, world->clock.now_ms);
    assert_int_equal(waiting(world, "ChangeMessageVisibilityBatch"), 0);
    world_destroy(world);
}

static void test_a_return_is_not_overtaken_by_a_heartbeat(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    source_extend(world->source, world->out, 1, world->clock.now_ms);
    source_stop(world->source);
    answer(world, "ReceiveMessage", "{}");
    settle_all(world, SOURCE_RETURN);
    assert_int_equal(waiting(world, "ChangeMessageVisibilityBatch"), 1);
    assert_false(source_is_idle(world->source));
    accept(world, "ChangeMessageVisibilityBatch", 1);
    expect(world, "ChangeMessageVisibilityBatch", "\"VisibilityTimeout\":0}");
    accept(world, "ChangeMessageVisibilityBatch", 1);
    assert_true(source_is_idle(world->source));
    expect_counts(world, 1, 0, 1, 0);
    world_destroy(world);
}

static void test_a_delete_does_not_wait_for_a_heartbeat(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    source_extend(world->source, world->out, 1, world->clock.now_ms);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    accept(world, "DeleteMessageBatch", 1); // the heartbeat's record is gone
    accept(world, "ChangeMessageVisibilityBatch", 1);
    expect_counts(world, 1, 1, 0, 0);
    world_destroy(world);
}

static void test_heartbeats_go_singly_where_there_are_no_batches(void **state)
{
    struct world *world = world_ready();
    int64_t visible_ms;

    (void)state;
    receive(world, 1, 2);
    visible_ms = world->out[0]->visible_ms;
    pass(world, 1000);
    source_extend(world->source, world->out, 2, world->clock.now_ms);
    refuse(world, "ChangeMessageVisibilityBatch", 404, ERROR_INVALID,
           "UnknownOperationException");
    answer(world, "ChangeMessageVisibility", "");
    refuse(world, "ChangeMessageVisibility", 503, ERROR_TRANSIENT, "");
    assert_int_equal(world->out[0]->visible_ms, visible_ms + 1000);
    assert_int_equal(world->out[1]->visible_ms, visible_ms);
    world_destroy(world);
}

static void test_a_broken_md5_is_not_handed_out(void **state)
{
    struct world *world = world_ready();

    (void)state;
    answer(world, "ReceiveMessage",
           "{\"Messages\":[{\"MessageId\":\"m1\",\"ReceiptHandle\":\"r1\","
           "\"Body\":\"hello\",\"MD5OfBody\":"
           "\"00000000000000000000000000000000\"}]}");
    assert_int_equal(world->out_count, 0);
    expect_counts(world, 1, 0, 0, 1);
    assert_int_equal(waiting(world, "ReceiveMessage"), 1);
    world_destroy(world);
}

static void test_truncated_json_is_received_again(void **state)
{
    struct world *world = world_ready();

    (void)state;
    answer(world, "ReceiveMessage", "{\"Messages\":[{\"MessageId\":\"m1");
    assert_null(source_failure(world->source));
    pass_to_deadline(world, 100);
    assert_int_equal(waiting(world, "ReceiveMessage"), 1);
    world_destroy(world);
}

static void test_an_error_under_status_200_is_an_error(void **state)
{
    struct world *world = world_ready();

    (void)state;
    answer(world, "ReceiveMessage",
           "{\"__type\":\"InternalFailure\",\"message\":\"sorry\"}");
    assert_int_equal(waiting(world, "ReceiveMessage"), 0);
    pass_to_deadline(world, 100);
    receive(world, 1, 1);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    answer(world, "DeleteMessageBatch",
           "{\"__type\":\"InternalFailure\",\"message\":\"sorry\"}");
    pass(world, 200);
    accept(world, "DeleteMessageBatch", 1);
    expect_counts(world, 1, 1, 0, 0);
    world_destroy(world);
}

static void test_a_failing_receive_backs_off_to_20_s(void **state)
{
    struct world *world = world_ready();
    int64_t longest = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        int64_t before = world->clock.now_ms;

        refuse(world, "ReceiveMessage", 0, ERROR_TRANSIENT, "");
        pass_to_deadline(world, 20000);
        if (world->clock.now_ms - before > longest)
            longest = world->clock.now_ms - before;
    }
    assert_in_range(longest, 15000, 20000);
    receive(world, 1, 1);
    refuse(world, "ReceiveMessage", 0, ERROR_TRANSIENT, "");
    pass_to_deadline(world, 100);
    world_destroy(world);
}

static void test_receives_that_fail_together_count_as_one(void **state)
{
    struct world *world =
        world_create(&(struct sqs_options){.minimum_receives = 4});

    (void)state;
    answer(world, "GetQueueAttributes", ATTRIBUTES);
    pass(world, 1000);
    for (int i = 0; i < 4; i++) {
        struct fake_call call = fake_aws_take(&world->fake, "ReceiveMessage");
        struct aws_reply reply =
            fake_failure(&call, 0, ERROR_TRANSIENT, "", world->clock.now_ms);

        reply.sent_ms -= 1000;
        source_reply(world->source, &reply, world->clock.now_ms + i);
        buffer_finish(&reply.body);
        fake_call_finish(&call);
    }
    pass_to_deadline(world, 100);
    assert_int_equal(waiting(world, "ReceiveMessage"), 4);
    world_destroy(world);
}

static void
test_a_server_that_does_not_wait_is_not_asked_in_a_circle(void **state)
{
    struct world *world = world_ready();
    size_t asked = 0;

    (void)state;
    for (int64_t end = world->clock.now_ms + 10000; world->clock.now_ms < end;
         asked++) {
        struct fake_call call = fake_aws_take(&world->fake, "ReceiveMessage");
        struct aws_reply reply = fake_reply(&call, "{}", world->clock.now_ms);

        deliver(world, &reply);
        fake_call_finish(&call);
        pass_to_deadline(world, 1100);
    }
    assert_in_range(asked, 5, 60);
    world_destroy(world);
}

static void test_over_limit_settles_before_it_receives(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    settle_all(world, SOURCE_DONE);
    refuse(world, "ReceiveMessage", 403, ERROR_THROTTLED, "OverLimit");
    pass(world, 1000);
    assert_int_equal(waiting(world, "ReceiveMessage"), 0);
    accept(world, "DeleteMessageBatch", 1);
    assert_int_equal(waiting(world, "ReceiveMessage"), 1);
    world_destroy(world);
}

static void test_access_denied_is_a_failure(void **state)
{
    struct world *world = world_ready();

    (void)state;
    assert_null(source_failure(world->source));
    refuse(world, "ReceiveMessage", 403, ERROR_DENIED, "AccessDenied");
    assert_non_null(source_failure(world->source));
    assert_int_equal(source_failure(world->source)->code, ERROR_DENIED);
    assert_contains(source_failure(world->source)->message, "AccessDenied");
    pass(world, 60000);
    assert_int_equal(waiting(world, "ReceiveMessage"), 0);
    assert_true(source_deadline_ms(world->source) == CLOCK_NEVER);
    world_destroy(world);
}

static void test_a_denied_delete_is_a_failure(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    refuse(world, "DeleteMessageBatch", 403, ERROR_DENIED, "AccessDenied");
    assert_non_null(source_failure(world->source));
    expect_counts(world, 1, 0, 0, 1);
    world_destroy(world);
}

static void test_a_denied_return_leaves_the_message_hidden(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    source_extend(world->source, world->out, 1, world->clock.now_ms);
    refuse(world, "ChangeMessageVisibilityBatch", 403, ERROR_DENIED,
           "AccessDenied");
    settle_all(world, SOURCE_RETURN);
    pass(world, 50);
    refuse(world, "ChangeMessageVisibilityBatch", 403, ERROR_DENIED,
           "AccessDenied");
    assert_null(source_failure(world->source));
    expect_counts(world, 1, 0, 0, 1);
    world_destroy(world);
}

static void test_a_name_is_looked_up(void **state)
{
    struct world *world =
        world_create(&(struct sqs_options){.queue = "orders"});

    (void)state;
    expect(world, "GetQueueUrl", "{\"QueueName\":\"orders\"}");
    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    expect(world, "GetQueueAttributes",
           "{\"QueueUrl\":\"" URL "\",\"AttributeNames\":[\"QueueArn\","
           "\"VisibilityTimeout\"]}");
    answer(world, "GetQueueAttributes", ATTRIBUTES);
    expect(world, "ReceiveMessage", "\"QueueUrl\":\"" URL "\"");
    world_destroy(world);
}

static void test_an_owner_id_is_left_out_where_it_is_refused(void **state)
{
    struct world *world = world_create(&(struct sqs_options){
        .queue = "orders", .arn = "arn:aws:sqs:us-east-1:111122223333:orders"});

    (void)state;
    expect(world, "GetQueueUrl",
           "{\"QueueName\":\"orders\",\"QueueOwnerAWSAccountId\":"
           "\"111122223333\"}");
    refuse(world, "GetQueueUrl", 400, ERROR_NOT_FOUND, "QueueDoesNotExist");
    expect(world, "GetQueueUrl", "{\"QueueName\":\"orders\"}");
    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    answer(world, "GetQueueAttributes", ATTRIBUTES);
    receive(world, 1, 1);
    assert_string_equal(world->out[0]->origin->arn,
                        "arn:aws:sqs:us-east-1:111122223333:orders");
    assert_string_equal(world->out[0]->origin->region, "us-east-1");
    world_destroy(world);
}

static void test_a_missing_queue_is_waited_for(void **state)
{
    struct world *world =
        world_create(&(struct sqs_options){.queue = "orders"});
    struct source_counts counts;

    (void)state;
    for (int i = 0; i < 20; i++) {
        refuse(world, "GetQueueUrl", 400, ERROR_NOT_FOUND, "QueueDoesNotExist");
        assert_null(source_failure(world->source));
        assert_int_equal(waiting(world, "GetQueueUrl"), 0);
        source_counts(world->source, &counts);
        assert_true(counts.waits);
        pass_to_deadline(world, 21000);
    }
    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    answer(world, "GetQueueAttributes", ATTRIBUTES);
    assert_int_equal(waiting(world, "ReceiveMessage"), 1);
    world_destroy(world);
}

static void test_a_missing_queue_does_not_hold_up_a_stop(void **state)
{
    struct world *world =
        world_create(&(struct sqs_options){.queue = "orders"});

    (void)state;
    source_stop(world->source);
    assert_true(source_is_idle(world->source));
    world_destroy(world);
}

static void test_a_queue_that_vanishes_is_waited_for(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    settle_all(world, SOURCE_DONE);
    refuse(world, "ReceiveMessage", 400, ERROR_NOT_FOUND, "QueueDoesNotExist");
    assert_null(source_failure(world->source));
    pass(world, 50);
    expect_counts(world, 1, 0, 0, 1); // nothing is left to be deleted
    pass_to_deadline(world, 2000);
    answer(world, "GetQueueAttributes", ATTRIBUTES);
    assert_int_equal(waiting(world, "ReceiveMessage"), 1);
    world_destroy(world);
}

static void lose_queue(struct world *world)
{
    refuse(world, "ReceiveMessage", 400, ERROR_NOT_FOUND, "QueueDoesNotExist");
}

static void test_a_vanished_queue_does_not_hold_up_a_stop(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    refuse(world, "DeleteMessageBatch", 503, ERROR_TRANSIENT, ""); // backoff
    lose_queue(world);
    source_stop(world->source);
    turn(world);
    assert_true(source_is_idle(world->source));
    expect_counts(world, 1, 0, 0, 1);
    world_destroy(world);
}

static void test_nor_does_one_whose_server_is_gone_too(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    lose_queue(world);
    pass_to_deadline(world, 2000);
    refuse(world, "GetQueueAttributes", 0, ERROR_TRANSIENT, "");
    source_stop(world->source);
    settle_all(world, SOURCE_DONE);
    assert_true(source_is_idle(world->source));
    expect_counts(world, 1, 0, 0, 1);
    world_destroy(world);
}

static void test_attributes_are_done_without_if_denied(void **state)
{
    struct world *world = world_create(&(struct sqs_options){0});

    (void)state;
    refuse(world, "GetQueueAttributes", 403, ERROR_DENIED, "AccessDenied");
    assert_null(source_failure(world->source));
    receive(world, 1, 1);
    assert_string_equal(world->out[0]->origin->arn,
                        "arn:aws:sqs:eu-west-1:123456789012:orders");
    assert_int_equal(world->out[0]->visible_ms, world->clock.now_ms + 30000);
    world_destroy(world);
}

static void test_an_own_visibility_timeout_is_asked_for(void **state)
{
    struct world *world =
        world_create(&(struct sqs_options){.visibility_timeout_ms = 90000});

    (void)state;
    answer(world, "GetQueueAttributes", ATTRIBUTES);
    expect(world, "ReceiveMessage", "\"VisibilityTimeout\":90,");
    receive(world, 1, 1);
    assert_int_equal(world->out[0]->visible_ms, world->clock.now_ms + 90000);
    world_destroy(world);
}

#define XML_ATTRIBUTES                                                       \
    XML_HEAD "<GetQueueAttributesResponse><GetQueueAttributesResult>"        \
             "<Attribute><Name>QueueArn</Name><Value>arn:aws:sqs:elasticmq:" \
             "000000000000:orders</Value></Attribute>"                       \
             "<Attribute><Name>VisibilityTimeout</Name><Value>45</Value>"    \
             "</Attribute></GetQueueAttributesResult>"                       \
             "</GetQueueAttributesResponse>"

static void expect_query(struct world *world)
{
    struct fake_call call = fake_aws_take(&world->fake, "GetQueueAttributes");
    struct aws_reply reply =
        fake_reply(&call, XML_ATTRIBUTES, world->clock.now_ms);

    assert_int_equal(call.request.protocol, AWS_QUERY);
    assert_string_equal(call.request.path, "/000000000000/orders");
    deliver(world, &reply);
    fake_call_finish(&call);
    expect(world, "ReceiveMessage",
           "Action=ReceiveMessage&Version=2012-11-05&QueueUrl=http%3A%2F%2F");
    expect(world, "ReceiveMessage",
           "&AttributeName.1=All&MessageSystemAttributeName.1=All"
           "&MessageAttributeName.1=All");
    answer(world, "ReceiveMessage",
           XML_HEAD "<ReceiveMessageResponse><ReceiveMessageResult><Message>"
                    "<MessageId>m1</MessageId><ReceiptHandle>r1</ReceiptHandle>"
                    "<Body>a&lt;b</Body></Message></ReceiveMessageResult>"
                    "</ReceiveMessageResponse>");
    assert_int_equal(world->out_count, 1);
    assert_memory_equal(world->out[0]->data.data, "a<b", 3);
    assert_int_equal(world->out[0]->visible_ms, world->clock.now_ms + 45000);
    settle_all(world, SOURCE_DONE);
    pass(world, 50);
    expect(world, "DeleteMessageBatch",
           "&DeleteMessageBatchRequestEntry.1.Id=0"
           "&DeleteMessageBatchRequestEntry.1.ReceiptHandle=r1");
    answer(world, "DeleteMessageBatch",
           XML_HEAD "<DeleteMessageBatchResponse><DeleteMessageBatchResult>"
                    "<DeleteMessageBatchResultEntry><Id>0</Id>"
                    "</DeleteMessageBatchResultEntry>"
                    "</DeleteMessageBatchResult></DeleteMessageBatchResponse>");
    expect_counts(world, 1, 1, 0, 0);
}

static void test_query_is_spoken_where_json_is_not_understood(void **state)
{
    struct world *world = world_create(&(struct sqs_options){0});

    (void)state;
    refuse(world, "GetQueueAttributes", 400, ERROR_INVALID, "MissingAction");
    expect_query(world);
    assert_int_equal(world->protocol, AWS_SQS_QUERY); // for all other queues
    world_destroy(world);
}

static void test_query_is_spoken_where_json_is_answered_in_xml(void **state)
{
    struct world *world = world_create(&(struct sqs_options){0});

    (void)state;
    answer(world, "GetQueueAttributes", "<html>Welcome</html>");
    expect_query(world);
    world_destroy(world);
}

static void test_query_is_spoken_if_configured(void **state)
{
    struct world *world =
        world_speaking(AWS_SQS_QUERY, &(struct sqs_options){0});

    (void)state;
    expect_query(world);
    world_destroy(world);
}

static void test_a_5xx_decides_nothing(void **state)
{
    struct world *world = world_create(&(struct sqs_options){0});
    struct fake_call call;
    struct aws_reply reply;

    (void)state;
    call = fake_aws_take(&world->fake, "GetQueueAttributes");
    reply = fake_failure(&call, 502, ERROR_TRANSIENT, "", world->clock.now_ms);
    reply.not_json = true;
    deliver(world, &reply);
    fake_call_finish(&call);
    pass_to_deadline(world, 200);
    call = fake_aws_take(&world->fake, "GetQueueAttributes");
    assert_int_equal(call.request.protocol, AWS_JSON_10);
    fake_call_finish(&call);
    world_destroy(world);
}

static void test_json_is_kept_if_configured(void **state)
{
    struct world *world =
        world_speaking(AWS_SQS_JSON, &(struct sqs_options){0});

    (void)state;
    refuse(world, "GetQueueAttributes", 400, ERROR_INVALID, "MissingAction");
    assert_int_equal(waiting(world, "GetQueueAttributes"), 0);
    expect(world, "ReceiveMessage", "{\"QueueUrl\"");
    world_destroy(world);
}

static void test_a_server_that_speaks_neither_is_asked_again_later(void **state)
{
    struct world *world = world_create(&(struct sqs_options){0});

    (void)state;
    for (int i = 0; i < 3; i++) {
        answer(world, "GetQueueAttributes", "<html>Welcome</html>");
        answer(world, "GetQueueAttributes", "hello");
        assert_int_equal(waiting(world, "GetQueueAttributes"), 0);
        assert_null(source_failure(world->source));
        pass_to_deadline(world, 20100);
    }
    answer(world, "GetQueueAttributes", ATTRIBUTES);
    expect(world, "ReceiveMessage", "{\"QueueUrl\"");
    world_destroy(world);
}

static void test_a_duplicate_is_a_message_of_its_own(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 1);
    receive(world, 1, 1);
    assert_int_equal(world->out_count, 2);
    settle_first(world, SOURCE_DONE, -1);
    settle_first(world, SOURCE_DONE, -1);
    pass(world, 50);
    accept(world, "DeleteMessageBatch", 2);
    expect_counts(world, 2, 2, 0, 0);
    world_destroy(world);
}

static void test_a_close_lets_go_of_everything(void **state)
{
    struct world *world = world_ready();

    (void)state;
    receive(world, 1, 3);
    source_extend(world->source, world->out, 3, world->clock.now_ms);
    settle_first(world, SOURCE_RETURN, -1); // waits for the heartbeat
    settle_first(world, SOURCE_DONE, -1);
    pass(world, 50);
    settle_first(world, SOURCE_DONE, -1);
    world_destroy(world); // one held, one in flight, one waiting
}

/* The attempt id of the receive that waits; "" when it has none. */
static void read_attempt(const struct world *world, char id[64])
{
    static const char key[] = "\"ReceiveRequestAttemptId\":\"";
    const char *at;

    id[0] = '\0';
    for (size_t i = 0; i < world->fake.count; i++) {
        if (strcmp(world->fake.calls[i].request.operation, "ReceiveMessage"))
            continue;
        at = strstr(world->fake.calls[i].body, key);
        if (at)
            assert_int_equal(sscanf(at + sizeof(key) - 1, "%63[^\"]", id), 1);
        return;
    }
    fail_msg("no ReceiveMessage was sent");
}

static struct world *world_fifo(void)
{
    struct world *world = world_create(
        &(struct sqs_options){.queue_url = FIFO_URL, .maximum_receives = 1});

    answer(world, "GetQueueAttributes", ATTRIBUTES);
    return world;
}

static void lose_receive(struct world *world)
{
    refuse(world, "ReceiveMessage", 0, ERROR_TRANSIENT, "");
    pass_to_deadline(world, 20000);
}

static void test_a_fifo_receive_that_was_lost_is_repeated(void **state)
{
    struct world *world = world_fifo();
    char first[64], again[64];

    (void)state;
    read_attempt(world, first);
    assert_string_not_equal(first, "");
    lose_receive(world);
    read_attempt(world, again);
    assert_string_equal(again, first);
    lose_receive(world);
    read_attempt(world, again);
    assert_string_equal(again, first);
    receive(world, 1, 1);
    read_attempt(world, again); // answered: the next one is another
    assert_string_not_equal(again, first);
    world_destroy(world);
}

static void test_a_lost_fifo_receive_is_forgotten_in_time(void **state)
{
    struct world *world = world_fifo();
    char first[64], again[64];

    (void)state;
    read_attempt(world, first);
    refuse(world, "ReceiveMessage", 0, ERROR_TRANSIENT, "");
    pass(world, 5 * 60 * 1000);
    read_attempt(world, again);
    assert_string_not_equal(again, first);
    world_destroy(world);
}

static void test_a_standard_queue_has_no_attempts(void **state)
{
    struct world *world = world_ready();
    char id[64];

    (void)state;
    read_attempt(world, id);
    assert_string_equal(id, "");
    world_destroy(world);
}

static void test_a_window_is_given_its_visibility(void **state)
{
    struct world *world =
        world_create(&(struct sqs_options){.needed_visibility_ms = 35000});

    (void)state;
    answer(world, "GetQueueAttributes", ATTRIBUTES); // 30 s are too few
    expect(world, "ReceiveMessage", "\"VisibilityTimeout\":65,");
    receive(world, 1, 1);
    assert_int_equal(world->out[0]->visible_ms, world->clock.now_ms + 65000);
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fifo_receive_that_was_lost_is_repeated),
        cmocka_unit_test(test_a_lost_fifo_receive_is_forgotten_in_time),
        cmocka_unit_test(test_a_standard_queue_has_no_attempts),
        cmocka_unit_test(test_a_window_is_given_its_visibility),
        cmocka_unit_test(test_a_message_is_received_handed_out_and_deleted),
        cmocka_unit_test(test_ten_deletes_go_at_once),
        cmocka_unit_test(test_receives_grow_with_the_backlog_within_the_room),
        cmocka_unit_test(test_only_failed_entries_are_sent_again),
        cmocka_unit_test(test_an_entry_the_answer_forgot_is_sent_again),
        cmocka_unit_test(test_a_senders_fault_is_not_tried_again),
        cmocka_unit_test(test_a_lost_delete_is_repeated_until_it_arrives),
        cmocka_unit_test(test_a_delete_that_never_works_ends_as_left_hidden),
        cmocka_unit_test(test_one_bad_entry_does_not_take_its_batch_with_it),
        cmocka_unit_test(test_a_failed_message_is_left_or_delayed),
        cmocka_unit_test(test_a_stop_waits_out_the_parked_receive),
        cmocka_unit_test(test_a_stop_with_an_empty_receive_is_over_with_it),
        cmocka_unit_test(test_a_returned_message_that_is_visible_is_returned),
        cmocka_unit_test(test_without_visibility_batches_single_calls_do),
        cmocka_unit_test(test_a_heartbeat_moves_the_visibility_once_accepted),
        cmocka_unit_test(test_a_heartbeat_ends_with_the_12_hours),
        cmocka_unit_test(test_a_return_is_not_overtaken_by_a_heartbeat),
        cmocka_unit_test(test_a_delete_does_not_wait_for_a_heartbeat),
        cmocka_unit_test(test_heartbeats_go_singly_where_there_are_no_batches),
        cmocka_unit_test(test_a_broken_md5_is_not_handed_out),
        cmocka_unit_test(test_truncated_json_is_received_again),
        cmocka_unit_test(test_an_error_under_status_200_is_an_error),
        cmocka_unit_test(test_a_failing_receive_backs_off_to_20_s),
        cmocka_unit_test(test_receives_that_fail_together_count_as_one),
        cmocka_unit_test(
            test_a_server_that_does_not_wait_is_not_asked_in_a_circle),
        cmocka_unit_test(test_over_limit_settles_before_it_receives),
        cmocka_unit_test(test_access_denied_is_a_failure),
        cmocka_unit_test(test_a_denied_delete_is_a_failure),
        cmocka_unit_test(test_a_denied_return_leaves_the_message_hidden),
        cmocka_unit_test(test_a_name_is_looked_up),
        cmocka_unit_test(test_an_owner_id_is_left_out_where_it_is_refused),
        cmocka_unit_test(test_a_missing_queue_is_waited_for),
        cmocka_unit_test(test_a_missing_queue_does_not_hold_up_a_stop),
        cmocka_unit_test(test_a_queue_that_vanishes_is_waited_for),
        cmocka_unit_test(test_a_vanished_queue_does_not_hold_up_a_stop),
        cmocka_unit_test(test_nor_does_one_whose_server_is_gone_too),
        cmocka_unit_test(test_attributes_are_done_without_if_denied),
        cmocka_unit_test(test_an_own_visibility_timeout_is_asked_for),
        cmocka_unit_test(test_query_is_spoken_where_json_is_not_understood),
        cmocka_unit_test(test_query_is_spoken_where_json_is_answered_in_xml),
        cmocka_unit_test(test_query_is_spoken_if_configured),
        cmocka_unit_test(test_a_5xx_decides_nothing),
        cmocka_unit_test(test_json_is_kept_if_configured),
        cmocka_unit_test(
            test_a_server_that_speaks_neither_is_asked_again_later),
        cmocka_unit_test(test_a_duplicate_is_a_message_of_its_own),
        cmocka_unit_test(test_a_close_lets_go_of_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
