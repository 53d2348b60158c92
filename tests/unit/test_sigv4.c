#include "aws/sigv4.h"

#include "base/clock.h"
#include "test.h"

#define SUITE_KEY "AKIDEXAMPLE"
#define SUITE_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define SUITE_TIME "20150830T123600Z"

#define HEADER(name_, value_)       \
    {                               \
        BYTES(name_), BYTES(value_) \
    }
#define SUITE_HOST HEADER("host", "example.amazonaws.com")
#define SUITE_DATE HEADER("x-amz-date", SUITE_TIME)

#define SQS_BODY                                                             \
    "{\"QueueUrl\":\"https://sqs.us-east-1.amazonaws.com/123456789012/q1\"," \
    "\"MaxNumberOfMessages\":10,\"WaitTimeSeconds\":20}"

// Rows named get-* and post-* are of AWS's published suite (aws-sig-v4-test-
// suite); "receive" was confirmed with botocore.
static struct sign_case {
    const char *name, *method, *path, *service, *body;
    struct sigv4_header headers[6];
    const char *signed_headers, *signature;
} cases[] = {
    {"get-vanilla",
     "GET",
     "/",
     "service",
     "",
     {SUITE_HOST, SUITE_DATE},
     "host;x-amz-date",
     "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
    {"post-vanilla",
     "POST",
     "/",
     "service",
     "",
     {SUITE_HOST, SUITE_DATE},
     "host;x-amz-date",
     "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
    {"post-x-www-form-urlencoded",
     "POST",
     "/",
     "service",
     "Param1=value1",
     {HEADER("content-type", "application/x-www-form-urlencoded"), SUITE_HOST,
      SUITE_DATE},
     "content-type;host;x-amz-date",
     "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
    {"get-header-value-trim",
     "GET",
     "/",
     "service",
     "",
     {SUITE_HOST, HEADER("my-header1", " value1"),
      HEADER("my-header2", " \"a   b   c\""), SUITE_DATE},
     "host;my-header1;my-header2;x-amz-date",
     "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
    {"get-unreserved",
     "GET",
     "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
     "service",
     "",
     {SUITE_HOST, SUITE_DATE},
     "host;x-amz-date",
     "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
    {"get-utf8",
     "GET",
     "/\xe1\x88\xb4",
     "service",
     "",
     {SUITE_HOST, SUITE_DATE},
     "host;x-amz-date",
     "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
    {"receive",
     "POST",
     "/",
     "sqs",
     SQS_BODY,
     {HEADER("content-type", "application/x-amz-json-1.0"),
      HEADER("host", "sqs.us-east-1.amazonaws.com"), SUITE_DATE,
      HEADER("x-amz-security-token", "TOKENEXAMPLE"),
      HEADER("x-amz-target", "AmazonSQS.ReceiveMessage")},
     "content-type;host;x-amz-date;x-amz-security-token;x-amz-target",
     "eb118c7f26a93f05ceeb2e01878135603407ff45a5ffaa4f6aa74e2a0a21a13a"},
};

static char *sign(struct sigv4 *sigv4, const struct sign_case *c,
                  const char *secret, const char *time, const char *region)
{
    struct buffer out;
    struct sigv4_request request = {.method = c->method,
                                    .path = bytes_of(c->path),
                                    .headers = c->headers,
                                    .body = bytes_of(c->body),
                                    .access_key = SUITE_KEY,
                                    .secret_key = secret,
                                    .region = region,
                                    .service = c->service,
                                    .time = time};

    while (c->headers[request.header_count].name.data)
        request.header_count++;
    buffer_init(&out, 4096);
    sigv4_sign(sigv4, &request, &out);
    assert_true(buffer_ok(&out));
    return buffer_detach(&out);
}

static void test_vectors(void **state)
{
    const struct sign_case *c = *state;
    struct sigv4 *sigv4 = sigv4_create();
    char *made = sign(sigv4, c, SUITE_SECRET, SUITE_TIME, "us-east-1");
    struct buffer wanted;

    buffer_init(&wanted, 4096);
    buffer_printf(&wanted,
                  "AWS4-HMAC-SHA256 Credential=" SUITE_KEY
                  "/20150830/us-east-1/%s/aws4_request, SignedHeaders=%s, "
                  "Signature=%s",
                  c->service, c->signed_headers, c->signature);
    assert_string_equal(made, buffer_text(&wanted));
    free(made);
    buffer_finish(&wanted);
    sigv4_destroy(sigv4);
}

// "PUT Object" of Amazon S3's API reference, signature calculations in the
// authorization header, single chunk. The path is signed as it is sent.
static void test_an_object_is_signed_as_s3_wants_it(void **state)
{
    static const struct sigv4_header headers[] = {
        HEADER("date", "Fri, 24 May 2013 00:00:00 GMT"),
        HEADER("host", "examplebucket.s3.amazonaws.com"),
        HEADER("x-amz-content-sha256",
               "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b0"
               "72"),
        HEADER("x-amz-date", "20130524T000000Z"),
        HEADER("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    };
    const struct sigv4_request request = {
        .method = "PUT",
        .path = BYTES("/test%24file.text"),
        .path_is_final = true,
        .headers = headers,
        .header_count = sizeof(headers) / sizeof(headers[0]),
        .body = BYTES("Welcome to Amazon S3."),
        .access_key = "AKIAIOSFODNN7EXAMPLE",
        .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        .region = "us-east-1",
        .service = "s3",
        .time = "20130524T000000Z"};
    struct sigv4 *sigv4 = sigv4_create();
    struct buffer out;

    (void)state;
    buffer_init(&out, 4096);
    sigv4_sign(sigv4, &request, &out);
    assert_contains(
        buffer_text(&out),
        "Signature="
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
    buffer_finish(&out);
    sigv4_destroy(sigv4);
}

// More scopes than keys are kept, twice over: a cached key is never used for
// another scope, and never goes stale.
static void test_cached_keys_give_the_signatures_of_fresh_ones(void **state)
{
    static const char *const secrets[] = {SUITE_SECRET, "other"};
    static const char *const times[] = {SUITE_TIME, "20150831T000000Z"};
    static const char *const regions[] = {"us-east-1", "eu-west-1"};
    struct sigv4 *kept = sigv4_create();

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        const char *secret = secrets[i & 1], *time = times[i >> 1 & 1],
                   *region = regions[i >> 2 & 1];
        struct sigv4 *fresh = sigv4_create();
        char *wanted = sign(fresh, &cases[0], secret, time, region);
        char *made = sign(kept, &cases[0], secret, time, region);
        char *again = sign(kept, &cases[0], secret, time, region);

        assert_string_equal(made, wanted);
        assert_string_equal(again, wanted);
        free(wanted);
        free(made);
        free(again);
        sigv4_destroy(fresh);
    }
    sigv4_destroy(kept);
}

static void test_time_is_utc(void **state)
{
    char text[SIGV4_TIME_SIZE];

    (void)state;
    sigv4_time(1440938160000, text);
    assert_string_equal(text, SUITE_TIME);
    sigv4_time(1440938160999, text);
    assert_string_equal(text, SUITE_TIME);
    sigv4_time(1795359600000, text);
    assert_string_equal(text, "20261122T150000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_object_is_signed_as_s3_wants_it),
        cmocka_unit_test(test_cached_keys_give_the_signatures_of_fresh_ones),
        cmocka_unit_test(test_time_is_utc),
    };

    return run_table("sigv4 vectors", cases, test_vectors) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
