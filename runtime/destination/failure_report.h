/*
 * failure_report: the document about what a trigger gave up, byte-faithful to
 * AWS's (lambda-esm.md sections 4.1 and 4.2).
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_FAILURE_REPORT_H
#define POLLARD_FAILURE_REPORT_H

#include <stdbool.h>

#include "base/bytes.h"

struct failure;

/* Of the report; an event of 6 MiB, escaped, is at most twice as much. */
#define FAILURE_REPORT_LIMIT (64u * 1024 * 1024)

struct failure_report {
    const struct failure *failure;
    const char *function;   // the handler's name
    const char *request_id; // a UUID
    bool has_payload;       // the event too, as a JSON string
};

/* {"requestContext":{...},...} */
void failure_report_write(struct buffer *out,
                          const struct failure_report *report);

/* {"Records":[...]}, with the window's members where there is one. */
void failure_report_event(struct buffer *out, const struct failure *failure);

#endif
