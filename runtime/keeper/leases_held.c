#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "keeper/leases_inner.h"
#include "keeper/membership.h"
#include "keeper/plan.h"

static void held_destroy(struct lease_held *held)
{
    free(held->shard);
    free(held->sequence);
    free(held->begin);
    free(held->window);
    free(held);
}

void leases_forget_all(struct leases *leases)
{
    for (size_t i = 0; i < leases->count; i++)
        held_destroy(leases->held[i]);
    free(leases->held);
    leases->held = NULL;
    leases->count = 0;
}

static bool is_sequence(const char *checkpoint)
{
    return checkpoint[0] >= '0' && checkpoint[0] <= '9';
}

// Where `shard` is in the list, or would be.
static size_t position_of(const struct leases *leases, const char *shard)
{
    size_t low = 0, high = leases->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(leases->held[middle]->shard, shard) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct lease_held *leases_find(const struct leases *leases, const char *shard)
{
    size_t at = position_of(leases, shard);

    return at < leases->count && !strcmp(leases->held[at]->shard, shard)
               ? leases->held[at]
               : NULL;
}

int64_t leases_yield_deadline_ms(const struct leases *leases,
                                 const struct lease_held *held)
{
    if (held->is_abandoned)
        return 0;
    return held->asked_ms
               ? held->asked_ms + plan_yield_grace_ms(leases->duration_ms)
               : CLOCK_NEVER;
}

void leases_set_guard(const struct leases *leases, struct lease_held *held)
{
    int64_t until_ms =
        clock_earlier(membership_acts_until_ms(leases->membership),
                      leases_yield_deadline_ms(leases, held));

    __atomic_store_n(&held->acts_until_ms, held->is_ours ? until_ms : 0,
                     __ATOMIC_RELEASE);
}

void leases_set_guards(struct leases *leases)
{
    for (size_t i = 0; i < leases->count; i++)
        leases_set_guard(leases, leases->held[i]);
}

void leases_granted(struct leases *leases, const struct lease_row *row)
{
    struct lease_held *held = mem_calloc(1, sizeof(*held));
    size_t at = position_of(leases, row->shard);

    assert(!leases_find(leases, row->shard));
    held->shard = mem_strdup(row->shard);
    held->epoch = row->epoch;
    held->is_ours = true;
    held->should_read = !leases_let_all_go(leases);
    held->begin = mem_strdup(row->checkpoint);
    held->timestamp_ms = row->start_timestamp_ms;
    if (is_sequence(row->checkpoint))
        held->sequence = mem_strdup(row->checkpoint);
    held->window = mem_strdup(row->window);
    leases->held =
        mem_realloc(leases->held, leases->count + 1, sizeof(*leases->held));
    memmove(&leases->held[at + 1], &leases->held[at],
            (leases->count - at) * sizeof(*leases->held));
    leases->held[at] = held;
    leases->count++;
    leases_set_guard(leases, held);
    log_info(&leases->log, "lease.acquired", LOG_STR("shard", held->shard),
             LOG_INT("epoch", held->epoch),
             LOG_STR("checkpoint", row->checkpoint),
             LOG_INT("window_bytes", row->window ? strlen(row->window) : 0));
}

void leases_let_go(struct leases *leases, struct lease_held *held)
{
    held->is_ours = false;
    held->should_read = false;
    held->is_dirty = held->window_is_dirty = false;
    leases_set_guard(leases, held);
}

void leases_lost(struct leases *leases, struct lease_held *held)
{
    log_warn(&leases->log, "lease.lost", LOG_STR("shard", held->shard),
             LOG_INT("epoch", held->epoch));
    leases_let_go(leases, held);
}

void leases_forget_finished(struct leases *leases)
{
    size_t kept = 0;

    for (size_t i = 0; i < leases->count; i++) {
        struct lease_held *held = leases->held[i];

        if (held->is_ours || held->has_reader)
            leases->held[kept++] = held;
        else
            held_destroy(held);
    }
    leases->count = kept;
}
