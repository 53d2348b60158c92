/*
 * keeper: the stream keeper, one thread for each stream trigger: lists shards,
 * takes, renews and hands over leases, starts and stops shard pollers (parents
 * before children), and writes their checkpoints, many in one transaction.
 *
 * Its decisions are the pure functions of keeper/plan.h (leases.md sections
 * 4.3, 4.4 and 4.6); this is the shell around them.
 *
 * Threads: the supervisor creates, starts, stops, joins and destroys. Shard
 * pollers reach it only through its mailbox.
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
    const char *store_session;               // this process's id; borrowed
    struct aws_session *session;             // borrowed
    struct handler *handler;                 // borrowed
    const struct clock *clock;
    const struct log *log;                               // copied
    void (*ended)(void *context, struct keeper *keeper); // on its thread
    void *context;
    uint64_t seed;
};

struct keeper *keeper_create(const struct keeper_options *options);
bool keeper_start(struct keeper *keeper, struct error *err);

/* Stop the shard pollers, write their checkpoints, release the leases, end. */
void keeper_stop(struct keeper *keeper);
void keeper_force(struct keeper *keeper);

/* Any thread. True with err filled when it died of an error. */
bool keeper_failed(const struct keeper *keeper, struct error *err);

/* Any thread. Sums of its pollers, living and ended; progressed_ms is the
 * oldest of the living and its own. *shards: pollers running. */
void keeper_read_stats(const struct keeper *keeper, struct poller_stats *stats,
                       size_t *shards);
void keeper_join(struct keeper *keeper);
void keeper_destroy(struct keeper *keeper);

#endif
