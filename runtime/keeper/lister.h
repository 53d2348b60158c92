/*
 * lister: asks for the stream and lists its shards on a thread of its own, so
 * that an endpoint that hangs never stops the keeper's heartbeat.
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

#include "source/kinesis.h"

struct aws_session;
struct clock;
struct error;
struct lister;
struct log;
struct mailbox;

struct lister_options {
    struct aws_session *session; // borrowed
    const char *stream;          // copied
    struct mailbox *reply_to;    // borrowed
    int mail_kind;
    const struct clock *clock;
    const struct log *log; // copied
    uint64_t seed;
};

struct listing {
    /* Which stream of this name it is: "name@1795359600", by the time of its
     * creation. A stream that was deleted and created anew has shards of the
     * same names, and nothing else in common with the first. Owned. */
    char *stream;
    struct stream_shards shards;
};

void listing_finish(struct listing *listing);

struct lister *lister_create(const struct lister_options *options);
bool lister_start(struct lister *lister, struct error *err);

/* Begin a listing; only once the one before was taken. */
void lister_ask(struct lister *lister);

/* After its mail: what came of it. Caller finishes the listing. */
bool lister_take(struct lister *lister, struct listing *listing,
                 struct error *err);

/* Cut off what is under way and end the thread. */
void lister_stop(struct lister *lister);
/* Safe when it never started. */
void lister_join(struct lister *lister);
/* Requires a joined lister whose mail will not be taken any more. NULL is fine.
 */
void lister_destroy(struct lister *lister);

#endif
