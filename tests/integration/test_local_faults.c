#include <stdlib.h>

#include "base/mem.h"
#include "local_client.h"
#include "test.h"

#define URL "\"QueueUrl\":\"http://localhost/000000000000/q\""

static struct local_client *start(const char *faults)
{
    struct local_client *client = local_client_start(faults);

    client->fresh = true; // curl repeats what fails on a used connection
    (void)local_client_sqs(client, "CreateQueue", "{\"QueueName\":\"q\"}");
    assert_int_equal(client->status, 200);
    return client;
}

static void send_text(struct local_client *client, const char *body)
{
    (void)local_client_sqs(client, "SendMessage",
                           "{" URL ",\"MessageBody\":\"%s\"}", body);
}

static const char *receive(struct local_client *client)
{
    (void)local_client_sqs(client, "ReceiveMessage",
                           "{" URL ",\"MaxNumberOfMessages\":10}");
    return local_client_each(client, "Messages", "Body");
}

static struct error_case {
    const char *name, *fault;
    long status;
    const char *code;
} error_cases[] = {
    {"a known error has its status", "SendMessage:error=ServiceUnavailable",
     503, "ServiceUnavailable"},
    {"throttling", "Send*:error=RequestThrottled", 403, "RequestThrottled"},
    {"by the Query protocol's name",
     "SendMessage@q:error=AWS.SimpleQueueService.NonExistentQueue", 400,
     "QueueDoesNotExist"},
    {"an unknown error", "SendMessage:error=Odd", 400, "Odd"},
    {"another status", "SendMessage:error=Odd:status=500", 500, "Odd"},
    {"an error in an answer that says OK", "SendMessage:error_in_200=Odd", 200,
     "Odd"},
    {"another queue is spared", "SendMessage@other:error=Odd", 200, ""},
    {"HTML from a proxy", "SendMessage:html", 502, ""},
    {"dropped before", "SendMessage:drop=before", 0, ""},
    {"dropped after", "SendMessage:drop=after", 0, ""},
};

static void test_error(void **state)
{
    const struct error_case *c = *state;
    struct local_client *client = start(c->fault);

    send_text(client, "x");
    assert_int_equal(client->status, c->status);
    assert_string_equal(client->code, c->code);
    local_client_stop(client);
}

static void test_drop_before_or_after_executing(void **state)
{
    struct local_client *client =
        start("SendMessage:drop=before:times=1 SendMessage:drop=after:after=1");

    (void)state;
    send_text(client, "not executed");
    assert_int_equal(local_client_count(client, "q", "sent"), 0);
    send_text(client, "executed");
    assert_int_equal(client->status, 0);
    assert_int_equal(local_client_count(client, "q", "sent"), 1);
    local_client_stop(client);
}

static void test_receive_lost_on_the_way_stays_hidden(void **state)
{
    struct local_client *client = start("ReceiveMessage:drop=after:times=1");

    (void)state;
    send_text(client, "lost");
    receive(client);
    assert_int_equal(client->status, 0);
    assert_string_equal(receive(client), "");
    assert_int_equal(local_client_count(client, "q", "in_flight"), 1);
    local_client_advance(client, 30000);
    assert_string_equal(receive(client), "lost");
    local_client_stop(client);
}

static void test_duplicates_are_the_same_message(void **state)
{
    struct local_client *client = start("ReceiveMessage:duplicate:times=1");
    AUTO_FREE char *first = NULL;

    (void)state;
    send_text(client, "twice");
    receive(client);
    first = mem_strdup(local_client_each(client, "Messages", "MessageId"));
    receive(client);
    assert_string_equal(local_client_each(client, "Messages", "MessageId"),
                        first);
    assert_string_equal(receive(client), "");
    local_client_stop(client);
}

static void test_some_entries_fail(void **state)
{
    struct local_client *client =
        start("SendMessageBatch:partial=InternalError:after=1:times=1");

    (void)state;
    (void)local_client_sqs(client, "SendMessageBatch",
                           "{" URL ",\"Entries\":["
                           "{\"Id\":\"a\",\"MessageBody\":\"a\"},"
                           "{\"Id\":\"b\",\"MessageBody\":\"b\"},"
                           "{\"Id\":\"c\",\"MessageBody\":\"c\"}]}");
    assert_string_equal(local_client_each(client, "Successful", "Id"), "a c");
    assert_string_equal(local_client_each(client, "Failed", "Code"),
                        "InternalError");
    assert_string_equal(receive(client), "a c");
    local_client_stop(client);
}

static void test_some_records_fail(void **state)
{
    struct local_client *client =
        start("PutRecords:partial=ProvisionedThroughputExceededException:"
              "times=1");

    (void)state;
    (void)local_client_kinesis(client, "CreateStream",
                               "{\"StreamName\":\"s\",\"ShardCount\":1}");
    (void)local_client_kinesis(client, "PutRecords",
                               "{\"StreamName\":\"s\",\"Records\":["
                               "{\"Data\":\"eA==\",\"PartitionKey\":\"a\"},"
                               "{\"Data\":\"eA==\",\"PartitionKey\":\"b\"}]}");
    assert_int_equal(
        json_integer_value(json_object_get(client->json, "FailedRecordCount")),
        1);
    assert_string_equal(local_client_each(client, "Records", "ErrorCode"),
                        "ProvisionedThroughputExceededException -");
    local_client_stop(client);
}

static void test_iterator_expires_at_once(void **state)
{
    struct local_client *client = start("GetRecords:expired_iterator:times=1");
    AUTO_FREE char *iterator = NULL;

    (void)state;
    (void)local_client_kinesis(client, "CreateStream",
                               "{\"StreamName\":\"s\",\"ShardCount\":1}");
    (void)local_client_kinesis(
        client, "GetShardIterator",
        "{\"StreamName\":\"s\",\"ShardId\":\"shardId-000000000000\","
        "\"ShardIteratorType\":\"LATEST\"}");
    iterator = mem_strdup(
        json_string_value(json_object_get(client->json, "ShardIterator")));
    (void)local_client_kinesis(client, "GetRecords",
                               "{\"ShardIterator\":\"%s\"}", iterator);
    assert_string_equal(client->code, "ExpiredIteratorException");
    (void)local_client_kinesis(client, "GetRecords",
                               "{\"ShardIterator\":\"%s\"}", iterator);
    assert_int_equal(client->status, 200);
    local_client_stop(client);
}

static void test_truncated_answer_is_no_json(void **state)
{
    struct local_client *client = start("ReceiveMessage:truncate");

    (void)state;
    send_text(client, "a body of some length");
    receive(client);
    assert_int_equal(client->status, 200);
    assert_true(client->answer.size > 20);
    assert_null(client->json);
    local_client_stop(client);
}

static void test_broken_md5(void **state)
{
    struct local_client *client = start("ReceiveMessage:broken_md5");

    (void)state;
    send_text(client, "x");
    receive(client);
    assert_string_equal(local_client_each(client, "Messages", "MD5OfBody"),
                        "00000000000000000000000000000000");
    local_client_stop(client);
}

static void test_empty_though_there_is_something(void **state)
{
    struct local_client *client = start("ReceiveMessage:empty:times=1");

    (void)state;
    send_text(client, "x");
    assert_string_equal(receive(client), "");
    assert_string_equal(receive(client), "x");
    local_client_stop(client);
}

// Latency is time on the server's clock, so it too can be moved over. The
// delayed request runs on a connection that the multi handle drives.
static void test_latency_holds_the_request_back(void **state)
{
    struct local_client *client = start("SendMessage:latency=3600000");
    struct local_client *slow = local_client_join(client);
    CURLM *multi = curl_multi_init();
    struct curl_slist *headers =
        curl_slist_append(NULL, "X-Amz-Target: AmazonSQS.SendMessage");
    AUTO_FREE char *url = mem_printf("http://127.0.0.1:%u/", client->port);
    int running = 1;

    (void)state;
    headers =
        curl_slist_append(headers, "Authorization: Credential= Signature=");
    curl_easy_setopt(slow->curl, CURLOPT_URL, url);
    curl_easy_setopt(slow->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(slow->curl, CURLOPT_POSTFIELDS,
                     "{" URL ",\"MessageBody\":\"late\"}");
    curl_multi_add_handle(multi, slow->curl);
    while (local_client_admin(client, "GET", "faults", NULL) &&
           json_integer_value(json_object_get(
               json_array_get(json_object_get(client->json, "faults"), 0),
               "hits")) == 0)
        curl_multi_perform(multi, &running);
    assert_int_equal(local_client_count(client, "q", "sent"), 0);
    local_client_advance(client, 3600000);
    while (running) {
        curl_multi_perform(multi, &running);
        curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    assert_int_equal(local_client_count(client, "q", "sent"), 1);
    curl_multi_remove_handle(multi, slow->curl);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    local_client_stop(slow);
    local_client_stop(client);
}

static void test_faults_come_and_go(void **state)
{
    struct local_client *client = start(NULL);

    (void)state;
    (void)local_client_admin(client, "POST", "faults",
                             "{\"faults\":[\"SendMessage:error=Odd\","
                             "\"*:latency=0\"],\"seed\":7}");
    assert_int_equal(client->status, 200);
    send_text(client, "x");
    assert_string_equal(client->code, "Odd");
    (void)local_client_admin(client, "GET", "faults", NULL);
    assert_string_equal(local_client_each(client, "faults", "fault"),
                        "SendMessage:error=Odd *:latency=0");
    (void)local_client_admin(client, "POST", "faults",
                             "{\"faults\":[\"*:html\",\"*:dance\"]}");
    assert_int_equal(client->status, 400);
    assert_string_equal(client->code, "ValidationException");
    (void)local_client_admin(client, "DELETE", "faults", NULL);
    send_text(client, "x");
    assert_int_equal(client->status, 200);
    (void)local_client_admin(client, "GET", "nothing", NULL);
    assert_int_equal(client->status, 404);
    (void)local_client_admin(client, "POST", "clock", "{\"advance_ms\":-1}");
    assert_int_equal(client->status, 400);
    local_client_stop(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drop_before_or_after_executing),
        cmocka_unit_test(test_receive_lost_on_the_way_stays_hidden),
        cmocka_unit_test(test_duplicates_are_the_same_message),
        cmocka_unit_test(test_some_entries_fail),
        cmocka_unit_test(test_some_records_fail),
        cmocka_unit_test(test_iterator_expires_at_once),
        cmocka_unit_test(test_truncated_answer_is_no_json),
        cmocka_unit_test(test_broken_md5),
        cmocka_unit_test(test_empty_though_there_is_something),
        cmocka_unit_test(test_latency_holds_the_request_back),
        cmocka_unit_test(test_faults_come_and_go),
    };

    curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL) +
           run_table("errors", error_cases, test_error);
}
