#include "poller/flow.h"

#include <stdlib.h>

#include "base/mem.h"

size_t flow_room_within(const struct flow *flow, size_t inside,
                        size_t inside_bytes, size_t records, size_t bytes)
{
    size_t by_bytes;

    if (inside >= records || inside_bytes >= bytes)
        return 0;
    by_bytes = (bytes - inside_bytes) / flow->typical_bytes;
    if (by_bytes == 0) // a large one after small ones must still get in
        by_bytes = 1;
    return records - inside < by_bytes ? records - inside : by_bytes;
}

void flow_settle_list(struct flow *flow, struct record_list *list,
                      enum source_verdict verdict)
{
    struct record *record;

    while ((record = record_list_take(list)))
        settle_add(&flow->settle, record, verdict);
}

void flow_settle_batch(struct flow *flow, struct batch *batch,
                       enum source_verdict verdict)
{
    for (size_t i = 0; i < batch->count; i++)
        settle_add(&flow->settle, batch->records[i], verdict);
    free(batch);
}

void flow_discard(struct flow *flow, struct batch *batch,
                  enum discard_condition condition, bool is_unhandled)
{
    struct discard *discard = mem_calloc(1, sizeof(*discard));

    discard->condition = condition;
    discard->batch = batch;
    discard->invoke_count = batch->attempt ? batch->attempt : 1;
    discard->is_unhandled = is_unhandled;
    discard->discarded_at_ms = flow->now_ms + flow->wall_ahead_ms;
    flow->given_up += batch->count;
    flow->given_up_bytes += batch->event_bytes;
    *flow->last_discard = discard;
    flow->last_discard = &discard->next;
}
