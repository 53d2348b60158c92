/*
 * host_call: an invocation as the handler sees it. Each executor has one and
 * uses it again and again: it keeps the ABI's structs and grows them when
 * needed, so that a dispatch allocates nothing.
 *
 * Threads: its executor's, which is the one that runs handle().
 */
#ifndef POLLARD_HOST_CALL_H
#define POLLARD_HOST_CALL_H

#include <stddef.h>
#include <stdint.h>

#include <pollard/handler.h>

#include "base/bytes.h"

struct clock;
struct invocation;

#define HOST_CALL_RESPONSE_LIMIT (6u * 1024 * 1024)
#define HOST_CALL_EMISSION_LIMIT (1024u * 1024)       // data and key of one
#define HOST_CALL_EMISSIONS_LIMIT (64u * 1024 * 1024) // memory of a batch's

struct host_call {
    struct host_call *self; // what batch.opaque points at
    struct pollard_batch batch;
    struct pollard_window window;           // the batch's, if it has one
    struct pollard_record *records;         // owned; capacity
    const struct pollard_record **pointers; // owned; to each of records
    size_t capacity;
    const struct clock *clock;
    struct invocation *invocation; // borrowed; NULL between invocations
    int64_t deadline_ms;
    struct buffer event; // made when asked for
};

void host_call_init(struct host_call *call, const struct clock *clock);
void host_call_finish(struct host_call *call);

/* The invocation as the handler sees it, valid until host_call_end. */
const struct pollard_batch *host_call_begin(struct host_call *call,
                                            struct invocation *invocation);

/* The call behind a batch; NULL when the batch is not running (any more). */
struct host_call *host_call_of(const struct pollard_batch *batch);

/* handle() returned this: decide the outcome. */
void host_call_end(struct host_call *call, int result);

#endif
