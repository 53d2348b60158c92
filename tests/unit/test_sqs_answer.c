#include "aws/sqs_answer.h"

#include <stdio.h>

#include "test.h"

static struct buffer body_of(const char *text)
{
    struct buffer body;

    buffer_init(&body, 100000);
    buffer_append_text(&body, text);
    return body;
}

static struct results_case {
    const char *name;
    enum aws_protocol protocol;
    const char *text;
    const char *states; // of the first entries: o ok, f failed, s the sender's
                        // fault, - missing
    const char *code;   // of the first failed
} results[] = {
    {"AWS", AWS_JSON_10,
     "{\"Successful\":[{\"Id\":\"0\"},{\"Id\":\"2\"}],\"Failed\":[{\"Id\":"
     "\"1\",\"SenderFault\":true,\"Code\":\"ReceiptHandleIsInvalid\","
     "\"Message\":\"no\"}]}",
     "oso-", "ReceiptHandleIsInvalid"},
    {"ElasticMQ: no Failed", AWS_JSON_10,
     "{\"Successful\":[{\"Id\":\"1\"},{\"Id\":\"0\"}]}", "oo-", NULL},
    {"goaws: nulls, code 1", AWS_JSON_10,
     "{\"Successful\":null,\"Failed\":[{\"Id\":\"0\",\"SenderFault\":true,"
     "\"Code\":\"1\",\"Message\":null}]}",
     "s", "1"},
    {"moto: the flag as text", AWS_JSON_10,
     "{\"Failed\":[{\"SenderFault\":\"true\",\"Code\":\"a\",\"Id\":\"0\"},"
     "{\"SenderFault\":\"false\",\"Code\":\"b\",\"Id\":\"1\"}]}",
     "sf-", "a"},
    {"nothing at all", AWS_JSON_10, "", "--", NULL},
    {"an empty object", AWS_JSON_10, "{}", "--", NULL},
    {"strange ids", AWS_JSON_10,
     "{\"Successful\":[{\"Id\":\"10\"},{\"Id\":\"-1\"},{\"Id\":\"x\"},{},"
     "{\"Id\":null},{\"Id\":\"99999999999999999999\"},{\"Id\":\"1x\"}]}",
     "----------", NULL},
    {"AWS in XML", AWS_QUERY,
     "<DeleteMessageBatchResponse xmlns=\"x\"><DeleteMessageBatchResult>"
     "<DeleteMessageBatchResultEntry><Id>0</Id>"
     "</DeleteMessageBatchResultEntry><BatchResultErrorEntry><Id>1</Id>"
     "<SenderFault>false</SenderFault><Code>InternalError</Code>"
     "<Message>a &lt; b</Message></BatchResultErrorEntry>"
     "</DeleteMessageBatchResult><ResponseMetadata><RequestId>2</RequestId>"
     "</ResponseMetadata></DeleteMessageBatchResponse>",
     "of-", "InternalError"},
    {"visibility in XML", AWS_QUERY,
     "<R><ChangeMessageVisibilityBatchResultEntry><Id>9</Id>"
     "</ChangeMessageVisibilityBatchResultEntry></R>",
     "---------o", NULL},
    {"sends in XML", AWS_QUERY,
     "<R><SendMessageBatchResultEntry><Id>0</Id><MessageId>m</MessageId>"
     "</SendMessageBatchResultEntry></R>",
     "o", NULL},
};

static char letter_of(const struct sqs_result *result)
{
    switch (result->state) {
    case SQS_RESULT_OK:
        return 'o';
    case SQS_RESULT_FAILED:
        return result->is_sender_fault ? 's' : 'f';
    case SQS_RESULT_MISSING:
        break;
    }
    return '-';
}

static void test_results(void **state)
{
    const struct results_case *c = *state;
    struct buffer body = body_of(c->text);
    const char *code = c->code;
    struct sqs_results found;
    struct error err = {0};

    assert_ok(sqs_answer_results(c->protocol, &body, &found, &err), &err);
    for (size_t i = 0; c->states[i]; i++) {
        assert_int_equal(letter_of(&found.entries[i]), c->states[i]);
        if (code && found.entries[i].state == SQS_RESULT_FAILED) {
            assert_string_equal(found.entries[i].code, code);
            code = NULL;
        }
    }
    assert_null(code);
    buffer_finish(&body);
}

static struct facts_case {
    const char *name;
    enum aws_protocol protocol;
    const char *text;
    const char *arn;
    int64_t visibility_s;
} facts[] = {
    {"both", AWS_JSON_10,
     "{\"Attributes\":{\"QueueArn\":\"arn:q\",\"VisibilityTimeout\":\"0\","
     "\"Other\":\"x\"}}",
     "arn:q", 0},
    {"a number", AWS_JSON_10, "{\"Attributes\":{\"VisibilityTimeout\":45}}",
     NULL, 45},
    {"null", AWS_JSON_10, "{\"Attributes\":null}", NULL, -1},
    {"none", AWS_JSON_10, "{}", NULL, -1},
    {"nonsense", AWS_JSON_10,
     "{\"Attributes\":{\"VisibilityTimeout\":\"soon\",\"QueueArn\":\"\"}}",
     NULL, -1},
    {"XML", AWS_QUERY,
     "<R><Attribute><Name>VisibilityTimeout</Name><Value>30</Value>"
     "</Attribute><Attribute><Name>QueueArn</Name><Value>arn:q</Value>"
     "</Attribute></R>",
     "arn:q", 30},
};

static void test_facts(void **state)
{
    const struct facts_case *c = *state;
    struct buffer body = body_of(c->text);
    struct sqs_attributes found = {0};
    struct error err = {0};

    assert_ok(sqs_answer_attributes(c->protocol, &body, &found, &err), &err);
    assert_int_equal(found.visibility_s, c->visibility_s);
    if (c->arn)
        assert_string_equal(found.arn, c->arn);
    else
        assert_null(found.arn);
    free(found.arn);
    buffer_finish(&body);
}

static struct url_case {
    const char *name;
    enum aws_protocol protocol;
    const char *text, *url; // NULL: refused
} urls[] = {
    {"JSON", AWS_JSON_10, "{\"QueueUrl\":\"http://h/0/q\"}", "http://h/0/q"},
    {"XML", AWS_QUERY,
     "<GetQueueUrlResponse><GetQueueUrlResult><QueueUrl>http://h/0/q?a=1&amp;b"
     "</QueueUrl></GetQueueUrlResult></GetQueueUrlResponse>",
     "http://h/0/q?a=1&b"},
    {"none", AWS_JSON_10, "{}", NULL},
    {"null", AWS_JSON_10, "{\"QueueUrl\":null}", NULL},
    {"empty", AWS_QUERY, "<R><QueueUrl/></R>", NULL},
    {"cut short", AWS_JSON_10, "{\"QueueUrl\":\"http", NULL},
    {"an error inside", AWS_JSON_10, "{\"QueueUrl\":\"u\",\"__type\":\"Oops\"}",
     NULL},
    {"an error inside XML", AWS_QUERY,
     "<ErrorResponse><Error><Code>Oops</Code></Error></ErrorResponse>", NULL},
};

static void test_url(void **state)
{
    const struct url_case *c = *state;
    struct buffer body = body_of(c->text);
    struct error err = {0};
    char *url = sqs_answer_queue_url(c->protocol, &body, &err);

    if (c->url) {
        assert_ok(url, &err);
        assert_string_equal(url, c->url);
    } else {
        assert_fails(url, &err, ERROR_TRANSIENT);
    }
    free(url);
    buffer_finish(&body);
}

static struct unknown_case {
    const char *name;
    int status;
    const char *code;
    bool unknown;
} unknown[] = {
    {"UnknownOperationException", 400, "UnknownOperationException", true},
    {"InvalidAction", 400, "InvalidAction", true},
    {"MissingAction", 400, "MissingAction", true},
    {"a router's 404", 404, "", true},
    {"a 404 with a code", 404, "ReceiptHandleIsInvalid", false},
    {"a 500", 500, "", false},
    {"a queue that does not exist", 400, "QueueDoesNotExist", false},
};

static void test_unknown_operation(void **state)
{
    const struct unknown_case *c = *state;
    struct aws_reply reply = {.status = c->status};

    (void)snprintf(reply.code, sizeof(reply.code), "%s", c->code);
    assert_int_equal(sqs_answer_is_unknown_operation(&reply), c->unknown);
}

int main(void)
{
    return run_table("results", results, test_results) +
           run_table("facts", facts, test_facts) +
           run_table("urls", urls, test_url) +
           run_table("unknown", unknown, test_unknown_operation);
}
