/*
 * counts: what a trigger has done, in the words of Lambda's event source
 * mapping metrics (lambda-esm.md section 8; peers.md section 4.3): counted in
 * the core, summed over a trigger's pollers and restarts, named by
 * supervisor/metrics.
 *
 * Threads: a plain value.
 */
#ifndef POLLARD_COUNTS_H
#define POLLARD_COUNTS_H

#include <stdint.h>

struct pipeline_counts {
    uint64_t polled;     // records that arrived
    uint64_t filtered;   // of those, removed by the filter
    uint64_t dispatched; // records sent to the handler, again with each retry

    // Records of invocations that failed, by how: all that were sent, also when
    // the response names only one of them.
    uint64_t failed_error, failed_timeout;
    uint64_t failed_records;    // the handler failed some of them
    uint64_t failed_response;   // the response broke the rules
    uint64_t invalid_responses; // of those, the responses

    // A stream's records that were given up.
    uint64_t dropped_attempts, dropped_age; // unreported
    uint64_t reported; // handed to the on-failure destination

    uint64_t moved;          // a queue's that no filter matched, moved away
    uint64_t breaker_opened; // times

    // As things stand; none of it of a poller that ended.
    uint64_t breakers_open;
    int64_t lag_ms; // IteratorAge: from the arrival of the last record of the
                    // last batch until it was sent; 0 also when none was
};

/* Of several pollers: sums, and the longest lag. */
void pipeline_counts_add(struct pipeline_counts *sum,
                         const struct pipeline_counts *counts);

/* Its poller ended: only what was counted stays. */
void pipeline_counts_end(struct pipeline_counts *counts);

#endif
