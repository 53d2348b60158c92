/*
 * trigger: one running trigger: its handler, and its poller (a queue) or its
 * stream keeper (a stream), which is started again with backoff when it dies of
 * an error. One trigger's failure never reaches another.
 *
 * Threads: the supervisor's alone.
 */
#ifndef POLLARD_TRIGGER_H
#define POLLARD_TRIGGER_H

#include <stdbool.h>
#include <stdint.h>

#include "poller/poller.h"

struct aws_session;
struct clock;
struct error;
struct log;
struct settings;
struct trigger;
struct trigger_config;

struct trigger_options {
    const struct trigger_config *config; // borrowed
    const struct settings *settings;     // borrowed; the config is part of it
    struct aws_session *session;         // borrowed
    const char *store_session;           // borrowed; this process's id
    const struct clock *clock;
    const struct log *log;          // copied
    void (*changed)(void *context); // something ended: tick soon. Any thread
    void *context;
};

/* Load the handler and create its first instance, so that a mistake shows
 * before anything starts. */
struct trigger *trigger_create(const struct trigger_options *options,
                               struct error *err);

/* Start polling. Call once. */
void trigger_start(struct trigger *trigger);

/* Start again what died, when its backoff is over. Returns when it wants to be
 * called next. */
int64_t trigger_tick(struct trigger *trigger, int64_t now_ms);

/* Drain: ask and return at once. Idempotent. */
void trigger_stop(struct trigger *trigger);
/* Cut off what still runs. */
void trigger_force(struct trigger *trigger);
/* After stop: everything has ended, join will not wait. */
bool trigger_has_ended(const struct trigger *trigger);

const struct trigger_config *trigger_config(const struct trigger *trigger);

const struct settings *trigger_settings(const struct trigger *trigger);

/* Would a trigger made from this config now be another one? True also when the
 * handler's library file was replaced since it was loaded. */
bool trigger_differs(const struct trigger *trigger,
                     const struct trigger_config *config);

/* Sums over its life, restarts included. */
void trigger_read_stats(const struct trigger *trigger,
                        struct poller_stats *stats);

/* Did its loop go round within this time, or end? False also while it is down
 * for longer. */
bool trigger_progresses(const struct trigger *trigger, int64_t now_ms,
                        int64_t within_ms);

/* Wait for its threads, handler code until deadline_ms, and free it. False
 * when user code still runs: what it uses is left allocated and the process
 * must exit. NULL is fine. */
bool trigger_destroy(struct trigger *trigger, int64_t deadline_ms);

#endif
