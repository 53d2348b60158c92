#include "poller/breaker.h"

#include <stddef.h>

#include "base/clock.h"

void breaker_init(struct breaker *breaker, int64_t limit, int64_t pause_ms)
{
    *breaker = (struct breaker){.limit = limit, .pause_ms = pause_ms};
}

bool breaker_allows(const struct breaker *breaker, int64_t now_ms)
{
    return !breaker->is_open || breaker_is_trying(breaker, now_ms);
}

bool breaker_is_trying(const struct breaker *breaker, int64_t now_ms)
{
    return breaker->is_open && !breaker->tried && now_ms >= breaker->due_ms;
}

int64_t breaker_due_ms(const struct breaker *breaker)
{
    if (!breaker->is_open)
        return INT64_MIN;
    return breaker->tried ? CLOCK_NEVER : breaker->due_ms;
}

void breaker_started(struct breaker *breaker, const struct batch *batch)
{
    if (breaker->is_open)
        breaker->tried = batch;
}

static bool failed(struct breaker *breaker, bool was_tried, int64_t now_ms)
{
    breaker->failures++;
    // Those that ran when it opened say nothing new.
    if (breaker->is_open ? !was_tried : breaker->failures < breaker->limit)
        return false;
    breaker->is_open = true;
    breaker->due_ms = now_ms + breaker->pause_ms;
    return true;
}

bool breaker_finished(struct breaker *breaker, const struct batch *batch,
                      enum breaker_result result, int64_t now_ms)
{
    bool was_tried = breaker->tried == batch;

    if (!breaker->limit)
        return false;
    if (was_tried)
        breaker->tried = NULL;
    switch (result) {
    case BREAKER_SUCCESS:
        breaker->failures = 0;
        breaker->is_open = false;
        breaker->tried = NULL;
        return false;
    case BREAKER_FAILURE:
        return failed(breaker, was_tried, now_ms);
    case BREAKER_NOTHING:
        break;
    }
    return false;
}
