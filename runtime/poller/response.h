/*
 * response: what a handler's outcome says about each record: the ABI's marks
 * and Lambda's response payload alike (lambda-esm.md section 3).
 *
 * `{"batchItemFailures":[{"itemIdentifier":"ID"}]}`: the ID of an SQS message,
 * or a stream record's sequence number, which all parts of an aggregated record
 * have; one part is "SEQUENCE:N" (record_full_id). One bad entry fails the
 * whole batch; so the list is checked whole before any of it counts. Of a
 * tumbling window the response also carries the state, and must.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_RESPONSE_H
#define POLLARD_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

struct batch;
struct outcome;

struct response_verdict {
    bool all_failed; // the whole batch: an error, a timeout, or a bad report
    bool *failed;    // owned; one flag a record; NULL when none or all failed
    size_t failed_count;
    bool is_unhandled;  // an error or a timeout: functionError "Unhandled"
    bool is_unstarted;  // it never ran: nothing failed
    bool is_invalid;    // the report broke the rules, `why` says how
    char why[256];      // for the log; "" when there is nothing to say
    struct bytes state; // of a tumbling window; borrowed from the outcome
    bool has_state;
};

struct response_rules {
    bool reads_response; // ReportBatchItemFailures is on
    bool wants_state;    // the batch is a tumbling window's
};

/* Caller finishes the verdict. */
void response_read(const struct outcome *outcome, const struct batch *batch,
                   const struct response_rules *rules,
                   struct response_verdict *verdict);

void response_verdict_finish(struct response_verdict *verdict);

/* How many records from the front of a shard's batch are done. */
size_t response_done_prefix(const struct response_verdict *verdict,
                            size_t count);

bool response_is_failed(const struct response_verdict *verdict, size_t index);

#endif
