#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "keeper/leases_inner.h"
#include "keeper/membership.h"
#include "keeper/plan.h"

static bool kill_one(struct leases *leases, const struct session_row *row)
{
    struct error err = {0};
    enum store_result result =
        store_session_kill(leases_store(leases), row->id, row->beat, &err);

    if (leases_answered(leases, result, &err) && result == STORE_OK)
        log_info(&leases->log, "session.killed", LOG_STR("session", row->id),
                 LOG_STR("why", row->is_gone ? "its process is gone"
                                             : "it does not beat"));
    return result == STORE_OK;
}

/* True when all was seen; *killed: the view is stale already. */
static bool look_at_sessions(struct leases *leases, size_t *killed)
{
    struct session_rows rows = {0};
    struct error err = {0};
    enum store_result result =
        store_sessions_list(leases_store(leases), &rows, &err);
    bool *kill;

    if (!leases_have_read(leases, result, &err))
        return false;
    kill = mem_calloc(rows.count, sizeof(*kill));
    plan_see_sessions(leases->plan, &rows, leases_now(leases), kill);
    *killed = 0;
    for (size_t i = 0; i < rows.count; i++)
        if (kill[i] && kill_one(leases, &rows.list[i]))
            (*killed)++;
    free(kill);
    session_rows_finish(&rows);
    return true;
}

static void acquire(struct leases *leases, struct lease_claim *claims,
                    size_t count)
{
    struct error err = {0};
    enum store_result result;

    if (!count)
        return;
    result = store_lease_acquire(leases_store(leases), leases->stream, claims,
                                 count, &err);
    if (!leases_answered(leases, result, &err) || result != STORE_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        if (claims[i].result == STORE_OK)
            leases_granted(leases, &claims[i].row);
        lease_row_finish(&claims[i].row);
    }
}

static void ask_for(struct leases *leases, const struct lease_row *row)
{
    struct error err = {0};
    enum store_result result =
        store_lease_want(leases_store(leases), leases->stream, row->shard,
                         row->owner, row->epoch, &err);

    (void)leases_answered(leases, result, &err);
}

static void force(struct leases *leases, const struct lease_row *row)
{
    struct lease_row taken = {0};
    struct error err = {0};
    enum store_result result = store_lease_take_forced(
        leases_store(leases), leases->stream, row->shard, row->owner,
        row->epoch, &taken, &err);

    if (!leases_answered(leases, result, &err) || result != STORE_OK)
        return;
    log_warn(&leases->log, "lease.forced", LOG_STR("shard", row->shard),
             LOG_STR("owner", row->owner));
    leases_granted(leases, &taken);
    lease_row_finish(&taken);
}

/* What the row of a lease of ours says. */
static void follow_row(struct leases *leases, struct lease_held *held,
                       const struct lease_row *row, enum plan_move move,
                       int64_t now_ms)
{
    const char *me = membership_id(leases->membership);

    if (!row || !row->owner || strcmp(row->owner, me) != 0 ||
        row->epoch != held->epoch) {
        leases_lost(leases, held);
        return;
    }
    if (move != PLAN_YIELD && move != PLAN_YIELD_SOON)
        held->asked_ms = 0;
    else if (!held->asked_ms)
        held->asked_ms = now_ms;
    if (move == PLAN_YIELD)
        held->should_read = false;
    leases_set_guard(leases, held);
}

static void follow_rows(struct leases *leases, const struct lease_rows *rows,
                        const enum plan_move *moves, int64_t now_ms)
{
    size_t at = 0;

    for (size_t i = 0; i < leases->count; i++) {
        struct lease_held *held = leases->held[i];
        int order = 1;

        if (!held->is_ours)
            continue;
        for (; at < rows->count; at++) {
            order = strcmp(rows->list[at].shard, held->shard);
            if (order >= 0)
                break;
        }
        if (order == 0)
            follow_row(leases, held, &rows->list[at], moves[at], now_ms);
        else
            follow_row(leases, held, NULL, PLAN_NOTHING, now_ms);
    }
}

/* Ours by the table, though no answer ever said so. */
static bool is_unknown_grant(const struct leases *leases,
                             const struct lease_row *row)
{
    return row->owner && row->state == LEASE_OPEN &&
           !strcmp(row->owner, membership_id(leases->membership)) &&
           !leases_find(leases, row->shard);
}

static void act(struct leases *leases, const struct lease_rows *rows,
                const enum plan_move *moves)
{
    struct lease_claim *claims = mem_calloc(rows->count, sizeof(*claims));
    size_t count = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const struct lease_row *row = &rows->list[i];

        if (is_unknown_grant(leases, row))
            leases_granted(leases, row);
        else if (leases_let_all_go(leases))
            continue;
        else if (moves[i] == PLAN_ACQUIRE)
            claims[count++] =
                (struct lease_claim){.shard = row->shard, .seen_ver = row->ver};
        else if (moves[i] == PLAN_ASK)
            ask_for(leases, row);
        else if (moves[i] == PLAN_FORCE)
            force(leases, row);
    }
    acquire(leases, claims, count);
    free(claims);
}

// Another reader of ours is still busy with it.
static bool *blocked_of(const struct leases *leases,
                        const struct lease_rows *rows)
{
    bool *blocked = mem_calloc(rows->count, sizeof(*blocked));

    for (size_t i = 0; i < rows->count; i++)
        blocked[i] = leases_find(leases, rows->list[i].shard) != NULL;
    return blocked;
}

static bool look_at_leases(struct leases *leases)
{
    struct lease_rows rows = {0};
    struct error err = {0};
    enum store_result result;
    enum plan_move *moves;
    int64_t now_ms;
    bool *blocked;

    if (!leases->stream)
        return true;
    result =
        store_lease_list(leases_store(leases), leases->stream, &rows, &err);
    now_ms = leases_now(leases);
    if (!leases_have_read(leases, result, &err))
        return false;
    blocked = blocked_of(leases, &rows);
    moves = mem_calloc(rows.count, sizeof(*moves));
    plan_see_leases(leases->plan, &rows, blocked, now_ms, moves);
    follow_rows(leases, &rows, moves, now_ms);
    act(leases, &rows, moves);
    free(moves);
    free(blocked);
    lease_rows_finish(&rows);
    return true;
}

/* Sessions first: who asks for a lease, or owns it, is in the list then. */
bool leases_look(struct leases *leases)
{
    size_t killed = 0;

    return look_at_sessions(leases, &killed) &&
           (!killed || look_at_sessions(leases, &killed)) &&
           look_at_leases(leases);
}
