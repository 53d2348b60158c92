/*
 * rate: how fast records may be handed to the handler (`rate_limit`): a token
 * bucket that holds one second's records and starts full.
 *
 * What is taken may be more than the bucket holds, or there is: a batch larger
 * than the bucket waits for a full one, and what it takes beyond that is owed
 * before anything else may go. So the rate holds over time whatever the
 * batches' sizes.
 *
 * A queue takes when a record arrives, so that none waits for the rate in a
 * buffer; a shard, whose records wait without harm, when a batch starts.
 *
 * Threads: the poller's. Pure: time is an argument.
 */
#ifndef POLLARD_RATE_H
#define POLLARD_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate {
    int64_t per_second; // 0: no limit
    int64_t level;      // thousandths of a record at `at_ms`; below 0: owed
    int64_t at_ms;
};

/* per_second is 0 (no limit) to 1,000,000. */
void rate_init(struct rate *rate, int64_t per_second);

/* How many records may go now. SIZE_MAX: any. */
size_t rate_room(const struct rate *rate, int64_t now_ms);

/* May so many go now, or as many as the bucket holds? */
bool rate_allows(const struct rate *rate, size_t count, int64_t now_ms);

/* When they may, if nothing is taken meanwhile; in the past: they may now. */
int64_t rate_due_ms(const struct rate *rate, size_t count);

void rate_take(struct rate *rate, size_t count, int64_t now_ms);

#endif
