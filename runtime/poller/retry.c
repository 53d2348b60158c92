#include "poller/retry.h"

void retry_init(struct retry *retry, int64_t base_ms, int64_t maximum_ms,
                uint64_t seed)
{
    *retry = (struct retry){.base_ms = base_ms,
                            .maximum_ms = maximum_ms,
                            .random = {.state = seed},
                            .due_ms = INT64_MIN};
}

void retry_failed(struct retry *retry, int64_t now_ms)
{
    if (!retry_is_due(retry, now_ms))
        return;
    retry->due_ms = now_ms + retry_delay_ms(retry, retry->failures);
    retry->failures++;
}

void retry_got_on(struct retry *retry)
{
    retry->failures = 0;
}

bool retry_is_due(const struct retry *retry, int64_t now_ms)
{
    return now_ms >= retry->due_ms;
}

int64_t retry_delay_ms(struct retry *retry, unsigned attempts)
{
    return random_full_jitter_ms(&retry->random, retry->base_ms,
                                 retry->maximum_ms, attempts);
}
