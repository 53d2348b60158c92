/*
 * keeper: the stream keeper, one thread for each stream trigger: lists shards,
 * takes, renews and hands over leases, starts and stops shard pollers (parents
 * before children), and writes their checkpoints, many in one transaction.
 *
 * Its decisions are the pure functions of keeper/plan.h (leases.md sections
 * 4.3, 4.4 and 4.6), carried out by keeper/leases.h; this is the thread around
 * them. Each keeper is a session of its own in the store, under the name
 * "application/trigger", so that several triggers may read one stream.
 *
 * It dies of nothing: a store or an endpoint that fails is said once and tried
 * again, while the pollers go on as long as the leases last.
 *
 * Threads: the supervisor creates, starts, stops, joins and destroys. Shard
 * pollers and the lister reach it only through its mailbox.
 */
#ifndef POLLARD_KEEPER_H
#define POLLARD_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aws_session;
struct clock;
struct error;
struct handler;
struct keeper;
struct log;
struct poller_stats;
struct store_config;
struct trigger_config;

struct keeper_options {
    const struct trigger_config *trigger;    // borrowed
    const struct store_config *store_config; // borrowed
    const char *store_session;   // this process's id (store_session_id), with
                                 // which its sessions' ids begin; copied
    struct aws_session *session; // borrowed
    struct handler *handler;     // borrowed
    const struct clock *clock;
    const struct log *log;                               // copied
    void (*ended)(void *context, struct keeper *keeper); // on its thread
    void *context;
    uint64_t seed;
};

struct keeper *keeper_create(const struct keeper_options *options);

/* Opens the store: what is wrong with it is told here, as store_open does. */
bool keeper_start(struct keeper *keeper, struct error *err);

/* Stop the shard pollers, write their checkpoints, release the leases, end. */
void keeper_stop(struct keeper *keeper);
/* The same, but cut the pollers off, and try each write once. */
void keeper_force(struct keeper *keeper);

/* Any thread. Sums of its pollers, living and ended, as of the last second;
 * progressed_ms is the oldest of the living and its own. *shards: pollers
 * running. */
void keeper_read_stats(const struct keeper *keeper, struct poller_stats *stats,
                       size_t *shards);

/* Safe when it never started. */
void keeper_join(struct keeper *keeper);
/* Requires a joined keeper. NULL is fine. */
void keeper_destroy(struct keeper *keeper);

#endif
