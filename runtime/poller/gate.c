#include "poller/gate.h"

#include "base/clock.h"
#include "poller/batch.h"
#include "poller/pipeline.h"
#include "poller/response.h"

// What one receive can bring: fewer are not worth a call.
#define GATE_RECEIVE 10

void gate_init(struct gate *gate, const struct pipeline_options *options)
{
    gate->is_queue = options->kind == PIPELINE_QUEUE;
    gate->batch_size = options->batch_size;
    rate_init(&gate->rate, options->records_per_second);
    breaker_init(&gate->breaker, options->breaker_failures,
                 options->breaker_pause_ms);
}

/* So many records are waited for. */
static size_t step(const struct gate *gate)
{
    return gate->is_queue && gate->batch_size > GATE_RECEIVE ? GATE_RECEIVE
                                                             : gate->batch_size;
}

static size_t at_most(size_t value, size_t most)
{
    return value < most ? value : most;
}

size_t gate_room(const struct gate *gate, size_t room, int64_t now_ms)
{
    if (!breaker_allows(&gate->breaker, now_ms) ||
        !rate_allows(&gate->rate, step(gate), now_ms))
        return 0;
    if (gate->breaker.is_open)
        room = at_most(room, gate->batch_size);
    return at_most(room, rate_room(&gate->rate, now_ms));
}

int64_t gate_room_ms(const struct gate *gate, int64_t now_ms)
{
    int64_t breaker_ms = breaker_due_ms(&gate->breaker);
    int64_t rate_ms = rate_due_ms(&gate->rate, step(gate));
    int64_t due_ms = breaker_ms > rate_ms ? breaker_ms : rate_ms;

    return due_ms > now_ms ? due_ms : CLOCK_NEVER;
}

bool gate_admit(struct gate *gate, int64_t now_ms)
{
    if (!gate->is_queue)
        return true;
    if (!breaker_allows(&gate->breaker, now_ms))
        return false;
    rate_take(&gate->rate, 1, now_ms);
    return true;
}

bool gate_is_open(const struct gate *gate, int64_t now_ms)
{
    return breaker_allows(&gate->breaker, now_ms) &&
           (gate->is_queue || rate_allows(&gate->rate, step(gate), now_ms));
}

int64_t gate_opens_ms(const struct gate *gate)
{
    int64_t breaker_ms = breaker_due_ms(&gate->breaker);
    int64_t rate_ms =
        gate->is_queue ? INT64_MIN : rate_due_ms(&gate->rate, step(gate));

    return breaker_ms > rate_ms ? breaker_ms : rate_ms;
}

bool gate_started(struct gate *gate, const struct batch *batch, int64_t now_ms)
{
    if (!gate->is_queue)
        rate_take(&gate->rate, batch->count, now_ms);
    breaker_started(&gate->breaker, batch);
    return gate->breaker.tried == batch;
}

static enum breaker_result result_of(const struct response_verdict *verdict)
{
    if (verdict->is_unstarted)
        return BREAKER_NOTHING;
    return verdict->all_failed ? BREAKER_FAILURE : BREAKER_SUCCESS;
}

bool gate_finished(struct gate *gate, const struct batch *batch,
                   const struct response_verdict *verdict, int64_t now_ms)
{
    return breaker_finished(&gate->breaker, batch, result_of(verdict), now_ms);
}
