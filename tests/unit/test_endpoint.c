#include "aws/endpoint.h"

#include <stdio.h>

#include "aws/aws_config.h"
#include "aws/profiles.h"
#include "aws_environment.h"
#include "base/mem.h"
#include "test.h"
#include "text_file.h"

static struct compute_case {
    const char *name;
    enum aws_service service;
    const char *region;
    struct endpoint_kind kind;
    const char *url;
} computes[] = {
    {"plain", AWS_SQS, "eu-west-1", {0}, "https://sqs.eu-west-1.amazonaws.com"},
    {"china",
     AWS_KINESIS,
     "cn-north-1",
     {0},
     "https://kinesis.cn-north-1.amazonaws.com.cn"},
    {"european sovereign",
     AWS_SQS,
     "eusc-de-east-1",
     {0},
     "https://sqs.eusc-de-east-1.amazonaws.eu"},
    {"iso",
     AWS_SQS,
     "us-iso-east-1",
     {0},
     "https://sqs.us-iso-east-1.c2s.ic.gov"},
    {"isob",
     AWS_SQS,
     "us-isob-east-1",
     {0},
     "https://sqs.us-isob-east-1.sc2s.sgov.gov"},
    {"dual stack",
     AWS_SQS,
     "eu-west-1",
     {.dual_stack = true},
     "https://sqs.eu-west-1.api.aws"},
    {"fips",
     AWS_KINESIS,
     "us-east-1",
     {.fips = true},
     "https://kinesis-fips.us-east-1.amazonaws.com"},
    {"govcloud is fips already",
     AWS_STS,
     "us-gov-west-1",
     {.fips = true},
     "https://sts.us-gov-west-1.amazonaws.com"},
    {"govcloud, both",
     AWS_SQS,
     "us-gov-west-1",
     {true, true},
     "https://sqs-fips.us-gov-west-1.api.aws"},
    {"topics",
     AWS_SNS,
     "eu-west-1",
     {0},
     "https://sns.eu-west-1.amazonaws.com"},
    {"buckets", AWS_S3, "eu-west-1", {0}, "https://s3.eu-west-1.amazonaws.com"},
    {"buckets, dual stack",
     AWS_S3,
     "eu-west-1",
     {.dual_stack = true},
     "https://s3.dualstack.eu-west-1.amazonaws.com"},
    {"buckets, both",
     AWS_S3,
     "us-east-1",
     {true, true},
     "https://s3-fips.dualstack.us-east-1.amazonaws.com"},
    {"buckets in govcloud are not fips already",
     AWS_S3,
     "us-gov-west-1",
     {.fips = true},
     "https://s3-fips.us-gov-west-1.amazonaws.com"},
};

static void test_compute(void **state)
{
    const struct compute_case *c = *state;
    char *url = endpoint_compute(c->service, c->region, c->kind);

    assert_string_equal(url, c->url);
    free(url);
}

static struct parse_case {
    const char *name, *text;
    const char *url, *host, *path; // url NULL: refused
    bool is_aws;
} parses[] = {
    {"host and port", "http://127.0.0.1:9324", "http://127.0.0.1:9324",
     "127.0.0.1:9324", "", false},
    {"a slash at the end", "http://localhost:4566/", "http://localhost:4566",
     "localhost:4566", "", false},
    {"the default port is left out", "https://sqs.eu-west-1.amazonaws.com:443",
     "https://sqs.eu-west-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com", "",
     true},
    {"a path prefix", "http://gateway/aws/sqs/", "http://gateway/aws/sqs",
     "gateway", "/aws/sqs", false},
    {"IPv6", "http://[::1]:80", "http://[::1]", "[::1]", "", false},
    {"a name that only looks like AWS", "https://sqs.notamazonaws.com",
     "https://sqs.notamazonaws.com", "sqs.notamazonaws.com", "", false},
    {"no scheme", "localhost:9324", NULL, NULL, NULL, false},
    {"another scheme", "ftp://localhost", NULL, NULL, NULL, false},
    {"a password", "http://a:b@localhost", NULL, NULL, NULL, false},
    {"a query", "http://localhost/?a=b", NULL, NULL, NULL, false},
    {"a line break", "http://localhost\r\nX: y", NULL, NULL, NULL, false},
    {"nothing", "", NULL, NULL, NULL, false},
};

static void test_parse(void **state)
{
    const struct parse_case *c = *state;
    struct endpoint endpoint;
    struct error err = {0};
    bool ok = endpoint_parse(c->text, &endpoint, &err);

    if (c->url) {
        assert_ok(ok, &err);
        assert_string_equal(endpoint.url, c->url);
        assert_string_equal(endpoint.host, c->host);
        assert_string_equal(endpoint.path, c->path);
        assert_int_equal(endpoint.is_aws, c->is_aws);
    } else {
        assert_fails(ok, &err, ERROR_INVALID);
    }
    endpoint_finish(&endpoint);
}

// Each row takes away what the row before found.
static void test_configured_urls_are_found_in_the_sdks_order(void **state)
{
    char *folder = test_folder_create();
    char *path = text_file_write(
        folder, "config",
        "[default]\nservices = s\nendpoint_url = http://profile\n"
        "[services s]\nsqs =\n  endpoint_url = http://services\n");
    struct error err = {0};
    struct aws_config config = {
        .endpoint_url = mem_strdup("http://all"),
        .endpoint_urls = {.sqs = mem_strdup("http://ours")}};
    struct endpoint_places places = {.config = &config,
                                     .profiles =
                                         profiles_load(path, NULL, &err),
                                     .profile = "default",
                                     .region = "eu-west-1"};

    (void)state;
    aws_environment_clear();
    aws_environment_set("AWS_ENDPOINT_URL_SQS", "http://environment-sqs");
    aws_environment_set("AWS_ENDPOINT_URL", "http://environment");
    assert_string_equal(endpoint_configured(&places, AWS_SQS), "http://ours");
    assert_string_equal(endpoint_configured(&places, AWS_KINESIS),
                        "http://all");
    free(config.endpoint_urls.sqs);
    config.endpoint_urls.sqs = NULL;
    assert_string_equal(endpoint_configured(&places, AWS_SQS), "http://all");
    free(config.endpoint_url);
    config.endpoint_url = NULL;
    assert_string_equal(endpoint_configured(&places, AWS_SQS),
                        "http://environment-sqs");
    aws_environment_set("AWS_ENDPOINT_URL_SQS", NULL);
    assert_string_equal(endpoint_configured(&places, AWS_SQS),
                        "http://environment");
    aws_environment_set("AWS_ENDPOINT_URL", NULL);
    assert_string_equal(endpoint_configured(&places, AWS_SQS),
                        "http://services");
    assert_string_equal(endpoint_configured(&places, AWS_KINESIS),
                        "http://profile");
    aws_environment_set("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    assert_null(endpoint_configured(&places, AWS_SQS));
    profiles_destroy((struct profiles *)(uintptr_t)places.profiles);
    test_folder_remove(folder);
    free(path);
}

static void test_a_region_must_fit_into_a_host_name(void **state)
{
    const struct aws_config config = {0};
    struct error err = {0};
    struct profiles *profiles = profiles_load(NULL, NULL, &err);
    struct endpoint_places places = {.config = &config,
                                     .profiles = profiles,
                                     .profile = "default",
                                     .region = "evil.example/x"};
    struct endpoint endpoint = {0};

    (void)state;
    aws_environment_clear();
    assert_fails(endpoint_find(&places, AWS_SQS, &endpoint, &err), &err,
                 ERROR_INVALID);
    places.region = "eu-west-1";
    aws_environment_set("AWS_USE_DUALSTACK_ENDPOINT", "true");
    assert_ok(endpoint_find(&places, AWS_SQS, &endpoint, &err), &err);
    assert_string_equal(endpoint.url, "https://sqs.eu-west-1.api.aws");
    assert_false(endpoint.is_custom);
    endpoint_finish(&endpoint);
    profiles_destroy(profiles);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configured_urls_are_found_in_the_sdks_order),
        cmocka_unit_test(test_a_region_must_fit_into_a_host_name),
    };

    return run_table("computed", computes, test_compute) +
           run_table("parsed", parses, test_parse) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
