/*
 * kinesis_refusal: a call that failed, and what to do about it (wire.md section
 * 2.9). AWS's code decides; where it says nothing, the error's does.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_KINESIS_REFUSAL_H
#define POLLARD_KINESIS_REFUSAL_H

#include <stdbool.h>

struct error;

struct kinesis_refusal { // a call that failed
    const char *code;    // AWS's, or ""
    int status;          // HTTP, or 0
    bool over_limit;     // the answer was larger than we take
    const struct error *error;
};

enum kinesis_reaction {
    KINESIS_FAIL,  // the poller ends
    KINESIS_RETRY, // soon
    KINESIS_SLOW,  // later, and slower from then on
    KINESIS_PAUSE, // much later: somebody must mend a key first
    KINESIS_RENEW, // with a new iterator
    KINESIS_DOUBT, // the iterator, then the position
};

enum kinesis_reaction
kinesis_refusal_reaction(const struct kinesis_refusal *refusal);

#endif
