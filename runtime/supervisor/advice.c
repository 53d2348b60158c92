#include "supervisor/advice.h"

#include <string.h>

#include "base/log.h"
#include "supervisor/settings.h"

/* Lambda's defaults: one record that always fails holds its shard until the
 * stream lets go of it, a day to a year, and then what waited behind it is as
 * old (lambda-esm.md section 13, no. 5). */
static bool may_block(const struct trigger_config *trigger)
{
    return trigger->enabled && trigger->source.type != SOURCE_TYPE_SQS &&
           trigger->maximum_retry_attempts < 0 &&
           trigger->maximum_record_age_in_seconds < 0;
}

static bool might_block_before(const struct settings *before, const char *name)
{
    for (size_t i = 0; before && i < before->trigger_count; i++)
        if (!strcmp(before->triggers[i].name, name))
            return may_block(&before->triggers[i]);
    return false;
}

static void warn_of_blocking(const struct trigger_config *trigger,
                             const struct log *log)
{
    log_warn(log, "trigger.may_block", LOG_STR("trigger", trigger->name),
             LOG_STR("message",
                     "as in Lambda, a batch that always fails is retried, and "
                     "its shard waits, until the stream no longer keeps the "
                     "records: a day or more"),
             LOG_STR("to_bound_it",
                     trigger->destination_config.on_failure.destination
                         ? "maximum_retry_attempts or "
                           "maximum_record_age_in_seconds"
                         : "maximum_retry_attempts or "
                           "maximum_record_age_in_seconds, and "
                           "destination_config.on_failure for what is given "
                           "up"));
}

void advice_give(const struct settings *settings, const struct settings *before,
                 const struct log *log)
{
    for (size_t i = 0; i < settings->trigger_count; i++) {
        const struct trigger_config *trigger = &settings->triggers[i];

        if (may_block(trigger) && !might_block_before(before, trigger->name))
            warn_of_blocking(trigger, log);
    }
}
