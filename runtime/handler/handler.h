/*
 * handler: the host side of user code. A handler is a loaded library with its
 * settings and, for one trigger, a pool of instances on executor threads; each
 * instance is used by one thread at a time. Instances are created when first
 * needed, up to `concurrency`.
 *
 * A poller lends an invocation to the handler with handler_start and gets it
 * back, outcome filled, as mail in the invocation's own mailbox. The interface
 * is asynchronous, so that process isolation can stand behind it too.
 *
 * Threads: the supervisor opens, stops, joins and closes; any poller thread
 * starts invocations.
 */
#ifndef POLLARD_HANDLER_HOST_H
#define POLLARD_HANDLER_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/mailbox.h"
#include "record/emission.h"

struct clock;
struct error;
struct event_window;
struct handler;
struct handler_config;
struct log;
struct record;

enum outcome_kind {
    OUTCOME_DONE,      // but for the records marked in `failed`
    OUTCOME_FAILED,    // the whole batch: handle() said so
    OUTCOME_TIMED_OUT, // the whole batch: it took longer than its timeout
    OUTCOME_UNSTARTED, // never ran: the handler is stopping, or no instance
                       // could be created
};

struct outcome {
    enum outcome_kind kind;
    bool *failed; // owned; NULL, or one flag a record
    size_t failed_count;
    bool invalid_report; // it named a record that is not in the batch: the
                         // whole batch failed, `invalid_why`
    char invalid_why[80];
    bool response_too_large; // its last response was refused: the same
    char reason[256];        // why it failed, for the log; may be empty
    bool has_response;
    struct buffer response; // owned; response payload, may be empty
    bool has_state;
    struct buffer state; // owned; of a tumbling window, by the ABI's set_state
    struct emission *emissions, **last_emission; // owned; in order
    size_t emission_count, emission_bytes;
    int64_t started_ms, ended_ms; // monotonic
};

struct invocation {
    struct mail mail; // first: how it comes back

    // Set by the poller before handler_start; borrowed until it is back.
    struct record *const *records;
    size_t count;
    const char *trigger;
    struct mailbox *reply_to;
    int64_t timeout_ms;
    const struct event_window *window; // NULL: none. With it count may be 0
    bool may_emit; // the trigger has an on_success destination

    // Filled by the handler.
    struct outcome outcome;
};

/* OUTCOME_UNSTARTED, with nothing in it. handler_start does it. */
void outcome_init(struct outcome *outcome);

/* Free and forget the emitted records. */
void outcome_drop_emissions(struct outcome *outcome);

/* Free what is in it; it may be used again. */
void outcome_finish(struct outcome *outcome);

struct handler_options {
    const struct handler_config *config; // borrowed; must outlive the handler
    const char *trigger;                 // copied
    int64_t concurrency;                 // instances at the most
    const struct clock *clock;
    const struct log *log; // copied
};

/* Load and check the library (owner, permissions, ABI), and create the first
 * instance, so that what is wrong shows at start. ERROR_INVALID with one clear
 * sentence otherwise. */
struct handler *handler_open(const struct handler_options *options,
                             struct error *err);

/* Any thread. Queue the invocation; it comes back in reply_to. Never blocks. */
void handler_start(struct handler *handler, struct invocation *invocation);

/* Any thread. Invocations that could run at once: `concurrency`, or fewer while
 * create() fails for more. */
size_t handler_concurrency(const struct handler *handler);

/* Ask the executors to end after what they run; what is queued, or started from
 * now on, comes back as OUTCOME_UNSTARTED. Idempotent. */
void handler_stop(struct handler *handler);

/* After handler_stop: wait until the executors have destroyed their instances
 * and ended, until deadline_ms (monotonic). False when user code is still
 * running then: the handler must not be closed, the process is to exit. */
bool handler_join(struct handler *handler, int64_t deadline_ms);

/* Requires a true handler_join, or that nothing was started; an instance that
 * never ran is destroyed here. The library stays loaded. NULL is fine. */
void handler_close(struct handler *handler);

/* Load, check and create one instance, then destroy it: for `pollard validate`.
 */
bool handler_check(const struct handler_config *config, const struct log *log,
                   struct error *err);

#endif
