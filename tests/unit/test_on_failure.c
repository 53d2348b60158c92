#include "destination/on_failure.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/aws_config.h"
#include "aws/client.h"
#include "base/log.h"
#include "base/mem.h"
#include "fake_aws.h"
#include "record/record.h"
#include "records.h"
#include "sim_clock.h"
#include "test.h"

#define QUEUE_ARN "arn:aws:sqs:us-east-1:111122223333:failed"
#define URL "http://127.0.0.1:9324/000000000000/failed"
#define SHARD "shardId-000000000007"

static const char *endpoint; // of all services
static char last_url[512];   // that something was put or posted to

static int refused_writes; // of files: how many fail yet
static int sync_to_refuse; // -1: none; else so many succeed before it

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request);
void __wrap_aws_client_cancel(struct aws_client *client, const void *owner);
int __wrap_aws_session_sqs_protocol(const struct aws_session *session);
void __wrap_aws_session_set_sqs_protocol(struct aws_session *session,
                                         int protocol);

const char *__wrap_aws_session_endpoint(const struct aws_session *session,
                                        enum aws_service service);

const char *__wrap_aws_session_endpoint(const struct aws_session *session,
                                        enum aws_service service)
{
    (void)session;
    (void)service;
    return endpoint;
}

static bool is_file(int fd)
{
    struct stat status;

    return !fstat(fd, &status) && S_ISREG(status.st_mode);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (refused_writes && is_file(fd)) {
        refused_writes--;
        errno = ENOSPC;
        return -1;
    }
    return __real_write(fd, data, size);
}

int __wrap_fsync(int fd)
{
    if (sync_to_refuse >= 0 && !sync_to_refuse--) {
        errno = EIO;
        return -1;
    }
    return __real_fsync(fd);
}

void __wrap_aws_client_send(struct aws_client *client,
                            struct aws_request *request)
{
    if (request->rest.url) // the destination's own until it was sent
        (void)snprintf(last_url, sizeof(last_url), "%s", request->rest.url);
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

static const struct record_origin shard = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-1:111122223333:stream/clicks",
    .region = "us-east-1",
    .shard = SHARD,
    .identity = "arn:aws:iam::111122223333:role/pollard"};
static const struct record_origin queue = {
    .kind = RECORD_SQS,
    .arn = "arn:aws:sqs:us-east-1:111122223333:orders",
    .region = "us-east-1"};

struct world {
    struct fake_aws fake;
    struct sim_clock clock;
    struct log_sink sink; // into a pipe
    int said;             // its other end
    char *folder;         // owned
    struct on_failure *on_failure;
    struct record *records[12];
    struct failure failure;
};

static void world_fill(struct world *world, const struct record_origin *origin,
                       size_t count, const char *data)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *id = mem_printf("49%zu", i);

        world->records[i] = record_make(&(struct record_spec){
            .id = id, .data = data, .key = "k", .origin = origin});
        world->records[i]->arrived_at_ms = 1764088504835 + (int64_t)i;
    }
    world->failure =
        (struct failure){.condition = FAILURE_RETRY_ATTEMPTS_EXHAUSTED,
                         .invoke_count = 2,
                         .is_unhandled = true,
                         .failed_wall_ms = 1764088532717,
                         .records = world->records,
                         .count = count};
}

static struct world *world_create(void)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    int ends[2];

    fake_aws_init(&world->fake);
    sim_clock_init(&world->clock);
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    world->said = ends[0];
    world->sink = (struct log_sink){.fd = ends[1], .level = LOG_LEVEL_INFO};
    world->folder = test_folder_create();
    refused_writes = 0;
    sync_to_refuse = -1;
    return world;
}

static bool open_at(struct world *world, const char *destination, bool payload,
                    struct error *err)
{
    struct log log = {.sink = &world->sink};

    world->on_failure = on_failure_open(
        &(struct on_failure_options){.destination = destination,
                                     .include_payload = payload,
                                     .trigger = "clicks",
                                     .function = "count",
                                     .client = fake_aws_client(&world->fake),
                                     .clock = &world->clock.clock,
                                     .log = &log,
                                     .seed = 5},
        err);
    return world->on_failure != NULL;
}

static struct world *world_at(const char *destination, bool payload)
{
    struct world *world = world_create();
    struct error err = {0};

    assert_ok(open_at(world, destination, payload, &err), &err);
    return world;
}

static struct world *world_with_folder(void)
{
    struct world *world = world_create();
    AUTO_FREE char *url = mem_printf("file://%s/failed/", world->folder);
    struct error err = {0};

    assert_ok(open_at(world, url, false, &err), &err);
    return world;
}

static void world_destroy(struct world *world)
{
    on_failure_close(world->on_failure);
    for (size_t i = 0; i < 12; i++)
        if (world->records[i])
            record_release(world->records[i]);
    fake_aws_finish(&world->fake);
    test_folder_remove(world->folder);
    (void)close(world->said);
    (void)close(world->sink.fd);
    free(world);
}

static const char *said(struct world *world, char text[4096])
{
    ssize_t size = read(world->said, text, 4095);

    text[size > 0 ? size : 0] = '\0';
    return text;
}

static void report(struct world *world)
{
    on_failure_report(world->on_failure, &world->failure, world->clock.now_ms);
}

static void pass(struct world *world, int64_t ms)
{
    sim_clock_advance(&world->clock, ms);
    on_failure_poll(world->on_failure, world->clock.now_ms);
}

static void turn(struct world *world, struct fake_call *call,
                 struct aws_reply *reply)
{
    assert_true(
        on_failure_reply(world->on_failure, reply, world->clock.now_ms));
    buffer_finish(&reply->body);
    fake_call_finish(call);
    on_failure_poll(world->on_failure, world->clock.now_ms);
}

static void answer(struct world *world, const char *operation, const char *body)
{
    struct fake_call call = fake_aws_take(&world->fake, operation);
    struct aws_reply reply = fake_reply(&call, body, world->clock.now_ms);

    turn(world, &call, &reply);
}

static void refuse(struct world *world, const char *operation,
                   enum error_code reaction)
{
    struct fake_call call = fake_aws_take(&world->fake, operation);
    struct aws_reply reply =
        fake_failure(&call, 400, reaction, "Nope", world->clock.now_ms);

    turn(world, &call, &reply);
}

static const char *next_body(const struct world *world)
{
    assert_int_equal(world->fake.count, 1);
    return world->fake.calls[0].body;
}

static void assert_accepted(struct world *world)
{
    assert_ptr_equal(on_failure_next(world->on_failure), &world->failure);
    assert_null(on_failure_next(world->on_failure));
    assert_int_equal(on_failure_pending(world->on_failure), 0);
}

static struct world *world_with_queue(bool payload)
{
    struct world *world = world_at(QUEUE_ARN, payload);

    world_fill(world, &shard, 2, "data");
    report(world);
    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    return world;
}

#define ONE_SENT "{\"Successful\":[{\"Id\":\"0\"}]}"

static void test_a_report_goes_to_a_queue(void **state)
{
    struct world *world = world_with_queue(false);

    (void)state;
    assert_contains(next_body(world), "\"MessageBody\":\"{\\\"requestContext");
    assert_contains(next_body(world), "us-east-1:111122223333:function:count");
    assert_contains(next_body(world), "\\\"startSequenceNumber\\\":\\\"490\\\""
                                      ",\\\"endSequenceNumber\\\":\\\"491");
    assert_null(strstr(next_body(world), "payload"));
    assert_int_equal(on_failure_pending(world->on_failure), 1);
    assert_null(on_failure_next(world->on_failure));
    answer(world, "SendMessageBatch", ONE_SENT);
    assert_accepted(world);
    world_destroy(world);
}

static void test_a_queue_that_fails_gets_the_same_report_again(void **state)
{
    struct world *world = world_with_queue(false);
    AUTO_FREE char *first = mem_strdup(next_body(world));
    char text[4096];

    (void)state;
    for (int i = 0; i < 20; i++) {
        refuse(world, "SendMessageBatch", ERROR_TRANSIENT);
        assert_null(on_failure_next(world->on_failure));
        pass(world, 20000);
    }
    assert_string_equal(next_body(world), first);
    assert_contains(said(world, text), "destination.failed");
    assert_contains(text, "held=1");
    answer(world, "SendMessageBatch", ONE_SENT);
    assert_accepted(world);
    world_destroy(world);
}

static void test_the_records_go_along_while_they_fit(void **state)
{
    struct world *world = world_with_queue(true);

    (void)state;
    assert_contains(next_body(world), "payload");
    assert_contains(next_body(world), "ZGF0YQ==");
    refuse(world, "SendMessageBatch", ERROR_INVALID); // the queue takes less
    assert_contains(next_body(world), "requestContext");
    assert_null(strstr(next_body(world), "payload"));
    answer(world, "SendMessageBatch", ONE_SENT);
    assert_accepted(world);
    world_destroy(world);
}

static void test_records_over_a_message_s_limit_stay_behind(void **state)
{
    struct world *world = world_at(QUEUE_ARN, true);
    char *large = mem_calloc(1, 1 << 20);

    (void)state;
    memset(large, 'x', (1 << 20) - 1);
    world_fill(world, &shard, 1, large);
    free(large);
    report(world);
    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    assert_contains(next_body(world), "requestContext");
    assert_null(strstr(next_body(world), "payload"));
    answer(world, "SendMessageBatch", ONE_SENT);
    assert_accepted(world);
    world_destroy(world);
}

static void test_what_was_withdrawn_does_not_come_back(void **state)
{
    struct world *world = world_with_queue(false);

    (void)state;
    on_failure_withdraw(world->on_failure, &world->failure);
    assert_int_equal(on_failure_pending(world->on_failure), 0);
    answer(world, "SendMessageBatch", ONE_SENT);
    assert_null(on_failure_next(world->on_failure));
    world_destroy(world);
}

static void test_a_reply_of_another_is_not_taken(void **state)
{
    struct world *world = world_with_queue(false);
    struct aws_reply reply = {.owner = world, .ok = true};

    (void)state;
    assert_false(
        on_failure_reply(world->on_failure, &reply, world->clock.now_ms));
    on_failure_withdraw(world->on_failure, &world->failure);
    world_destroy(world);
}

// The one file that a pattern in the folder stands for. Caller frees.
static char *only_file(const struct world *world, const char *pattern)
{
    AUTO_FREE char *whole = mem_printf("%s/failed/%s", world->folder, pattern);
    glob_t found;
    char *path;

    if (glob(whole, GLOB_PERIOD, NULL, &found))
        return NULL;
    assert_int_equal(found.gl_pathc, 1);
    path = mem_strdup(found.gl_pathv[0]);
    globfree(&found);
    return path;
}

static char *whole(const char *path) // caller frees
{
    char *text = mem_calloc(1, 65536);
    FILE *in = fopen(path, "r");

    assert_non_null(in);
    assert_true(fread(text, 1, 65535, in) > 0);
    assert_int_equal(fclose(in), 0);
    return text;
}

#define REPORTS "aws/lambda/*/" SHARD "/2025/11/25/2025-11-25T16.35.32-*"
#define PARTS "aws/lambda/*/" SHARD "/2025/11/25/.part*"

static void test_a_report_becomes_a_file(void **state)
{
    struct world *world = world_with_folder();
    char *path, *text;
    struct stat status;

    (void)state;
    world_fill(world, &shard, 2, "data");
    report(world);
    assert_accepted(world);
    path = only_file(world, REPORTS);
    assert_non_null(path);
    text = whole(path);
    assert_contains(text, "{\"requestContext\":{\"requestId\":\"");
    assert_contains(text, ",\"payload\":\"{\\\"Records\\\":[{");
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_null(only_file(world, PARTS));
    free(text);
    free(path);
    world_destroy(world);
}

static void test_a_full_disk_holds_the_report(void **state)
{
    struct world *world = world_with_folder();
    char text[4096];
    char *path;

    (void)state;
    world_fill(world, &shard, 2, "data");
    refused_writes = 3;
    report(world);
    for (int i = 0; i < 3; i++) {
        assert_null(on_failure_next(world->on_failure));
        assert_null(only_file(world, REPORTS));
        assert_null(only_file(world, PARTS));
        pass(world, 20000);
    }
    assert_contains(said(world, text), "No space left on device");
    assert_contains(text, "held=1");
    assert_accepted(world);
    path = only_file(world, REPORTS);
    assert_non_null(path);
    free(path);
    world_destroy(world);
}

// A fault at each sync in turn, until a run has none.
static void test_nothing_is_accepted_before_it_is_synced(void **state)
{
    bool was_refused = true;
    int step = 0;

    (void)state;
    for (; was_refused; step++) {
        struct world *world = world_with_folder();

        world_fill(world, &shard, 1, "data");
        sync_to_refuse = step;
        report(world);
        was_refused = sync_to_refuse < 0;
        sync_to_refuse = -1;
        if (was_refused) {
            assert_null(on_failure_next(world->on_failure));
            pass(world, 20000);
        }
        assert_accepted(world);
        world_destroy(world);
    }
    // Seven folders' parents, the file and its folder.
    assert_int_equal(step, 7 + 2 + 1);
}

static void test_a_link_in_the_folder_is_not_followed(void **state)
{
    struct world *world = world_with_folder();
    AUTO_FREE char *link = mem_printf("%s/failed/aws", world->folder);
    AUTO_FREE char *elsewhere = mem_printf("%s/elsewhere", world->folder);

    (void)state;
    assert_int_equal(mkdir(elsewhere, 0700), 0);
    assert_int_equal(symlink(elsewhere, link), 0);
    world_fill(world, &shard, 1, "data");
    report(world);
    assert_null(on_failure_next(world->on_failure));
    assert_int_equal(rmdir(elsewhere), 0); // it is still empty
    on_failure_withdraw(world->on_failure, &world->failure);
    world_destroy(world);
}

static void test_a_folder_that_goes_comes_back(void **state)
{
    struct world *world = world_with_folder();
    AUTO_FREE char *folder = mem_printf("%s/failed", world->folder);

    (void)state;
    world_fill(world, &shard, 1, "data");
    assert_int_equal(rmdir(folder), 0);
    report(world);
    assert_null(on_failure_next(world->on_failure));
    assert_int_equal(mkdir(folder, 0700), 0);
    pass(world, 20000);
    assert_accepted(world);
    world_destroy(world);
}

static void test_an_unsafe_folder_is_refused(void **state)
{
    struct world *world = world_create();
    AUTO_FREE char *url = mem_printf("file://%s/", world->folder);
    AUTO_FREE char *below = mem_printf("file://%s/a/b/", world->folder);
    struct error err = {0};

    (void)state;
    assert_int_equal(chmod(world->folder, 0777), 0);
    assert_fails(open_at(world, url, false, &err), &err, ERROR_INVALID);
    assert_contains(err.message, "everybody may write");
    assert_int_equal(chmod(world->folder, 0700), 0);
    assert_false(open_at(world, below, false, &err));
    assert_contains(err.message, "No such file or directory");
    world_destroy(world);
}

static void test_filtered_records_go_as_they_are(void **state)
{
    struct world *world = world_at(QUEUE_ARN, false);

    (void)state;
    world_fill(world, &queue, 2, "{\"body\":1}");
    world->failure.condition = FAILURE_FILTERED;
    report(world);
    answer(world, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    assert_contains(next_body(world),
                    "[{\"Id\":\"0\",\"MessageBody\":\"{\\\"body\\\":1}\"},"
                    "{\"Id\":\"1\",\"MessageBody\":\"{\\\"body\\\":1}\"}]");
    answer(world, "SendMessageBatch", ONE_SENT);
    assert_null(on_failure_next(world->on_failure));
    pass(world, 20000);
    answer(world, "SendMessageBatch", ONE_SENT);
    assert_accepted(world);
    world_destroy(world);
}

static void test_filtered_records_become_an_event_in_a_file(void **state)
{
    struct world *world = world_with_folder();
    char *path, *text;

    (void)state;
    world_fill(world, &queue, 2, "body");
    world->failure.condition = FAILURE_FILTERED;
    report(world);
    assert_accepted(world);
    path = only_file(world, "aws/lambda/*/queue/2025/11/25/2025-*");
    assert_non_null(path);
    text = whole(path);
    assert_contains(text, "{\"Records\":[{\"messageId\":\"490\"");
    free(text);
    free(path);
    world_destroy(world);
}

#define TOPIC_ARN "arn:aws:sns:us-east-1:111122223333:failed"
#define PUBLISHED                                                          \
    "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">" \
    "<PublishResult><MessageId>94f2</MessageId></PublishResult>"           \
    "</PublishResponse>"

static void test_a_report_is_published(void **state)
{
    struct world *world = world_at(TOPIC_ARN, false);

    (void)state;
    world_fill(world, &shard, 2, "data");
    report(world);
    assert_memory_equal(next_body(world),
                        "TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A111122223333"
                        "%3Afailed&Message=%7B%22requestContext%22%3A",
                        95);
    assert_null(strstr(next_body(world), "payload"));
    answer(world, "Publish", PUBLISHED);
    assert_accepted(world);
    world_destroy(world);
}

static void test_a_topic_must_name_the_message(void **state)
{
    static const char *const strange[] = {
        "<html><body>Log in</body></html>",
        "<PublishResponse><PublishResult/></PublishResponse>", "{}", ""};
    struct world *world = world_at(TOPIC_ARN, false);

    (void)state;
    world_fill(world, &shard, 2, "data");
    report(world);
    for (size_t i = 0; i < 4; i++) {
        answer(world, "Publish", strange[i]);
        assert_null(on_failure_next(world->on_failure));
        pass(world, 20000);
    }
    answer(world, "Publish", PUBLISHED);
    assert_accepted(world);
    world_destroy(world);
}

static const struct aws_rest *next_rest(const struct world *world)
{
    assert_int_equal(world->fake.count, 1);
    return &world->fake.calls[0].request.rest;
}

static struct bucket_case {
    const char *name, *bucket, *endpoint;
    const char *base; // of the object's URL
} buckets[] = {
    {"on AWS the bucket is in the host", "failed",
     "https://s3.eu-west-1.amazonaws.com",
     "https://failed.s3.eu-west-1.amazonaws.com/aws/lambda/"},
    {"with a dot no certificate would fit", "failed.reports",
     "https://s3.eu-west-1.amazonaws.com",
     "https://s3.eu-west-1.amazonaws.com/failed.reports/aws/lambda/"},
    {"elsewhere it is in the path", "failed", "http://127.0.0.1:9000",
     "http://127.0.0.1:9000/failed/aws/lambda/"},
    {"behind a prefix too", "failed", "https://example.com/s3",
     "https://example.com/s3/failed/aws/lambda/"},
};

static void test_bucket(void **state)
{
    const struct bucket_case *c = *state;
    AUTO_FREE char *arn = mem_printf("arn:aws:s3:::%s", c->bucket);
    struct world *world;

    endpoint = c->endpoint;
    world = world_at(arn, false);
    world_fill(world, &shard, 2, "data");
    report(world);
    assert_memory_equal(last_url, c->base, strlen(c->base));
    assert_contains(last_url, "/" SHARD "/2025/11/25/2025-11-25T16.35.32-");
    assert_true(next_rest(world)->is_put);
    assert_false(next_rest(world)->is_foreign);
    assert_contains(next_body(world), ",\"payload\":\"{\\\"Records");
    answer(world, "PutObject", "");
    assert_accepted(world);
    world_destroy(world);
}

static void test_an_object_keeps_its_key_when_it_is_tried_again(void **state)
{
    struct world *world;
    char first[512];

    (void)state;
    endpoint = "http://127.0.0.1:9000";
    world = world_at("arn:aws:s3:::failed", false);
    world_fill(world, &shard, 1, "data");
    report(world);
    (void)strcpy(first, last_url);
    refuse(world, "PutObject", ERROR_TRANSIENT);
    assert_null(on_failure_next(world->on_failure));
    pass(world, 20000);
    assert_string_equal(last_url, first);
    answer(world, "PutObject", "");
    assert_accepted(world);
    world_destroy(world);
}

static void test_a_report_is_posted(void **state)
{
    struct world *world = world_at("https://example.com/failed", false);

    (void)state;
    world_fill(world, &shard, 2, "data");
    report(world);
    assert_string_equal(last_url, "https://example.com/failed");
    assert_true(next_rest(world)->is_foreign);
    assert_false(next_rest(world)->is_put);
    assert_string_equal(next_rest(world)->content_type, "application/json");
    assert_contains(next_body(world), ",\"payload\":\"{\\\"Records");
    refuse(world, "POST", ERROR_INVALID); // a 404: somebody will mend it
    assert_null(on_failure_next(world->on_failure));
    pass(world, 60000);
    answer(world, "POST", "whatever");
    assert_accepted(world);
    world_destroy(world);
}

static void test_filtered_messages_keep_their_attributes(void **state)
{
    static const struct record_message_attribute attributes[] = {
        {.name = BYTES("kind"), .type = BYTES("String"), .value = BYTES("a b")},
        {.name = BYTES("raw"),
         .type = BYTES("Binary"),
         .value = BYTES("\x01\x02"),
         .binary = true}};
    struct world *world = world_at(TOPIC_ARN, false);
    struct world *other = world_at(QUEUE_ARN, false);

    (void)state;
    world_fill(world, &queue, 1, "body");
    world->records[0]->message_attributes = attributes;
    world->records[0]->message_attribute_count = 2;
    world->failure.condition = FAILURE_FILTERED;
    report(world);
    assert_contains(next_body(world),
                    "&Message=body&MessageAttributes.entry.1.Name=kind&"
                    "MessageAttributes.entry.1.Value.DataType=String&"
                    "MessageAttributes.entry.1.Value.StringValue=a%20b&"
                    "MessageAttributes.entry.2.Name=raw&"
                    "MessageAttributes.entry.2.Value.DataType=Binary&"
                    "MessageAttributes.entry.2.Value.BinaryValue=AQI%3D");
    answer(world, "Publish", PUBLISHED);
    assert_accepted(world);

    world_fill(other, &queue, 1, "body");
    other->records[0]->message_attributes = attributes;
    other->records[0]->message_attribute_count = 2;
    other->failure.condition = FAILURE_FILTERED;
    report(other);
    answer(other, "GetQueueUrl", "{\"QueueUrl\":\"" URL "\"}");
    assert_contains(next_body(other),
                    "\"MessageBody\":\"body\",\"MessageAttributes\":{\"kind\":{"
                    "\"DataType\":\"String\",\"StringValue\":\"a b\"},\"raw\":{"
                    "\"DataType\":\"Binary\",\"BinaryValue\":\"AQI=\"}}}");
    answer(other, "SendMessageBatch", ONE_SENT);
    assert_accepted(other);
    world_destroy(other);
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_report_goes_to_a_queue),
        cmocka_unit_test(test_a_queue_that_fails_gets_the_same_report_again),
        cmocka_unit_test(test_the_records_go_along_while_they_fit),
        cmocka_unit_test(test_records_over_a_message_s_limit_stay_behind),
        cmocka_unit_test(test_what_was_withdrawn_does_not_come_back),
        cmocka_unit_test(test_a_reply_of_another_is_not_taken),
        cmocka_unit_test(test_a_report_becomes_a_file),
        cmocka_unit_test(test_a_full_disk_holds_the_report),
        cmocka_unit_test(test_nothing_is_accepted_before_it_is_synced),
        cmocka_unit_test(test_a_link_in_the_folder_is_not_followed),
        cmocka_unit_test(test_a_folder_that_goes_comes_back),
        cmocka_unit_test(test_an_unsafe_folder_is_refused),
        cmocka_unit_test(test_filtered_records_go_as_they_are),
        cmocka_unit_test(test_filtered_records_become_an_event_in_a_file),
        cmocka_unit_test(test_a_report_is_published),
        cmocka_unit_test(test_a_topic_must_name_the_message),
        cmocka_unit_test(test_an_object_keeps_its_key_when_it_is_tried_again),
        cmocka_unit_test(test_a_report_is_posted),
        cmocka_unit_test(test_filtered_messages_keep_their_attributes),
    };

    return run_table("bucket", buckets, test_bucket) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
