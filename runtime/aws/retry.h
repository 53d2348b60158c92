/*
 * retry: whether and when a failed call is tried again (wire.md section 8.1,
 * the SDKs' standard of 2026): full jitter, a bucket of tokens that keeps a
 * fleet from hammering a server in trouble, and the server's own hint. Pure.
 *
 * Threads: a bucket belongs to one client.
 */
#ifndef POLLARD_RETRY_H
#define POLLARD_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct random;

struct retry_bucket {
    int tokens;
};

void retry_bucket_init(struct retry_bucket *bucket);

struct retry_failure {
    enum error_code reaction;
    unsigned attempt;      // that failed, from 1
    unsigned max_attempts; // with the first
    int64_t hint_ms;       // x-amz-retry-after; -1: none
    bool is_long_poll;
};

enum retry_advice {
    RETRY_GIVE_UP,    // now
    RETRY_AGAIN,      // after delay_ms
    RETRY_SLEEP_FAIL, // after delay_ms give up: the bucket is empty, and a long
                      // poll that failed at once would be sent again at once
};

struct retry_plan {
    enum retry_advice advice;
    int64_t delay_ms;
    int paid; // tokens; given back by retry_succeeded
};

struct retry_plan retry_decide(struct retry_bucket *bucket,
                               struct random *random,
                               const struct retry_failure *failure);

/* A call succeeded; `paid` is what its last retry cost, 0 if there was none. */
void retry_succeeded(struct retry_bucket *bucket, int paid);

#endif
