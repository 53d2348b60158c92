#include "fake_handler.h"

#include <stdio.h>

#include "base/mem.h"
#include "record/record.h"
#include "test.h"

void __wrap_handler_start(struct handler *handler,
                          struct invocation *invocation);
size_t __wrap_handler_concurrency(const struct handler *handler);

void fake_handler_init(struct fake_handler *fake, size_t concurrency)
{
    *fake = (struct fake_handler){.concurrency = concurrency};
    pthread_mutex_init(&fake->lock, NULL);
}

void fake_handler_finish(struct fake_handler *fake)
{
    pthread_mutex_destroy(&fake->lock);
}

struct handler *fake_handler(struct fake_handler *fake)
{
    return (struct handler *)(void *)fake;
}

static struct fake_handler *cast(const struct handler *handler)
{
    return (struct fake_handler *)(uintptr_t)handler;
}

size_t __wrap_handler_concurrency(const struct handler *handler)
{
    return cast(handler)->concurrency;
}

void __wrap_handler_start(struct handler *handler,
                          struct invocation *invocation)
{
    struct fake_handler *fake = cast(handler);

    outcome_init(&invocation->outcome);
    pthread_mutex_lock(&fake->lock);
    fake->started++;
    if (!fake->automatic) {
        assert_true(fake->count < FAKE_HANDLER_MOST);
        fake->running[fake->count++] = invocation;
    }
    pthread_mutex_unlock(&fake->lock);
    if (fake->automatic) {
        invocation->outcome.kind = OUTCOME_DONE;
        mailbox_post(invocation->reply_to, &invocation->mail);
    }
}

size_t fake_handler_running(struct fake_handler *fake)
{
    size_t count;

    pthread_mutex_lock(&fake->lock);
    count = fake->count;
    pthread_mutex_unlock(&fake->lock);
    return count;
}

static bool is_at(const struct record *record, const char *data)
{
    return bytes_equal(record->data, bytes_of(data));
}

struct invocation *fake_handler_find(struct fake_handler *fake,
                                     const char *data)
{
    struct invocation *found = NULL;

    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < fake->count; i++)
        if (is_at(fake->running[i]->records[0], data))
            found = fake->running[i];
    pthread_mutex_unlock(&fake->lock);
    if (!found)
        fail_msg("no batch that begins with \"%s\" runs", data);
    return found;
}

static void mark_failed(struct invocation *invocation, const char *failed)
{
    struct outcome *outcome = &invocation->outcome;
    char *copy = mem_strdup(failed), *rest = copy;

    outcome->failed = mem_calloc(invocation->count, sizeof(*outcome->failed));
    for (char *word; (word = strsep(&rest, " "));)
        for (size_t i = 0; i < invocation->count; i++)
            if (is_at(invocation->records[i], word)) {
                outcome->failed[i] = true;
                outcome->failed_count++;
            }
    free(copy);
}

static void emit(struct outcome *outcome)
{
    struct emission *emission = mem_calloc(1, sizeof(*emission) + 1);

    emission->data = (struct bytes){(const char *)(emission + 1), 1};
    *outcome->last_emission = emission;
    outcome->last_emission = &emission->next;
    outcome->emission_count++;
    outcome->emission_bytes++;
}

static void forget(struct fake_handler *fake,
                   const struct invocation *invocation)
{
    pthread_mutex_lock(&fake->lock);
    for (size_t i = 0; i < fake->count; i++)
        if (fake->running[i] == invocation)
            fake->running[i--] = fake->running[--fake->count];
    pthread_mutex_unlock(&fake->lock);
}

void fake_handler_end(struct fake_handler *fake, const char *data,
                      enum outcome_kind kind, const char *failed,
                      size_t emissions)
{
    struct invocation *invocation = fake_handler_find(fake, data);

    forget(fake, invocation);
    invocation->outcome.kind = kind;
    if (kind == OUTCOME_FAILED)
        (void)snprintf(invocation->outcome.reason,
                       sizeof(invocation->outcome.reason), "it is a test");
    if (failed)
        mark_failed(invocation, failed);
    for (size_t i = 0; i < emissions; i++)
        emit(&invocation->outcome);
    mailbox_post(invocation->reply_to, &invocation->mail);
}
