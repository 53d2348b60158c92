#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "local/local.h"
#include "local_client.h"
#include "test.h"

#define URL "\"QueueUrl\":\"http://localhost/000000000000/q\""
#define RECEIVE "{" URL ",\"MaxNumberOfMessages\":10}"

static int set_up(void **state)
{
    struct local_client *client = local_client_start(NULL);

    (void)local_client_sqs(client, "CreateQueue", "{\"QueueName\":\"q\"}");
    assert_int_equal(client->status, 200);
    *state = client;
    return 0;
}

static int set_up_fifo(void **state)
{
    struct local_client *client = local_client_start(NULL);

    (void)local_client_sqs(client, "CreateQueue",
                           "{\"QueueName\":\"q.fifo\",\"Attributes\":"
                           "{\"FifoQueue\":\"true\"}}");
    assert_int_equal(client->status, 200);
    *state = client;
    return 0;
}

static int tear_down(void **state)
{
    local_client_stop(*state);
    return 0;
}

static void send_text(struct local_client *client, const char *body)
{
    (void)local_client_sqs(client, "SendMessage",
                           "{" URL ",\"MessageBody\":\"%s\"}", body);
    assert_int_equal(client->status, 200);
}

static const char *receive(struct local_client *client)
{
    (void)local_client_sqs(client, "ReceiveMessage", RECEIVE);
    assert_int_equal(client->status, 200);
    return local_client_each(client, "Messages", "Body");
}

// Of message i of the last answer; the caller frees.
static char *handle(const struct local_client *client, size_t i)
{
    return mem_strdup(json_string_value(json_object_get(
        json_array_get(json_object_get(client->json, "Messages"), i),
        "ReceiptHandle")));
}

static void test_send_receive_delete(void **state)
{
    struct local_client *client = *state;
    AUTO_FREE char *receipt = NULL;

    send_text(client, "a \\\"b\\\" \\u00e4 \\ud83d\\ude00\\n");
    assert_string_equal(receive(client), "a \"b\" \xc3\xa4 \xf0\x9f\x98\x80\n");
    receipt = handle(client, 0);
    (void)local_client_sqs(client, "DeleteMessage",
                           "{" URL ",\"ReceiptHandle\":\"%s\"}", receipt);
    assert_int_equal(client->status, 200);
    assert_int_equal(local_client_count(client, "q", "in_flight"), 0);
    assert_int_equal(local_client_count(client, "q", "deleted"), 1);
    local_client_advance(client, 31000);
    assert_string_equal(receive(client), "");
}

static void test_empty_receive_has_no_messages(void **state)
{
    struct local_client *client = *state;

    assert_string_equal(receive(client), "");
    assert_null(json_object_get(client->json, "Messages"));
}

static void test_visibility_ends_by_the_virtual_clock(void **state)
{
    struct local_client *client = *state;

    send_text(client, "again");
    receive(client);
    assert_string_equal(receive(client), "");
    local_client_advance(client, 30000);
    (void)local_client_sqs(
        client, "ReceiveMessage",
        "{" URL ",\"AttributeNames\":[\"ApproximateReceiveCount\"]}");
    assert_string_equal(
        json_string_value(json_object_get(
            json_object_get(
                json_array_get(json_object_get(client->json, "Messages"), 0),
                "Attributes"),
            "ApproximateReceiveCount")),
        "2");
}

// A long poll on a thread of its own.
struct poll {
    struct local_client *client;
    pthread_t thread;
    char body[64]; // the message that came, or ""
};

static void *run_poll(void *context)
{
    struct poll *poll = context;

    (void)local_client_sqs(poll->client, "ReceiveMessage",
                           "{" URL ",\"WaitTimeSeconds\":20}");
    (void)snprintf(poll->body, sizeof(poll->body), "%s",
                   local_client_each(poll->client, "Messages", "Body"));
    return NULL;
}

static void start_poll(struct poll *poll, const struct local_client *client)
{
    poll->client = local_client_join(client);
    assert_int_equal(pthread_create(&poll->thread, NULL, run_poll, poll), 0);
}

static const char *end_poll(struct poll *poll)
{
    pthread_join(poll->thread, NULL);
    local_client_stop(poll->client);
    return poll->body;
}

static void test_send_wakes_a_long_poll(void **state)
{
    struct local_client *client = *state;
    struct poll poll;

    start_poll(&poll, client);
    local_client_await(client, "q", "waiting", 1);
    send_text(client, "wake");
    assert_string_equal(end_poll(&poll), "wake");
}

static void test_end_of_a_delay_wakes_a_long_poll(void **state)
{
    struct local_client *client = *state;
    struct poll poll;

    (void)local_client_sqs(client, "SendMessage",
                           "{" URL
                           ",\"MessageBody\":\"late\",\"DelaySeconds\":10}");
    start_poll(&poll, client);
    local_client_await(client, "q", "waiting", 1);
    local_client_advance(client, 10000);
    assert_string_equal(end_poll(&poll), "late");
}

static void test_end_of_visibility_wakes_a_long_poll(void **state)
{
    struct local_client *client = *state;
    struct poll poll;

    send_text(client, "hidden");
    (void)local_client_sqs(client, "ReceiveMessage",
                           "{" URL ",\"VisibilityTimeout\":5}");
    start_poll(&poll, client);
    local_client_await(client, "q", "waiting", 1);
    local_client_advance(client, 5000);
    assert_string_equal(end_poll(&poll), "hidden");
}

static void test_long_poll_ends_empty_when_its_time_is_over(void **state)
{
    struct local_client *client = *state;
    struct poll poll;

    start_poll(&poll, client);
    local_client_await(client, "q", "waiting", 1);
    local_client_advance(client, 20000);
    assert_string_equal(end_poll(&poll), "");
    assert_int_equal(local_client_count(client, "q", "waiting"), 0);
}

static void test_deleting_the_queue_ends_a_long_poll(void **state)
{
    struct local_client *client = *state;
    struct poll poll;

    start_poll(&poll, client);
    local_client_await(client, "q", "waiting", 1);
    (void)local_client_sqs(client, "DeleteQueue", "{" URL "}");
    pthread_join(poll.thread, NULL);
    assert_string_equal(poll.client->code, "QueueDoesNotExist");
    local_client_stop(poll.client);
}

static int dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(
        connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int dial_long_poll(const struct local_client *client)
{
    const char *body = "{" URL ",\"WaitTimeSeconds\":20}";
    int fd = dial(client->port);
    AUTO_FREE char *request =
        mem_printf("POST / HTTP/1.1\r\nHost: x\r\n"
                   "X-Amz-Target: AmazonSQS.ReceiveMessage\r\n"
                   "Authorization: Credential=a Signature=b\r\n"
                   "Content-Type: application/x-amz-json-1.0\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   strlen(body), body);

    assert_int_equal(write(fd, request, strlen(request)), strlen(request));
    return fd;
}

static void test_waiter_that_hung_up_swallows_nothing(void **state)
{
    struct local_client *client = *state;
    struct poll poll;
    int fds[5];

    for (int i = 0; i < 5; i++)
        fds[i] = dial_long_poll(client);
    local_client_await(client, "q", "waiting", 5);
    start_poll(&poll, client);
    local_client_await(client, "q", "waiting", 6);
    for (int i = 0; i < 5; i++)
        (void)close(fds[i]);
    send_text(client, "for the living");
    assert_string_equal(end_poll(&poll), "for the living");
    assert_int_equal(local_client_count(client, "q", "received"), 1);
}

static void test_stop_ends_long_polls(void **state)
{
    struct local_client *client = local_client_start(NULL);
    int fd;

    (void)state;
    (void)local_client_sqs(client, "CreateQueue", "{\"QueueName\":\"q\"}");
    fd = dial_long_poll(client);
    local_client_await(client, "q", "waiting", 1);
    local_client_stop(client);
    (void)close(fd);
}

static void test_a_thousand_long_polls(void **state)
{
    struct local_client *client = *state;
    int fds[1000];
    char byte;

    for (int i = 0; i < 1000; i++)
        fds[i] = dial_long_poll(client);
    local_client_await(client, "q", "waiting", 1000);
    for (int i = 0; i < 100; i++)
        (void)local_client_sqs(client, "SendMessageBatch",
                               "{" URL ",\"Entries\":["
                               "{\"Id\":\"0\",\"MessageBody\":\"m\"},"
                               "{\"Id\":\"1\",\"MessageBody\":\"m\"},"
                               "{\"Id\":\"2\",\"MessageBody\":\"m\"},"
                               "{\"Id\":\"3\",\"MessageBody\":\"m\"},"
                               "{\"Id\":\"4\",\"MessageBody\":\"m\"},"
                               "{\"Id\":\"5\",\"MessageBody\":\"m\"},"
                               "{\"Id\":\"6\",\"MessageBody\":\"m\"},"
                               "{\"Id\":\"7\",\"MessageBody\":\"m\"},"
                               "{\"Id\":\"8\",\"MessageBody\":\"m\"},"
                               "{\"Id\":\"9\",\"MessageBody\":\"m\"}]}");
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(read(fds[i], &byte, 1), 1);
        (void)close(fds[i]);
    }
    assert_int_equal(local_client_count(client, "q", "received"), 1000);
}

static void test_batch_fails_by_entry(void **state)
{
    struct local_client *client = *state;
    AUTO_FREE char *receipt = NULL;

    (void)local_client_sqs(
        client, "SendMessageBatch",
        "{" URL ",\"Entries\":[{\"Id\":\"good\",\"MessageBody\":\"x\"},"
        "{\"Id\":\"bad\",\"MessageBody\":\"y\",\"DelaySeconds\":901}]}");
    assert_string_equal(local_client_each(client, "Successful", "Id"), "good");
    assert_string_equal(local_client_each(client, "Failed", "Code"),
                        "InvalidParameterValue");
    receive(client);
    receipt = handle(client, 0);
    (void)local_client_sqs(
        client, "DeleteMessageBatch",
        "{" URL ",\"Entries\":[{\"Id\":\"a\",\"ReceiptHandle\":\"bogus\"},"
        "{\"Id\":\"b\",\"ReceiptHandle\":\"%s\"}]}",
        receipt);
    assert_string_equal(local_client_each(client, "Successful", "Id"), "b");
    assert_string_equal(local_client_each(client, "Failed", "Code"),
                        "ReceiptHandleIsInvalid");
}

static void test_filters_of_message_attributes(void **state)
{
    struct local_client *client = *state;
    const json_t *message;

    (void)local_client_sqs(
        client, "SendMessage",
        "{" URL ",\"MessageBody\":\"x\",\"MessageAttributes\":{"
        "\"a.one\":{\"DataType\":\"String\",\"StringValue\":\"1\"},"
        "\"a.two\":{\"DataType\":\"Number\",\"StringValue\":\"2\"},"
        "\"b\":{\"DataType\":\"Binary\",\"BinaryValue\":\"aGk=\"}}}");
    assert_int_equal(client->status, 200);
    (void)local_client_sqs(client, "ReceiveMessage",
                           "{" URL ",\"MessageAttributeNames\":[\"a.*\"]}");
    message = json_array_get(json_object_get(client->json, "Messages"), 0);
    assert_int_equal(
        json_object_size(json_object_get(message, "MessageAttributes")), 2);
    assert_non_null(json_object_get(message, "MD5OfMessageAttributes"));
}

static void test_dead_letters_name_their_source(void **state)
{
    struct local_client *client = *state;
    const json_t *attributes;

    (void)local_client_sqs(
        client, "CreateQueue",
        "{\"QueueName\":\"sick\",\"Attributes\":{\"VisibilityTimeout\":\"0\","
        "\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\":"
        "\\\"arn:aws:sqs:us-east-1:000000000000:q\\\","
        "\\\"maxReceiveCount\\\":\\\"2\\\"}\"}}");
    assert_int_equal(client->status, 200);
    (void)local_client_sqs(client, "SendMessage",
                           "{\"QueueUrl\":\"http://x/0/sick\","
                           "\"MessageBody\":\"poison\"}");
    for (int i = 0; i < 2; i++) {
        (void)local_client_sqs(client, "ReceiveMessage",
                               "{\"QueueUrl\":\"http://x/0/sick\"}");
        assert_string_equal(local_client_each(client, "Messages", "Body"),
                            "poison");
    }
    (void)local_client_sqs(client, "ReceiveMessage",
                           "{\"QueueUrl\":\"http://x/0/sick\"}");
    assert_string_equal(local_client_each(client, "Messages", "Body"), "");
    (void)local_client_sqs(client, "ReceiveMessage",
                           "{" URL
                           ",\"MessageSystemAttributeNames\":[\"All\"]}");
    attributes = json_object_get(
        json_array_get(json_object_get(client->json, "Messages"), 0),
        "Attributes");
    assert_string_equal(json_string_value(json_object_get(
                            attributes, "DeadLetterQueueSourceArn")),
                        "arn:aws:sqs:us-east-1:000000000000:sick");
    (void)local_client_sqs(client, "ListDeadLetterSourceQueues", "{" URL "}");
    assert_int_equal(
        json_array_size(json_object_get(client->json, "queueUrls")), 1);
}

#define FIFO_URL "\"QueueUrl\":\"http://x/0/q.fifo\""

static void send_fifo(struct local_client *client, const char *body,
                      const char *group)
{
    (void)local_client_sqs(client, "SendMessage",
                           "{" FIFO_URL ",\"MessageBody\":\"%s\","
                           "\"MessageGroupId\":\"%s\","
                           "\"MessageDeduplicationId\":\"%s\"}",
                           body, group, body);
    assert_int_equal(client->status, 200);
}

static void test_fifo_groups_and_duplicates(void **state)
{
    struct local_client *client = *state;
    AUTO_FREE char *id = NULL;

    send_fifo(client, "a1", "a");
    id = mem_strdup(
        json_string_value(json_object_get(client->json, "MessageId")));
    send_fifo(client, "a1", "a");
    assert_string_equal(
        json_string_value(json_object_get(client->json, "MessageId")), id);
    send_fifo(client, "a2", "a");
    (void)local_client_sqs(client, "ReceiveMessage",
                           "{" FIFO_URL ",\"MaxNumberOfMessages\":10}");
    assert_string_equal(local_client_each(client, "Messages", "Body"), "a1 a2");
    send_fifo(client, "a3", "a");
    (void)local_client_sqs(client, "ReceiveMessage", "{" FIFO_URL "}");
    assert_string_equal(local_client_each(client, "Messages", "Body"), "");
}

static void test_fifo_attempt_is_repeated(void **state)
{
    struct local_client *client = *state;
    const char *body = "{" FIFO_URL ",\"ReceiveRequestAttemptId\":\"attempt\"}";
    AUTO_FREE char *first = NULL, *second = NULL;

    send_fifo(client, "a1", "a");
    (void)local_client_sqs(client, "ReceiveMessage", "%s", body);
    first = handle(client, 0);
    (void)local_client_sqs(client, "ReceiveMessage", "%s", body);
    second = handle(client, 0);
    assert_string_equal(first, second);
}

static void test_expired_receipt_of_fifo_is_refused(void **state)
{
    struct local_client *client = *state;
    AUTO_FREE char *receipt = NULL;

    send_fifo(client, "a1", "a");
    (void)local_client_sqs(client, "ReceiveMessage", "{" FIFO_URL "}");
    receipt = handle(client, 0);
    local_client_advance(client, 30000);
    (void)local_client_sqs(client, "DeleteMessage",
                           "{" FIFO_URL ",\"ReceiptHandle\":\"%s\"}", receipt);
    assert_string_equal(client->code, "InvalidParameterValueException");
    assert_contains(buffer_text(&client->answer), "has expired");
}

static void test_visibility_changes(void **state)
{
    struct local_client *client = *state;
    AUTO_FREE char *receipt = NULL;

    send_text(client, "x");
    receive(client);
    receipt = handle(client, 0);
    (void)local_client_sqs(
        client, "ChangeMessageVisibility",
        "{" URL ",\"ReceiptHandle\":\"%s\",\"VisibilityTimeout\":43200}",
        receipt);
    assert_int_equal(client->status, 200);
    local_client_advance(client, 1000);
    (void)local_client_sqs(
        client, "ChangeMessageVisibility",
        "{" URL ",\"ReceiptHandle\":\"%s\",\"VisibilityTimeout\":43200}",
        receipt);
    assert_contains(buffer_text(&client->answer), "beyond the limit");
    (void)local_client_sqs(
        client, "ChangeMessageVisibility",
        "{" URL ",\"ReceiptHandle\":\"%s\",\"VisibilityTimeout\":0}", receipt);
    assert_int_equal(client->status, 200);
    (void)local_client_sqs(
        client, "ChangeMessageVisibility",
        "{" URL ",\"ReceiptHandle\":\"%s\",\"VisibilityTimeout\":10}", receipt);
    assert_string_equal(client->code, "MessageNotInflight");
    assert_string_equal(receive(client), "x");
}

static void test_one_mebibyte_is_the_limit(void **state)
{
    struct local_client *client = *state;
    AUTO_FREE char *body = mem_calloc(1, (1 << 20) + 2);

    memset(body, 'x', 1 << 20);
    send_text(client, body);
    body[1 << 20] = 'x';
    (void)local_client_sqs(client, "SendMessage",
                           "{" URL ",\"MessageBody\":\"%s\"}", body);
    assert_string_equal(client->code, "InvalidParameterValueException");
    (void)local_client_sqs(client, "ReceiveMessage", RECEIVE);
    assert_int_equal(
        json_string_length(json_object_get(
            json_array_get(json_object_get(client->json, "Messages"), 0),
            "Body")),
        1 << 20);
}

static void test_body_over_the_limit_is_refused(void **state)
{
    struct local_client *client = *state;
    size_t size = 17 << 20;
    AUTO_FREE char *body = mem_calloc(1, size + 1);

    memset(body, ' ', size);
    (void)local_client_sqs(client, "SendMessage", "%s", body);
    assert_int_equal(client->status, 413);
}

static void test_query_speaks_xml(void **state)
{
    struct local_client *client = *state;
    const char *answer = local_client_query(
        client, "Action=SendMessage&Version=2012-11-05&QueueUrl="
                "http%3A%2F%2Fx%2F0%2Fq&MessageBody=a%3Cb%3E%26%0D%0A");

    assert_int_equal(client->status, 200);
    assert_contains(answer, "<SendMessageResponse xmlns=\"http://queue."
                            "amazonaws.com/doc/2012-11-05/\">"
                            "<SendMessageResult><MD5OfMessageBody>");
    answer = local_client_query(client, "Action=ReceiveMessage&QueueUrl="
                                        "http%3A%2F%2Fx%2F0%2Fq");
    assert_contains(answer, "<Body>a&lt;b&gt;&amp;&#xD;\n</Body>");
    answer = local_client_query(
        client, "Action=GetQueueUrl&Version=2012-11-05&QueueName=none");
    assert_int_equal(client->status, 400);
    assert_contains(answer,
                    "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>");
    answer = local_client_query(client, "Action=Dance");
    assert_contains(answer, "<Code>InvalidAction</Code>");
}

static void test_unsigned_is_refused(void **state)
{
    struct local_client *client = *state;

    client->unsigned_too = true;
    (void)local_client_sqs(client, "ListQueues", "{}");
    assert_string_equal(client->code, "MissingAuthenticationTokenException");
    assert_contains(local_client_query(client, "Action=ListQueues"),
                    "<Code>MissingAuthenticationToken</Code>");
    assert_int_equal(client->status, 403);
}

static struct refusal_case {
    const char *name, *operation, *body;
    long status;
    const char *code, *query;
} refusals[] = {
    {"no such queue", "ReceiveMessage", "{\"QueueUrl\":\"http://x/0/none\"}",
     400, "QueueDoesNotExist",
     "AWS.SimpleQueueService.NonExistentQueue;Sender"},
    {"no queue named", "ReceiveMessage", "{}", 400,
     "MissingRequiredParameterException", "MissingParameter;Sender"},
    {"no URL", "ReceiveMessage", "{\"QueueUrl\":\"q\"}", 404, "InvalidAddress",
     "InvalidAddress;Sender"},
    {"eleven wanted", "ReceiveMessage", "{" URL ",\"MaxNumberOfMessages\":11}",
     400, "InvalidParameterValueException", "InvalidParameterValue;Sender"},
    {"none wanted", "ReceiveMessage", "{" URL ",\"MaxNumberOfMessages\":0}",
     400, "InvalidParameterValueException", "InvalidParameterValue;Sender"},
    {"waiting too long", "ReceiveMessage", "{" URL ",\"WaitTimeSeconds\":21}",
     400, "InvalidParameterValueException", "InvalidParameterValue;Sender"},
    {"unknown attribute", "ReceiveMessage",
     "{" URL ",\"AttributeNames\":[\"Color\"]}", 400, "InvalidAttributeName",
     "InvalidAttributeName;Sender"},
    {"attempt of a standard queue", "ReceiveMessage",
     "{" URL ",\"ReceiveRequestAttemptId\":\"a\"}", 400,
     "InvalidParameterValueException", "InvalidParameterValue;Sender"},
    {"no body", "SendMessage", "{" URL "}", 400,
     "MissingRequiredParameterException", "MissingParameter;Sender"},
    {"illegal character", "SendMessage",
     "{" URL ",\"MessageBody\":\"\\u0000\"}", 400, "InvalidMessageContents",
     "InvalidMessageContents;Sender"},
    {"empty batch", "SendMessageBatch", "{" URL ",\"Entries\":[]}", 400,
     "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest;Sender"},
    {"ids not distinct", "DeleteMessageBatch",
     "{" URL ",\"Entries\":[{\"Id\":\"a\"},{\"Id\":\"a\"}]}", 400,
     "BatchEntryIdsNotDistinct",
     "AWS.SimpleQueueService.BatchEntryIdsNotDistinct;Sender"},
    {"id with a space", "DeleteMessageBatch",
     "{" URL ",\"Entries\":[{\"Id\":\"a b\"}]}", 400, "InvalidBatchEntryId",
     "AWS.SimpleQueueService.InvalidBatchEntryId;Sender"},
    {"eleven entries", "DeleteMessageBatch",
     "{" URL ",\"Entries\":[{},{},{},{},{},{},{},{},{},{},{}]}", 400,
     "TooManyEntriesInBatchRequest",
     "AWS.SimpleQueueService.TooManyEntriesInBatchRequest;Sender"},
    {"bad handle", "DeleteMessage", "{" URL ",\"ReceiptHandle\":\"bogus\"}",
     404, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid;Sender"},
    {"other attributes", "CreateQueue",
     "{\"QueueName\":\"q\",\"Attributes\":{\"DelaySeconds\":\"7\"}}", 400,
     "QueueNameExists", "QueueAlreadyExists;Sender"},
    {"bad queue name", "CreateQueue", "{\"QueueName\":\"a b\"}", 400,
     "InvalidParameterValueException", "InvalidParameterValue;Sender"},
    {"attribute out of range", "SetQueueAttributes",
     "{" URL ",\"Attributes\":{\"VisibilityTimeout\":\"43201\"}}", 400,
     "InvalidAttributeValue", "InvalidAttributeValue;Sender"},
    {"dead-letter queue that is not there", "SetQueueAttributes",
     "{" URL ",\"Attributes\":{\"RedrivePolicy\":\"{\\\"deadLetterTargetArn\\\""
     ":\\\"arn:aws:sqs:us-east-1:000000000000:none\\\"}\"}}",
     400, "InvalidParameterValueException", "InvalidParameterValue;Sender"},
    {"broken JSON", "SendMessage", "{" URL, 400, "SerializationException",
     "MalformedInput;Sender"},
    {"wrong type", "ReceiveMessage", "{" URL ",\"WaitTimeSeconds\":\"1\"}", 400,
     "SerializationException", "MalformedInput;Sender"},
};

static void test_refusal(void **state)
{
    const struct refusal_case *c = *state;
    void *client_;
    struct local_client *client;

    set_up(&client_);
    client = client_;
    (void)local_client_sqs(client, c->operation, "%s", c->body);
    assert_int_equal(client->status, c->status);
    assert_string_equal(client->code, c->code);
    assert_contains(buffer_text(&client->head), c->query);
    local_client_stop(client);
}

static void test_unknown_operation(void **state)
{
    struct local_client *client = *state;

    (void)local_client_sqs(client, "Dance", "{}");
    assert_string_equal(client->code, "UnknownOperationException");
}

static void test_attributes_and_tags(void **state)
{
    struct local_client *client = *state;
    const json_t *attributes;

    (void)local_client_sqs(client, "SetQueueAttributes",
                           "{" URL ",\"Attributes\":{\"VisibilityTimeout\":"
                           "\"7\",\"Policy\":\"p\"}}");
    (void)local_client_sqs(client, "SetQueueAttributes",
                           "{" URL ",\"Attributes\":{\"Policy\":\"lost\","
                           "\"VisibilityTimeout\":\"-1\"}}");
    assert_string_equal(client->code, "InvalidAttributeValue");
    (void)local_client_sqs(client, "GetQueueAttributes",
                           "{" URL ",\"AttributeNames\":[\"All\"]}");
    attributes = json_object_get(client->json, "Attributes");
    assert_string_equal(
        json_string_value(json_object_get(attributes, "VisibilityTimeout")),
        "7");
    assert_string_equal(
        json_string_value(json_object_get(attributes, "Policy")), "p");
    assert_string_equal(
        json_string_value(json_object_get(attributes, "QueueArn")),
        "arn:aws:sqs:us-east-1:000000000000:q");
    (void)local_client_sqs(client, "TagQueue",
                           "{" URL ",\"Tags\":{\"a\":\"1\",\"b\":\"2\"}}");
    (void)local_client_sqs(client, "UntagQueue",
                           "{" URL ",\"TagKeys\":[\"a\"]}");
    (void)local_client_sqs(client, "ListQueueTags", "{" URL "}");
    assert_int_equal(json_object_size(json_object_get(client->json, "Tags")),
                     1);
}

static void test_list_of_queues_in_pages(void **state)
{
    struct local_client *client = *state;
    AUTO_FREE char *token = NULL;

    for (int i = 0; i < 4; i++)
        (void)local_client_sqs(client, "CreateQueue",
                               "{\"QueueName\":\"list-%d\"}", i);
    (void)local_client_sqs(client, "ListQueues",
                           "{\"QueueNamePrefix\":\"list-\",\"MaxResults\":3}");
    assert_int_equal(
        json_array_size(json_object_get(client->json, "QueueUrls")), 3);
    token = mem_strdup(
        json_string_value(json_object_get(client->json, "NextToken")));
    (void)local_client_sqs(client, "ListQueues",
                           "{\"QueueNamePrefix\":\"list-\",\"MaxResults\":3,"
                           "\"NextToken\":\"%s\"}",
                           token);
    assert_int_equal(
        json_array_size(json_object_get(client->json, "QueueUrls")), 1);
    assert_null(json_object_get(client->json, "NextToken"));
}

static void test_only_loopback_is_listened_on(void **state)
{
    struct error err = {0};

    (void)state;
    assert_fails(local_start(&(struct local_options){.address = "0.0.0.0"},
                             &err) != NULL,
                 &err, ERROR_INVALID);
    assert_contains(err.message, "loopback addresses only");
    assert_fails(local_start(&(struct local_options){.address = "127.0.0.1",
                                                     .faults = "*:dance"},
                             &err) != NULL,
                 &err, ERROR_INVALID);
}

static void test_port_in_use_is_said(void **state)
{
    struct local_client *client = *state;
    struct error err = {0};

    assert_fails(local_start(&(struct local_options){.address = "127.0.0.1",
                                                     .port = client->port},
                             &err) != NULL,
                 &err, ERROR_TRANSIENT);
    assert_contains(err.message, "in use");
}

static void test_created_from_within(void **state)
{
    struct local_client *client = *state;
    struct local_attribute delay = {"DelaySeconds", "5"};
    struct error err = {0};

    assert_ok(local_create_queue(client->server, "in.fifo", &err), &err);
    assert_ok(local_create_queue(client->server, "in.fifo", &err), &err);
    assert_ok(local_create_queue_with(client->server, "slow", &delay, 1, &err),
              &err);
    assert_ok(local_create_stream(client->server, "s", 3, &err), &err);
    assert_ok(local_create_stream(client->server, "s", 3, &err), &err);
    assert_fails(local_create_queue(client->server, "a b", &err), &err,
                 ERROR_INVALID);
    (void)local_client_sqs(client, "SendMessage",
                           "{\"QueueUrl\":\"http://x/0/slow\","
                           "\"MessageBody\":\"x\"}");
    assert_int_equal(local_client_count(client, "slow", "delayed"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define FIFO(name) cmocka_unit_test_setup_teardown(name, set_up_fifo, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_send_receive_delete),
        TEST(test_empty_receive_has_no_messages),
        TEST(test_visibility_ends_by_the_virtual_clock),
        TEST(test_send_wakes_a_long_poll),
        TEST(test_end_of_a_delay_wakes_a_long_poll),
        TEST(test_end_of_visibility_wakes_a_long_poll),
        TEST(test_long_poll_ends_empty_when_its_time_is_over),
        TEST(test_deleting_the_queue_ends_a_long_poll),
        TEST(test_waiter_that_hung_up_swallows_nothing),
        cmocka_unit_test(test_stop_ends_long_polls),
        TEST(test_a_thousand_long_polls),
        TEST(test_batch_fails_by_entry),
        TEST(test_filters_of_message_attributes),
        TEST(test_dead_letters_name_their_source),
        FIFO(test_fifo_groups_and_duplicates),
        FIFO(test_fifo_attempt_is_repeated),
        FIFO(test_expired_receipt_of_fifo_is_refused),
        TEST(test_visibility_changes),
        TEST(test_one_mebibyte_is_the_limit),
        TEST(test_body_over_the_limit_is_refused),
        TEST(test_query_speaks_xml),
        TEST(test_unsigned_is_refused),
        TEST(test_unknown_operation),
        TEST(test_attributes_and_tags),
        TEST(test_list_of_queues_in_pages),
        cmocka_unit_test(test_only_loopback_is_listened_on),
        TEST(test_port_in_use_is_said),
        TEST(test_created_from_within),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL) +
           run_table("refusals", refusals, test_refusal);
}
