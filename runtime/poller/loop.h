/*
 * loop: a poller without its thread: what one round of the event loop does, in
 * which order, and when it is over. It never waits: the poller (poller.h)
 * sleeps in its AWS client and calls in; tests step it in virtual time.
 *
 *     outcomes -> emissions accepted? -> verdicts -> source -> records in
 *     -> batches out to the handler -> verdicts -> the source moves on
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_LOOP_H
#define POLLARD_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "poller/poller.h"
#include "poller/trigger_parts.h"

struct aws_reply;
struct clock;
struct loop;
struct mail;
struct mailbox;

/* What the mail in the poller's mailbox is. */
enum loop_mail { LOOP_OUTCOME, LOOP_STOP, LOOP_FORCE };

struct loop_options {
    const struct trigger_config *trigger; // borrowed
    bool is_shard;
    struct source *source;      // owned from here on
    struct trigger_parts parts; // what is in it: owned from here on
    const struct clock *clock;  // borrowed; the wall's, for records' ages
    struct handler *handler;    // borrowed
    struct mailbox *mailbox;    // borrowed; for invocations to come back
    const struct log *log;      // borrowed
    const volatile int64_t *acts_until_ms; // as in poller_options
    const char *window; // borrowed for the call; as in poller_options
    uint64_t seed;

    /* Shards: see poller_events. */
    void (*checkpoint)(void *context,
                       const struct poller_checkpoint *checkpoint);
    void *context;
};

struct loop *loop_create(const struct loop_options *options);

/* False, and nothing is freed, when user code still runs a batch after a forced
 * end: it reads the records and will post to the mailbox. NULL is fine. */
bool loop_destroy(struct loop *loop);

/* Mail of any kind arrived. */
void loop_mail(struct loop *loop, struct mail *mail, int64_t now_ms);

/* A call finished; the source or the destination that sent it gets it. */
void loop_reply(struct loop *loop, struct aws_reply *reply, int64_t now_ms);

/* Once round, after mail and replies. */
void loop_round(struct loop *loop, int64_t now_ms);

/* When the next round is due, if nothing comes before. */
int64_t loop_deadline_ms(const struct loop *loop, int64_t now_ms);

/* There is nothing left to do. */
bool loop_is_over(const struct loop *loop);

/* How it ended; err is filled for POLLER_FAILED. */
enum poller_end loop_end(const struct loop *loop, struct error *err);

/* All but progressed_ms. */
void loop_stats(const struct loop *loop, struct poller_stats *stats);

#endif
