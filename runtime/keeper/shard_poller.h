/*
 * shard_poller: the poller of one held lease: it is started where the lease
 * says, told to finish when the lease goes, and started again with backoff when
 * it fails, without disturbing others.
 *
 * Threads: the keeper's, but for the poller's events, which leave a checkpoint
 * behind the lock and post the shard's mail.
 */
#ifndef POLLARD_SHARD_POLLER_H
#define POLLARD_SHARD_POLLER_H

#include <stdint.h>

#include "base/mailbox.h"

struct aws_session;
struct clock;
struct handler;
struct lease_held;
struct leases;
struct log;
struct poller_stats;
struct shard_poller;
struct trigger_config;

struct shard_poller_options {
    const struct trigger_config *trigger; // borrowed
    const char *stream;                   // identity; copied
    struct aws_session *session;          // borrowed
    struct handler *handler;              // borrowed
    struct mailbox *mailbox;              // borrowed; the keeper's
    int mail_kind; // of the mail that says that the poller ended
    const struct clock *clock;
    const struct log *log;     // borrowed
    struct leases *leases;     // borrowed
    char *const *consumer_arn; // borrowed; the keeper's. A trigger with a
                               // consumer begins once it is known
    struct poller_stats *past; // borrowed; gets the counts of what ended
    uint64_t seed;
};

/* The lease must be forgotten only after the shard was destroyed. */
struct shard_poller *
shard_poller_create(const struct shard_poller_options *options,
                    struct lease_held *held);
/* Requires that no poller runs. NULL is fine. */
void shard_poller_destroy(struct shard_poller *shard);

/* Tell leases how far it came. */
void shard_poller_report(struct shard_poller *shard);

/* Do what the lease says: start, stop, or notice that the poller hangs. */
void shard_poller_steer(struct shard_poller *shard, int64_t now_ms);

/* When shard_poller_steer has something to do by time alone. */
int64_t shard_poller_due_ms(const struct shard_poller *shard);

/* Cut the poller off. */
void shard_poller_force(struct shard_poller *shard);

/* Its mail came: the poller ended. */
struct shard_poller *shard_poller_of_mail(struct mail *mail);
void shard_poller_ended(struct shard_poller *shard, int64_t now_ms);

/* False when no poller runs. */
bool shard_poller_read_stats(const struct shard_poller *shard,
                             struct poller_stats *stats);

#endif
