/*
 * records: records without a network, for tests of what handles them.
 *
 * Each is a chunk of its own, so that a leak, a double release and a use after
 * release of a single record show under the sanitizers.
 */
#ifndef POLLARD_TEST_RECORDS_H
#define POLLARD_TEST_RECORDS_H

#include <stdint.h>

#include "record/record.h"

struct record_spec {
    const char *id, *data, *key; // copied; NULL: empty
    int64_t received_ms;
    int64_t visible_ms;  // 0: CLOCK_NEVER
    uint32_t event_size; // 0: 100
    uint32_t receive_count;
    int64_t arrived_at_ms;
    uint32_t sub; // of an aggregated record
    bool is_last_sub;
    const struct record_origin *origin;
};

/* Goes with record_release. */
struct record *record_make(const struct record_spec *spec);

#endif
