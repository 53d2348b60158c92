#include "base/clock.h"
#include "base/error.h"
#include "keeper/leases_inner.h"
#include "keeper/membership.h"

// A shard that ended names its children at once; should it not, the listing
// that comes later does.
#define CHILDREN_PATIENCE_MS 30000
#define MISSES_LIMIT 2
// Kinesis keeps a shard for a year at the most; a row must outlive it.
#define COLLECT_AFTER_MS (366LL * 24 * 60 * 60 * 1000)
#define COLLECT_EVERY_MS (60 * 60 * 1000)

static void release(struct leases *leases, struct lease_held *held)
{
    struct lease_token token = leases_token(leases, held);
    struct error err = {0};
    enum store_result result =
        store_lease_release(leases_store(leases), &token, &err);

    if (!leases_answered(leases, result, &err))
        return;
    if (result == STORE_OK)
        log_info(&leases->log, "lease.released", LOG_STR("shard", held->shard));
    leases_let_go(leases, held);
}

static bool waits_for_listing(const struct leases *leases,
                              const struct lease_held *held)
{
    return held->is_ours && !held->has_reader && !held->is_dirty &&
           !leases_let_all_go(leases) &&
           (held->end == LEASE_END_SHARD || held->end == LEASE_END_MISSING);
}

/* Its reader ended, or did not end in time. */
static bool is_to_be_released(const struct leases *leases,
                              const struct lease_held *held, int64_t now_ms)
{
    if (!held->is_ours || held->is_dirty || held->should_read)
        return false;
    return (!held->has_reader && !waits_for_listing(leases, held)) ||
           now_ms >= leases_yield_deadline_ms(leases, held);
}

void leases_release_finished(struct leases *leases)
{
    int64_t now_ms = leases_now(leases);

    for (size_t i = 0; i < leases->count; i++)
        if (now_ms >= leases->retry_ms &&
            is_to_be_released(leases, leases->held[i], now_ms))
            release(leases, leases->held[i]);
}

bool leases_want_listing(const struct leases *leases)
{
    for (size_t i = 0; i < leases->count; i++)
        if (waits_for_listing(leases, leases->held[i]))
            return true;
    return false;
}

/* With all that the listing brought, so that no child of it is missing. */
static void end_shard(struct leases *leases, struct lease_held *held,
                      const struct lineage *lineage)
{
    struct lease_token token = leases_token(leases, held);
    struct error err = {0};
    enum store_result result = store_lease_end(
        leases_store(leases), &token, lineage->leases, lineage->count, &err);

    if (!leases_answered(leases, result, &err))
        return;
    if (result == STORE_OK)
        log_info(&leases->log, "shard.ended", LOG_STR("shard", held->shard),
                 LOG_STR("checkpoint", held->sequence));
    leases_let_go(leases, held);
}

static void end_when_children_are_known(struct leases *leases,
                                        struct lease_held *held,
                                        const struct stream_shards *shards,
                                        const struct lineage *lineage)
{
    bool is_listed = lineage_lists(shards, held->shard);

    if (is_listed && !shards->is_final &&
        !lineage_has_children(shards, held->shard)) {
        if (leases_now(leases) - held->ended_ms < CHILDREN_PATIENCE_MS)
            return;
        log_warn(&leases->log, "shard.childless",
                 LOG_STR("shard", held->shard));
    }
    end_shard(leases, held, lineage);
}

// DynamoDB lists closed shards longer than it lets them be read. Elsewhere a
// shard that is listed is there, whatever a reader was told: what it missed was
// its consumer, say, which was deleted and is registered anew.
static bool is_gone(const struct lease_held *held,
                    const struct stream_shards *shards)
{
    const struct stream_shard *shard = stream_shards_find(shards, held->shard);

    return !shard || (shards->lists_gone && shard->closed &&
                      held->misses >= MISSES_LIMIT);
}

/* Only a listing that omits it, or says that it is closed, says that it is
 * gone; leases.md I10. */
static void lose_when_unlisted(struct leases *leases, struct lease_held *held,
                               const struct stream_shards *shards)
{
    struct lease_token token = leases_token(leases, held);
    struct error err = {0};
    enum store_result result;

    if (!is_gone(held, shards)) {
        held->end = LEASE_END_NONE;
        held->should_read = true;
        return;
    }
    result = store_lease_lost(leases_store(leases), &token, &err);
    if (!leases_answered(leases, result, &err))
        return;
    log_error(&leases->log, "shard.lost", LOG_STR("shard", held->shard),
              LOG_STR("after", held->sequence ? held->sequence : held->begin));
    leases_let_go(leases, held);
}

static void collect(struct leases *leases)
{
    struct error err = {0};
    enum store_result result;

    if (leases_now(leases) < leases->collect_due_ms)
        return;
    leases->collect_due_ms = leases_now(leases) + COLLECT_EVERY_MS;
    result = store_lease_collect(
        leases_store(leases), leases->stream,
        clock_wall_ms(leases->clock) - COLLECT_AFTER_MS, &err);
    (void)leases_answered(leases, result, &err);
}

static bool create(struct leases *leases, const struct lineage *lineage)
{
    struct error err = {0};
    enum store_result result;

    if (!lineage->count)
        return true;
    result = store_lease_create(leases_store(leases), leases->stream,
                                lineage->leases, lineage->count, &err);
    return leases_answered(leases, result, &err);
}

static bool follow_listing(struct leases *leases,
                           const struct stream_shards *shards,
                           const struct lineage *lineage)
{
    for (size_t i = 0; i < leases->count; i++) {
        struct lease_held *held = leases->held[i];

        if (!waits_for_listing(leases, held))
            continue;
        if (held->end == LEASE_END_SHARD)
            end_when_children_are_known(leases, held, shards, lineage);
        else
            lose_when_unlisted(leases, held, shards);
    }
    leases->look_due_ms = 0;
    return create(leases, lineage);
}

bool leases_listed(struct leases *leases, const struct stream_shards *shards)
{
    struct lease_rows rows = {0};
    struct lineage lineage;
    struct error err = {0};
    enum store_result result;
    bool ok;

    if (!membership_is_joined(leases->membership) || leases_let_all_go(leases))
        return false;
    result =
        store_lease_list(leases_store(leases), leases->stream, &rows, &err);
    if (!leases_have_read(leases, result, &err))
        return false;
    lineage_find(shards, &rows, &leases->start, &lineage);
    ok = follow_listing(leases, shards, &lineage);
    collect(leases);
    lineage_finish(&lineage);
    lease_rows_finish(&rows);
    return ok;
}
