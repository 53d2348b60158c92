/*
 * concurrency: how many of a queue's batches run at once. The most is what the
 * user set and what the handler has instances for; below that it gives way
 * while the handler fails, as Lambda's does (lambda-esm.md section 6.3: its
 * curve is not published, this one is ours):
 *
 *     a failed batch      a quarter less, at least one; then, until as many
 *                         batches as were running have finished, no further cut
 *     a batch that did    one more
 *
 * So a handler that fails always comes down to one batch at a time within a few
 * rounds, and sees each message no more often than it must before the
 * dead-letter queue; one that fails now and then is not slowed down. There is
 * no ramp at the start: messages are received only for batches that can run, so
 * holding back would cost latency and spare nothing.
 *
 * A handler that may report single records (ReportBatchItemFailures) is not
 * slowed down at all: Lambda's rule too (section 3.2).
 *
 * Threads: the poller's. Pure.
 */
#ifndef POLLARD_CONCURRENCY_H
#define POLLARD_CONCURRENCY_H

#include <stdbool.h>
#include <stddef.h>

struct concurrency {
    bool gives_way; // never changed after init
    size_t most;    // 1 or more
    size_t now;     // 1 to most
    size_t deaf;    // batches yet to finish before the next cut
};

void concurrency_init(struct concurrency *concurrency, size_t most,
                      bool gives_way);

/* Handler instances came or went. 1 or more. */
void concurrency_set_most(struct concurrency *concurrency, size_t most);

/* A batch that ran is over; so many others run. */
void concurrency_finished(struct concurrency *concurrency, bool failed,
                          size_t running);

#endif
