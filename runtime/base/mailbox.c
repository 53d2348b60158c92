#include "base/mailbox.h"

#include <sched.h>
#include <stddef.h>

void mailbox_init(struct mailbox *mailbox, mailbox_wake_fn *wake, void *context)
{
    *mailbox = (struct mailbox){.wake = wake, .context = context};
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->last = &mailbox->first;
}

void mailbox_finish(struct mailbox *mailbox)
{
    while (atomic_load_explicit(&mailbox->waking, memory_order_acquire))
        (void)sched_yield();
    pthread_mutex_destroy(&mailbox->lock);
}

void mailbox_post(struct mailbox *mailbox, struct mail *mail)
{
    bool was_empty;

    mail->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    was_empty = !mailbox->first;
    *mailbox->last = mail;
    mailbox->last = &mail->next;
    if (was_empty)
        atomic_fetch_add_explicit(&mailbox->waking, 1, memory_order_relaxed);
    pthread_mutex_unlock(&mailbox->lock);
    if (!was_empty)
        return;
    mailbox->wake(mailbox->context);
    // From here on the owner may be gone.
    atomic_fetch_sub_explicit(&mailbox->waking, 1, memory_order_release);
}

struct mail *mailbox_take(struct mailbox *mailbox)
{
    struct mail *first;

    pthread_mutex_lock(&mailbox->lock);
    first = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = &mailbox->first;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}
