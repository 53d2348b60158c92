/*
 * arn: an Amazon resource name taken apart:
 * arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_ARN_H
#define POLLARD_ARN_H

#include <stdbool.h>

#include "base/bytes.h"

struct error;

struct arn { // slices of the text it was parsed from
    struct bytes partition, service, region, account, resource;
};

/* ERROR_INVALID when it is none, or when service or resource are empty. */
bool arn_parse(const char *text, struct arn *arn, struct error *err);

#endif
