/*
 * pool: isolation by thread. The executors of one handler: threads, started
 * when first needed, each with an instance of its own; what they cannot take at
 * once waits in one queue, in order.
 *
 * A running handle() cannot be stopped from outside: its time-out is decided
 * when it returns.
 *
 * Threads: the supervisor creates, stops, joins and destroys; any thread
 * starts invocations.
 */
#ifndef POLLARD_POOL_H
#define POLLARD_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct error;
struct invocation;
struct library;
struct log;
struct pool;

struct pool_options {
    const struct library *library; // borrowed
    const char *settings;          // borrowed; JSON
    const char *name;              // borrowed; threads are named after it
    size_t concurrency;            // executors at the most
    const struct clock *clock;     // borrowed
    const struct log *log;         // borrowed
};

/* With its first instance, created on this thread. NULL when that failed. */
struct pool *pool_create(const struct pool_options *options, struct error *err);

/* Any thread; never blocks. The invocation comes back as mail. */
void pool_start(struct pool *pool, struct invocation *invocation);

/* Any thread. Executors that could run at once: all, unless create() fails. */
size_t pool_concurrency(struct pool *pool);

/* What waits in the queue comes back unstarted, and what starts from now on.
 * Idempotent. */
void pool_stop(struct pool *pool);

/* After pool_stop: wait until the executors have destroyed their instances and
 * ended, until deadline_ms on the pool's clock. False when one has not. */
bool pool_join(struct pool *pool, int64_t deadline_ms);

/* Requires a true pool_join, or that nothing was ever started. NULL is fine. */
void pool_destroy(struct pool *pool);

#endif
