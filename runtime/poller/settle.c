#include "poller/settle.h"

#include "handler/handler.h"
#include "poller/retry.h"

static bool is_failed(const struct outcome *outcome, size_t index)
{
    return outcome->kind != OUTCOME_DONE ||
           (outcome->failed && outcome->failed[index]);
}

enum source_verdict settle_verdict(const struct outcome *outcome, size_t index)
{
    if (outcome->kind == OUTCOME_UNSTARTED)
        return SOURCE_RETURN;
    return is_failed(outcome, index) ? SOURCE_AGAIN : SOURCE_DONE;
}

size_t settle_done_prefix(const struct outcome *outcome, size_t count)
{
    size_t done = 0;

    while (done < count && !is_failed(outcome, done))
        done++;
    return done;
}

size_t settle_count_failed(const struct outcome *outcome, size_t count)
{
    size_t failed = 0;

    if (outcome->kind == OUTCOME_UNSTARTED)
        return 0;
    for (size_t i = 0; i < count; i++)
        failed += is_failed(outcome, i);
    return failed;
}

void settle_init(struct settle *settle, struct retry *delays)
{
    *settle = (struct settle){.delays = delays};
}

void settle_add(struct settle *settle, struct record *record,
                enum source_verdict verdict)
{
    switch (verdict) {
    case SOURCE_DONE:
        record_list_add(&settle->done, record);
        break;
    case SOURCE_AGAIN:
        record_list_add(&settle->again, record);
        break;
    case SOURCE_RETURN:
        record_list_add(&settle->back, record);
        break;
    }
}

/* Tried once when it was received once: the first failure has attempt 0. */
static int64_t delay_ms(struct settle *settle, const struct record *record)
{
    if (!settle->delays)
        return -1;
    return retry_delay_ms(
        settle->delays, record->receive_count ? record->receive_count - 1 : 0);
}

bool settle_next(struct settle *settle, struct settlement *settlement)
{
    struct record *record;

    if ((record = record_list_take(&settle->done)))
        *settlement = (struct settlement){record, SOURCE_DONE, -1};
    else if ((record = record_list_take(&settle->back)))
        *settlement = (struct settlement){record, SOURCE_RETURN, -1};
    else if ((record = record_list_take(&settle->again)))
        *settlement =
            (struct settlement){record, SOURCE_AGAIN, delay_ms(settle, record)};
    return record != NULL;
}

bool settle_is_empty(const struct settle *settle)
{
    return !settle->done.count && !settle->again.count && !settle->back.count;
}
