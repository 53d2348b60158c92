/*
 * supervisor_inner: what the supervisor's files share: its state, and a
 * generation of settings. For this room only.
 *
 * Threads: the main thread, but for supervisor_wake.
 */
#ifndef POLLARD_SUPERVISOR_INNER_H
#define POLLARD_SUPERVISOR_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "poller/poller.h"
#include "supervisor/notify.h"

struct aws_session;
struct clock;
struct error;
struct settings;
struct trigger;
struct trigger_config;

// One reading of the file and the AWS session made from it. A generation lives
// as long as a trigger uses it.
struct generation {
    struct settings *settings;   // owned
    struct aws_session *session; // owned
    struct generation *next;     // owned; the one before
};

struct supervisor {
    // Set by supervisor_create, never changed.
    struct log_sink *sink; // borrowed
    struct log log;
    const struct clock *clock;
    char *store_session; // owned
    bool (*adjust)(void *context, struct settings *settings, struct error *err);
    void *adjust_context; // borrowed
    int signals, changes; // signalfd, eventfd

    // Main thread only.
    struct generation *generations; // owned; the newest first
    struct trigger **triggers;      // owned, and each in it
    size_t trigger_count;
    struct poller_stats past; // of triggers that a reload removed
    struct notify notify;
    int64_t status_ms, watchdog_ms; // when to speak next
    int stop_signal;   // came while something else was waited for; or 0
    bool reload_again; // so did a SIGHUP
    bool user_code_hangs;
};

/* Takes the settings over, whatever comes of it. NULL: no AWS session. */
struct generation *generation_create(struct supervisor *supervisor,
                                     struct settings *settings,
                                     struct error *err);
void generation_destroy(struct generation *generation);

/* A trigger of that generation, its handler opened, not started. */
struct trigger *supervisor_make_trigger(struct supervisor *supervisor,
                                        const struct generation *generation,
                                        const struct trigger_config *config,
                                        struct error *err);

/* Wait until all have ended, or the deadline, or a signal to stop, which is
 * kept in stop_signal. A SIGHUP is kept in reload_again. */
void supervisor_wait_ended(struct supervisor *supervisor,
                           struct trigger *const *triggers, size_t count,
                           int64_t deadline_ms);

/* Cut off what still runs. It ends at once, but for user code, which gets a
 * second; the counts are final then. */
void supervisor_force(struct supervisor *supervisor,
                      struct trigger *const *triggers, size_t count);

/* Read the file again: validate, then swap only what changed; a mistake changes
 * nothing (reload.c). */
void supervisor_reload(struct supervisor *supervisor);

#endif
