#include "handler/host_call.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "record/event.h"
#include "record/record.h"

#define EVENT_KEEP (256u * 1024u) // an event buffer up to this stays allocated
// A window that ends early brings back a state of up to the response's limit.
#define EVENT_WINDOW_ROOM 4096u

void host_call_init(struct host_call *call, const struct clock *clock)
{
    *call = (struct host_call){.self = call, .clock = clock};
    buffer_init(&call->event, EVENT_LIMIT + EVENT_WINDOW_ROOM);
}

void host_call_finish(struct host_call *call)
{
    buffer_finish(&call->event);
    free(call->records);
    free(call->pointers);
}

static void grow(struct host_call *call, size_t count)
{
    if (count <= call->capacity)
        return;
    call->records = mem_realloc(call->records, count, sizeof(*call->records));
    call->pointers =
        mem_realloc(call->pointers, count, sizeof(*call->pointers));
    for (size_t i = 0; i < count; i++)
        call->pointers[i] = &call->records[i];
    call->capacity = count;
}

static struct pollard_record seen(const struct record *record)
{
    struct bytes id = record_full_id(record);

    return (struct pollard_record){
        .size = sizeof(struct pollard_record),
        .id = id.data,
        .id_size = id.size,
        .data = record->data.data,
        .data_size = record->data.size,
        .key = record->key.data,
        .key_size = record->key.size,
        .arrived_at_ms = record->arrived_at_ms,
        .receive_count = record->receive_count,
    };
}

static const struct pollard_window *
seen_window(struct host_call *call, const struct event_window *window)
{
    if (!window)
        return NULL;
    call->window = (struct pollard_window){
        .size = sizeof(call->window),
        .start_ms = window->start_ms,
        .end_ms = window->end_ms,
        .state = window->state.data,
        .state_size = window->state.size,
        .is_final = window->is_final,
        .is_terminated_early = window->is_terminated_early,
    };
    return &call->window;
}

const struct pollard_batch *host_call_begin(struct host_call *call,
                                            struct invocation *invocation)
{
    const struct record_origin *origin;

    assert(invocation->count > 0 || invocation->window);
    origin = invocation->window ? invocation->window->origin
                                : invocation->records[0]->origin;
    grow(call, invocation->count);
    for (size_t i = 0; i < invocation->count; i++)
        call->records[i] = seen(invocation->records[i]);
    call->batch = (struct pollard_batch){
        .size = sizeof(call->batch),
        .trigger = invocation->trigger,
        .source_arn = origin->arn,
        .shard = origin->shard,
        .count = invocation->count,
        .records = call->pointers,
        .opaque = &call->self,
        .window = seen_window(call, invocation->window),
    };
    invocation->outcome.started_ms = clock_now_ms(call->clock);
    call->deadline_ms = invocation->outcome.started_ms + invocation->timeout_ms;
    call->invocation = invocation;
    return &call->batch;
}

struct host_call *host_call_of(const struct pollard_batch *batch)
{
    struct host_call *call;

    if (!batch || !batch->opaque)
        return NULL;
    call = *(struct host_call *const *)batch->opaque;
    return call->invocation ? call : NULL;
}

// Nothing of a failed batch counts but its reason.
static void fail(struct outcome *outcome, enum outcome_kind kind)
{
    outcome->kind = kind;
    free(outcome->failed);
    outcome->failed = NULL;
    outcome->failed_count = 0;
    buffer_finish(&outcome->response);
    buffer_finish(&outcome->state);
    outcome->has_state = false;
    outcome_drop_emissions(outcome);
}

static void fail_late(struct outcome *outcome, int64_t timeout_ms)
{
    char reason[sizeof(outcome->reason)];

    memcpy(reason, outcome->reason, sizeof(reason));
    fail(outcome, OUTCOME_TIMED_OUT);
    (void)snprintf(outcome->reason, sizeof(outcome->reason),
                   "took %lld ms of %lld ms%s%.*s",
                   (long long)(outcome->ended_ms - outcome->started_ms),
                   (long long)timeout_ms, reason[0] ? ": " : "",
                   (int)sizeof(reason) - 80, reason);
}

static void forget_event(struct host_call *call)
{
    if (call->event.capacity > EVENT_KEEP)
        buffer_finish(&call->event);
    buffer_clear(&call->event);
}

void host_call_end(struct host_call *call, int result)
{
    struct outcome *outcome = &call->invocation->outcome;

    call->invocation = NULL;
    forget_event(call);
    outcome->ended_ms = clock_now_ms(call->clock);
    if (outcome->ended_ms >= call->deadline_ms) {
        fail_late(outcome, call->deadline_ms - outcome->started_ms);
        return;
    }
    if (result == 0) {
        outcome->kind = OUTCOME_DONE;
        return;
    }
    fail(outcome, OUTCOME_FAILED);
    if (!outcome->reason[0])
        (void)snprintf(outcome->reason, sizeof(outcome->reason),
                       "handle() returned %d", result);
}
