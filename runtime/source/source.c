#include "source/source.h"

#include <assert.h>
#include <stddef.h>

void source_poll(struct source *source, size_t room, int64_t now_ms)
{
    source->ops->poll(source, room, now_ms);
}

void source_reply(struct source *source, struct aws_reply *reply,
                  int64_t now_ms)
{
    source->ops->reply(source, reply, now_ms);
}

const struct record_origin *source_origin(const struct source *source)
{
    return source->ops->origin ? source->ops->origin(source) : NULL;
}

struct record *source_next(struct source *source)
{
    return source->ops->next(source);
}

void source_settle(struct source *source, struct record *record,
                   enum source_verdict verdict, int64_t delay_ms,
                   int64_t now_ms)
{
    assert(record);
    source->ops->settle(source, record, verdict, delay_ms, now_ms);
}

void source_extend(struct source *source, struct record *const *records,
                   size_t count, int64_t now_ms)
{
    if (source->ops->extend && count)
        source->ops->extend(source, records, count, now_ms);
}

int64_t source_deadline_ms(const struct source *source)
{
    return source->ops->deadline_ms(source);
}

void source_stop(struct source *source)
{
    source->ops->stop(source);
}

bool source_is_idle(const struct source *source)
{
    return source->ops->is_idle(source);
}

bool source_is_ended(const struct source *source)
{
    return source->ops->is_ended(source);
}

const struct error *source_failure(const struct source *source)
{
    return source->ops->failure(source);
}

void source_counts(const struct source *source, struct source_counts *counts)
{
    *counts = (struct source_counts){0};
    source->ops->counts(source, counts);
}

void source_close(struct source *source)
{
    if (source)
        source->ops->close(source);
}
