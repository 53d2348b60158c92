/*
 * source_config: the `source:` mapping of a trigger: exactly one of sqs,
 * kinesis or arn.
 */
#ifndef POLLARD_SOURCE_CONFIG_H
#define POLLARD_SOURCE_CONFIG_H

#include "config/schema.h"

enum source_type { SOURCE_TYPE_SQS = 1, SOURCE_TYPE_KINESIS };

struct source_config {
    char *arn;
    struct {
        char *queue_url, *queue;
    } sqs;
    struct {
        char *stream;
    } kinesis;

    // Derived by source_config_check, not from the file.
    enum source_type type;
    char *name; // owned; queue or stream name
};

extern const struct field source_config_fields[];

#endif
