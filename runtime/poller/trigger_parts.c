#include "poller/trigger_parts.h"

#include "aws/client.h"
#include "base/error.h"
#include "destination/destination.h"
#include "destination/on_failure.h"
#include "filter/filter.h"
#include "poller/trigger_config.h"
#include "poller/trigger_pipeline.h"

static enum record_kind kind_of(const struct trigger_config *trigger)
{
    switch (trigger->source.type) {
    case SOURCE_TYPE_SQS:
        return RECORD_SQS;
    case SOURCE_TYPE_KINESIS:
        return RECORD_KINESIS;
    case SOURCE_TYPE_DYNAMODB:
        return RECORD_DYNAMODB;
    }
    return RECORD_SQS;
}

static bool open_filter(struct trigger_parts *parts,
                        const struct trigger_config *trigger, struct error *err)
{
    if (!trigger->filter_criteria.filters.count)
        return true;
    parts->filter =
        filter_create(&trigger->filter_criteria, kind_of(trigger), err);
    return parts->filter || error_wrap(err, "filter_criteria");
}

static bool open_on_success(struct trigger_parts *parts,
                            const struct trigger_parts_options *options,
                            struct error *err)
{
    const char *arn =
        options->trigger->destination_config.on_success.destination;

    if (!arn)
        return true;
    parts->on_success = destination_open(
        &(struct destination_options){.arn = arn,
                                      .session = options->session,
                                      .client = options->client,
                                      .clock = options->clock,
                                      .log = options->log,
                                      .seed = options->seed},
        err);
    return parts->on_success || error_wrap(err, "destination %s", arn);
}

static bool open_reports(struct on_failure **reports, const char *destination,
                         bool include_payload,
                         const struct trigger_parts_options *options,
                         uint64_t seed, struct error *err)
{
    const struct trigger_config *trigger = options->trigger;

    *reports = on_failure_open(
        &(struct on_failure_options){.destination = destination,
                                     .include_payload = include_payload,
                                     .trigger = trigger->name,
                                     .function = trigger->handler_name
                                                     ? trigger->handler_name
                                                     : trigger->name,
                                     .session = options->session,
                                     .client = options->client,
                                     .clock = options->clock,
                                     .log = options->log,
                                     .seed = seed},
        err);
    return *reports || error_wrap(err, "destination %s", destination);
}

static bool open_on_failure(struct trigger_parts *parts,
                            const struct trigger_parts_options *options,
                            struct error *err)
{
    const struct destination_config *config =
        &options->trigger->destination_config;

    return !config->on_failure.destination ||
           open_reports(&parts->on_failure, config->on_failure.destination,
                        config->on_failure.include_payload, options,
                        options->seed ^ 1, err);
}

static bool open_on_filtered(struct trigger_parts *parts,
                             const struct trigger_parts_options *options,
                             struct error *err)
{
    return !trigger_moves_filtered(options->trigger) ||
           open_reports(&parts->on_filtered, options->trigger->on_filtered,
                        false, options, options->seed ^ 2, err);
}

bool trigger_parts_open(struct trigger_parts *parts,
                        const struct trigger_parts_options *options,
                        struct error *err)
{
    *parts = (struct trigger_parts){0};
    return open_filter(parts, options->trigger, err) &&
           open_on_success(parts, options, err) &&
           open_on_failure(parts, options, err) &&
           open_on_filtered(parts, options, err);
}

void trigger_parts_cancel(const struct trigger_parts *parts,
                          struct aws_client *client)
{
    if (parts->on_success)
        aws_client_cancel(client, parts->on_success);
    if (parts->on_failure)
        aws_client_cancel(client, on_failure_owner(parts->on_failure));
    if (parts->on_filtered)
        aws_client_cancel(client, on_failure_owner(parts->on_filtered));
}
