/*
 * lister: asks for the source's streams and lists their shards on a thread of
 * its own, so that an endpoint that hangs never stops the keeper's heartbeat.
 *
 *     lister_ask(lister);                       // the keeper goes on
 *     ... a mail of the given kind arrives ...
 *     if (lister_take(lister, &listing, &err))
 *
 * Threads: the keeper's creates, asks, takes and ends; the lister's own lists.
 */
#ifndef POLLARD_LISTER_H
#define POLLARD_LISTER_H

#include <stdbool.h>
#include <stdint.h>

#include "source/stream_list.h"

struct aws_session;
struct clock;
struct error;
struct lister;
struct log;
struct mailbox;
struct source_config;

struct lister_options {
    struct aws_session *session;        // borrowed
    const struct source_config *source; // borrowed
    struct mailbox *reply_to;           // borrowed
    int mail_kind;
    const struct clock *clock;
    const struct log *log; // copied
    uint64_t seed;
};

struct lister *lister_create(const struct lister_options *options);
bool lister_start(struct lister *lister, struct error *err);

/* Begin a listing; only once the one before was taken. */
void lister_ask(struct lister *lister);

/* After its mail: what came of it. Caller finishes the listing. */
bool lister_take(struct lister *lister, struct stream_listing *listing,
                 struct error *err);

/* Cut off what is under way and end the thread. */
void lister_stop(struct lister *lister);
/* Safe when it never started. */
void lister_join(struct lister *lister);
/* Requires a joined lister whose mail will not be taken any more. NULL is fine.
 */
void lister_destroy(struct lister *lister);

#endif
