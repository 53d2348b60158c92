/*
 * supervisor: the lifecycle of a worker: signals, the set of triggers, reload,
 * drain. It never touches a record.
 *
 * SIGTERM, SIGINT: drain within stop_grace; a second one forces. SIGHUP: read
 * the file again, and swap only the triggers that changed; a file with a
 * mistake changes nothing. SIGUSR1: log the counters.
 *
 * Threads: the main thread. Signals are blocked by supervisor_block_signals
 * before the first thread starts, and read here.
 */
#ifndef POLLARD_SUPERVISOR_H
#define POLLARD_SUPERVISOR_H

#include <stdbool.h>

struct error;
struct log_sink;
struct settings;
struct supervisor;

struct supervisor_options {
    struct settings *settings; // owned from here on
    struct log_sink *sink;     // borrowed; level and payloads follow reloads
    /* Applied to every settings object before it is used, the first included:
     * what the command line overrides. May be NULL. */
    bool (*adjust)(void *context, struct settings *settings, struct error *err);
    void *context;
};

/* Call first thing in main's thread. */
void supervisor_block_signals(void);

/* Open the AWS session and every handler. Nothing polls yet; what is wrong is
 * ERROR_INVALID, one sentence. */
struct supervisor *supervisor_create(const struct supervisor_options *options,
                                     struct error *err);

/* Start, run until told to stop, drain. Returns the exit status: 0, or
 * 128 + signal when forced. */
int supervisor_run(struct supervisor *supervisor);

/* False: user code would not end; memory is left to the exiting process. */
bool supervisor_destroy(struct supervisor *supervisor);

#endif
