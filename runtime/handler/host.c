#include "handler/host.h"

#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "handler/handler.h"
#include "handler/host_call.h"
#include "record/event.h"
#include "record/record.h"

#define LOG_MESSAGE_LIMIT 4096 // bytes of a line's message

static _Thread_local const struct log *thread_log;

// The host table's log() has no context, so for a thread that is not ours the
// way to the log has to be the process's.
static struct {
    pthread_mutex_t lock;
    struct log log;  // guarded by lock
    unsigned opened; // guarded by lock
} strangers = {.lock = PTHREAD_MUTEX_INITIALIZER};

const struct log *host_log_as(const struct log *log)
{
    const struct log *before = thread_log;

    thread_log = log;
    return before;
}

void host_log_open(const struct log *log)
{
    pthread_mutex_lock(&strangers.lock);
    strangers.log = (struct log){.sink = log->sink};
    strangers.opened++;
    pthread_mutex_unlock(&strangers.lock);
}

void host_log_close(void)
{
    pthread_mutex_lock(&strangers.lock);
    if (--strangers.opened == 0)
        strangers.log = (struct log){0};
    pthread_mutex_unlock(&strangers.lock);
}

static struct log log_of_strangers(void)
{
    struct log log;

    pthread_mutex_lock(&strangers.lock);
    log = strangers.log;
    pthread_mutex_unlock(&strangers.lock);
    return log;
}

// The longest part of text that fits, whole characters only.
static struct bytes cut(const char *text, size_t limit)
{
    size_t size = strnlen(text, limit + 1);

    if (size <= limit)
        return (struct bytes){text, size};
    while (limit && ((unsigned char)text[limit] & 0xc0) == 0x80)
        limit--;
    return (struct bytes){text, limit};
}

static void host_log(int level, const char *message)
{
    static const enum log_level levels[] = {
        [POLLARD_LOG_DEBUG] = LOG_LEVEL_DEBUG,
        [POLLARD_LOG_INFO] = LOG_LEVEL_INFO,
        [POLLARD_LOG_WARN] = LOG_LEVEL_WARN,
        [POLLARD_LOG_ERROR] = LOG_LEVEL_ERROR,
    };
    bool known = level >= POLLARD_LOG_DEBUG && level <= POLLARD_LOG_ERROR;
    struct log log = thread_log ? *thread_log : log_of_strangers();

    if (message)
        LOG_AT(&log, known ? levels[level] : LOG_LEVEL_ERROR, "handler.log",
               LOG_BYTES("message", cut(message, LOG_MESSAGE_LIMIT)));
}

static int64_t host_remaining_ms(const struct pollard_batch *batch)
{
    const struct host_call *call = host_call_of(batch);

    if (!call)
        return 0;
    return clock_until_ms(call->deadline_ms, clock_now_ms(call->clock),
                          INT64_MAX);
}

// A handler that does not look at the result must not lose what it meant.
static int refuse_report(struct host_call *call, size_t index)
{
    struct outcome *outcome = &call->invocation->outcome;

    if (!outcome->invalid_report)
        (void)snprintf(outcome->invalid_why, sizeof(outcome->invalid_why),
                       "fail_record(%zu) of a batch of %zu", index,
                       call->invocation->count);
    outcome->invalid_report = true;
    return -1;
}

static int host_fail_record(const struct pollard_batch *batch, size_t index)
{
    struct host_call *call = host_call_of(batch);
    struct outcome *outcome;

    if (!call)
        return -1;
    if (index >= call->invocation->count)
        return refuse_report(call, index);
    outcome = &call->invocation->outcome;
    if (!outcome->failed)
        outcome->failed =
            mem_calloc(call->invocation->count, sizeof(*outcome->failed));
    if (!outcome->failed[index])
        outcome->failed_count++;
    outcome->failed[index] = true;
    return 0;
}

static void host_fail_reason(const struct pollard_batch *batch,
                             const char *message)
{
    struct host_call *call = host_call_of(batch);
    struct outcome *outcome;
    struct bytes reason;

    if (!call || !message)
        return;
    outcome = &call->invocation->outcome;
    reason = cut(message, sizeof(outcome->reason) - 1);
    memcpy(outcome->reason, reason.data, reason.size);
    outcome->reason[reason.size] = '\0';
}

static int host_respond(const struct pollard_batch *batch, const void *json,
                        size_t size)
{
    struct host_call *call = host_call_of(batch);
    struct outcome *outcome;

    if (!call || (!json && size))
        return -1;
    outcome = &call->invocation->outcome;
    outcome->response_too_large = size > HOST_CALL_RESPONSE_LIMIT;
    if (outcome->response_too_large)
        return -1;
    outcome->has_response = true;
    buffer_clear(&outcome->response);
    buffer_append(&outcome->response, json, size);
    return 0;
}

static bool has_one_object(struct json_read *in)
{
    return json_read_array(in) && json_read_element(in) &&
           json_read_peek(in) == JSON_READ_OBJECT && json_read_skip(in) &&
           !json_read_element(in) && json_read_end(in);
}

// UTF-8, and one JSON object. It is read within a list, because the store and
// the event have it within an object: what only just nests deep enough by
// itself could not be read from there. The reader overwrites what it reads.
static bool is_json_object(struct bytes text)
{
    struct json_read in;
    struct buffer list;
    bool ok;

    if (!text.size || utf8_valid_size(text) < text.size)
        return false;
    buffer_init(&list, text.size + 2);
    buffer_append_char(&list, '[');
    buffer_append_bytes(&list, text);
    buffer_append_char(&list, ']');
    json_read_init(&in, list.data, list.size);
    ok = has_one_object(&in);
    buffer_finish(&list);
    return ok;
}

static int host_set_state(const struct pollard_batch *batch, const void *json,
                          size_t size)
{
    struct host_call *call = host_call_of(batch);
    struct outcome *outcome;

    if (!call || !call->invocation->window)
        return -1;
    outcome = &call->invocation->outcome;
    outcome->has_state = json && size <= outcome->state.limit &&
                         is_json_object((struct bytes){json, size});
    if (!outcome->has_state)
        return -1;
    buffer_clear(&outcome->state);
    buffer_append(&outcome->state, json, size);
    return 0;
}

static struct emission *emission_create(struct bytes data, struct bytes key)
{
    struct emission *emission =
        mem_calloc(1, sizeof(*emission) + data.size + key.size);
    char *room = (char *)(emission + 1);

    emission->data = (struct bytes){room, data.size};
    emission->key = (struct bytes){room + data.size, key.size};
    if (data.size)
        memcpy(room, data.data, data.size);
    if (key.size)
        memcpy(room + data.size, key.data, key.size);
    return emission;
}

// What an emission costs, so that a million empty ones are bounded too.
static size_t emission_cost(size_t size, size_t key_size)
{
    return sizeof(struct emission) + size + key_size;
}

static bool may_emit(const struct host_call *call, size_t size, size_t key_size)
{
    const struct outcome *outcome = &call->invocation->outcome;

    if (!call->invocation->may_emit || size > HOST_CALL_EMISSION_LIMIT ||
        key_size > HOST_CALL_EMISSION_LIMIT - size)
        return false;
    return outcome->emission_bytes + emission_cost(size, key_size) <=
           HOST_CALL_EMISSIONS_LIMIT;
}

static int host_emit(const struct pollard_batch *batch, const void *data,
                     size_t size, const char *key, size_t key_size)
{
    struct host_call *call = host_call_of(batch);
    struct outcome *outcome;
    struct emission *emission;

    if (!key)
        key_size = 0;
    if (!call || (!data && size) || !may_emit(call, size, key_size))
        return -1;
    outcome = &call->invocation->outcome;
    emission = emission_create((struct bytes){data, size},
                               (struct bytes){key, key_size});
    *outcome->last_emission = emission;
    outcome->last_emission = &emission->next;
    outcome->emission_count++;
    outcome->emission_bytes += emission_cost(size, key_size);
    return 0;
}

static const struct bytes *find_dynamodb(const struct record *record,
                                         struct bytes name)
{
    if (bytes_equal(name, BYTES("eventName")))
        return &record->event_name;
    if (bytes_equal(name, BYTES("eventID")))
        return &record->event_id;
    if (bytes_equal(name, BYTES("eventVersion")))
        return &record->event_version;
    if (bytes_equal(name, BYTES("userIdentity")) && record->user_identity.size)
        return &record->user_identity;
    return NULL;
}

static const struct bytes *find_attribute(const struct record *record,
                                          struct bytes name)
{
    if (record->origin->kind == RECORD_DYNAMODB)
        return find_dynamodb(record, name);
    if (record->origin->kind != RECORD_SQS)
        return NULL;
    for (size_t i = 0; i < record->attribute_count; i++)
        if (bytes_equal(record->attributes[i].name, name))
            return &record->attributes[i].value;
    for (size_t i = 0; i < record->message_attribute_count; i++)
        if (bytes_equal(record->message_attributes[i].name, name))
            return &record->message_attributes[i].value;
    return NULL;
}

static int host_attribute(const struct pollard_batch *batch, size_t index,
                          const char *name, const char **value,
                          size_t *value_size)
{
    const struct host_call *call = host_call_of(batch);
    const struct bytes *found;

    if (!call || !name || index >= call->invocation->count)
        return -1;
    found = find_attribute(call->invocation->records[index], bytes_of(name));
    if (!found)
        return -1;
    *value = found->data;
    *value_size = found->size;
    return 0;
}

static void write_event(struct host_call *call)
{
    const struct invocation *invocation = call->invocation;
    const struct record *const *records =
        (const struct record *const *)invocation->records;

    if (invocation->window)
        event_write_window(&call->event, records, invocation->count,
                           invocation->window);
    else
        event_write(&call->event, records, invocation->count);
}

static int host_event_json(const struct pollard_batch *batch, const char **json,
                           size_t *size)
{
    struct host_call *call = host_call_of(batch);

    if (!call)
        return -1;
    if (!call->event.size)
        write_event(call);
    if (!buffer_ok(&call->event))
        return -1;
    *json = buffer_text(&call->event);
    *size = call->event.size;
    return 0;
}

const struct pollard_host host_table = {
    .size = sizeof(host_table),
    .major = POLLARD_HANDLER_MAJOR,
    .minor = POLLARD_HANDLER_MINOR,
    .log = host_log,
    .remaining_ms = host_remaining_ms,
    .fail_record = host_fail_record,
    .fail_reason = host_fail_reason,
    .respond = host_respond,
    .emit = host_emit,
    .attribute = host_attribute,
    .event_json = host_event_json,
    .set_state = host_set_state,
};
