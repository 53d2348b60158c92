#include "aws/client.h"

#include <stdio.h>
#include <unistd.h>

#include "aws/aws_config.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http_server.h"
#include "test.h"

#define WAIT_MS 10000 // for what must happen soon

// Everything a test needs, set up plain; tests change what they are about.
struct fixture {
    struct http_server *server;
    char *folder;
    struct aws_config config;
    struct log log;
    struct aws_session *session;
    struct aws_client *client;
};

// What these tests are about comes from here alone.
static void clear_environment(void)
{
    static const char *const names[] = {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_SECURITY_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_ENDPOINT_URL_KINESIS",
        "AWS_ENDPOINT_URL_STS",
        "AWS_CA_BUNDLE",
        "AWS_ACCOUNT_ID",
        "http_proxy",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(unsetenv(names[i]), 0);
    assert_int_equal(setenv("AWS_CONFIG_FILE", "/nonexistent/config", 1), 0);
    assert_int_equal(
        setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials", 1),
        0);
}

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));

    clear_environment();
    assert_int_equal(setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1), 0);
    assert_int_equal(setenv("AWS_SECRET_ACCESS_KEY", "secret", 1), 0);
    f->folder = test_folder_create();
    f->server = http_server_create(NULL);
    f->config.endpoint_url = mem_strdup(http_server_url(f->server));
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    aws_client_destroy(f->client);
    aws_session_destroy(f->session);
    http_server_destroy(f->server);
    test_folder_remove(f->folder);
    free(f->config.endpoint_url);
    free(f);
    return 0;
}

static void open_client(struct fixture *f)
{
    struct error err = {0};

    f->session = aws_session_create(
        &(struct aws_session_options){
            .config = &f->config, .clock = clock_system(), .log = &f->log},
        &err);
    assert_ok(f->session, &err);
    f->client =
        aws_client_create(&(struct aws_client_options){.session = f->session,
                                                       .clock = clock_system(),
                                                       .log = &f->log,
                                                       .seed = 1});
}

static struct aws_request receive_request(void)
{
    struct aws_request request = {.service = AWS_SQS,
                                  .protocol = AWS_JSON_10,
                                  .operation = "ReceiveMessage"};

    buffer_init(&request.body, 1024);
    buffer_append_text(&request.body, "{\"QueueUrl\":\"q\"}");
    return request;
}

static void call(struct fixture *f, struct aws_reply *reply)
{
    struct aws_request request = receive_request();

    if (!f->client)
        open_client(f);
    (void)aws_client_call(f->client, &request, NULL, reply);
}

static void test_sends_a_signed_request_and_hands_out_the_answer(void **state)
{
    struct fixture *f = *state;
    struct aws_reply reply;
    char *request, *value;

    http_server_push(f->server,
                     &(struct http_answer){.headers = "Content-Type: a/b\r\n",
                                           .body = "{\"Messages\":[]}"});
    call(f, &reply);
    assert_ok(reply.ok, &reply.error);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.content_type, "a/b");
    assert_string_equal(buffer_text(&reply.body), "{\"Messages\":[]}");
    aws_reply_finish(&reply);

    request = http_server_request(f->server, 0);
    assert_memory_equal(request, "POST / HTTP/1.1\r\n", 17);
    assert_string_equal(http_request_body(request), "{\"QueueUrl\":\"q\"}");
    value = http_request_header(request, "Content-Type");
    assert_string_equal(value, "application/x-amz-json-1.0");
    free(value);
    value = http_request_header(request, "X-Amz-Target");
    assert_string_equal(value, "AmazonSQS.ReceiveMessage");
    free(value);
    value = http_request_header(request, "Authorization");
    assert_contains(value, "Credential=AKIDEXAMPLE/");
    assert_contains(value, "/us-east-1/sqs/aws4_request");
    assert_contains(value, "SignedHeaders=content-type;host;x-amz-date;"
                           "x-amz-target;x-amzn-query-mode");
    free(value);
    assert_null(http_request_header(request, "Expect"));
    free(request);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_sends_a_signed_request_and_hands_out_the_answer, set_up,
            tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
