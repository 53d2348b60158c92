#include "poller/rate.h"

// Per millisecond the level grows by per_second thousandths of a record.
#define RATE_RECORD 1000

void rate_init(struct rate *rate, int64_t per_second)
{
    *rate = (struct rate){.per_second = per_second,
                          .level = per_second * RATE_RECORD};
}

static int64_t capacity(const struct rate *rate)
{
    return rate->per_second * RATE_RECORD;
}

static int64_t level_at(const struct rate *rate, int64_t now_ms)
{
    int64_t missing = capacity(rate) - rate->level;

    if (now_ms <= rate->at_ms)
        return rate->level;
    if (now_ms - rate->at_ms >= missing / rate->per_second + 1)
        return capacity(rate);
    missing -= (now_ms - rate->at_ms) * rate->per_second;
    return capacity(rate) - (missing > 0 ? missing : 0);
}

size_t rate_room(const struct rate *rate, int64_t now_ms)
{
    int64_t level;

    if (!rate->per_second)
        return SIZE_MAX;
    level = level_at(rate, now_ms);
    return level > 0 ? (size_t)(level / RATE_RECORD) : 0;
}

static int64_t needed(const struct rate *rate, size_t count)
{
    return count < (size_t)rate->per_second ? (int64_t)count * RATE_RECORD
                                            : capacity(rate);
}

bool rate_allows(const struct rate *rate, size_t count, int64_t now_ms)
{
    return !rate->per_second || level_at(rate, now_ms) >= needed(rate, count);
}

int64_t rate_due_ms(const struct rate *rate, size_t count)
{
    int64_t missing;

    if (!rate->per_second)
        return INT64_MIN;
    missing = needed(rate, count) - rate->level;
    if (missing <= 0)
        return INT64_MIN;
    return rate->at_ms + (missing + rate->per_second - 1) / rate->per_second;
}

void rate_take(struct rate *rate, size_t count, int64_t now_ms)
{
    if (!rate->per_second)
        return;
    rate->level = level_at(rate, now_ms) - (int64_t)count * RATE_RECORD;
    if (now_ms > rate->at_ms)
        rate->at_ms = now_ms;
}
