#include "keeper/plan.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ASKS_AT_ONCE 2 // or a quarter of the quota, if that is more
#define NOBODY ((size_t)-1)

struct seen_session {
    char *id; // owned
    uint64_t hash;
    int64_t beat, ttl_ms;
    int64_t since_ms; // when this beat was first seen
    bool may_own;     // live and not to be killed: has a share
    bool is_live;     // not draining

    // Of the plan being made.
    size_t held, kept, quota;
};

struct seen_lease {
    char *shard; // owned
    int64_t epoch;
    bool has_owner;                         // that was not dead
    bool is_asked;                          // by us
    int64_t granted_ms, freed_ms, asked_ms; // when each was first seen
};

struct plan {
    // Never changed after plan_create.
    char *me; // owned
    struct plan_options options;

    // What was seen last; ordered by id and by shard, as the rows are.
    struct seen_session *sessions; // owned
    size_t session_count;
    struct seen_lease *leases; // owned
    size_t lease_count;
    uint64_t membership; // hash of who has a share
    int64_t stable_since_ms;
};

// One lease of the plan being made.
struct placement {
    const struct lease_row *row;
    uint64_t hash;
    bool is_runnable; // open, and so is none of its parents
    size_t owner;     // index of its session; NOBODY: free or dead
    size_t target;    // who should have it
};

int64_t plan_yield_grace_ms(int64_t ttl_ms)
{
    return ttl_ms + ttl_ms / 2;
}

int64_t plan_force_after_ms(int64_t ttl_ms)
{
    return ttl_ms + plan_yield_grace_ms(ttl_ms);
}

// FNV-1a, then splitmix64's finish, so that close names end far apart.
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return mix(hash);
}

struct plan *plan_create(const struct plan_options *options)
{
    struct plan *plan = mem_calloc(1, sizeof(*plan));

    plan->options = *options;
    plan->me = mem_strdup(options->me);
    plan->options.me = plan->me;
    return plan;
}

static void forget_sessions(struct seen_session *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i].id);
    free(list);
}

static void forget_leases(struct seen_lease *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i].shard);
    free(list);
}

void plan_destroy(struct plan *plan)
{
    if (!plan)
        return;
    forget_sessions(plan->sessions, plan->session_count);
    forget_leases(plan->leases, plan->lease_count);
    free(plan->me);
    free(plan);
}

static int compare_to_id(const void *key, const void *session)
{
    return strcmp(key, ((const struct seen_session *)session)->id);
}

static int compare_to_shard(const void *key, const void *lease)
{
    return strcmp(key, ((const struct seen_lease *)lease)->shard);
}

// NULL: dead.
static struct seen_session *find_session(const struct plan *plan,
                                         const char *id)
{
    if (!id || !plan->session_count)
        return NULL;
    return bsearch(id, plan->sessions, plan->session_count,
                   sizeof(*plan->sessions), compare_to_id);
}

static const struct seen_lease *find_lease(const struct plan *plan,
                                           const char *shard)
{
    if (!plan->lease_count)
        return NULL;
    return bsearch(shard, plan->leases, plan->lease_count,
                   sizeof(*plan->leases), compare_to_shard);
}

static bool is_me(const struct plan *plan, const char *id)
{
    return id && !strcmp(id, plan->me);
}

/* Live: its beat moved, or it is new to us, less than its time to live ago. */
static bool is_to_be_killed(const struct plan *plan,
                            const struct session_row *row, int64_t since_ms,
                            int64_t now_ms)
{
    return !is_me(plan, row->id) &&
           (row->is_gone || now_ms - since_ms >= row->ttl_ms);
}

static struct seen_session see_session(const struct plan *plan,
                                       const struct session_row *row,
                                       int64_t now_ms, bool *kill)
{
    const struct seen_session *known = find_session(plan, row->id);
    int64_t since_ms =
        known && known->beat == row->beat ? known->since_ms : now_ms;

    *kill = is_to_be_killed(plan, row, since_ms, now_ms);
    return (struct seen_session){
        .id = mem_strdup(row->id),
        .hash = hash_of(row->id),
        .beat = row->beat,
        .ttl_ms = row->ttl_ms,
        .since_ms = since_ms,
        .is_live = row->state == SESSION_LIVE,
        .may_own = row->state == SESSION_LIVE && !*kill,
    };
}

static void see_membership(struct plan *plan, int64_t now_ms)
{
    uint64_t membership = 1;

    for (size_t i = 0; i < plan->session_count; i++)
        if (plan->sessions[i].may_own)
            membership = mix(membership ^ plan->sessions[i].hash);
    if (membership == plan->membership)
        return;
    plan->membership = membership;
    plan->stable_since_ms = now_ms;
}

void plan_see_sessions(struct plan *plan, const struct session_rows *rows,
                       int64_t now_ms, bool *kill)
{
    struct seen_session *list = mem_calloc(rows->count, sizeof(*list));

    for (size_t i = 0; i < rows->count; i++)
        list[i] = see_session(plan, &rows->list[i], now_ms, &kill[i]);
    forget_sessions(plan->sessions, plan->session_count);
    plan->sessions = list;
    plan->session_count = rows->count;
    see_membership(plan, now_ms);
}

static struct seen_lease see_lease(const struct plan *plan,
                                   const struct lease_row *row, int64_t now_ms)
{
    const struct seen_lease *known = find_lease(plan, row->shard);
    struct seen_lease lease = {
        .shard = mem_strdup(row->shard),
        .epoch = row->epoch,
        .has_owner = find_session(plan, row->owner) != NULL,
        .is_asked = is_me(plan, row->wanted_by),
        .granted_ms = now_ms,
        .freed_ms = now_ms,
        .asked_ms = now_ms,
    };

    if (!known || known->epoch != row->epoch)
        return lease;
    lease.granted_ms = known->granted_ms;
    if (known->has_owner == lease.has_owner)
        lease.freed_ms = known->freed_ms;
    if (known->is_asked == lease.is_asked)
        lease.asked_ms = known->asked_ms;
    return lease;
}

static void see_leases(struct plan *plan, const struct lease_rows *rows,
                       int64_t now_ms)
{
    struct seen_lease *list = mem_calloc(rows->count, sizeof(*list));

    for (size_t i = 0; i < rows->count; i++)
        list[i] = see_lease(plan, &rows->list[i], now_ms);
    forget_leases(plan->leases, plan->lease_count);
    plan->leases = list;
    plan->lease_count = rows->count;
}

static int compare_to_row(const void *key, const void *row)
{
    return strcmp(key, ((const struct lease_row *)row)->shard);
}

static bool is_open(const struct lease_rows *rows, const char *shard)
{
    const struct lease_row *row = bsearch(shard, rows->list, rows->count,
                                          sizeof(*rows->list), compare_to_row);

    return row && row->state == LEASE_OPEN;
}

// What cannot be read counts as a parent that is open: nothing is lost by
// waiting.
static bool has_open_parent(const struct lease_rows *rows,
                            const struct lease_row *row)
{
    json_t *parents, *parent;
    size_t i;
    bool found;

    if (!strcmp(row->parents, "[]"))
        return false;
    parents = json_loads(row->parents, 0, NULL);
    found = !json_is_array(parents);
    json_array_foreach(parents, i, parent)
    {
        const char *shard = json_string_value(parent);

        found = found || !shard || is_open(rows, shard);
    }
    json_decref(parents);
    return found;
}

static int by_hash(const void *a, const void *b)
{
    const struct placement *x = a, *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return strcmp(x->row->shard, y->row->shard);
}

static int by_held(const void *a, const void *b)
{
    const struct seen_session *x = *(const struct seen_session *const *)a,
                              *y = *(const struct seen_session *const *)b;

    if (x->held != y->held)
        return x->held > y->held ? -1 : 1;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* An equal share for each, and what is left over to those who hold most. */
static void set_quotas(struct plan *plan, size_t runnable)
{
    struct seen_session **ranks =
        mem_calloc(plan->session_count, sizeof(struct seen_session *));
    size_t count = 0;

    for (size_t i = 0; i < plan->session_count; i++)
        if (plan->sessions[i].may_own)
            ranks[count++] = &plan->sessions[i];
    qsort(ranks, count, sizeof(struct seen_session *), by_held);
    for (size_t i = 0; i < count; i++)
        ranks[i]->quota = runnable / count + (i < runnable % count ? 1 : 0);
    free(ranks);
}

static bool give(struct plan *plan, struct placement *placement, size_t to)
{
    struct seen_session *session = to == NOBODY ? NULL : &plan->sessions[to];

    if (!session || !session->may_own || session->kept >= session->quota)
        return false;
    session->kept++;
    placement->target = to;
    return true;
}

static size_t index_of(const struct plan *plan, const char *id)
{
    const struct seen_session *session = find_session(plan, id);

    return session ? (size_t)(session - plan->sessions) : NOBODY;
}

// The session with room that this shard likes best: the same for everybody.
static void place(struct plan *plan, struct placement *placement)
{
    size_t best = NOBODY;
    uint64_t best_score = 0;

    for (size_t i = 0; i < plan->session_count; i++) {
        const struct seen_session *session = &plan->sessions[i];
        uint64_t score = mix(session->hash ^ placement->hash);

        if (!session->may_own || session->kept >= session->quota)
            continue;
        if (best == NOBODY || score > best_score) {
            best = i;
            best_score = score;
        }
    }
    (void)give(plan, placement, best);
}

static void count_held(struct plan *plan, struct placement *placements,
                       size_t count)
{
    size_t runnable = 0;

    for (size_t i = 0; i < plan->session_count; i++)
        plan->sessions[i].held = plan->sessions[i].kept =
            plan->sessions[i].quota = 0;
    for (size_t i = 0; i < count; i++) {
        if (!placements[i].is_runnable)
            continue;
        runnable++;
        if (placements[i].owner != NOBODY)
            plan->sessions[placements[i].owner].held++;
    }
    set_quotas(plan, runnable);
}

/* Owners first, then those a lease was released for, then whoever has room. In
 * the order of the shards' hashes, so that everybody keeps and moves the same.
 */
static void assign(struct plan *plan, struct placement *placements,
                   size_t count)
{
    count_held(plan, placements, count);
    qsort(placements, count, sizeof(*placements), by_hash);
    for (size_t i = 0; i < count; i++)
        if (placements[i].is_runnable)
            (void)give(plan, &placements[i], placements[i].owner);
    for (size_t i = 0; i < count; i++)
        if (placements[i].is_runnable && placements[i].target == NOBODY &&
            placements[i].owner == NOBODY)
            (void)give(plan, &placements[i],
                       index_of(plan, placements[i].row->wanted_by));
    for (size_t i = 0; i < count; i++)
        if (placements[i].is_runnable && placements[i].target == NOBODY)
            place(plan, &placements[i]);
}

static enum plan_move move_of_ours(const struct plan *plan,
                                   const struct lease_row *row, int64_t now_ms)
{
    const struct seen_session *asker = find_session(plan, row->wanted_by);
    const struct seen_lease *seen = find_lease(plan, row->shard);

    // Who drains or is dead can take nothing any more.
    if (!asker || !asker->is_live || is_me(plan, row->wanted_by))
        return PLAN_NOTHING;
    return now_ms - seen->granted_ms >= plan->options.hold_ms ? PLAN_YIELD
                                                              : PLAN_YIELD_SOON;
}

static enum plan_move move_of_theirs(const struct plan *plan,
                                     const struct placement *placement,
                                     int64_t now_ms, size_t *asks)
{
    const struct lease_row *row = placement->row;
    const struct seen_session *owner = &plan->sessions[placement->owner];
    const struct seen_session *asker = find_session(plan, row->wanted_by);
    const struct seen_lease *seen = find_lease(plan, row->shard);

    if (is_me(plan, row->wanted_by))
        return now_ms - seen->asked_ms >= plan_force_after_ms(owner->ttl_ms)
                   ? PLAN_FORCE
                   : PLAN_NOTHING;
    if (!owner->may_own || (asker && asker->is_live) || !*asks ||
        now_ms - plan->stable_since_ms < plan->options.stable_ms)
        return PLAN_NOTHING;
    (*asks)--;
    return PLAN_ASK;
}

static enum plan_move move_of(const struct plan *plan,
                              const struct placement *placement, size_t me,
                              bool is_blocked, int64_t now_ms, size_t *asks)
{
    const struct seen_lease *seen = find_lease(plan, placement->row->shard);

    if (placement->owner == me)
        return move_of_ours(plan, placement->row, now_ms);
    if (!placement->is_runnable || is_blocked || !plan->sessions[me].may_own)
        return PLAN_NOTHING;
    if (placement->owner == NOBODY)
        return placement->target == me ||
                       now_ms - seen->freed_ms >= plan->options.orphan_ms
                   ? PLAN_ACQUIRE
                   : PLAN_NOTHING;
    if (placement->target != me)
        return PLAN_NOTHING;
    return move_of_theirs(plan, placement, now_ms, asks);
}

// How many more live owners may be asked now.
static size_t free_asks(const struct plan *plan,
                        const struct placement *placements, size_t count,
                        size_t me)
{
    size_t limit = plan->sessions[me].quota / 4, asked = 0;

    if (limit < ASKS_AT_ONCE)
        limit = ASKS_AT_ONCE;
    for (size_t i = 0; i < count; i++)
        if (placements[i].owner != NOBODY &&
            is_me(plan, placements[i].row->wanted_by))
            asked++;
    return asked < limit ? limit - asked : 0;
}

void plan_see_leases(struct plan *plan, const struct lease_rows *rows,
                     const bool *blocked, int64_t now_ms, enum plan_move *moves)
{
    struct placement *placements = mem_calloc(rows->count, sizeof(*placements));
    size_t me = index_of(plan, plan->me), asks;

    see_leases(plan, rows, now_ms);
    for (size_t i = 0; i < rows->count; i++) {
        const struct lease_row *row = &rows->list[i];

        moves[i] = PLAN_NOTHING;
        placements[i] = (struct placement){
            .row = row,
            .hash = hash_of(row->shard),
            .is_runnable =
                row->state == LEASE_OPEN && !has_open_parent(rows, row),
            .owner = index_of(plan, row->owner),
            .target = NOBODY,
        };
    }
    if (me != NOBODY) {
        assign(plan, placements, rows->count);
        asks = free_asks(plan, placements, rows->count, me);
        for (size_t i = 0; i < rows->count; i++) {
            size_t at = (size_t)(placements[i].row - rows->list);

            moves[at] =
                move_of(plan, &placements[i], me, blocked[at], now_ms, &asks);
        }
    }
    free(placements);
}
