/*
 * kinesis_shards: the answer to ListShards, for kinesis_list_shards and for a
 * source that asks whether its own shard is closed.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_KINESIS_SHARDS_H
#define POLLARD_KINESIS_SHARDS_H

#include <stdbool.h>

#include "base/bytes.h"

struct error;
struct json_t;
struct stream_shards;

/* Append the shards of one page. *next_token: owned by the caller, NULL on the
 * last page. ERROR_TRANSIENT when it is not what ListShards answers. */
bool kinesis_shards_parse(struct bytes body, struct stream_shards *shards,
                          char **next_token, struct error *err);

/* Append the elements of a `Shards` array, as DescribeStream has it too. */
bool kinesis_shards_add(struct stream_shards *shards,
                        const struct json_t *array, struct error *err);

#endif
