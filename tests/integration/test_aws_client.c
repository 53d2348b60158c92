#include "aws/client.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "aws_environment.h"
#include "aws_fixture.h"
#include "base/clock.h"
#include "base/mem.h"
#include "test.h"
#include "text_file.h"

#define SOON_MS 10000 // more than enough for what must happen

#define JSON_ERROR(code_) "{\"__type\":\"" code_ "\",\"message\":\"why\"}"

static void push(struct aws_fixture *f, int status, const char *body)
{
    http_server_push(f->server,
                     &(struct http_answer){.status = status, .body = body});
}

static void push_fault(struct aws_fixture *f, enum http_fault fault)
{
    http_server_push(f->server,
                     &(struct http_answer){.body = "{}", .fault = fault});
}

static void call_fails(struct aws_fixture *f, enum error_code code,
                       const char *message_part)
{
    struct aws_reply reply;

    aws_fixture_call(f, &reply);
    assert_false(reply.ok);
    assert_string_equal(error_code_name(reply.error.code),
                        error_code_name(code));
    assert_contains(reply.error.message, message_part);
    aws_reply_finish(&reply);
}

static void call_works(struct aws_fixture *f)
{
    struct aws_reply reply;

    aws_fixture_call(f, &reply);
    assert_ok(reply.ok, &reply.error);
    aws_reply_finish(&reply);
}

// ---- requests and answers

static void test_sends_a_signed_request_and_hands_out_the_answer(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_reply reply;
    char *request;

    http_server_push(f->server,
                     &(struct http_answer){.headers = "Content-Type: a/b\r\n",
                                           .body = "{\"Messages\":[]}"});
    aws_fixture_call(f, &reply);
    assert_ok(reply.ok, &reply.error);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.content_type, "a/b");
    assert_string_equal(buffer_text(&reply.body), "{\"Messages\":[]}");
    assert_true(reply.received_ms >= reply.sent_ms);
    aws_reply_finish(&reply);

    request = http_server_request(f->server, 0);
    assert_memory_equal(request, "POST / HTTP/1.1\r\n", 17);
    assert_string_equal(http_request_body(request), "{\"QueueUrl\":\"q\"}");
    assert_null(http_request_header(request, "Expect"));
    free(request);
    assert_header(f->server, 0, "Content-Type", "application/x-amz-json-1.0");
    assert_header(f->server, 0, "X-Amz-Target", "AmazonSQS.ReceiveMessage");
    assert_header(f->server, 0, "x-amzn-query-mode", "true");
    assert_header_contains(f->server, 0, "User-Agent", "pollard/");
    assert_header_contains(f->server, 0, "Authorization",
                           "Credential=AKIDEXAMPLE/");
    assert_header_contains(f->server, 0, "Authorization",
                           "/us-east-1/sqs/aws4_request, SignedHeaders="
                           "content-type;host;x-amz-date;x-amz-target;"
                           "x-amzn-query-mode, Signature=");
}

static void test_a_session_token_is_sent_and_signed(void **state)
{
    struct aws_fixture *f = *state;

    aws_environment_set("AWS_SESSION_TOKEN", "TOKEN");
    call_works(f);
    assert_header(f->server, 0, "X-Amz-Security-Token", "TOKEN");
    assert_header_contains(f->server, 0, "Authorization",
                           "x-amz-date;x-amz-security-token;x-amz-target");
}

static void test_each_protocol_has_its_form(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_request cbor = {.service = AWS_KINESIS,
                               .protocol = AWS_CBOR_11,
                               .operation = "ListStreams"};
    struct aws_request query = {.service = AWS_SQS,
                                .protocol = AWS_QUERY,
                                .operation = "ListQueues",
                                .path = "/000000000000/q%20r"};
    struct aws_request json = {.service = AWS_KINESIS,
                               .protocol = AWS_JSON_11,
                               .operation = "ListStreams"};
    struct aws_reply reply;
    char *request;

    aws_fixture_open(f);
    (void)aws_client_call(f->client, &cbor, NULL, &reply);
    aws_reply_finish(&reply);
    (void)aws_client_call(f->client, &query, NULL, &reply);
    aws_reply_finish(&reply);
    (void)aws_client_call(f->client, &json, NULL, &reply);
    aws_reply_finish(&reply);

    assert_header(f->server, 0, "Content-Type", "application/x-amz-cbor-1.1");
    assert_header(f->server, 0, "Accept", "application/x-amz-cbor-1.1");
    assert_header(f->server, 0, "X-Amz-Target", "Kinesis_20131202.ListStreams");
    request = http_server_request(f->server, 0);
    assert_string_equal(http_request_body(request), "\xa0");
    free(request);

    request = http_server_request(f->server, 1);
    assert_memory_equal(request, "POST /000000000000/q%20r HTTP", 29);
    assert_string_equal(http_request_body(request),
                        "Action=ListQueues&Version=2012-11-05");
    assert_null(http_request_header(request, "X-Amz-Target"));
    free(request);

    request = http_server_request(f->server, 2);
    assert_string_equal(http_request_body(request), "{}");
    assert_null(http_request_header(request, "x-amzn-query-mode"));
    assert_null(http_request_header(request, "Accept"));
    free(request);
}

static struct aws_request document(bool is_foreign, const char *url)
{
    struct aws_request request = {.service = AWS_S3,
                                  .protocol = AWS_REST,
                                  .operation = "PutObject",
                                  .path = "/bucket/a/b",
                                  .rest = {.is_put = !is_foreign,
                                           .is_foreign = is_foreign,
                                           .url = url,
                                           .content_type = "application/json"}};

    buffer_init(&request.body, 1024);
    buffer_append_text(&request.body, "{\"a\":1}");
    return request;
}

static void test_a_document_is_put_with_its_checksum(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_request put = document(false, NULL);
    struct aws_reply reply;
    char *request;

    aws_fixture_open(f);
    assert_ok(aws_client_call(f->client, &put, NULL, &reply), &reply.error);
    aws_reply_finish(&reply);
    call_works(f); // on the same connection, posted again

    request = http_server_request(f->server, 0);
    assert_memory_equal(request, "PUT /bucket/a/b HTTP/1.1\r\n", 26);
    assert_string_equal(http_request_body(request), "{\"a\":1}");
    assert_null(http_request_header(request, "X-Amz-Target"));
    free(request);
    assert_header(f->server, 0, "Content-Type", "application/json");
    assert_header(f->server, 0, "x-amz-checksum-sha256",
                  "AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX+GI=");
    assert_header(
        f->server, 0, "x-amz-content-sha256",
        "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862");
    assert_header_contains(
        f->server, 0, "Authorization",
        "/us-east-1/s3/aws4_request, SignedHeaders=content-type;host;"
        "x-amz-checksum-sha256;x-amz-content-sha256;x-amz-date, Signature=");
    request = http_server_request(f->server, 1);
    assert_memory_equal(request, "POST / HTTP/1.1\r\n", 17);
    free(request);
    assert_int_equal(http_server_connections(f->server), 1);
}

static void test_a_foreign_url_gets_no_signature(void **state)
{
    struct aws_fixture *f = *state;
    char *url = mem_printf("%s/hook", http_server_url(f->server));
    struct aws_request post = document(true, url);
    struct aws_reply reply;
    char *request;

    push(f, 202, "<html>thanks</html>");
    aws_fixture_open(f);
    aws_client_send(f->client, &post);
    free(url); // it was copied
    while (!aws_client_next(f->client, &reply))
        aws_client_wait(f->client, SOON_MS);
    assert_ok(reply.ok, &reply.error);
    assert_int_equal(reply.status, 202);
    aws_reply_finish(&reply);
    request = http_server_request(f->server, 0);
    assert_memory_equal(request, "POST /hook HTTP/1.1\r\n", 21);
    assert_string_equal(http_request_body(request), "{\"a\":1}");
    assert_null(http_request_header(request, "Authorization"));
    assert_null(strstr(request, "x-amz-"));
    free(request);
}

static void test_a_foreign_refusal_is_not_about_our_credentials(void **state)
{
    struct aws_fixture *f = *state;
    char *url = mem_printf("%s/hook", http_server_url(f->server));
    struct aws_request post = document(true, url);
    struct aws_reply reply;

    push(f, 403, "{\"code\":\"ExpiredToken\",\"message\":\"no\"}");
    aws_fixture_open(f);
    assert_false(aws_client_call(f->client, &post, NULL, &reply));
    assert_contains(reply.error.message, "PutObject http://127.0.0.1:");
    assert_contains(reply.error.message, "/hook: ExpiredToken: no");
    assert_int_equal(http_server_count(f->server), 1);
    aws_reply_finish(&reply);
    free(url);
}

static void test_a_querys_own_action_is_left_alone(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_request query = {.protocol = AWS_QUERY,
                                .operation = "ListQueues"};
    struct aws_reply reply;
    char *request;

    aws_fixture_open(f);
    buffer_init(&query.body, 100);
    buffer_append_text(&query.body, "Action=A&Version=V");
    (void)aws_client_call(f->client, &query, NULL, &reply);
    aws_reply_finish(&reply);
    buffer_init(&query.body, 100);
    buffer_append_text(&query.body, "QueueUrl=u");
    (void)aws_client_call(f->client, &query, NULL, &reply);
    aws_reply_finish(&reply);
    request = http_server_request(f->server, 0);
    assert_string_equal(http_request_body(request), "Action=A&Version=V");
    free(request);
    request = http_server_request(f->server, 1);
    assert_string_equal(http_request_body(request),
                        "Action=ListQueues&Version=2012-11-05&QueueUrl=u");
    free(request);
}

static void test_connections_are_reused(void **state)
{
    struct aws_fixture *f = *state;

    for (int i = 0; i < 5; i++)
        call_works(f);
    assert_int_equal(http_server_connections(f->server), 1);
}

static void test_a_server_that_closes_each_connection_is_fine(void **state)
{
    struct aws_fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        push_fault(f, HTTP_CLOSE);
        call_works(f);
    }
    assert_int_equal(http_server_connections(f->server), 3);
}

static void test_a_chunked_answer_is_whole(void **state)
{
    struct aws_fixture *f = *state;
    char *body = mem_calloc(100001, 1);
    struct aws_reply reply;

    memset(body, ' ', 100000);
    http_server_push(
        f->server, &(struct http_answer){.body = body, .fault = HTTP_CHUNKED});
    aws_fixture_call(f, &reply);
    assert_ok(reply.ok, &reply.error);
    assert_int_equal(reply.body.size, 100000);
    aws_reply_finish(&reply);
    free(body);
}

// ---- failures and retries

static void test_server_errors_are_tried_again(void **state)
{
    struct aws_fixture *f = *state;

    push(f, 500, "");
    push(f, 503, JSON_ERROR("ServiceUnavailable"));
    call_works(f);
    assert_int_equal(http_server_count(f->server), 3);
}

static void test_attempts_have_an_end(void **state)
{
    struct aws_fixture *f = *state;

    for (int i = 0; i < 6; i++)
        http_server_push(f->server, &(struct http_answer){
                                        .status = 500,
                                        .headers = "x-amzn-RequestId: r-1\r\n",
                                        .body = JSON_ERROR("InternalFailure")});
    call_fails(f, ERROR_TRANSIENT, "ReceiveMessage http://127.0.0.1:");
    assert_int_equal(http_server_count(f->server), 3);
    call_fails(f, ERROR_TRANSIENT, ": InternalFailure: why [request r-1]");
}

static void test_attempts_can_be_set(void **state)
{
    struct aws_fixture *f = *state;

    aws_environment_set("AWS_MAX_ATTEMPTS", "2");
    for (int i = 0; i < 3; i++)
        push(f, 500, "");
    call_fails(f, ERROR_TRANSIENT, "HTTP 500 with an empty body");
    assert_int_equal(http_server_count(f->server), 2);
}

static struct refusal_case {
    const char *name;
    int status;
    const char *body;
    enum error_code reaction;
    const char *code, *message;
    bool not_json;
} refusals[] = {
    {"no such queue", 400, JSON_ERROR("com.amazonaws.sqs#QueueDoesNotExist"),
     ERROR_NOT_FOUND, "QueueDoesNotExist", "QueueDoesNotExist: why", false},
    {"access denied", 403, JSON_ERROR("AccessDeniedException"), ERROR_DENIED,
     "AccessDeniedException", "(credentials from the environment)", false},
    {"wrong credentials", 403, JSON_ERROR("UnrecognizedClientException"),
     ERROR_DENIED, "UnrecognizedClientException",
     "(credentials from the environment)", false},
    {"expired credentials", 403, JSON_ERROR("ExpiredTokenException"),
     ERROR_DENIED, "ExpiredTokenException",
     "(credentials from the environment)", false},
    {"wrong region", 403,
     "{\"__type\":\"InvalidSignatureException\",\"message\":\"Credential "
     "should be scoped to a valid region, not 'us-east-1'.\"}",
     ERROR_DENIED, "InvalidSignatureException",
     "(the region in use is us-east-1: aws.region, AWS_REGION)", false},
    {"HTML", 404, "<html><body>Not Found</body></html>", ERROR_INVALID, "",
     "HTTP 404 with an HTML page; this is not an AWS-compatible endpoint",
     true},
    {"HTML under status 200", 200, "<!DOCTYPE html><html>", ERROR_INVALID, "",
     "HTTP 200 with an HTML page; this is not an AWS-compatible endpoint",
     true},
    {"an error under status 200", 200, JSON_ERROR("QueueDoesNotExist"),
     ERROR_NOT_FOUND, "QueueDoesNotExist", "QueueDoesNotExist: why", false},
    {"a redirect", 301, "", ERROR_INVALID, "",
     "redirects are not followed, the endpoint must be the final address",
     false},
    {"half an error", 400, "{\"__type\":\"Qu", ERROR_INVALID, "",
     "HTTP 400 with a JSON body without an error code", false},
};

static void test_refusal(void **state)
{
    const struct refusal_case *c = *state;
    struct aws_fixture *f;
    struct aws_reply reply;
    void *fixture;

    (void)aws_fixture_set_up(&fixture);
    f = fixture;
    push(f, c->status, c->body);
    aws_fixture_call(f, &reply);
    assert_false(reply.ok);
    assert_int_equal(reply.status, c->status);
    assert_string_equal(error_code_name(reply.error.code),
                        error_code_name(c->reaction));
    assert_string_equal(reply.code, c->code);
    assert_contains(reply.error.message, c->message);
    assert_int_equal(reply.not_json, c->not_json);
    assert_int_equal(http_server_count(f->server), 1);
    aws_reply_finish(&reply);
    (void)aws_fixture_tear_down(&fixture);
}

static void test_dropped_connections_are_tried_again(void **state)
{
    struct aws_fixture *f = *state;

    push_fault(f, HTTP_DROP);
    push_fault(f, HTTP_CUT);
    call_works(f);
    assert_int_equal(http_server_count(f->server), 3);
}

static void test_an_answer_cut_off_is_an_error(void **state)
{
    struct aws_fixture *f = *state;

    for (int i = 0; i < 3; i++)
        push_fault(f, HTTP_CUT);
    call_fails(f, ERROR_TRANSIENT, "the answer was cut off");
}

// The server's goodbye crossed our request: no attempt is used up.
static void test_a_dead_kept_connection_costs_no_attempt(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_request request = aws_fixture_request();
    struct aws_reply reply;

    call_works(f);
    push_fault(f, HTTP_DROP);
    request.max_attempts = 1;
    (void)aws_client_call(f->client, &request, NULL, &reply);
    assert_ok(reply.ok, &reply.error);
    assert_int_equal(http_server_connections(f->server), 2);
    aws_reply_finish(&reply);
}

static void test_garbage_instead_of_http_is_an_error(void **state)
{
    struct aws_fixture *f = *state;

    http_server_push(f->server,
                     &(struct http_answer){.body = "SSH-2.0-OpenSSH\r\n",
                                           .fault = HTTP_RAW});
    call_fails(f, ERROR_INVALID, "the server does not speak HTTP");
}

static void test_refused_connections_say_so(void **state)
{
    struct aws_fixture *f = *state;

    http_server_destroy(f->server);
    f->server = NULL;
    call_fails(f, ERROR_TRANSIENT, "cannot connect: Connection refused");
}

static void test_silence_ends_at_the_timeout(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_request request = aws_fixture_request();
    struct aws_reply reply;

    aws_fixture_open(f);
    push_fault(f, HTTP_HOLD);
    request.timeout_ms = 20;
    request.max_attempts = 1;
    (void)aws_client_call(f->client, &request, NULL, &reply);
    assert_false(reply.ok);
    assert_int_equal(reply.error.code, ERROR_TRANSIENT);
    assert_int_equal(reply.status, 0);
    aws_reply_finish(&reply);
}

static void test_a_body_over_the_limit_is_refused(void **state)
{
    struct aws_fixture *f = *state;
    char *body = mem_calloc(10001, 1);

    memset(body, ' ', 10000);
    f->config.response_limit = 9999;
    http_server_push(f->server, &(struct http_answer){.body = body});
    http_server_push(
        f->server, &(struct http_answer){.body = body, .fault = HTTP_CHUNKED});
    call_fails(f, ERROR_INVALID, "answer over 9999 bytes");
    call_fails(f, ERROR_INVALID, "answer over 9999 bytes");
    assert_int_equal(http_server_count(f->server), 2); // not tried again
    free(body);
}

static void test_a_body_at_the_limit_is_taken(void **state)
{
    struct aws_fixture *f = *state;
    char *body = mem_calloc(10001, 1);

    memset(body, ' ', 10000);
    f->config.response_limit = 10000;
    http_server_push(f->server, &(struct http_answer){.body = body});
    call_works(f);
    free(body);
}

// A hint of an hour stretches the delay by five seconds: the call waits, until
// it is told not to.
static void test_retries_can_be_ended(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_request request = aws_fixture_request();
    struct aws_reply reply;
    int owner;

    aws_fixture_open(f);
    http_server_push(f->server, &(struct http_answer){
                                    .status = 400,
                                    .headers = "x-amz-retry-after: 3600000\r\n",
                                    .body = JSON_ERROR("ThrottlingException")});
    request.owner = &owner;
    aws_client_send(f->client, &request);
    while (!http_server_count(f->server))
        aws_client_wait(f->client, 1);
    for (int i = 0; i < 20; i++)
        aws_client_wait(f->client, 1);
    assert_false(aws_client_next(f->client, &reply));
    assert_int_equal(aws_client_pending(f->client, &owner), 1);
    assert_int_equal(aws_client_pending(f->client, NULL), 0);

    aws_client_no_more_retries(f->client, &owner);
    assert_true(aws_client_next(f->client, &reply));
    assert_int_equal(reply.error.code, ERROR_THROTTLED);
    assert_string_equal(reply.code, "ThrottlingException");
    assert_int_equal(aws_client_pending(f->client, &owner), 0);
    aws_reply_finish(&reply);

    push(f, 500, "");
    request = aws_fixture_request();
    request.owner = &owner;
    (void)aws_client_call(f->client, &request, NULL, &reply);
    assert_int_equal(reply.error.code, ERROR_TRANSIENT);
    assert_int_equal(http_server_count(f->server), 2);
    aws_reply_finish(&reply);
}

// ---- clock

static void http_date(int64_t ahead_s, char text[64])
{
    time_t then = time(NULL) + ahead_s;
    struct tm parts;

    assert_true(strftime(text, 64, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n",
                         gmtime_r(&then, &parts)) > 0);
}

static int64_t signed_at(struct aws_fixture *f, size_t index)
{
    char *request = http_server_request(f->server, index);
    char *date = http_request_header(request, "X-Amz-Date");
    struct tm parts = {0};

    assert_non_null(strptime(date, "%Y%m%dT%H%M%SZ", &parts));
    free(date);
    free(request);
    return timegm(&parts);
}

static void test_a_refusal_by_clock_is_tried_with_the_servers_time(void **state)
{
    struct aws_fixture *f = *state;
    char date[64];

    http_date(3600, date);
    http_server_push(
        f->server,
        &(struct http_answer){.status = 403,
                              .headers = date,
                              .body = JSON_ERROR("InvalidSignatureException")});
    call_works(f);
    assert_int_equal(http_server_count(f->server), 2);
    assert_in_range(signed_at(f, 1) - signed_at(f, 0), 3590, 3610);
    call_works(f); // and stays corrected
    assert_in_range(signed_at(f, 2) - signed_at(f, 0), 3590, 3620);
}

static void test_a_refusal_at_the_right_time_stands(void **state)
{
    struct aws_fixture *f = *state;
    char date[64];

    http_date(60, date);
    http_server_push(
        f->server,
        &(struct http_answer){.status = 403,
                              .headers = date,
                              .body = JSON_ERROR("SignatureDoesNotMatch")});
    call_fails(f, ERROR_DENIED, "SignatureDoesNotMatch: why");
    assert_int_equal(http_server_count(f->server), 1);
}

static void test_skew_correction_can_be_turned_off(void **state)
{
    struct aws_fixture *f = *state;
    char date[64];

    aws_environment_set("AWS_DISABLE_CLOCK_SKEW_CORRECTION", "true");
    http_date(3600, date);
    http_server_push(
        f->server,
        &(struct http_answer){.status = 403,
                              .headers = date,
                              .body = JSON_ERROR("InvalidSignatureException")});
    call_fails(f, ERROR_DENIED, "InvalidSignatureException");
    assert_int_equal(http_server_count(f->server), 1);
}

// ---- TLS

static void serve_tls(struct aws_fixture *f, char **certificate)
{
    *certificate = mem_printf("%s/certificate.pem", f->folder);
    http_certificate_write(*certificate);
    http_server_destroy(f->server);
    f->server = http_server_create(*certificate);
    free(f->config.endpoint_url);
    f->config.endpoint_url = mem_strdup(http_server_url(f->server));
}

static void test_an_unknown_ca_is_refused_with_advice(void **state)
{
    struct aws_fixture *f = *state;
    char *certificate;

    serve_tls(f, &certificate);
    call_fails(f, ERROR_INVALID, "aws.ca_bundle or AWS_CA_BUNDLE");
    assert_int_equal(http_server_count(f->server), 0);
    assert_int_equal(http_server_connections(f->server), 1); // tried once
    free(certificate);
}

static void test_a_ca_bundle_is_trusted(void **state)
{
    struct aws_fixture *f = *state;

    serve_tls(f, &f->config.ca_bundle);
    call_works(f);
    call_works(f);
    assert_int_equal(http_server_connections(f->server), 1);
}

static void test_the_certificates_name_must_match(void **state)
{
    struct aws_fixture *f = *state;
    const char *port;

    serve_tls(f, &f->config.ca_bundle);
    port = strrchr(http_server_url(f->server), ':');
    free(f->config.endpoint_url);
    f->config.endpoint_url = mem_printf("https://localhost%s", port);
    call_fails(f, ERROR_INVALID, "certificate is not trusted");
}

static void test_tls_to_a_plain_port_is_explained(void **state)
{
    struct aws_fixture *f = *state;
    const char *port = strrchr(http_server_url(f->server), ':');

    free(f->config.endpoint_url);
    f->config.endpoint_url = mem_printf("https://127.0.0.1%s", port);
    push_fault(f, HTTP_CLOSE);
    call_fails(f, ERROR_INVALID, "does not speak TLS");
}

// ---- several calls, several threads

static void test_cancelled_calls_come_back_stopped(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_request request;
    struct aws_reply reply;
    int a, b;

    aws_fixture_open(f);
    for (int i = 0; i < 2; i++)
        push_fault(f, HTTP_HOLD);
    request = aws_fixture_request();
    request.owner = &a;
    request.kind = 7;
    aws_client_send(f->client, &request);
    request = aws_fixture_request();
    request.owner = &b;
    aws_client_send(f->client, &request);
    while (http_server_count(f->server) < 2)
        aws_client_wait(f->client, 1);

    aws_client_cancel(f->client, &a);
    assert_int_equal(aws_client_pending(f->client, &a), 0);
    assert_int_equal(aws_client_pending(f->client, &b), 1);
    assert_true(aws_client_next(f->client, &reply));
    assert_ptr_equal(reply.owner, &a);
    assert_int_equal(reply.kind, 7);
    assert_int_equal(reply.error.code, ERROR_STOPPED);
    aws_reply_finish(&reply);

    http_server_release(f->server);
    aws_client_wait(f->client, SOON_MS);
    assert_true(aws_client_next(f->client, &reply));
    assert_ptr_equal(reply.owner, &b);
    assert_ok(reply.ok, &reply.error);
    aws_reply_finish(&reply);
}

static void test_destroy_cuts_off_what_is_in_flight(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_request request = aws_fixture_request();

    aws_fixture_open(f);
    push_fault(f, HTTP_HOLD);
    aws_client_send(f->client, &request);
    push(f, 200, "{}");
    request = aws_fixture_request();
    aws_client_send(f->client, &request);
    while (http_server_count(f->server) < 2)
        aws_client_wait(f->client, 1);
}

static void test_a_call_leaves_the_replies_of_others(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_request request = aws_fixture_request();
    struct aws_reply reply;
    int owner;

    aws_fixture_open(f);
    request.owner = &owner;
    aws_client_send(f->client, &request);
    aws_client_wait(f->client, SOON_MS);
    call_works(f);
    assert_true(aws_client_next(f->client, &reply));
    assert_ptr_equal(reply.owner, &owner);
    aws_reply_finish(&reply);
    assert_false(aws_client_next(f->client, &reply));
}

static void *wake_when_asked(void *context)
{
    struct aws_fixture *f = context;

    if (http_server_await(f->server, 1))
        aws_client_wake(f->client);
    return NULL;
}

static void *release_soon(void *context)
{
    struct aws_fixture *f = context;

    http_server_release(f->server);
    return NULL;
}

static void test_wake_ends_the_wait_from_another_thread(void **state)
{
    struct aws_fixture *f = *state;
    struct aws_request request = aws_fixture_request();
    struct aws_reply reply;
    pthread_t thread;

    aws_fixture_open(f);
    push_fault(f, HTTP_HOLD);
    aws_client_send(f->client, &request);
    assert_int_equal(pthread_create(&thread, NULL, wake_when_asked, f), 0);
    aws_client_wait(f->client, CLOCK_NEVER / 2);
    assert_false(aws_client_next(f->client, &reply));
    pthread_join(thread, NULL);

    aws_client_wake(f->client); // also one that comes before the wait
    aws_client_wait(f->client, CLOCK_NEVER / 2);

    // Each of them ended one wait: the next one ends with the answer.
    assert_int_equal(pthread_create(&thread, NULL, release_soon, f), 0);
    aws_client_wait(f->client, SOON_MS);
    assert_true(aws_client_next(f->client, &reply));
    aws_reply_finish(&reply);
    pthread_join(thread, NULL);
}

struct stopper {
    struct aws_fixture *f;
    bool stop;
};

static void *stop_when_asked(void *context)
{
    struct stopper *stopper = context;

    if (http_server_await(stopper->f->server, 1)) {
        __atomic_store_n(&stopper->stop, true, __ATOMIC_RELEASE);
        aws_client_wake(stopper->f->client);
    }
    return NULL;
}

static void test_a_call_can_be_stopped_from_another_thread(void **state)
{
    struct aws_fixture *f = *state;
    struct stopper stopper = {.f = f};
    struct aws_request request = aws_fixture_request();
    struct aws_reply reply;
    pthread_t thread;

    aws_fixture_open(f);
    push_fault(f, HTTP_HOLD);
    assert_int_equal(pthread_create(&thread, NULL, stop_when_asked, &stopper),
                     0);
    assert_false(aws_client_call(f->client, &request, &stopper.stop, &reply));
    assert_int_equal(reply.error.code, ERROR_STOPPED);
    aws_reply_finish(&reply);
    pthread_join(thread, NULL);
    aws_client_wait(f->client, CLOCK_NEVER / 2); // the wake is not lost
}

static void *call_many_times(void *context)
{
    struct aws_fixture *shared = context;
    struct aws_fixture own = {
        .session = shared->session,
        .client = aws_client_create(
            &(struct aws_client_options){.session = shared->session,
                                         .clock = clock_system(),
                                         .log = &shared->log,
                                         .seed = 1})};
    struct aws_reply reply;
    size_t failed = 0;

    for (int i = 0; i < 20; i++) {
        aws_fixture_call(&own, &reply);
        failed += !reply.ok;
        aws_reply_finish(&reply);
    }
    aws_client_destroy(own.client);
    return (void *)failed;
}

// What the threads share: session, DNS and TLS sessions, trusted CAs, and
// credentials of a process, which all of them wait for.
static void test_clients_of_many_threads_share_a_session(void **state)
{
    struct aws_fixture *f = *state;
    struct error err = {0};
    char *config = text_file_write(
        f->folder, "config",
        "[default]\ncredential_process = echo '{\"Version\":1,"
        "\"AccessKeyId\":\"PROCESS\",\"SecretAccessKey\":\"s\"}'\n");
    pthread_t threads[6];
    void *failed;

    aws_environment_set("AWS_ACCESS_KEY_ID", NULL);
    aws_environment_set("AWS_SECRET_ACCESS_KEY", NULL);
    aws_environment_set("AWS_CONFIG_FILE", config);
    serve_tls(f, &f->config.ca_bundle);
    assert_ok(aws_fixture_open_session(f, &err), &err);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_many_times, f),
                         0);
    for (size_t i = 0; i < 6; i++) {
        pthread_join(threads[i], &failed);
        assert_int_equal((size_t)failed, 0);
    }
    assert_header_contains(f->server, 0, "Authorization",
                           "Credential=PROCESS/");
    assert_int_equal(http_server_count(f->server), 120);
    assert_int_equal(http_server_connections(f->server), 6);
    free(config);
}

#define WITH_SERVER(test_)                                     \
    cmocka_unit_test_setup_teardown(test_, aws_fixture_set_up, \
                                    aws_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_sends_a_signed_request_and_hands_out_the_answer),
        WITH_SERVER(test_a_session_token_is_sent_and_signed),
        WITH_SERVER(test_each_protocol_has_its_form),
        WITH_SERVER(test_a_document_is_put_with_its_checksum),
        WITH_SERVER(test_a_foreign_url_gets_no_signature),
        WITH_SERVER(test_a_foreign_refusal_is_not_about_our_credentials),
        WITH_SERVER(test_a_querys_own_action_is_left_alone),
        WITH_SERVER(test_connections_are_reused),
        WITH_SERVER(test_a_server_that_closes_each_connection_is_fine),
        WITH_SERVER(test_a_chunked_answer_is_whole),
        WITH_SERVER(test_server_errors_are_tried_again),
        WITH_SERVER(test_attempts_have_an_end),
        WITH_SERVER(test_attempts_can_be_set),
        WITH_SERVER(test_dropped_connections_are_tried_again),
        WITH_SERVER(test_an_answer_cut_off_is_an_error),
        WITH_SERVER(test_a_dead_kept_connection_costs_no_attempt),
        WITH_SERVER(test_garbage_instead_of_http_is_an_error),
        WITH_SERVER(test_refused_connections_say_so),
        WITH_SERVER(test_silence_ends_at_the_timeout),
        WITH_SERVER(test_a_body_over_the_limit_is_refused),
        WITH_SERVER(test_a_body_at_the_limit_is_taken),
        WITH_SERVER(test_retries_can_be_ended),
        WITH_SERVER(test_a_refusal_by_clock_is_tried_with_the_servers_time),
        WITH_SERVER(test_a_refusal_at_the_right_time_stands),
        WITH_SERVER(test_skew_correction_can_be_turned_off),
        WITH_SERVER(test_an_unknown_ca_is_refused_with_advice),
        WITH_SERVER(test_a_ca_bundle_is_trusted),
        WITH_SERVER(test_the_certificates_name_must_match),
        WITH_SERVER(test_tls_to_a_plain_port_is_explained),
        WITH_SERVER(test_cancelled_calls_come_back_stopped),
        WITH_SERVER(test_destroy_cuts_off_what_is_in_flight),
        WITH_SERVER(test_a_call_leaves_the_replies_of_others),
        WITH_SERVER(test_wake_ends_the_wait_from_another_thread),
        WITH_SERVER(test_a_call_can_be_stopped_from_another_thread),
        WITH_SERVER(test_clients_of_many_threads_share_a_session),
    };

    return run_table("refusals", refusals, test_refusal) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
