#include "aws/retry.h"

#include "base/random.h"

#define BUCKET_SIZE 500
#define COST_TRANSIENT 14
#define COST_THROTTLED 5
#define BASE_TRANSIENT_MS 50
#define BASE_THROTTLED_MS 1000
#define DELAY_LIMIT_MS 20000
#define HINT_EXTRA_MS 5000 // how far a hint may stretch a delay

void retry_bucket_init(struct retry_bucket *bucket)
{
    bucket->tokens = BUCKET_SIZE;
}

static int64_t delay_ms(struct random *random,
                        const struct retry_failure *failure, bool throttled)
{
    int64_t base = throttled ? BASE_THROTTLED_MS : BASE_TRANSIENT_MS;
    int64_t delay = random_full_jitter_ms(random, base, DELAY_LIMIT_MS,
                                          failure->attempt - 1);
    int64_t hint = failure->hint_ms;

    if (hint > delay + HINT_EXTRA_MS)
        hint = delay + HINT_EXTRA_MS;
    return hint > delay ? hint : delay;
}

struct retry_plan retry_decide(struct retry_bucket *bucket,
                               struct random *random,
                               const struct retry_failure *failure)
{
    bool throttled = failure->reaction == ERROR_THROTTLED;
    int cost = throttled ? COST_THROTTLED : COST_TRANSIENT;
    struct retry_plan plan = {.advice = RETRY_GIVE_UP};

    if ((!throttled && failure->reaction != ERROR_TRANSIENT) ||
        failure->attempt >= failure->max_attempts)
        return plan;
    plan.delay_ms = delay_ms(random, failure, throttled);
    if (bucket->tokens < cost) {
        plan.advice = failure->is_long_poll ? RETRY_SLEEP_FAIL : RETRY_GIVE_UP;
        return plan;
    }
    bucket->tokens -= cost;
    plan.paid = cost;
    plan.advice = RETRY_AGAIN;
    return plan;
}

void retry_succeeded(struct retry_bucket *bucket, int paid)
{
    bucket->tokens += paid ? paid : 1;
    if (bucket->tokens > BUCKET_SIZE)
        bucket->tokens = BUCKET_SIZE;
}
