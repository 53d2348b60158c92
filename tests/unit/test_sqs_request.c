#include "aws/sqs_request.h"

#include "test.h"

#define URL "http://h:1/0/q?"

static const struct sqs_change changes[] = {{BYTES("r/+=1"), 0},
                                            {BYTES("r\"2\""), 43200}};
static const struct sqs_send sends[] = {
    {.message = BYTES("a&b=\"c\"\n\xc3\xa9 ~")},
    {.message = BYTES("two"),
     .group = BYTES("g1"),
     .deduplication = BYTES("d1")}};

static void queue_url(enum aws_protocol protocol, struct buffer *body)
{
    sqs_request_queue_url(protocol, "orders", NULL, body);
}

static void queue_url_of_account(enum aws_protocol protocol,
                                 struct buffer *body)
{
    sqs_request_queue_url(protocol, "orders", "111122223333", body);
}

static void attributes(enum aws_protocol protocol, struct buffer *body)
{
    sqs_request_attributes(protocol, URL, body);
}

static void receive(enum aws_protocol protocol, struct buffer *body)
{
    const struct sqs_receive r = {
        .url = URL, .most = 10, .wait_s = 20, .visibility_s = -1};

    sqs_request_receive(protocol, &r, body);
}

static void receive_hiding(enum aws_protocol protocol, struct buffer *body)
{
    const struct sqs_receive r = {
        .url = URL, .most = 1, .wait_s = 0, .visibility_s = 90};

    sqs_request_receive(protocol, &r, body);
}

static void receive_again(enum aws_protocol protocol, struct buffer *body)
{
    const struct sqs_receive r = {.url = URL,
                                  .most = 10,
                                  .wait_s = 20,
                                  .visibility_s = -1,
                                  .attempt_id = "a-1"};

    sqs_request_receive(protocol, &r, body);
}

static void delete_batch(enum aws_protocol protocol, struct buffer *body)
{
    sqs_request_delete_batch(protocol, URL, changes, 2, body);
}

static void change_batch(enum aws_protocol protocol, struct buffer *body)
{
    sqs_request_change_batch(protocol, URL, changes, 2, body);
}

static void delete_one(enum aws_protocol protocol, struct buffer *body)
{
    sqs_request_delete(protocol, URL, changes, body);
}

static void change_one(enum aws_protocol protocol, struct buffer *body)
{
    sqs_request_change(protocol, URL, changes + 1, body);
}

static void send_batch(enum aws_protocol protocol, struct buffer *body)
{
    sqs_request_send_batch(protocol, URL, sends, 2, body);
}

#define FORM_URL "QueueUrl=http%3A%2F%2Fh%3A1%2F0%2Fq%3F"
#define FORM(operation) "Action=" operation "&Version=2012-11-05&"
#define ALL                                                                    \
    ",\"AttributeNames\":[\"All\"],\"MessageSystemAttributeNames\":[\"All\"]," \
    "\"MessageAttributeNames\":[\"All\"]}"
#define FORM_ALL                                            \
    "&AttributeName.1=All&MessageSystemAttributeName.1=All" \
    "&MessageAttributeName.1=All"

static struct request_case {
    const char *name;
    void (*write)(enum aws_protocol protocol, struct buffer *body);
    const char *json, *form;
} cases[] = {
    {"GetQueueUrl", queue_url, "{\"QueueName\":\"orders\"}",
     FORM("GetQueueUrl") "QueueName=orders"},
    {"GetQueueUrl of an account", queue_url_of_account,
     "{\"QueueName\":\"orders\",\"QueueOwnerAWSAccountId\":\"111122223333\"}",
     FORM(
         "GetQueueUrl") "QueueName=orders&QueueOwnerAWSAccountId=111122223333"},
    {"GetQueueAttributes", attributes,
     "{\"QueueUrl\":\"" URL
     "\",\"AttributeNames\":[\"QueueArn\",\"VisibilityTimeout\"]}",
     FORM("GetQueueAttributes") FORM_URL
     "&AttributeName.1=QueueArn&AttributeName.2=VisibilityTimeout"},
    {"ReceiveMessage", receive,
     "{\"QueueUrl\":\"" URL
     "\",\"MaxNumberOfMessages\":10,\"WaitTimeSeconds\":20" ALL,
     FORM("ReceiveMessage") FORM_URL
     "&MaxNumberOfMessages=10&WaitTimeSeconds=20" FORM_ALL},
    {"ReceiveMessage with a visibility timeout", receive_hiding,
     "{\"QueueUrl\":\"" URL
     "\",\"MaxNumberOfMessages\":1,\"WaitTimeSeconds\":0,"
     "\"VisibilityTimeout\":90" ALL,
     FORM("ReceiveMessage") FORM_URL
     "&MaxNumberOfMessages=1&WaitTimeSeconds=0&VisibilityTimeout=90" FORM_ALL},
    {"ReceiveMessage under an attempt id", receive_again,
     "{\"QueueUrl\":\"" URL
     "\",\"MaxNumberOfMessages\":10,\"WaitTimeSeconds\":20,"
     "\"ReceiveRequestAttemptId\":\"a-1\"" ALL,
     FORM("ReceiveMessage") FORM_URL
     "&MaxNumberOfMessages=10&WaitTimeSeconds=20"
     "&ReceiveRequestAttemptId=a-1" FORM_ALL},
    {"DeleteMessageBatch", delete_batch,
     "{\"QueueUrl\":\"" URL "\",\"Entries\":[{\"Id\":\"0\",\"ReceiptHandle\":"
     "\"r/+=1\"},{\"Id\":\"1\",\"ReceiptHandle\":\"r\\\"2\\\"\"}]}",
     FORM("DeleteMessageBatch") FORM_URL
     "&DeleteMessageBatchRequestEntry.1.Id=0"
     "&DeleteMessageBatchRequestEntry.1.ReceiptHandle=r%2F%2B%3D1"
     "&DeleteMessageBatchRequestEntry.2.Id=1"
     "&DeleteMessageBatchRequestEntry.2.ReceiptHandle=r%222%22"},
    {"ChangeMessageVisibilityBatch", change_batch,
     "{\"QueueUrl\":\"" URL "\",\"Entries\":[{\"Id\":\"0\",\"ReceiptHandle\":"
     "\"r/+=1\",\"VisibilityTimeout\":0},{\"Id\":\"1\",\"ReceiptHandle\":"
     "\"r\\\"2\\\"\",\"VisibilityTimeout\":43200}]}",
     FORM("ChangeMessageVisibilityBatch") FORM_URL
     "&ChangeMessageVisibilityBatchRequestEntry.1.Id=0"
     "&ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle=r%2F%2B%3D1"
     "&ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=0"
     "&ChangeMessageVisibilityBatchRequestEntry.2.Id=1"
     "&ChangeMessageVisibilityBatchRequestEntry.2.ReceiptHandle=r%222%22"
     "&ChangeMessageVisibilityBatchRequestEntry.2.VisibilityTimeout=43200"},
    {"DeleteMessage", delete_one,
     "{\"QueueUrl\":\"" URL "\",\"ReceiptHandle\":\"r/+=1\"}",
     FORM("DeleteMessage") FORM_URL "&ReceiptHandle=r%2F%2B%3D1"},
    {"ChangeMessageVisibility", change_one,
     "{\"QueueUrl\":\"" URL
     "\",\"ReceiptHandle\":\"r\\\"2\\\"\",\"VisibilityTimeout\":43200}",
     FORM("ChangeMessageVisibility") FORM_URL
     "&ReceiptHandle=r%222%22&VisibilityTimeout=43200"},
    {"SendMessageBatch", send_batch,
     "{\"QueueUrl\":\"" URL "\",\"Entries\":[{\"Id\":\"0\",\"MessageBody\":"
     "\"a&b=\\\"c\\\"\\n\xc3\xa9 ~\"},{\"Id\":\"1\",\"MessageBody\":\"two\","
     "\"MessageGroupId\":\"g1\",\"MessageDeduplicationId\":\"d1\"}]}",
     FORM("SendMessageBatch") FORM_URL
     "&SendMessageBatchRequestEntry.1.Id=0"
     "&SendMessageBatchRequestEntry.1.MessageBody="
     "a%26b%3D%22c%22%0A%C3%A9%20~"
     "&SendMessageBatchRequestEntry.2.Id=1"
     "&SendMessageBatchRequestEntry.2.MessageBody=two"
     "&SendMessageBatchRequestEntry.2.MessageGroupId=g1"
     "&SendMessageBatchRequestEntry.2.MessageDeduplicationId=d1"},
};

static void test_request(void **state)
{
    const struct request_case *c = *state;
    struct buffer body;

    buffer_init(&body, 10000);
    c->write(AWS_JSON_10, &body);
    assert_string_equal(buffer_text(&body), c->json);
    buffer_clear(&body);
    c->write(AWS_QUERY, &body);
    assert_string_equal(buffer_text(&body), c->form);
    buffer_finish(&body);
}

static void test_too_small_a_buffer_says_so(void **state)
{
    const struct request_case *c = *state;
    struct buffer body;

    for (size_t limit = 0; limit < strlen(c->form); limit++) {
        buffer_init(&body, limit);
        c->write(AWS_QUERY, &body);
        assert_false(buffer_ok(&body));
        buffer_finish(&body);
    }
}

int main(void)
{
    return run_table("bodies", cases, test_request) +
           run_table("limits", cases, test_too_small_a_buffer_says_so);
}
