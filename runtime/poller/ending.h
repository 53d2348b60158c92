/*
 * ending: what batches came to, for the log: one line for what failed or could
 * not start, and no more than one in ten seconds of either.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_ENDING_H
#define POLLARD_ENDING_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

struct outcome;
struct response_verdict;

struct ending_log {
    const struct log *log; // borrowed
    struct log_repeat failed, unstarted, invalid;
};

struct ending {
    size_t records;   // of the batch
    size_t failed;    // of those
    unsigned attempt; // 0: its first
    const struct outcome *outcome;
    const struct response_verdict *verdict;
};

/* It failed, in part at least, or never ran. */
void ending_say(struct ending_log *log, const struct ending *ending,
                int64_t now_ms);

#endif
