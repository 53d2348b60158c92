#include "source/receive_attempt.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void receive_attempts_init(struct receive_attempts *attempts, uint64_t run)
{
    *attempts = (struct receive_attempts){.run = run};
}

static void forget(struct receive_attempts *attempts, size_t index)
{
    struct receive_attempt *at = &attempts->lost[index];

    attempts->lost_count--;
    memmove(at, at + 1, (attempts->lost_count - index) * sizeof(*at));
}

static struct receive_attempt *find(struct receive_attempts *attempts,
                                    uint64_t number)
{
    for (size_t i = 0; i < attempts->lost_count; i++)
        if (attempts->lost[i].number == number)
            return &attempts->lost[i];
    return NULL;
}

static void forget_old(struct receive_attempts *attempts, int64_t now_ms)
{
    for (size_t i = attempts->lost_count; i-- > 0;)
        if (now_ms - attempts->lost[i].sent_ms >= RECEIVE_ATTEMPT_VALID_MS)
            forget(attempts, i);
}

uint64_t receive_attempts_start(struct receive_attempts *attempts,
                                int64_t now_ms)
{
    forget_old(attempts, now_ms);
    for (size_t i = 0; i < attempts->lost_count; i++) {
        if (attempts->lost[i].is_out)
            continue;
        attempts->lost[i].is_out = true;
        return attempts->lost[i].number;
    }
    assert(attempts->last < (uint64_t)1 << 48);
    return ++attempts->last;
}

void receive_attempts_id(const struct receive_attempts *attempts,
                         uint64_t number, char id[RECEIVE_ATTEMPT_ID_SIZE])
{
    (void)snprintf(id, RECEIVE_ATTEMPT_ID_SIZE, "%016" PRIx64 "-%" PRIx64,
                   attempts->run, number);
}

void receive_attempts_answered(struct receive_attempts *attempts,
                               uint64_t number)
{
    struct receive_attempt *attempt = find(attempts, number);

    if (attempt)
        forget(attempts, (size_t)(attempt - attempts->lost));
}

void receive_attempts_lost(struct receive_attempts *attempts, uint64_t number,
                           int64_t sent_ms)
{
    struct receive_attempt *attempt = find(attempts, number);

    if (attempt) {
        attempt->is_out = false;
        return;
    }
    if (attempts->lost_count == RECEIVE_ATTEMPT_LOST_MOST)
        forget(attempts, 0);
    attempts->lost[attempts->lost_count++] =
        (struct receive_attempt){.number = number, .sent_ms = sent_ms};
}
