/*
 * skew: by how much a server's clock differs from ours, learnt from the `Date`
 * of its answers, so that signatures stay valid on a machine without NTP
 * (wire.md section 6.4). Pure.
 */
#ifndef POLLARD_SKEW_H
#define POLLARD_SKEW_H

#include <stdbool.h>
#include <stdint.h>

struct skew_sample {
    int64_t date_ms;       // of the answer; -1: none
    bool has_age;          // came out of a cache
    int64_t received_ms;   // our wall clock
    int64_t round_trip_ms; // monotonic, so that a stepped clock does no harm
};

/* The server's clock minus ours. False when the sample says nothing. */
bool skew_measure(const struct skew_sample *sample, int64_t *offset_ms);

/* After an error that may be the clock's: would another offset have helped? */
bool skew_explains(int64_t used_ms, int64_t measured_ms);

#endif
