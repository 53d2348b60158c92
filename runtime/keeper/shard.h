/*
 * shard: the poller of one held lease: it is started where the lease says, told
 * to finish when the lease goes, and started again with backoff when it fails,
 * without disturbing others.
 *
 * Threads: the keeper's, but for the poller's events, which leave a checkpoint
 * behind the lock and post the shard's mail.
 */
#ifndef POLLARD_SHARD_H
#define POLLARD_SHARD_H

#include <stdint.h>

#include "base/mailbox.h"

struct aws_session;
struct clock;
struct handler;
struct lease_held;
struct leases;
struct log;
struct poller_stats;
struct shard;
struct trigger_config;

struct shard_options {
    const struct trigger_config *trigger; // borrowed
    struct aws_session *session;          // borrowed
    struct handler *handler;              // borrowed
    struct mailbox *mailbox;              // borrowed; the keeper's
    int mail_kind; // of the mail that says that the poller ended
    const struct clock *clock;
    const struct log *log;     // borrowed
    struct leases *leases;     // borrowed
    struct poller_stats *past; // borrowed; gets the counts of what ended
    uint64_t seed;
};

/* The lease must be forgotten only after the shard was destroyed. */
struct shard *shard_create(const struct shard_options *options,
                           struct lease_held *held);
/* Requires that no poller runs. NULL is fine. */
void shard_destroy(struct shard *shard);

/* Tell leases how far it came. */
void shard_report(struct shard *shard);

/* Do what the lease says: start, stop, or notice that the poller hangs. */
void shard_steer(struct shard *shard, int64_t now_ms);

/* When shard_steer has something to do by time alone. */
int64_t shard_due_ms(const struct shard *shard);

/* Cut the poller off. */
void shard_force(struct shard *shard);

/* Its mail came: the poller ended. */
struct shard *shard_of_mail(struct mail *mail);
void shard_poller_ended(struct shard *shard, int64_t now_ms);

/* False when no poller runs. */
bool shard_read_stats(const struct shard *shard, struct poller_stats *stats);

#endif
