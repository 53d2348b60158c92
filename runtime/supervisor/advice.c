#include "supervisor/advice.h"

#include <string.h>

#include "base/log.h"
#include "supervisor/settings.h"

struct advice {
    const char *event;
    bool (*is_due)(const struct trigger_config *trigger);
    const char *message;
    const char *instead; // what to do about it
};

static bool is_stream(const struct trigger_config *trigger)
{
    return trigger->source.type != SOURCE_TYPE_SQS;
}

/* Lambda's defaults: one record that always fails holds its shard until the
 * stream lets go of it, a day to a year, and then what waited behind it is as
 * old (lambda-esm.md section 13, no. 5). */
static bool may_block(const struct trigger_config *trigger)
{
    return is_stream(trigger) && trigger->maximum_retry_attempts < 0 &&
           trigger->maximum_record_age_in_seconds < 0;
}

/* A shard has one state, so there is nothing to run beside it. */
static bool has_one_lane(const struct trigger_config *trigger)
{
    return is_stream(trigger) && trigger->tumbling_window_in_seconds &&
           trigger->parallelization_factor > 1;
}

static const struct advice advices[] = {
    {"trigger.may_block", may_block,
     "as in Lambda, a batch that always fails is retried, and its shard waits, "
     "until the stream no longer keeps the records: a day or more",
     "maximum_retry_attempts or maximum_record_age_in_seconds bounds it; "
     "destination_config.on_failure gets what is given up"},
    {"trigger.one_lane", has_one_lane,
     "with a tumbling window a shard runs one batch at a time, whatever "
     "parallelization_factor says: its batches hand one state on",
     "more shards"},
    {0},
};

static bool was_due(const struct advice *advice, const struct settings *before,
                    const char *name)
{
    for (size_t i = 0; before && i < before->trigger_count; i++)
        if (!strcmp(before->triggers[i].name, name))
            return before->triggers[i].enabled &&
                   advice->is_due(&before->triggers[i]);
    return false;
}

static void advise(const struct trigger_config *trigger,
                   const struct settings *before, const struct log *log)
{
    for (const struct advice *advice = advices; advice->event; advice++)
        if (advice->is_due(trigger) && !was_due(advice, before, trigger->name))
            log_warn(log, advice->event, LOG_STR("trigger", trigger->name),
                     LOG_STR("message", advice->message),
                     LOG_STR("instead", advice->instead));
}

void advice_give(const struct settings *settings, const struct settings *before,
                 const struct log *log)
{
    for (size_t i = 0; i < settings->trigger_count; i++)
        if (settings->triggers[i].enabled)
            advise(&settings->triggers[i], before, log);
}
