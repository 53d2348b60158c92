#include "poller/settle.h"

#include "poller/retry.h"

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

void settle_leave(struct settle *settle, struct record *record)
{
    record_list_add(&settle->left, record);
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
    else if ((record = record_list_take(&settle->left)))
        *settlement = (struct settlement){record, SOURCE_AGAIN, -1};
    return record != NULL;
}

bool settle_is_empty(const struct settle *settle)
{
    return !settle->done.count && !settle->again.count && !settle->back.count &&
           !settle->left.count;
}
