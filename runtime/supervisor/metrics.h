/*
 * metrics: what a trigger's counts are called: for Prometheus by the names of
 * docs/metrics.md, in the log by those of Lambda's event source mappings. One
 * table makes both, and docs/metrics.md is checked against it by a test.
 *
 * Threads: pure functions; the log's.
 */
#ifndef POLLARD_METRICS_H
#define POLLARD_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller/poller.h"

struct buffer;
struct log;

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

enum metric_value {
    METRIC_COUNT,     // a uint64_t
    METRIC_SECONDS,   // an int64_t of milliseconds
    METRIC_FLAG,      // a bool
    METRIC_WALL_TIME, // an int64_t of the monotonic clock; 0: never
};

struct metric {
    const char *name;                // rows of one name stand together
    const char *label, *label_value; // beside the trigger's; NULL: none
    enum metric_type type;
    enum metric_value value;
    size_t offset;        // in struct poller_stats
    const char *aws_name; // rows of one AWS name are summed; NULL: none
    bool of_queues, of_streams;
    const char *help;
};

extern const struct metric metrics[]; // ended by one without a name

struct metrics_trigger {
    const char *name; // borrowed
    bool is_queue;
    struct poller_stats stats;
};

struct metrics_options {
    const struct metrics_trigger *triggers; // borrowed
    size_t count;
    int64_t now_ms, wall_ms;
};

/* Text exposition format 0.0.4. */
void metrics_write(const struct metrics_options *options, struct buffer *text);

/* A line for each trigger, "trigger.counters": all there is of it, by its AWS
 * name where there is one, labels summed up. */
void metrics_log(const struct metrics_options *options, const struct log *log);

#endif
