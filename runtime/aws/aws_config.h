/*
 * aws_config: the `aws:` section. All of it is optional; the usual AWS
 * environment, profile and role sources apply where it is silent
 * (wire.md section 7.5).
 */
#ifndef POLLARD_AWS_CONFIG_H
#define POLLARD_AWS_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "config/schema.h"

struct aws_config {
    char *region;
    char *profile;
    char *endpoint_url;
    struct {
        char *sqs, *kinesis, *sts, *dynamodb_streams, *sns, *s3;
    } endpoint_urls;
    char *ca_bundle;
    int sqs_protocol; // enum aws_sqs_protocol
    int64_t connect_timeout_ms;
    int64_t response_limit; // bytes of one answer
};

enum aws_sqs_protocol { AWS_SQS_AUTO, AWS_SQS_JSON, AWS_SQS_QUERY };

extern const struct field aws_config_fields[];

/* What the rows cannot say: regions and URLs. */
void aws_config_check(const struct aws_config *config,
                      const struct schema_map *map, struct problems *problems);

#endif
