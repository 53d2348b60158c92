#include "aws/aws_config.h"

#include <string.h>

#include "aws/resource.h"
#include "base/error.h"

static const struct choice protocols[] = {
    {"auto", AWS_SQS_AUTO},
    {"json", AWS_SQS_JSON},
    {"query", AWS_SQS_QUERY},
    {0},
};

static const struct field endpoint_fields[] = {
    {"sqs", FIELD_STRING(struct aws_config, endpoint_urls.sqs), .alias = "SQS",
     .help = "The server for SQS."},
    {"kinesis", FIELD_STRING(struct aws_config, endpoint_urls.kinesis),
     .help = "The server for Kinesis."},
    {"sts", FIELD_STRING(struct aws_config, endpoint_urls.sts), .alias = "STS",
     .help = "The server for STS, which hands out the credentials of roles."},
    {"dynamodb_streams",
     FIELD_STRING(struct aws_config, endpoint_urls.dynamodb_streams),
     .alias = "DynamoDBStreams", .help = "The server for DynamoDB Streams."},
    {"sns", FIELD_STRING(struct aws_config, endpoint_urls.sns), .alias = "SNS",
     .help = "The server for SNS, for reports of discarded batches."},
    {"s3", FIELD_STRING(struct aws_config, endpoint_urls.s3), .alias = "S3",
     .help = "The server for S3, for reports of discarded batches; the bucket "
             "is then in the path."},
    {0},
};

const struct field aws_config_fields[] = {
    {"region", FIELD_STRING(struct aws_config, region),
     .otherwise = "`AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's; "
                  "`us-east-1` with an endpoint of your own",
     .help = "The region that requests are signed for."},
    {"profile", FIELD_STRING(struct aws_config, profile),
     .otherwise = "`AWS_PROFILE`, or `default`",
     .help = "The profile of `~/.aws/config` and `~/.aws/credentials` to use."},
    {"endpoint_url", FIELD_STRING(struct aws_config, endpoint_url),
     .alias = "EndpointURL",
     .otherwise = "`AWS_ENDPOINT_URL`, the profile's, or AWS itself",
     .help = "One server for all services (ElasticMQ, moto, `pollard local`, a "
             "VPC endpoint)."},
    {"endpoint_urls", FIELD_SECTION(endpoint_fields), .alias = "EndpointURLs",
     .help = "A server for each service; goes before `endpoint_url`."},
    {"ca_bundle", FIELD_PATH(struct aws_config, ca_bundle), .alias = "CABundle",
     .otherwise = "`AWS_CA_BUNDLE`, or the system's",
     .help = "A PEM file with the authorities that servers are verified by."},
    {"sqs_protocol", FIELD_CHOICE(struct aws_config, sqs_protocol),
     .alias = "SQSProtocol", .fallback = "auto", .choices = protocols,
     .help = "How SQS is spoken to: JSON, or the older Query protocol with XML "
             "answers; `auto` finds out once for each server."},
    {"connect_timeout", FIELD_MS(struct aws_config, connect_timeout_ms),
     .fallback = "5s", .min = 100, .max = 60000,
     .help = "How long to wait for a connection, TLS included."},
    {"response_limit", FIELD_SIZE(struct aws_config, response_limit),
     .fallback = "32MiB", .min = 1 << 20, .max = 1 << 30,
     .help = "The longest answer to accept. Kinesis sends up to 10 MiB of "
             "records at once, a third more as base64."},
    {0},
};

static bool is_region(const char *text)
{
    return strlen(text) < 64 &&
           !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")];
}

void aws_config_check(const struct aws_config *config,
                      const struct schema_map *map, struct problems *problems)
{
    const struct {
        const char *name, *url;
    } urls[] = {{"endpoint_url", config->endpoint_url},
                {"endpoint_urls.sqs", config->endpoint_urls.sqs},
                {"endpoint_urls.kinesis", config->endpoint_urls.kinesis},
                {"endpoint_urls.sts", config->endpoint_urls.sts},
                {"endpoint_urls.dynamodb_streams",
                 config->endpoint_urls.dynamodb_streams},
                {"endpoint_urls.sns", config->endpoint_urls.sns},
                {"endpoint_urls.s3", config->endpoint_urls.s3}};
    struct error err;

    if (config->region && !is_region(config->region))
        schema_complain(map, "region", problems,
                        "\"%.60s\" is not allowed: a region's name, as "
                        "eu-west-1",
                        config->region);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        if (urls[i].url && !resource_check_url(urls[i].url, &err))
            schema_complain(map, urls[i].name, problems, "%s", err.message);
}
