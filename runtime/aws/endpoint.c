#include "aws/endpoint.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/aws_config.h"
#include "aws/environment.h"
#include "aws/profiles.h"
#include "aws/resource.h"
#include "base/error.h"
#include "base/mem.h"

static const struct service {
    const char *name;     // in host names
    const char *variable; // of its own endpoint
    const char *scope;    // in the credential scope; NULL: as the name
    const char *section;  // of a profile's services; NULL: as the name
    const char *dual;     // in dual-stack host names; NULL: as the name
} services[AWS_SERVICE_COUNT] = {
    [AWS_SQS] = {"sqs", "AWS_ENDPOINT_URL_SQS"},
    [AWS_KINESIS] = {"kinesis", "AWS_ENDPOINT_URL_KINESIS"},
    [AWS_STS] = {"sts", "AWS_ENDPOINT_URL_STS"},
    [AWS_DYNAMODB_STREAMS] = {"streams.dynamodb",
                              "AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "dynamodb",
                              "dynamodb_streams", "streams-dynamodb"},
    [AWS_SNS] = {"sns", "AWS_ENDPOINT_URL_SNS"},
    [AWS_S3] = {"s3", "AWS_ENDPOINT_URL_S3"},
};

static const struct partition {
    const char *region_prefix; // the last row takes the rest
    const char *suffix, *dual_stack_suffix;
} partitions[] = {
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"us-gov-", "amazonaws.com", "api.aws"},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
    {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
    {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
    {"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
    {"", "amazonaws.com", "api.aws"},
};
#define PARTITIONS (sizeof(partitions) / sizeof(partitions[0]))

const char *endpoint_signing_name(enum aws_service service)
{
    const struct service *row = &services[service];

    return row->scope ? row->scope : row->name;
}

static bool is_on(const struct endpoint_places *places, const char *variable,
                  const char *key)
{
    const char *value = environment_get(variable);

    if (!value)
        value = profiles_get(places->profiles, places->profile, key);
    return environment_is_true(value);
}

static const char *own_setting(const struct aws_config *config,
                               enum aws_service service)
{
    const char *own[AWS_SERVICE_COUNT] = {
        [AWS_SQS] = config->endpoint_urls.sqs,
        [AWS_KINESIS] = config->endpoint_urls.kinesis,
        [AWS_STS] = config->endpoint_urls.sts,
        [AWS_DYNAMODB_STREAMS] = config->endpoint_urls.dynamodb_streams,
        [AWS_SNS] = config->endpoint_urls.sns,
        [AWS_S3] = config->endpoint_urls.s3,
    };

    return own[service] ? own[service] : config->endpoint_url;
}

const char *endpoint_configured(const struct endpoint_places *places,
                                enum aws_service service)
{
    const struct service *known = &services[service];
    const char *url = own_setting(places->config, service);

    if (url)
        return url;
    if (is_on(places, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
              "ignore_configured_endpoint_urls"))
        return NULL;
    url = environment_get(known->variable);
    if (!url)
        url = environment_get("AWS_ENDPOINT_URL");
    if (!url)
        url = profiles_get_service(
            places->profiles, places->profile,
            known->section ? known->section : known->name, "endpoint_url");
    return url ? url
               : profiles_get(places->profiles, places->profile,
                              "endpoint_url");
}

static const struct partition *partition_of(const char *region)
{
    const struct partition *partition = partitions;

    while (strncmp(region, partition->region_prefix,
                   strlen(partition->region_prefix)) != 0)
        partition++;
    return partition;
}

char *endpoint_compute(enum aws_service service, const char *region,
                       struct endpoint_kind kind)
{
    const struct partition *partition = partition_of(region);
    const struct service *known = &services[service];
    // These have FIPS under their plain names in GovCloud.
    bool plain_is_fips =
        !kind.dual_stack && !strcmp(partition->region_prefix, "us-gov-");

    if (service == AWS_S3) // its plain name is not FIPS, and its dual stack old
        return mem_printf("https://s3%s%s.%s.%s", kind.fips ? "-fips" : "",
                          kind.dual_stack ? ".dualstack" : "", region,
                          partition->suffix);
    return mem_printf(
        "https://%s%s.%s.%s",
        kind.dual_stack && known->dual ? known->dual : known->name,
        kind.fips && !plain_is_fips ? "-fips" : "", region,
        kind.dual_stack ? partition->dual_stack_suffix : partition->suffix);
}

static bool is_host_label(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

    return size > 0 && size < 64 && !text[size];
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), tail = strlen(end);

    return size > tail && text[size - tail - 1] == '.' &&
           !strcasecmp(text + size - tail, end);
}

static bool is_aws_host(const char *host)
{
    for (size_t i = 0; i < PARTITIONS; i++)
        if (ends_with(host, partitions[i].suffix) ||
            ends_with(host, partitions[i].dual_stack_suffix))
            return true;
    return false;
}

static void fill(CURLU *parts, struct endpoint *endpoint)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *path = NULL;
    size_t size;

    (void)curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    (void)curl_url_get(parts, CURLUPART_HOST, &host, 0);
    (void)curl_url_get(parts, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT);
    (void)curl_url_get(parts, CURLUPART_PATH, &path, 0);
    size = strlen(path);
    while (size && path[size - 1] == '/')
        size--;
    endpoint->path = mem_strndup(path, size);
    endpoint->host =
        mem_printf("%s%s%s", host, port ? ":" : "", port ? port : "");
    endpoint->url =
        mem_printf("%s://%s%s", scheme, endpoint->host, endpoint->path);
    endpoint->is_aws = is_aws_host(host);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(path);
}

bool endpoint_parse(const char *url, struct endpoint *endpoint,
                    struct error *err)
{
    CURLU *parts;

    *endpoint = (struct endpoint){0};
    if (!resource_check_url(url, err))
        return error_wrap(err, "endpoint");
    parts = curl_url();
    (void)curl_url_set(parts, CURLUPART_URL, url, 0);
    fill(parts, endpoint);
    curl_url_cleanup(parts);
    return true;
}

bool endpoint_find(const struct endpoint_places *places,
                   enum aws_service service, struct endpoint *endpoint,
                   struct error *err)
{
    const char *url = endpoint_configured(places, service);
    struct endpoint_kind kind = {
        .fips = is_on(places, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
        .dual_stack = is_on(places, "AWS_USE_DUALSTACK_ENDPOINT",
                            "use_dualstack_endpoint")};
    char *computed;
    bool ok;

    if (url) {
        ok = endpoint_parse(url, endpoint, err);
        endpoint->is_custom = true;
        return ok;
    }
    if (!is_host_label(places->region))
        return error_set(err, ERROR_INVALID,
                         "region \"%s\" cannot be part of a host name; with "
                         "such a region name an endpoint must be configured",
                         places->region);
    computed = endpoint_compute(service, places->region, kind);
    ok = endpoint_parse(computed, endpoint, err);
    free(computed);
    return ok;
}

void endpoint_finish(struct endpoint *endpoint)
{
    free(endpoint->url);
    free(endpoint->host);
    free(endpoint->path);
    *endpoint = (struct endpoint){0};
}
