#include "fake_destination.h"

#include "base/clock.h"
#include "base/error.h"
#include "test.h"

struct destination *
__wrap_destination_open(const struct destination_options *options,
                        struct error *err);
void __wrap_destination_deliver(struct destination *destination,
                                struct delivery *delivery, int64_t now_ms);
void __wrap_destination_withdraw(struct destination *destination,
                                 struct delivery *delivery);
void __wrap_destination_reply(struct destination *destination,
                              struct aws_reply *reply, int64_t now_ms);
void __wrap_destination_poll(struct destination *destination, int64_t now_ms);
int64_t __wrap_destination_deadline_ms(const struct destination *destination);
struct delivery *__wrap_destination_next(struct destination *destination);
void __wrap_destination_close(struct destination *destination);

struct destination *fake_destination(struct fake_destination *fake)
{
    return (struct destination *)(void *)fake;
}

struct destination *
__wrap_destination_open(const struct destination_options *options,
                        struct error *err)
{
    (void)error_set(err, ERROR_INVALID, "no such destination: %s",
                    options->arn);
    return NULL;
}

static struct fake_destination *cast(const struct destination *destination)
{
    return (struct fake_destination *)(uintptr_t)destination;
}

void __wrap_destination_deliver(struct destination *destination,
                                struct delivery *delivery, int64_t now_ms)
{
    struct fake_destination *fake = cast(destination);
    size_t count = 0;

    (void)now_ms;
    for (const struct emission *e = delivery->emissions; e; e = e->next)
        count++;
    assert_int_equal(count, delivery->count);
    delivery->next = fake->waiting;
    fake->waiting = delivery;
}

void __wrap_destination_withdraw(struct destination *destination,
                                 struct delivery *delivery)
{
    struct fake_destination *fake = cast(destination);
    struct delivery **at = &fake->waiting;

    while (*at != delivery)
        at = &(*at)->next;
    *at = delivery->next;
    fake->withdrawn++;
}

void __wrap_destination_reply(struct destination *destination,
                              struct aws_reply *reply, int64_t now_ms)
{
    (void)destination;
    (void)reply;
    (void)now_ms;
    fail_msg("a fake destination sends no calls");
}

void __wrap_destination_poll(struct destination *destination, int64_t now_ms)
{
    (void)destination;
    (void)now_ms;
}

int64_t __wrap_destination_deadline_ms(const struct destination *destination)
{
    (void)destination;
    return CLOCK_NEVER;
}

struct delivery *__wrap_destination_next(struct destination *destination)
{
    struct fake_destination *fake = cast(destination);
    struct delivery *delivery = fake->waiting;

    if (fake->down || !delivery)
        return NULL;
    fake->waiting = delivery->next;
    fake->accepted += delivery->count;
    return delivery;
}

void __wrap_destination_close(struct destination *destination)
{
    if (!destination)
        return;
    assert_null(cast(destination)->waiting);
    cast(destination)->closed = true;
}
