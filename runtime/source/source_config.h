/*
 * source_config: the `source:` mapping of a trigger: exactly one of sqs,
 * kinesis, dynamodb or arn.
 */
#ifndef POLLARD_SOURCE_CONFIG_H
#define POLLARD_SOURCE_CONFIG_H

#include <stdbool.h>

#include "config/schema.h"

enum source_type {
    SOURCE_TYPE_SQS = 1,
    SOURCE_TYPE_KINESIS,
    SOURCE_TYPE_DYNAMODB,
};

struct source_config {
    char *arn;
    struct {
        char *queue_url, *queue;
    } sqs;
    struct {
        char *stream, *consumer;
        bool register_consumer;
    } kinesis;
    struct {
        char *stream_arn, *table;
    } dynamodb;

    // Derived by source_config_check, not from the file.
    enum source_type type;
    char *name;     // owned; queue, stream or table name
    char *consumer; // owned; of enhanced fan-out; NULL: the stream is polled
};

extern const struct field source_config_fields[];

/* Fill in what is derived. False, with problems added, when it names nothing
 * that can be polled; type is 0 then. */
bool source_config_check(struct source_config *config,
                         const struct schema_map *map,
                         struct problems *problems);

/* Free what source_config_check allocated; the rest is schema_release's. */
void source_config_finish(struct source_config *config);

/* The ARN that was given, whatever it names, or NULL. */
const char *source_config_arn(const struct source_config *config);

/* The consumer's ARN, when the file names it so; NULL otherwise. */
const char *source_config_consumer_arn(const struct source_config *config);

bool source_config_is_fifo(const struct source_config *config);

/* Could both be the same queue, stream, or consumer of a stream? Names alone
 * may lie in two accounts; then the answer is yes. */
bool source_config_same(const struct source_config *a,
                        const struct source_config *b);

#endif
