#include "memory_source.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "records.h"
#include "test.h"

static struct memory_source *cast(const struct source *source)
{
    return (struct memory_source *)(uintptr_t)source;
}

/* Every call from outside counts towards the failure. */
static void count_call(struct memory_source *memory)
{
    if (memory->fail_after > 0)
        memory->fail_after--;
    else if (memory->fail_after == 0 && memory->error.code == ERROR_NONE)
        error_set(&memory->error, ERROR_DENIED, "memory: access denied");
}

static void receive(struct memory_source *memory,
                    struct memory_message *message, int64_t now_ms)
{
    struct record_spec spec = {
        .id = message->id,
        .data = message->data,
        .key = message->key,
        .received_ms = now_ms,
        .receive_count = ++message->receive_count,
    };

    memory->counts.received++;
    message->state = MEMORY_HIDDEN;
    message->visible_ms =
        memory->is_shard ? CLOCK_NEVER : now_ms + memory->queue->visibility_ms;
    spec.visible_ms = message->visible_ms;
    record_list_add(&memory->arrived, record_make(&spec));
}

static void poll_queue(struct memory_source *memory, size_t room,
                       int64_t now_ms)
{
    for (size_t i = 0; i < memory->queue->count && room > 0; i++) {
        struct memory_message *message = memory->queue->messages[i];

        if (message->state == MEMORY_HIDDEN && message->visible_ms <= now_ms)
            message->state = MEMORY_VISIBLE;
        if (message->state != MEMORY_VISIBLE)
            continue;
        receive(memory, message, now_ms);
        room--;
    }
}

static void poll_shard(struct memory_source *memory, size_t room,
                       int64_t now_ms)
{
    for (; room > 0 && memory->read_to < memory->queue->count; room--)
        receive(memory, memory->queue->messages[memory->read_to++], now_ms);
}

static void memory_poll(struct source *source, size_t room, int64_t now_ms)
{
    struct memory_source *memory = cast(source);

    count_call(memory);
    memory->asked = room;
    if (room > memory->most_asked)
        memory->most_asked = room;
    assert_true(room == 0 || !memory->stopped);
    if (memory->error.code != ERROR_NONE)
        return;
    room = room > memory->arrived.count ? room - memory->arrived.count : 0;
    if (memory->is_shard)
        poll_shard(memory, room, now_ms);
    else
        poll_queue(memory, room, now_ms);
}

static void memory_reply(struct source *source, struct aws_reply *reply,
                         int64_t now_ms)
{
    (void)source;
    (void)reply;
    (void)now_ms;
    fail_msg("a memory source sends no calls");
}

static struct record *memory_next(struct source *source)
{
    struct memory_source *memory = cast(source);
    struct record *record = record_list_take(&memory->arrived);

    if (record)
        memory->out++;
    return record;
}

static struct memory_message *message_of(struct memory_source *memory,
                                         const struct record *record)
{
    for (size_t i = 0; i < memory->queue->count; i++)
        if (bytes_equal(record->id, bytes_of(memory->queue->messages[i]->id)))
            return memory->queue->messages[i];
    fail_msg("a record that this source never had");
    return NULL;
}

static void memory_settle(struct source *source, struct record *record,
                          enum source_verdict verdict, int64_t delay_ms,
                          int64_t now_ms)
{
    struct memory_source *memory = cast(source);
    struct memory_message *message = message_of(memory, record);

    count_call(memory);
    assert_true(memory->out-- > 0);
    switch (verdict) {
    case SOURCE_DONE:
        message->done++;
        memory->counts.deleted++;
        message->state = MEMORY_DELETED;
        break;
    case SOURCE_AGAIN:
        message->again++;
        memory->counts.returned += delay_ms >= 0;
        if (delay_ms >= 0)
            message->visible_ms = now_ms + delay_ms;
        break;
    case SOURCE_RETURN:
        message->returned++;
        memory->counts.returned++;
        message->state = MEMORY_VISIBLE;
        break;
    }
    record_release(record);
}

static void memory_extend(struct source *source, struct record *const *records,
                          size_t count, int64_t now_ms)
{
    struct memory_source *memory = cast(source);

    count_call(memory);
    if (memory->refuses_extends && memory->refuses_extends--)
        return;
    for (size_t i = 0; i < count; i++) {
        struct memory_message *message = message_of(memory, records[i]);

        message->extended++;
        message->visible_ms = now_ms + memory->queue->visibility_ms;
        records[i]->visible_ms = message->visible_ms;
    }
}

static int64_t memory_deadline_ms(const struct source *source)
{
    const struct memory_source *memory = cast(source);
    int64_t deadline_ms = CLOCK_NEVER;

    if (memory->arrived.count)
        return 0; // there is something to take, now
    if (!memory->asked || memory->is_shard)
        return CLOCK_NEVER;
    for (size_t i = 0; i < memory->queue->count; i++)
        if (memory->queue->messages[i]->state == MEMORY_HIDDEN)
            deadline_ms = clock_earlier(deadline_ms,
                                        memory->queue->messages[i]->visible_ms);
    return deadline_ms;
}

static void memory_stop(struct source *source)
{
    cast(source)->stopped = true;
}

static bool memory_is_idle(const struct source *source)
{
    const struct memory_source *memory = cast(source);

    return !memory->parked && !memory->arrived.count;
}

static bool memory_is_ended(const struct source *source)
{
    const struct memory_source *memory = cast(source);

    return memory->shard_is_closed && memory->read_to == memory->queue->count &&
           !memory->arrived.count;
}

static const struct error *memory_failure(const struct source *source)
{
    const struct memory_source *memory = cast(source);

    return memory->error.code == ERROR_NONE ? NULL : &memory->error;
}

static void memory_counts(const struct source *source,
                          struct source_counts *counts)
{
    *counts = cast(source)->counts;
}

static void memory_close(struct source *source)
{
    struct memory_source *memory = cast(source);

    assert_int_equal(memory->out, 0);
    assert_int_equal(memory->arrived.count, 0);
    if (memory->closed)
        *memory->closed = true;
    free(memory);
}

static const struct source_ops memory_ops = {
    .name = "memory",
    .poll = memory_poll,
    .reply = memory_reply,
    .next = memory_next,
    .settle = memory_settle,
    .extend = memory_extend,
    .deadline_ms = memory_deadline_ms,
    .stop = memory_stop,
    .is_idle = memory_is_idle,
    .is_ended = memory_is_ended,
    .failure = memory_failure,
    .counts = memory_counts,
    .close = memory_close,
};

struct memory_source *memory_source_open(struct memory_queue *queue)
{
    struct memory_source *memory = mem_calloc(1, sizeof(*memory));

    memory->source.ops = &memory_ops;
    memory->queue = queue;
    memory->fail_after = -1;
    return memory;
}

struct memory_source *memory_source_open_shard(struct memory_queue *queue,
                                               size_t read_to)
{
    struct memory_source *memory = memory_source_open(queue);

    memory->is_shard = true;
    memory->read_to = read_to;
    return memory;
}

void memory_queue_init(struct memory_queue *queue, int64_t visibility_ms)
{
    *queue = (struct memory_queue){.visibility_ms = visibility_ms};
}

void memory_queue_finish(struct memory_queue *queue)
{
    for (size_t i = 0; i < queue->count; i++) {
        free(queue->messages[i]->data);
        free(queue->messages[i]->key);
        free(queue->messages[i]);
    }
    free(queue->messages);
}

void memory_queue_push(struct memory_queue *queue, const char *data,
                       const char *key)
{
    struct memory_message *message = mem_calloc(1, sizeof(*message));

    queue->messages = mem_realloc(queue->messages, queue->count + 1,
                                  sizeof(*queue->messages));
    queue->messages[queue->count++] = message;
    (void)snprintf(message->id, sizeof(message->id), "%zu", queue->count);
    message->data = mem_strdup(data);
    message->key = mem_strdup(key);
}

size_t memory_queue_count(const struct memory_queue *queue, int state)
{
    size_t count = 0;

    for (size_t i = 0; i < queue->count; i++)
        count += (int)queue->messages[i]->state == state;
    return count;
}

struct memory_message *memory_queue_find(const struct memory_queue *queue,
                                         const char *data)
{
    for (size_t i = 0; i < queue->count; i++)
        if (!strcmp(queue->messages[i]->data, data))
            return queue->messages[i];
    fail_msg("no message \"%s\"", data);
    return NULL;
}
