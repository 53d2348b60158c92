/*
 * dispatch: the invocations that run: lent to the handler, back with their
 * outcome, then, when they emitted, held until the destination has accepted it
 * all. Watches what a running one needs meanwhile: its visibility (heartbeat)
 * and a word when it runs past its deadline.
 *
 * Threads: the poller's. The handler's threads see only the invocation, until
 * they post it back.
 */
#ifndef POLLARD_DISPATCH_H
#define POLLARD_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handler/handler.h"

struct batch;
struct destination;
struct dispatch;
struct log;
struct mail;
struct mailbox;
struct source;

struct dispatch_options {
    struct handler *handler;         // borrowed
    struct mailbox *mailbox;         // borrowed; where invocations come back
    int mail_kind;                   // of theirs
    struct source *source;           // borrowed; for the heartbeat
    struct destination *destination; // borrowed; NULL: none
    const struct log *log;           // borrowed
    const char *trigger;             // borrowed
    int64_t timeout_ms;
    bool heartbeat;
};

struct dispatch *dispatch_create(const struct dispatch_options *options);

/* Requires that no invocation is out at the handler. NULL is fine. */
void dispatch_destroy(struct dispatch *dispatch);

/* Run a batch. */
void dispatch_start(struct dispatch *dispatch, struct batch *batch,
                    int64_t now_ms);

/* An invocation's mail arrived: it is no longer out. */
void dispatch_returned(struct dispatch *dispatch, struct mail *mail,
                       int64_t now_ms);

/* The next batch that is over, what it emitted accepted; NULL: none. Its
 * outcome moves to the caller, who finishes it. */
struct batch *dispatch_next(struct dispatch *dispatch, struct outcome *outcome);

/* Extend and warn, as is due. */
void dispatch_watch(struct dispatch *dispatch, int64_t now_ms);
int64_t dispatch_deadline_ms(const struct dispatch *dispatch);

/* Give up what waits for the destination: dispatch_next brings it as failed. */
void dispatch_withdraw(struct dispatch *dispatch);

/* Invocations out at the handler. */
size_t dispatch_out(const struct dispatch *dispatch);

#endif
