/*
 * shard_refusal: a call that failed, and what to do about it (wire.md section
 * 2.9 and 4). AWS's code decides; where it says nothing, the error's does.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SHARD_REFUSAL_H
#define POLLARD_SHARD_REFUSAL_H

#include <stdbool.h>

struct error;

struct shard_refusal { // a call that failed
    const char *code;  // AWS's, or ""
    int status;        // HTTP, or 0
    bool over_limit;   // the answer was larger than we take
    const struct error *error;
};

enum shard_reaction {
    SHARD_FAIL,    // the poller ends
    SHARD_RETRY,   // soon
    SHARD_SLOW,    // later, and slower from then on
    SHARD_PAUSE,   // much later: somebody must mend a key first
    SHARD_RENEW,   // with a new iterator
    SHARD_DOUBT,   // the iterator, then the position
    SHARD_TRIMMED, // the stream let go of what comes next
};

enum shard_reaction shard_refusal_reaction(const struct shard_refusal *refusal);

#endif
