#include "destination/destination.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "aws/aws_config.h"
#include "aws/client.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "destination/outbox.h"
#include "fake_aws.h"
#include "record/emission.h"
#include "record/record.h"
#include "records.h"
#include "sim_clock.h"
#include "test.h"

#define QUEUE_ARN "arn:aws:sqs:us-east-1:111122223333:results"
#define FIFO_ARN "arn:aws:sqs:us-east-1:111122223333:results.fifo"
#define STREAM_ARN "arn:aws:kinesis:us-east-1:111122223333:stream/results"
#define URL "http://127.0.0.1:9324/000000000000/results"

void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request);
void __wrap_aws_client_cancel(struct aws_client *client, const void *owner);
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

int __wrap_aws_session_sqs_protocol(const struct aws_session *session)
{
    (void)session;
    return AWS_SQS_AUTO;
}

void __wrap_aws_session_set_sqs_protocol(struct aws_session *session,
                                         int protocol)
{
    (void)session;
    (void)protocol;
}

struct world {
    struct fake_aws fake;
    struct sim_clock clock;
    struct log_sink sink; // into a pipe
    int said;             // its other end
    struct destination *destination;
    struct delivery deliveries[16];
    size_t delivery_count;
};

static struct world *world_create(const char *arn)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    struct log log = {.sink = &world->sink};
    struct error err = {0};
    int ends[2];

    fake_aws_init(&world->fake);
    sim_clock_init(&world->clock);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    world->said = ends[0];
    world->sink = (struct log_sink){.fd = ends[1], .level = LOG_LEVEL_INFO};
    world->destination = destination_open(
        &(struct destination_options){.arn = arn,
                                      .client = fake_aws_client(&world->fake),
                                      .clock = &world->clock.clock,
                                      .log = &log,
                                      .seed = 5},
        &err);
    if (!world->destination)
        fail_msg("%s", err.message);
    destination_poll(world->destination, world->clock.now_ms);
    return world;
}

static void free_emissions(struct delivery *delivery)
{
    struct emission *next;

    for (struct emission *one = delivery->emissions; one; one = next) {
        next = one->next;
        free(one);
    }
    delivery->emissions = NULL;
}

static void world_destroy(struct world *world)
{
    destination_close(world->destination);
    for (size_t i = 0; i < world->delivery_count; i++)
        free_emissions(&world->deliveries[i]);
    fake_aws_finish(&world->fake);
    (void)close(world->said);
    (void)close(world->sink.fd);
    free(world);
}

// What was logged since the last time.
static const char *said(struct world *world, char text[4096])
{
    ssize_t size = read(world->said, text, 4095);

    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void emit(struct delivery *delivery, struct bytes data, const char *key)
{
    struct emission **last = &delivery->emissions;
    struct emission *emission =
        mem_calloc(1, sizeof(*emission) + data.size + strlen(key));
    char *copy = (char *)(emission + 1);

    while (*last)
        last = &(*last)->next;
    *last = emission;
    memcpy(copy, data.data, data.size);
    memcpy(copy + data.size, key, strlen(key));
    emission->data = (struct bytes){copy, data.size};
    emission->key = (struct bytes){copy + data.size, strlen(key)};
    delivery->count++;
}

// Ends with NULL: data, key, data, key, ...
static struct delivery *deliver(struct world *world, const char *data, ...)
{
    struct delivery *delivery = &world->deliveries[world->delivery_count++];
    va_list args;

    va_start(args, data);
    for (; data; data = va_arg(args, const char *))
        emit(delivery, bytes_of(data), va_arg(args, const char *));
    va_end(args);
    destination_deliver(world->destination, delivery, world->clock.now_ms);
    return delivery;
}

static struct delivery *deliver_many(struct world *world, size_t count,
                                     size_t size)
{
    struct delivery *delivery = &world->deliveries[world->delivery_count++];
    char *data = mem_calloc(1, size);

    memset(data, 'x', size);
    for (size_t i = 0; i < count; i++)
        emit(delivery, (struct bytes){data, size}, "k");
    free(data);
    destination_deliver(world->destination, delivery, world->clock.now_ms);
    return delivery;
}

static void turn(struct world *world, struct aws_reply *reply)
{
    destination_reply(world->destination, reply, world->clock.now_ms);
    buffer_finish(&reply->body);
    destination_poll(world->destination, world->clock.now_ms);
}

static void answer(struct world *world, const char *operation, const char *body)
{
    struct fake_call call = fake_aws_take(&world->fake, operation);
    struct aws_reply reply = fake_reply(&call, body, world->clock.now_ms);

    turn(world, &reply);
    fake_call_finish(&call);
}

static void refuse(struct world *world, const char *operation,
                   enum error_code reaction, const char *code)
{
    struct fake_call call = fake_aws_take(&world->fake, operation);
    struct aws_reply reply =
        fake_failure(&call, 400, reaction, code, world->clock.now_ms);

    turn(world, &reply);
    fake_call_finish(&call);
}

static void pass(struct world *world, int64_t ms)
{
    sim_clock_advance(&world->clock, ms);
    destination_poll(world->destination, world->clock.now_ms);
}

static const char *next_body(const struct world *world, const char *operation)
{
    for (size_t i = 0; i < world->fake.count; i++)
        if (!strcmp(world->fake.calls[i].request.operation, operation))
            return world->fake.calls[i].body;
    fail_msg("no %s was sent", operation);
    return NULL;
}

static size_t waiting(const struct world *world, const char *operation)
{
    return fake_aws_waiting(&world->fake, operation);
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    while ((text = strstr(text, part))) {
        text += strlen(part);
        count++;
    }
    return count;
}

static struct world *world_with_queue(const char *arn)
{
    struct world *world = world_create(arn);

    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    return world;
}

static void accept_sends(struct world *world, const char *operation)
{
    char body[1024];

    while (waiting(world, operation)) {
        size_t count = count_of(next_body(world, operation), "\"Id\":");

        (void)strcpy(body, "{\"Successful\":[");
        for (size_t i = 0; i < count; i++)
            (void)sprintf(body + strlen(body), "%s{\"Id\":\"%zu\"}",
                          i ? "," : "", i);
        (void)strcat(body, "]}");
        answer(world, operation, body);
    }
}

static void test_a_delivery_goes_to_a_queue(void **state)
{
    struct world *world = world_with_queue(QUEUE_ARN);
    struct delivery *delivery;

    (void)state;
    delivery = deliver(world, "{\"a\":1}", "k", "two", "", NULL);
    assert_string_equal(
        next_body(world, "SendMessageBatch"),
        "{\"QueueUrl\":\"" URL "\",\"Entries\":[{\"Id\":\"0\",\"MessageBody\":"
        "\"{\\\"a\\\":1}\"},{\"Id\":\"1\",\"MessageBody\":\"two\"}]}");
    assert_null(destination_next(world->destination));
    accept_sends(world, "SendMessageBatch");
    assert_ptr_equal(destination_next(world->destination), delivery);
    assert_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_the_owner_is_asked_for_and_then_not(void **state)
{
    struct world *world = world_create(QUEUE_ARN);

    (void)state;
    deliver(world, "one", "", NULL);
    assert_string_equal(next_body(world, "GetQueueUrl"),
                        "{\"QueueName\":\"results\","
                        "\"QueueOwnerAWSAccountId\":\"111122223333\"}");
    refuse(world, "GetQueueUrl", ERROR_INVALID, "InvalidParameterValue");
    assert_string_equal(next_body(world, "GetQueueUrl"),
                        "{\"QueueName\":\"results\"}");
    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    assert_int_equal(waiting(world, "SendMessageBatch"), 1);
    world_destroy(world);
}

static void test_a_queue_takes_ten_and_a_mebibyte_a_call(void **state)
{
    struct world *world = world_with_queue(QUEUE_ARN);

    (void)state;
    deliver_many(world, 25, 10);
    assert_int_equal(waiting(world, "SendMessageBatch"), 3);
    accept_sends(world, "SendMessageBatch");
    assert_non_null(destination_next(world->destination));
    deliver_many(world, 5, 400 * 1024);
    assert_int_equal(waiting(world, "SendMessageBatch"), 3);
    assert_int_equal(count_of(next_body(world, "SendMessageBatch"), "\"Id\":"),
                     2);
    accept_sends(world, "SendMessageBatch");
    assert_non_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_only_failed_messages_are_sent_again(void **state)
{
    struct world *world = world_with_queue(QUEUE_ARN);

    (void)state;
    deliver(world, "one", "", "two", "", "three", "", NULL);
    answer(world, "SendMessageBatch",
           "{\"Successful\":[{\"Id\":\"0\"}],\"Failed\":[{\"Id\":\"2\","
           "\"SenderFault\":false,\"Code\":\"InternalError\"}]}");
    pass(world, 200);
    assert_contains(next_body(world, "SendMessageBatch"), "\"two\"");
    assert_contains(next_body(world, "SendMessageBatch"), "\"three\"");
    assert_null(strstr(next_body(world, "SendMessageBatch"), "\"one\""));
    accept_sends(world, "SendMessageBatch");
    assert_non_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_a_server_that_is_down_is_tried_for_ever(void **state)
{
    struct world *world = world_with_queue(QUEUE_ARN);
    char text[4096];

    (void)state;
    deliver(world, "one", "", NULL);
    for (int i = 0; i < 50; i++) {
        refuse(world, "SendMessageBatch", ERROR_TRANSIENT, "");
        pass(world, 20000);
    }
    assert_true(count_of(said(world, text), "destination.failed") > 3);
    accept_sends(world, "SendMessageBatch");
    assert_non_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_a_call_refused_whole_is_halved(void **state)
{
    struct world *world = world_with_queue(QUEUE_ARN);
    struct delivery *first, *second;
    char text[4096];

    (void)state;
    first = deliver(world, "poison", "", NULL);
    refuse(world, "SendMessageBatch", ERROR_INVALID, "InvalidMessageContents");
    second = deliver(world, "one", "", "two", "", "three", "", NULL);
    refuse(world, "SendMessageBatch", ERROR_INVALID, "BatchRequestTooLong");
    assert_int_equal(waiting(world, "SendMessageBatch"), 3);
    accept_sends(world, "SendMessageBatch");
    assert_ptr_equal(destination_next(world->destination), second);
    assert_contains(said(world, text), "error destination.refused");
    assert_contains(text, "InvalidMessageContents");
    for (int i = 0; i < 5; i++) {
        pass(world, 60000); // said again, and never given up
        refuse(world, "SendMessageBatch", ERROR_INVALID,
               "InvalidMessageContents");
        assert_int_equal(count_of(said(world, text), "destination.refused"), 1);
    }
    pass(world, 60000);
    accept_sends(world, "SendMessageBatch");
    assert_ptr_equal(destination_next(world->destination), first);
    world_destroy(world);
}

static struct impossible_case {
    const char *name, *arn;
    struct bytes data;
    const char *key, *why;
} impossible[] = {
    {"queue: a control character", QUEUE_ARN, BYTES("a\x01"), "",
     "UTF-8 text without control characters"},
    {"queue: NUL", QUEUE_ARN, BYTES("a\0b"), "", "control characters"},
    {"queue: no UTF-8", QUEUE_ARN, BYTES("\xff\xfe"), "", "UTF-8"},
    {"queue: U+FFFE", QUEUE_ARN, BYTES("\xef\xbf\xbe"), "", "UTF-8"},
    {"queue: empty", QUEUE_ARN, BYTES(""), "", "empty"},
    {"fifo: a group with a space", FIFO_ARN, BYTES("x"), "a b", "group"},
    {"stream: a key that is no text", STREAM_ARN, BYTES("x"), "\xff", "key"},
};

static void test_the_impossible_is_held_and_said(void **state)
{
    const struct impossible_case *c = *state;
    struct world *world = world_create(c->arn);
    bool is_queue = strstr(c->arn, ":sqs:") != NULL;
    struct delivery *delivery;
    char text[4096];

    if (is_queue)
        answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    delivery = &world->deliveries[world->delivery_count++];
    emit(delivery, c->data, c->key);
    emit(delivery, BYTES("good \t\n\r \xf0\x9f\x90\xb9"), "g");
    destination_deliver(world->destination, delivery, world->clock.now_ms);
    assert_contains(said(world, text), "error destination.refused");
    assert_contains(text, c->why);
    if (is_queue)
        accept_sends(world, "SendMessageBatch"); // the good one
    else
        answer(world, "PutRecords",
               "{\"Records\":[{\"SequenceNumber\":\"1\"}]}");
    pass(world, 60000);
    assert_contains(said(world, text), "error destination.refused");
    assert_null(destination_next(world->destination));
    destination_withdraw(world->destination, delivery);
    world_destroy(world);
}

static void test_too_large_a_message_is_held(void **state)
{
    struct world *world = world_with_queue(QUEUE_ARN);
    char text[4096];

    (void)state;
    deliver_many(world, 1, 1024 * 1024 + 1);
    assert_contains(said(world, text), "1 MiB");
    assert_int_equal(waiting(world, "SendMessageBatch"), 0);
    deliver_many(world, 1, 1024 * 1024);
    assert_int_equal(waiting(world, "SendMessageBatch"), 1);
    world_destroy(world);
}

static void take_id(const char *body, size_t index, char id[65])
{
    const char *at = body;

    for (size_t i = 0; i <= index; i++) {
        at = strstr(at, "\"MessageDeduplicationId\":\"");
        assert_non_null(at);
        at += strlen("\"MessageDeduplicationId\":\"");
    }
    memcpy(id, at, 64);
    id[64] = '\0';
    assert_int_equal(strspn(id, "0123456789abcdef"), 64);
}

static void test_a_fifo_queue_gets_groups_and_deduplication(void **state)
{
    struct world *world = world_with_queue(FIFO_ARN);
    char first[65], again[65], second[65];

    (void)state;
    deliver(world, "same", "lane-1", "same", "lane-1", "x", "", NULL);
    assert_contains(next_body(world, "SendMessageBatch"),
                    "\"MessageGroupId\":\"lane-1\"");
    assert_contains(next_body(world, "SendMessageBatch"),
                    "\"MessageGroupId\":\"pollard\"");
    take_id(next_body(world, "SendMessageBatch"), 0, first);
    take_id(next_body(world, "SendMessageBatch"), 1, second);
    assert_string_not_equal(first, second);
    refuse(world, "SendMessageBatch", ERROR_TRANSIENT, "");
    pass(world, 200);
    take_id(next_body(world, "SendMessageBatch"), 0, again);
    assert_string_equal(first, again);
    world_destroy(world);
}

// Two runs of the same records make the same results; equal results of other
// records are results of their own.
static void test_fifo_results_are_told_apart_by_their_records(void **state)
{
    struct record *a = record_make(&(struct record_spec){.id = "m1"});
    struct record *b = record_make(&(struct record_spec){.id = "m2"});
    struct record *runs[] = {a, a, b, NULL, NULL};
    struct world *world = world_with_queue(FIFO_ARN);
    char ids[5][65];

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct delivery *delivery = &world->deliveries[world->delivery_count++];

        emit(delivery, BYTES("done"), "k");
        delivery->records = &runs[i];
        delivery->record_count = runs[i] != NULL;
        destination_deliver(world->destination, delivery, world->clock.now_ms);
        take_id(next_body(world, "SendMessageBatch"), 0, ids[i]);
        accept_sends(world, "SendMessageBatch");
    }
    assert_string_equal(ids[0], ids[1]);
    assert_string_not_equal(ids[0], ids[2]);
    assert_string_not_equal(ids[3], ids[4]);
    record_release(a);
    record_release(b);
    world_destroy(world);
}

static void test_a_fifo_queue_is_sent_to_in_order(void **state)
{
    struct world *world = world_with_queue(FIFO_ARN);

    (void)state;
    deliver_many(world, 12, 10);
    assert_int_equal(waiting(world, "SendMessageBatch"), 1);
    accept_sends(world, "SendMessageBatch");
    assert_non_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_a_delivery_goes_to_a_stream(void **state)
{
    struct world *world = world_create(STREAM_ARN);
    const char *body;

    (void)state;
    deliver(world, "hello", "k\"1", "x", "", NULL);
    body = next_body(world, "PutRecords");
    assert_contains(body, "{\"StreamName\":\"results\",\"Records\":[{\"Data\":"
                          "\"aGVsbG8=\",\"PartitionKey\":\"k\\\"1\"},"
                          "{\"Data\":\"eA==\",\"PartitionKey\":\"");
    assert_int_equal(world->fake.calls[0].request.protocol, AWS_JSON_11);
    assert_int_equal(world->fake.calls[0].request.service, AWS_KINESIS);
    answer(world, "PutRecords",
           "{\"FailedRecordCount\":1,\"Records\":[{\"ErrorCode\":"
           "\"ProvisionedThroughputExceededException\",\"ErrorMessage\":"
           "\"slow down\"},{\"SequenceNumber\":\"1\",\"ShardId\":\"s\","
           "\"ErrorCode\":null,\"ErrorMessage\":null}]}");
    assert_null(destination_next(world->destination));
    pass(world, 200);
    assert_contains(next_body(world, "PutRecords"), "aGVsbG8=");
    assert_null(strstr(next_body(world, "PutRecords"), "eA=="));
    answer(world, "PutRecords",
           "{\"Records\":[{\"SequenceNumber\":\"2\",\"ShardId\":\"s\"}]}");
    assert_non_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_an_answer_cut_short_accepts_nothing(void **state)
{
    struct world *world = world_create(STREAM_ARN);

    (void)state;
    deliver(world, "one", "k", "two", "k", NULL);
    answer(world, "PutRecords", "{\"Records\":[{\"SequenceNumber\":\"1\"},{");
    pass(world, 200);
    assert_int_equal(count_of(next_body(world, "PutRecords"), "\"Data\":"), 2);
    answer(world, "PutRecords", "{\"Records\":[{\"SequenceNumber\":\"1\"}]}");
    pass(world, 1000);
    assert_int_equal(count_of(next_body(world, "PutRecords"), "\"Data\":"), 1);
    assert_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_a_stream_takes_500_a_call(void **state)
{
    struct world *world = world_create(STREAM_ARN);

    (void)state;
    deliver_many(world, 1200, 10);
    assert_int_equal(waiting(world, "PutRecords"), 3);
    assert_int_equal(count_of(next_body(world, "PutRecords"), "\"Data\":"),
                     500);
    world_destroy(world);
}

static void test_it_fails_from_a_refusal_to_what_is_accepted_next(void **state)
{
    struct world *world = world_create(QUEUE_ARN);
    struct delivery *delivery;

    (void)state;
    delivery = deliver(world, "one", "", NULL);
    assert_true(destination_is_failing(world->destination)); // not found yet
    destination_withdraw(world->destination, delivery);
    free_emissions(delivery);
    world_destroy(world);

    world = world_with_queue(QUEUE_ARN);
    deliver(world, "one", "", NULL);
    assert_false(destination_is_failing(world->destination));
    refuse(world, "SendMessageBatch", ERROR_TRANSIENT, "503");
    assert_true(destination_is_failing(world->destination));
    pass(world, 60000);
    assert_true(destination_is_failing(world->destination));
    accept_sends(world, "SendMessageBatch");
    assert_false(destination_is_failing(world->destination));
    assert_non_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_a_withdrawn_delivery_is_not_reported(void **state)
{
    struct world *world = world_with_queue(QUEUE_ARN);
    struct delivery *flying, *waits;

    (void)state;
    flying = deliver(world, "one", "", NULL);
    waits = deliver_many(world, 100, 10);
    destination_withdraw(world->destination, flying);
    destination_withdraw(world->destination, waits);
    free_emissions(flying);
    free_emissions(waits);
    accept_sends(world, "SendMessageBatch");
    assert_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_a_missing_queue_is_waited_for(void **state)
{
    struct world *world = world_create(QUEUE_ARN);
    char text[4096];

    (void)state;
    deliver(world, "one", "", NULL);
    for (int i = 0; i < 10; i++) {
        refuse(world, "GetQueueUrl", ERROR_NOT_FOUND, "QueueDoesNotExist");
        refuse(world, "GetQueueUrl", ERROR_NOT_FOUND, "QueueDoesNotExist");
        assert_int_equal(waiting(world, "GetQueueUrl"), 0);
        pass(world, 21000);
    }
    assert_in_range(count_of(said(world, text), "sqs.queue_missing"), 3, 5);
    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    refuse(world, "SendMessageBatch", ERROR_NOT_FOUND, "QueueDoesNotExist");
    assert_int_equal(waiting(world, "SendMessageBatch"), 0);
    pass(world, 21000);
    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    accept_sends(world, "SendMessageBatch");
    assert_non_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_denied_is_held_and_tried_again(void **state)
{
    struct world *world = world_create(QUEUE_ARN);
    char text[4096];

    (void)state;
    deliver(world, "one", "", NULL);
    for (int i = 0; i < 3; i++) {
        refuse(world, "GetQueueUrl", ERROR_DENIED, "AccessDenied");
        refuse(world, "GetQueueUrl", ERROR_DENIED, "AccessDenied");
        pass(world, 21000);
    }
    assert_contains(said(world, text), "AccessDenied");
    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    refuse(world, "SendMessageBatch", ERROR_DENIED, "AccessDenied");
    pass(world, 21000);
    accept_sends(world, "SendMessageBatch");
    assert_non_null(destination_next(world->destination));
    world_destroy(world);
}

static void test_a_close_lets_go_of_everything(void **state)
{
    struct world *world = world_with_queue(QUEUE_ARN);

    (void)state;
    deliver_many(world, 200, 10);
    world_destroy(world);
}

static struct arn_case {
    const char *name, *arn, *why; // NULL: good
} arns[] = {
    {"a queue", QUEUE_ARN, NULL},
    {"a FIFO queue", FIFO_ARN, NULL},
    {"a stream", STREAM_ARN, NULL},
    {"another partition", "arn:aws-cn:sqs:cn-north-1:111122223333:q", NULL},
    {"no ARN", "results", "is no destination"},
    {"a URL", "https://example.com/results", NULL},
    {"a folder", "file:///var/lib/results/", NULL},
    {"a topic", "arn:aws:sns:us-east-1:111122223333:t", NULL},
    {"half an ARN", "arn:aws:sqs", "is no ARN"},
    {"a consumer",
     "arn:aws:kinesis:us-east-1:111122223333:stream/s/consumer/c:1",
     "nothing to send to"},
    {"no stream's name", "arn:aws:kinesis:us-east-1:111122223333:stream/",
     "is no stream"},
};

static void test_arn(void **state)
{
    const struct arn_case *c = *state;
    struct error err = {0};

    if (!c->why) {
        assert_ok(destination_check(c->arn, &err), &err);
        return;
    }
    assert_fails(destination_check(c->arn, &err), &err, ERROR_INVALID);
    assert_contains(err.message, c->why);
}

// Each file is synced: the poller has other things to do between some of them.
static void test_a_folder_takes_a_large_delivery_in_parts(void **state)
{
    char *folder = test_folder_create_fast();
    AUTO_FREE char *url = mem_printf("file://%s/results/", folder);
    struct world *world = world_create(url);
    struct delivery *delivery = deliver_many(world, 100, 1);
    int rounds = 0;

    (void)state;
    while (!destination_next(world->destination)) {
        size_t left = delivery->shipment->left;

        assert_int_equal(destination_deadline_ms(world->destination), 0);
        destination_poll(world->destination, world->clock.now_ms);
        assert_true(!delivery->shipment || delivery->shipment->left < left);
        assert_true(rounds++ < 100);
    }
    assert_true(rounds >= 5);
    assert_int_equal(destination_deadline_ms(world->destination), CLOCK_NEVER);
    world_destroy(world);
    test_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_delivery_goes_to_a_queue),
        cmocka_unit_test(test_the_owner_is_asked_for_and_then_not),
        cmocka_unit_test(test_a_queue_takes_ten_and_a_mebibyte_a_call),
        cmocka_unit_test(test_only_failed_messages_are_sent_again),
        cmocka_unit_test(test_a_server_that_is_down_is_tried_for_ever),
        cmocka_unit_test(test_a_call_refused_whole_is_halved),
        cmocka_unit_test(test_too_large_a_message_is_held),
        cmocka_unit_test(test_a_fifo_queue_gets_groups_and_deduplication),
        cmocka_unit_test(test_fifo_results_are_told_apart_by_their_records),
        cmocka_unit_test(test_a_fifo_queue_is_sent_to_in_order),
        cmocka_unit_test(test_a_delivery_goes_to_a_stream),
        cmocka_unit_test(test_an_answer_cut_short_accepts_nothing),
        cmocka_unit_test(test_a_stream_takes_500_a_call),
        cmocka_unit_test(test_it_fails_from_a_refusal_to_what_is_accepted_next),
        cmocka_unit_test(test_a_withdrawn_delivery_is_not_reported),
        cmocka_unit_test(test_a_missing_queue_is_waited_for),
        cmocka_unit_test(test_denied_is_held_and_tried_again),
        cmocka_unit_test(test_a_close_lets_go_of_everything),
        cmocka_unit_test(test_a_folder_takes_a_large_delivery_in_parts),
    };

    return run_table("arn", arns, test_arn) +
           run_table("impossible", impossible,
                     test_the_impossible_is_held_and_said) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
