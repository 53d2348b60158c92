/*
 * destination_config: `destination_config: {on_success: {destination: ARN}}`.
 */
#ifndef POLLARD_DESTINATION_CONFIG_H
#define POLLARD_DESTINATION_CONFIG_H

#include "config/schema.h"

struct destination_config {
    struct {
        char
            *destination; // ARN of an SQS queue or a Kinesis stream; NULL: none
    } on_success;
};

extern const struct field destination_config_fields[];

#endif
