/*
 * trigger_config: one entry of `triggers:`. Every Lambda parameter keeps its
 * AWS name in snake_case, default, range and meaning (lambda-esm.md section 1).
 */
#ifndef POLLARD_TRIGGER_CONFIG_H
#define POLLARD_TRIGGER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "config/schema.h"
#include "destination/destination_config.h"
#include "filter/filter_config.h"
#include "handler/handler_config.h"
#include "source/source_config.h"

enum trigger_start {
    TRIGGER_START_NONE,
    TRIGGER_START_TRIM_HORIZON,
    TRIGGER_START_LATEST,
    TRIGGER_START_AT_TIMESTAMP,
};

enum trigger_fifo_failure {
    TRIGGER_FIFO_RELEASE_GROUP, // a failed record sends the rest of its group
                                // back unrun: order holds
    TRIGGER_FIFO_LAMBDA, // what did not fail is deleted (lambda-esm.md 3.2)
};

enum trigger_response_type { TRIGGER_REPORT_BATCH_ITEM_FAILURES = 1 };

enum trigger_trimmed {
    TRIGGER_TRIMMED_SKIP, // go on with the oldest record that is left
    TRIGGER_TRIMMED_STOP, // the shard's poller fails
};

enum trigger_deaggregate { TRIGGER_DEAGGREGATE_OFF, TRIGGER_DEAGGREGATE_AUTO };

struct trigger_config {
    char *name;       // owned
    int line, column; // of the key, for messages of later checks
    bool enabled;
    struct source_config source;
    struct handler_config handler; // a copy of the named one, or in place
    char *handler_name;            // owned; NULL when in place
    int64_t batch_size;            // 10 for queues, 100 for streams
    int64_t maximum_batching_window_in_seconds;
    struct {
        int64_t maximum_concurrency; // 0: unset, which means 10
    } scaling_config;
    struct {
        int64_t minimum_pollers, maximum_pollers; // receives in flight
    } provisioned_poller_config;
    int starting_position; // enum trigger_start
    int64_t starting_position_timestamp_ms;
    int64_t visibility_timeout_ms; // whole seconds; -1: the queue's own
    bool visibility_heartbeat;
    int64_t wait_time_seconds; // of a long poll
    struct {
        int64_t base_ms, maximum_ms;
        bool given; // on SQS: change visibility instead of leaving it
    } retry_backoff;
    struct destination_config destination_config;
    struct filter_config filter_criteria;

    int function_response_types; // bits of enum trigger_response_type
    // Derived from it: what a handler responds is read. What it reports by
    // fail_record counts in any case.
    bool reports_batch_item_failures;
    char *on_filtered; // queues: "delete", "leave", or a destination
    int fifo_failure;  // enum trigger_fifo_failure

    // Streams.
    int64_t parallelization_factor; // 1 to 10
    bool bisect_batch_on_function_error;
    int64_t maximum_retry_attempts;        // -1: without end
    int64_t maximum_record_age_in_seconds; // -1: any age
    int64_t tumbling_window_in_seconds;    // 0: none
    int deaggregate;                       // enum trigger_deaggregate
    int on_trimmed_data;                   // enum trigger_trimmed

    struct {
        int64_t records_per_second; // 0: no limit
    } rate_limit;
    struct {
        int64_t failures; // in a row; 0: none
        int64_t pause_ms;
    } circuit_breaker;

    // Without meaning here; kept so that an entry of Lambda's moves as it is.
    char *kms_key_arn;
    struct {
        int metrics;
    } metrics_config;
};

/* The row `handler` is read by the supervisor, which knows the named ones. */
extern const struct field trigger_config_fields[];

/* After schema_apply, with the handler in place: fill in what is derived, and
 * refuse what the rows cannot: the source, and keys that do not go together.
 * False when a problem was added. */
bool trigger_config_check(struct trigger_config *config,
                          const struct schema_map *map,
                          struct problems *problems);

/* Free what the struct owns. */
void trigger_config_finish(struct trigger_config *config);

/* Do both say the same, place in the file aside? For a reload, which swaps only
 * what changed. */
bool trigger_config_equal(const struct trigger_config *a,
                          const struct trigger_config *b);

/* Do both take from one source for one handler? Lambda refuses that. */
bool trigger_config_is_twin(const struct trigger_config *a,
                            const struct trigger_config *b);

#define TRIGGER_DEFAULT_CONCURRENCY 10

#endif
