/*
 * on_failure: reports what a trigger gives up (`destination_config.on_failure`;
 * lambda-esm.md section 4). It renders each failure as its kind of destination
 * holds it and hands it to a destination of that kind:
 *
 *     arn:aws:sqs:..., arn:aws:sns:...
 *         AWS's report, without the records; with them when asked for, as far
 *         as they fit
 *     arn:aws:s3:::BUCKET
 *         the report with "payload", the event, under AWS's key
 *     file:///folder/, https://...
 *         the same, one file or POST a report
 *
 * A failure is reported until it was accepted; its records must not be settled
 * before. What is refused for good is held, and said once a minute, like all
 * deliveries.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_ON_FAILURE_H
#define POLLARD_ON_FAILURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct aws_client;
struct aws_reply;
struct aws_session;
struct clock;
struct error;
struct event_window;
struct log;
struct on_failure;
struct on_failure_shipment;
struct record;

enum failure_condition {
    FAILURE_RETRY_ATTEMPTS_EXHAUSTED, // "RetryAttemptsExhausted"
    FAILURE_RECORD_AGE_EXCEEDED,      // "RecordAgeExceeded"
    FAILURE_FILTERED, // beyond Lambda, `on_filtered`: the records go as they
                      // are, without a report
};

/* Embedded by the caller, who fills it, and must leave it and the records in
 * place until on_failure_next returns it. */
struct failure {
    enum failure_condition condition;
    unsigned invoke_count; // approximateInvokeCount
    bool is_unhandled;     // functionError "Unhandled"; else null: the function
                           // returned, but not all records were done
    int64_t failed_wall_ms;        // when it was given up
    struct record *const *records; // of one shard, in order; 1 or more
    size_t count;
    const struct event_window *window; // of its payload; NULL: no window
    struct bytes request_id; // of the last invocation; empty: one is made
    void *tag;               // the caller's

    struct failure *next;                 // on_failure's
    struct on_failure_shipment *shipment; // on_failure's
};

struct on_failure_options {
    const char *destination;     // copied
    bool include_payload;        // on SQS and SNS: add "payload" while it fits
    const char *trigger;         // copied; makes the mapping's UUID
    const char *function;        // copied; the handler's name: functionArn
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed; the poller's
    const struct clock *clock;
    const struct log *log; // copied
    uint64_t seed;
};

/* Is this what on_failure_open takes? The rule it breaks, otherwise. */
bool on_failure_check(const char *destination, struct error *err);

/* ERROR_INVALID as on_failure_check; ERROR_DENIED, ERROR_NOT_FOUND: the folder
 * cannot be written. */
struct on_failure *on_failure_open(const struct on_failure_options *options,
                                   struct error *err);

/* Report it, until it is accepted or withdrawn. */
void on_failure_report(struct on_failure *on_failure, struct failure *failure,
                       int64_t now_ms);

/* Is the destination down, so that nobody knows how long reports will wait? */
bool on_failure_is_failing(const struct on_failure *on_failure);

/* Give it up (a stop, a lost lease): it will not come back. It may
 * still arrive: delivery is at least once. */
void on_failure_withdraw(struct on_failure *on_failure,
                         struct failure *failure);

/* The next that was accepted, or NULL. It is the caller's again. */
struct failure *on_failure_next(struct on_failure *on_failure);

/* A call finished. False: it is not one of ours. */
bool on_failure_reply(struct on_failure *on_failure, struct aws_reply *reply,
                      int64_t now_ms);

/* Whose calls they are, for aws_client_cancel. */
const void *on_failure_owner(const struct on_failure *on_failure);

/* Send what is due; call after every event of the loop. */
void on_failure_poll(struct on_failure *on_failure, int64_t now_ms);
int64_t on_failure_deadline_ms(const struct on_failure *on_failure);

/* Reports that wait or are under way, for the word that a destination holds
 * its shard. */
size_t on_failure_pending(const struct on_failure *on_failure);

/* Requires that nothing is pending. NULL is fine. */
void on_failure_close(struct on_failure *on_failure);

/* The name of a condition as reports have it. */
const char *failure_condition_name(enum failure_condition condition);

/* A trigger's UUID, the same on every machine and at every start: of the
 * mapping in S3 keys and logs. 36 characters and the end. */
void on_failure_uuid(const char *trigger, char uuid[37]);

#endif
