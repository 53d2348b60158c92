#include "poller/ending.h"

#include "handler/handler.h"
#include "poller/response.h"

// How often a handler that fails all the time is spoken of.
#define ENDING_REPEAT_MS 10000

static const char *what_failed(enum outcome_kind kind)
{
    switch (kind) {
    case OUTCOME_DONE:
        return "records";
    case OUTCOME_FAILED:
        return "batch";
    case OUTCOME_TIMED_OUT:
        return "timed out";
    case OUTCOME_UNSTARTED:
        return "not started";
    }
    return NULL;
}

static const char *reason_of(const struct ending *ending)
{
    if (ending->verdict->why[0])
        return ending->verdict->why;
    return ending->outcome->reason[0] ? ending->outcome->reason : NULL;
}

void ending_say(struct ending_log *log, const struct ending *ending,
                int64_t now_ms)
{
    struct log_repeat *repeat = &log->failed;
    const char *event = "handler.failed";
    const char *what = what_failed(ending->outcome->kind);

    if (ending->verdict->is_unstarted) {
        repeat = &log->unstarted;
        event = "handler.unstarted";
    } else if (ending->verdict->is_invalid) {
        repeat = &log->invalid;
        what = "response";
    }
    if (!log_repeat_due(repeat, now_ms, ENDING_REPEAT_MS))
        return;
    log_warn(log->log, event, LOG_STR("what", what),
             LOG_INT("records", ending->records),
             LOG_INT("failed", ending->failed),
             LOG_INT("attempt", ending->attempt),
             LOG_STR("reason", reason_of(ending)),
             LOG_INT("suppressed", repeat->suppressed));
    repeat->suppressed = 0;
}
