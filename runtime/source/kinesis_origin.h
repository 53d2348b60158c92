/*
 * kinesis_origin: what all records of a shard say of where they come from.
 *
 * Threads: its source's; records borrow it.
 */
#ifndef POLLARD_KINESIS_ORIGIN_H
#define POLLARD_KINESIS_ORIGIN_H

#include <stdbool.h>

#include "record/record.h"

struct kinesis_options;

struct kinesis_origin {
    char *shard, *arn, *region, *identity; // owned
    struct record_origin record;           // points at them
};

void kinesis_origin_init(struct kinesis_origin *origin,
                         const struct kinesis_options *options);
void kinesis_origin_finish(struct kinesis_origin *origin);

/* The server is AWS: it limits the calls on a shard, and ends closed shards. */
bool kinesis_is_aws(const struct kinesis_options *options);

#endif
