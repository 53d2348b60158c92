#include "source/source_config.h"

#include <stdlib.h>
#include <string.h>

#include "aws/resource.h"
#include "base/error.h"
#include "base/mem.h"

static const struct field sqs_fields[] = {
    {"queue_url", FIELD_STRING(struct source_config, sqs.queue_url),
     .alias = "QueueURL", .help = "The queue by its URL, as it is."},
    {"queue", FIELD_STRING(struct source_config, sqs.queue),
     .help = "The queue by its name; the server is asked for its URL."},
    {0},
};

static const struct field kinesis_fields[] = {
    {"stream", FIELD_STRING(struct source_config, kinesis.stream),
     .required = true, .help = "The stream by its name."},
    {"consumer", FIELD_STRING(struct source_config, kinesis.consumer),
     .help =
         "Enhanced fan-out by the consumer of this name: records are pushed as "
         "they come, and the shards' read limits are its own. While the "
         "handler is behind, the server waits: a shard takes less than 2 MiB "
         "beside the batches. Lambda names it by its ARN, which `arn` takes "
         "too."},
    {"register_consumer",
     FIELD_BOOL(struct source_config, kinesis.register_consumer),
     .fallback = "false", .beyond_lambda = true,
     .help = "Register the consumer where the stream has none of that name. "
             "AWS charges for registered consumers; pollard never "
             "deregisters one."},
    {0},
};

static const struct field dynamodb_fields[] = {
    {"stream_arn", FIELD_STRING(struct source_config, dynamodb.stream_arn),
     .help = "One stream by its ARN, as `arn` does it: when the table gets "
             "another one, this trigger waits."},
    {"table", FIELD_STRING(struct source_config, dynamodb.table),
     .help = "The stream of this table, whichever it is: one that takes its "
             "place is followed, once the old one was read to its end."},
    {0},
};

const struct field source_config_fields[] = {
    {"sqs", FIELD_SECTION(sqs_fields), .alias = "SQS", .one_of = true,
     .help = "An SQS queue, by its URL or its name."},
    {"kinesis", FIELD_SECTION(kinesis_fields), .help = "A Kinesis stream."},
    {"dynamodb", FIELD_SECTION(dynamodb_fields), .alias = "DynamoDB",
     .one_of = true, .help = "The stream of a DynamoDB table."},
    {"arn", FIELD_STRING(struct source_config, arn), .alias = "EventSourceArn",
     .help = "A queue or stream by its ARN, as Lambda's `EventSourceArn`."},
    {0},
};

static bool found(struct source_config *config, enum source_type type,
                  struct bytes name)
{
    config->type = type;
    config->name = mem_strndup(name.data, name.size);
    return true;
}

static bool from_consumer_arn(struct source_config *config, struct error *err)
{
    struct bytes stream, name;

    if (!resource_from_consumer_arn(config->arn, &stream, &name, err))
        return false;
    config->consumer = mem_strndup(name.data, name.size);
    return found(config, SOURCE_TYPE_KINESIS, stream);
}

static bool from_arn(struct source_config *config, struct error *err)
{
    enum aws_service service;
    struct bytes name;

    if (resource_is_consumer_arn(config->arn))
        return from_consumer_arn(config, err);
    if (!resource_from_arn(config->arn, &service, &name, err))
        return false;
    if (service == AWS_DYNAMODB_STREAMS)
        return found(config, SOURCE_TYPE_DYNAMODB, name);
    return found(config,
                 service == AWS_SQS ? SOURCE_TYPE_SQS : SOURCE_TYPE_KINESIS,
                 name);
}

static bool from_stream_arn(struct source_config *config, struct error *err)
{
    enum aws_service service;
    struct bytes name;

    if (!resource_from_arn(config->dynamodb.stream_arn, &service, &name, err))
        return false;
    return service == AWS_DYNAMODB_STREAMS
               ? found(config, SOURCE_TYPE_DYNAMODB, name)
               : error_set(err, ERROR_INVALID,
                           "\"%.200s\" is no stream of a table",
                           config->dynamodb.stream_arn);
}

static bool from_table(struct source_config *config, struct error *err)
{
    struct bytes name = bytes_of(config->dynamodb.table);

    if (!resource_is_table_name(name))
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\" is not allowed: 3 to 255 letters, digits, "
                         "-, _ and .",
                         name.data);
    return found(config, SOURCE_TYPE_DYNAMODB, name);
}

// The name is the last part of the path: http://host/000000000000/orders.
static bool from_queue_url(struct source_config *config, struct error *err)
{
    const char *url = config->sqs.queue_url, *name;

    if (!resource_check_url(url, err))
        return false;
    name = strrchr(url, '/') + 1;
    if (name < strstr(url, "://") + 4 ||
        !resource_is_queue_name(bytes_of(name)))
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\" does not end with a queue's name", url);
    return found(config, SOURCE_TYPE_SQS, bytes_of(name));
}

static bool from_queue(struct source_config *config, struct error *err)
{
    struct bytes name = bytes_of(config->sqs.queue);

    if (!resource_is_queue_name(name))
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\" is not allowed: 1 to 80 letters, digits, "
                         "- and _, and perhaps .fifo at the end",
                         name.data);
    return found(config, SOURCE_TYPE_SQS, name);
}

static bool from_stream(struct source_config *config, struct error *err)
{
    struct bytes name = bytes_of(config->kinesis.stream);

    if (!resource_is_stream_name(name))
        return error_set(err, ERROR_INVALID,
                         "\"%.200s\" is not allowed: 1 to 128 letters, digits, "
                         "-, _ and .",
                         name.data);
    return found(config, SOURCE_TYPE_KINESIS, name);
}

static bool check_consumer(struct source_config *config,
                           const struct schema_map *map,
                           struct problems *problems)
{
    const char *name = config->kinesis.consumer;

    if (config->kinesis.register_consumer && !name)
        return schema_complain(map, "kinesis.register_consumer", problems,
                               "there is no consumer to register: "
                               "kinesis.consumer names it");
    if (!name)
        return true;
    if (!resource_is_consumer_name(bytes_of(name)))
        return schema_complain(map, "kinesis.consumer", problems,
                               "\"%.200s\" is not allowed: 1 to 128 letters, "
                               "digits, -, _ and .",
                               name);
    config->consumer = mem_strdup(name);
    return true;
}

bool source_config_check(struct source_config *config,
                         const struct schema_map *map,
                         struct problems *problems)
{
    const struct {
        const char *name, *value;
        bool (*derive)(struct source_config *config, struct error *err);
    } ways[] = {
        {"arn", config->arn, from_arn},
        {"sqs.queue_url", config->sqs.queue_url, from_queue_url},
        {"sqs.queue", config->sqs.queue, from_queue},
        {"kinesis.stream", config->kinesis.stream, from_stream},
        {"dynamodb.stream_arn", config->dynamodb.stream_arn, from_stream_arn},
        {"dynamodb.table", config->dynamodb.table, from_table}};
    struct error err;

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (ways[i].value)
            return (ways[i].derive(config, &err) ||
                    schema_complain(map, ways[i].name, problems, "%s",
                                    err.message)) &&
                   check_consumer(config, map, problems);
    return false; // said already: nothing is given
}

void source_config_finish(struct source_config *config)
{
    free(config->name);
    free(config->consumer);
    config->name = config->consumer = NULL;
}

const char *source_config_consumer_arn(const struct source_config *config)
{
    return config->arn && config->consumer ? config->arn : NULL;
}

const char *source_config_arn(const struct source_config *config)
{
    return config->arn ? config->arn : config->dynamodb.stream_arn;
}

bool source_config_is_fifo(const struct source_config *config)
{
    return config->type == SOURCE_TYPE_SQS &&
           resource_is_fifo(bytes_of(config->name));
}

bool source_config_same(const struct source_config *a,
                        const struct source_config *b)
{
    if (a->type != b->type || strcmp(a->name, b->name) != 0)
        return false;
    if (!a->consumer != !b->consumer ||
        (a->consumer && strcmp(a->consumer, b->consumer) != 0))
        return false; // each reads the stream for itself, as in Lambda
    if (source_config_arn(a) && source_config_arn(b))
        return !strcmp(source_config_arn(a), source_config_arn(b));
    if (a->sqs.queue_url && b->sqs.queue_url)
        return !strcmp(a->sqs.queue_url, b->sqs.queue_url);
    return true;
}
