/*
 * mailbox: the only way into another thread's state. Any thread posts; the
 * owner takes. A post wakes the owner when the box was empty.
 *
 * Mail is intrusive: the sender embeds a struct mail and hands the whole
 * object over; from post on it belongs to the receiver.
 */
#ifndef POLLARD_MAILBOX_H
#define POLLARD_MAILBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct mail {
    struct mail *next;
    int kind; // the receiver's own enum
};

/* Wakes the owner out of its wait. Called on the sender's thread, with no lock
 * held; must not block. */
typedef void mailbox_wake_fn(void *context);

struct mailbox {
    // Never changed after init.
    mailbox_wake_fn *wake;
    void *context;

    // Shared.
    atomic_uint waking; // senders that are about to wake the owner
    pthread_mutex_t lock;
    struct mail *first, **last; // guarded by lock
};

void mailbox_init(struct mailbox *mailbox, mailbox_wake_fn *wake,
                  void *context);

/* Owner only, and only when nobody will post any more. Mail arrives before its
 * sender has woken the owner: this waits for the last one to have done so. What
 * `wake` needs must outlive it. */
void mailbox_finish(struct mailbox *mailbox);

/* Any thread. */
void mailbox_post(struct mailbox *mailbox, struct mail *mail);

/* Owner only. Everything that has arrived, oldest first, or NULL. Never
 * blocks. */
struct mail *mailbox_take(struct mailbox *mailbox);

#endif
