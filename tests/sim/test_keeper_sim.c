/*
 * Workers that share a stream through one store, in virtual time: every node
 * runs the keeper's real code (leases, plan, lineage, membership) on a real
 * SQLite file, with a clock of its own that drifts, and may be paused at any
 * look at the clock, as by a debugger, a suspend or a slow disk, while the
 * others go on. Readers are played; shards split and merge; nodes crash, stop,
 * come back, and lose their disk.
 *
 * After every step the invariants of leases.md section 4.9 hold: S1 one acts,
 * S2 an epoch is granted once, S3 no checkpoint goes back, S4 nothing is
 * skipped, S5 parents before children, S6 nothing ends without its children, S7
 * ended is final, S9 without the store nobody acts past his deadline. At the
 * end, with the faults gone, every record is handled and the shards are shared
 * evenly.
 *
 * POLLARD_SIM_SEED runs one seed, POLLARD_SIM_RUNS so many.
 */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "fault_vfs.h"
#include "keeper/leases.h"
#include "keeper/plan.h"
#include "store/store.h"
#include "test.h"

#define NODES 3
#define SHARDS 24
#define RECORDS 4000 // of one shard
#define STEP_MS 100
#define FAULTY_MS (8 * 60 * 1000)
#define QUIET_MS (4 * 60 * 1000)
#define STEADY_MS 60000 // of the quiet time, at its end
#define DURATION_MS 10000
#define HEARTBEAT_MS 3000
#define TAKEOVER_MS 2000
#define RUNS 8

struct sim_record {
    uint64_t sequence;
    bool is_handled;
};

struct sim_shard {
    char id[24];
    int parent, adjacent; // indices; -1: none
    bool is_closed;
    struct sim_record records[RECORDS];
    int count;

    // As the table showed it last.
    struct {
        int64_t epoch;
        char owner[128];
        char checkpoint[32];
        enum lease_state state;
        bool exists;
    } row;
};

struct reader { // of one node and one shard
    bool runs, is_busy;
    int next, batch_end; // indices of records
    int64_t finish_ms, restart_ms;
};

struct world;

struct node {
    struct clock clock; // first
    struct world *world;
    int index, starts;
    struct leases *leases; // NULL: down
    struct reader readers[SHARDS];
    double rate;       // of its clock
    int64_t offset_ms; // likewise
    int64_t wall_jump_ms;
    int64_t listing_ms, up_ms;
    bool is_busy; // somewhere inside one of its steps
    bool is_stopping;
    struct fault fault;
};

struct world {
    struct random random;
    int64_t now_ms; // true time
    bool faults, locks_vanish;
    char *folder, *path;
    struct store *judge;
    struct node nodes[NODES];
    struct sim_shard shards[SHARDS];
    int shard_count;
    uint64_t sequence;
    int pauses, crashes, stops, outages, grants, handled, moves_when_quiet;
};

static bool chance(struct world *world, unsigned one_in)
{
    return random_below(&world->random, one_in) == 0;
}

static int64_t between(struct world *world, int64_t low, int64_t high)
{
    return low +
           (int64_t)random_below(&world->random, (uint64_t)(high - low + 1));
}

static void run_until(struct world *world, int64_t end_ms);

static int64_t node_now_ms(const struct node *node)
{
    return node->offset_ms +
           (int64_t)((double)node->world->now_ms * node->rate);
}

/* Whoever looks at the clock may be paused, before or after he read it. */
static int64_t sim_monotonic_ms(const struct clock *clock)
{
    const struct node *node = (const struct node *)(const void *)clock;
    struct world *world = node->world;
    int64_t before_ms = node_now_ms(node);

    if (!world->faults || !node->is_busy || !chance(world, 500))
        return before_ms;
    world->pauses++;
    run_until(world, world->now_ms + between(world, 10, 3 * DURATION_MS));
    fault_vfs_install(&world->nodes[node->index].fault);
    return chance(world, 2) ? before_ms : node_now_ms(node);
}

static int64_t sim_wall_ms(const struct clock *clock)
{
    const struct node *node = (const struct node *)(const void *)clock;

    return 1795359600000 + node->world->now_ms + node->wall_jump_ms;
}

static int index_of(const struct world *world, const char *shard)
{
    for (int i = 0; i < world->shard_count; i++)
        if (!strcmp(world->shards[i].id, shard))
            return i;
    fail_msg("unknown shard %s", shard);
    return -1;
}

static int add_shard(struct world *world, int parent, int adjacent)
{
    struct sim_shard *shard = &world->shards[world->shard_count];

    memset(shard, 0, sizeof(*shard));
    (void)snprintf(shard->id, sizeof(shard->id), "shardId-%03d",
                   (world->shard_count * 7) % 1000);
    shard->parent = parent;
    shard->adjacent = adjacent;
    return world->shard_count++;
}

static int pick_open_shard(struct world *world)
{
    for (int tries = 0; tries < 50; tries++) {
        int at =
            (int)random_below(&world->random, (uint64_t)world->shard_count);

        if (!world->shards[at].is_closed)
            return at;
    }
    return -1;
}

static void reshard(struct world *world)
{
    int one = pick_open_shard(world), two = pick_open_shard(world);

    if (one < 0 || two < 0 || world->shard_count + 2 > SHARDS)
        return;
    world->shards[one].is_closed = true;
    if (one != two) {
        world->shards[two].is_closed = true;
        (void)add_shard(world, one, two);
        return;
    }
    (void)add_shard(world, one, -1);
    (void)add_shard(world, one, -1);
}

static void produce(struct world *world)
{
    int at = pick_open_shard(world);
    struct sim_shard *shard = at < 0 ? NULL : &world->shards[at];

    if (shard && shard->count < RECORDS)
        shard->records[shard->count++].sequence = ++world->sequence;
}

// ---- what must always be true ----

static void assert_all_handled(const struct sim_shard *shard, uint64_t up_to)
{
    for (int i = 0; i < shard->count && shard->records[i].sequence <= up_to;
         i++)
        if (!shard->records[i].is_handled)
            fail_msg("S4: %s: checkpoint %" PRIu64 " skips %" PRIu64, shard->id,
                     up_to, shard->records[i].sequence);
}

static uint64_t number_of(const char *checkpoint)
{
    if (!strcmp(checkpoint, "SHARD_END"))
        return UINT64_MAX;
    return strtoull(checkpoint, NULL, 10); // 0: a sentinel
}

static void judge_row(struct world *world, const struct lease_row *row)
{
    struct sim_shard *shard = &world->shards[index_of(world, row->shard)];
    const char *owner = row->owner ? row->owner : "";

    if (row->epoch < shard->row.epoch)
        fail_msg("S2: %s: the epoch fell", row->shard);
    if (*owner && strcmp(owner, shard->row.owner) != 0) {
        if (row->epoch == shard->row.epoch)
            fail_msg("S2: %s: epoch %" PRId64 " went from %s to %s", row->shard,
                     row->epoch, shard->row.owner, owner);
        world->grants++;
    }
    if (number_of(row->checkpoint) < number_of(shard->row.checkpoint))
        fail_msg("S3: %s: the checkpoint fell from %s to %s", row->shard,
                 shard->row.checkpoint, row->checkpoint);
    assert_all_handled(shard, number_of(row->checkpoint));
    if (shard->row.state != LEASE_OPEN && row->state != shard->row.state)
        fail_msg("S7: %s was reopened", row->shard);
    if (row->state == LEASE_LOST)
        fail_msg("%s was given up", row->shard);
    if (row->state == LEASE_ENDED && !shard->is_closed)
        fail_msg("%s ended before it was closed", row->shard);

    shard->row.exists = true;
    shard->row.epoch = row->epoch;
    shard->row.state = row->state;
    if (*owner) // a free row keeps the name, so that an epoch is one name's
        (void)snprintf(shard->row.owner, sizeof(shard->row.owner), "%s", owner);
    (void)snprintf(shard->row.checkpoint, sizeof(shard->row.checkpoint), "%s",
                   row->checkpoint);
}

static void judge_lineage(const struct world *world)
{
    for (int i = 0; i < world->shard_count; i++) {
        const struct sim_shard *shard = &world->shards[i];

        for (int p = 0; p < 2; p++) {
            int parent = p ? shard->adjacent : shard->parent;

            if (parent >= 0 && !shard->row.exists &&
                world->shards[parent].row.state == LEASE_ENDED)
                fail_msg("S6: %s ended without its child %s",
                         world->shards[parent].id, shard->id);
        }
    }
}

static void judge_rows(struct world *world)
{
    struct lease_rows rows = {0};
    struct error err = {0};
    size_t known = 0;

    fault_vfs_install(NULL);
    assert_int_equal(store_lease_list(world->judge, "stream", &rows, &err),
                     STORE_OK);
    for (int i = 0; i < world->shard_count; i++)
        known += world->shards[i].row.exists;
    for (size_t i = 0; i < rows.count; i++)
        judge_row(world, &rows.list[i]);
    if (rows.count < known)
        fail_msg("S7: a row vanished");
    lease_rows_finish(&rows);
    judge_lineage(world);
}

static struct lease_held *held_of(const struct node *node, const char *shard)
{
    for (size_t i = 0; node->leases && i < leases_count(node->leases); i++) {
        struct lease_held *held = leases_at(node->leases, i);

        if (!strcmp(held->shard, shard))
            return held;
    }
    return NULL;
}

/* S1: `node` acts on the shard now. No other may be able to. */
static void judge_act(const struct node *node, int at)
{
    struct world *world = node->world;
    struct sim_shard *shard = &world->shards[at];

    for (int i = 0; i < NODES; i++) {
        const struct node *other = &world->nodes[i];
        const struct lease_held *held = held_of(other, shard->id);

        if (other != node && held && other->readers[at].runs &&
            node_now_ms(other) < held->acts_until_ms)
            fail_msg("S1: nodes %d and %d both act on %s", node->index, i,
                     shard->id);
    }
    for (int i = 0; i < 2; i++) {
        int parent = i ? shard->adjacent : shard->parent;

        if (parent >= 0 && world->shards[parent].row.state != LEASE_ENDED)
            fail_msg("S5: %s is read before its parent %s ended", shard->id,
                     world->shards[parent].id);
    }
}

// ---- the played readers ----

static void start_reader(struct node *node, struct lease_held *held, int at)
{
    const struct sim_shard *shard = &node->world->shards[at];
    struct stream_start start = leases_start_of(held);
    struct reader *reader = &node->readers[at];
    uint64_t after = 0;

    if (node->world->now_ms < reader->restart_ms)
        return;
    if (start.position == STREAM_AFTER_SEQUENCE_NUMBER)
        after = strtoull(start.sequence_number, NULL, 10);
    else
        assert_int_equal(start.position, STREAM_TRIM_HORIZON);
    *reader = (struct reader){.runs = true};
    while (reader->next < shard->count &&
           shard->records[reader->next].sequence <= after)
        reader->next++;
    leases_reader_started(node->leases, held);
}

static void end_reader(struct node *node, struct lease_held *held,
                       struct reader *reader, enum lease_end end)
{
    reader->runs = false;
    reader->restart_ms = node->world->now_ms + 1000;
    leases_reader_ended(node->leases, held, end);
}

static int64_t batch_time_ms(struct world *world)
{
    if (world->faults && chance(world, 400)) // a handler that hangs
        return between(world, 10000, 60000);
    return between(world, 10, 2000);
}

static void start_batch(struct node *node, const struct lease_held *held,
                        struct reader *reader, int at)
{
    struct world *world = node->world;
    const struct sim_shard *shard = &world->shards[at];
    int64_t more = shard->count - reader->next;

    if (!more || node_now_ms(node) >= held->acts_until_ms)
        return;
    judge_act(node, at);
    reader->is_busy = true;
    reader->batch_end = reader->next + (int)between(world, 1, more);
    reader->finish_ms = world->now_ms + batch_time_ms(world);
}

static void finish_batch(struct node *node, struct lease_held *held,
                         struct reader *reader, struct sim_shard *shard)
{
    char sequence[32];

    reader->is_busy = false;
    if (chance(node->world, 10))
        return; // the handler failed; again
    for (; reader->next < reader->batch_end; reader->next++) {
        node->world->handled += !shard->records[reader->next].is_handled;
        shard->records[reader->next].is_handled = true;
    }
    (void)snprintf(sequence, sizeof(sequence), "%" PRIu64,
                   shard->records[reader->next - 1].sequence);
    leases_progress(node->leases, held,
                    &(struct lease_progress){.sequence = sequence});
}

static void step_reader(struct node *node, struct lease_held *held)
{
    struct world *world = node->world;
    int at = index_of(world, held->shard);
    struct sim_shard *shard = &world->shards[at];
    struct reader *reader = &node->readers[at];

    if (!held->has_reader) {
        if (held->is_ours && held->should_read)
            start_reader(node, held, at);
        return;
    }
    if (reader->is_busy && world->now_ms >= reader->finish_ms)
        finish_batch(node, held, reader, shard);
    if (reader->is_busy)
        return;
    if (shard->is_closed && reader->next == shard->count)
        end_reader(node, held, reader, LEASE_END_SHARD);
    else if (!held->should_read)
        end_reader(node, held, reader, LEASE_END_STOPPED);
    else if (world->faults && chance(world, 2000))
        end_reader(node, held, reader, LEASE_END_NONE);
    else
        start_batch(node, held, reader, at);
}

// ---- the nodes ----

static void list_shards(struct node *node)
{
    struct world *world = node->world;
    struct stream_shard list[SHARDS] = {{0}};
    struct stream_shards shards = {.list = list,
                                   .count = (size_t)world->shard_count};
    int64_t soon = leases_want_listing(node->leases) ? 1000 : 60000;

    if (world->now_ms < node->listing_ms + soon)
        return;
    node->listing_ms = world->now_ms;
    if (world->faults && chance(world, 5))
        return; // the service failed
    for (int i = 0; i < world->shard_count; i++) {
        struct sim_shard *shard = &world->shards[i];

        list[i].id = shard->id;
        list[i].closed = shard->is_closed;
        if (shard->parent >= 0)
            list[i].parent = world->shards[shard->parent].id;
        if (shard->adjacent >= 0)
            list[i].adjacent_parent = world->shards[shard->adjacent].id;
    }
    if (!leases_listed(node->leases, &shards))
        node->listing_ms = world->now_ms - 59000;
}

static void crash(struct node *node)
{
    leases_destroy(node->leases);
    node->leases = NULL;
    memset(node->readers, 0, sizeof(node->readers));
}

static void start(struct node *node)
{
    static const struct log silent;
    struct world *world = node->world;
    AUTO_FREE char *name = mem_printf("node%d-%d", node->index, node->starts++);

    node->listing_ms = -60000;
    node->is_stopping = false;
    node->leases = leases_create(
        &(struct leases_options){.path = world->path,
                                 .application = "app",
                                 .stream = "stream",
                                 .name = name,
                                 .start = {.checkpoint = "TRIM_HORIZON"},
                                 .duration_ms = DURATION_MS,
                                 .heartbeat_ms = HEARTBEAT_MS,
                                 .flush_ms = 1000,
                                 .clock = &node->clock,
                                 .log = &silent,
                                 .seed = random_next(&world->random)});
}

static void misbehave(struct node *node)
{
    struct world *world = node->world;

    if (chance(world, 600)) {
        world->outages++;
        node->fault = (struct fault){
            .kind = chance(world, 2) ? FAULT_FULL_DISK : FAULT_SYNC,
            .after = (int)random_below(&world->random, 4),
            .times = (int)random_below(&world->random, 200)};
    }
    if (chance(world, 1500))
        node->wall_jump_ms = between(world, -3600000, 3600000);
    if (chance(world, 900) && node->leases) {
        world->crashes++;
        crash(node);
        node->up_ms = world->now_ms + between(world, 0, 40000);
    } else if (chance(world, 900) && node->leases && !node->is_stopping) {
        world->stops++;
        node->is_stopping = true;
        leases_drain(node->leases);
    }
}

/* What is due must be done by a tick or two: the keeper never spins. */
static void tick(struct node *node)
{
    struct world *world = node->world;
    bool had_faults = world->faults;
    int ticks = 0;

    leases_tick(node->leases);
    world->faults = false; // no pauses here
    while (node_now_ms(node) >= leases_due_ms(node->leases) &&
           !leases_have_left(node->leases)) {
        leases_tick(node->leases);
        if (++ticks > 3)
            fail_msg("node %d spins", node->index);
    }
    world->faults = had_faults;
}

static void step(struct node *node)
{
    struct world *world = node->world;

    fault_vfs_install(&node->fault);
    if (!node->leases && world->now_ms >= node->up_ms)
        start(node);
    if (!node->leases)
        return;
    if (node_now_ms(node) >= leases_due_ms(node->leases) || chance(world, 3))
        tick(node);
    list_shards(node);
    for (size_t i = 0; i < leases_count(node->leases); i++)
        step_reader(node, leases_at(node->leases, i));
    if (leases_have_left(node->leases)) {
        crash(node);
        node->up_ms = world->now_ms + between(world, 0, 20000);
    }
}

// As on a file system without locks: nobody sees who is gone.
static void remove_locks(struct world *world)
{
    AUTO_FREE char *folder = mem_printf("%s-sessions", world->path);

    test_folder_remove(mem_strdup(folder));
    (void)mkdir(folder, 0777);
}

static void run_until(struct world *world, int64_t end_ms)
{
    while (world->now_ms < end_ms) {
        world->now_ms += STEP_MS;
        if (chance(world, 2))
            produce(world);
        if (world->faults && chance(world, 300))
            reshard(world);
        if (world->locks_vanish)
            remove_locks(world);
        for (int i = 0; i < NODES; i++) {
            struct node *node = &world->nodes[i];

            if (node->is_busy)
                continue;
            node->is_busy = true;
            if (world->faults)
                misbehave(node);
            step(node);
            judge_rows(world);
            node->is_busy = false;
        }
    }
}

static void *open_world(uint64_t seed, int64_t shards)
{
    struct world *world = mem_calloc(1, sizeof(*world));
    struct error err = {0};

    world->random.state = seed;
    world->folder = test_folder_create_fast();
    world->path = mem_printf("%s/state.db", world->folder);
    world->sequence = 95; // soon one digit longer
    world->locks_vanish = chance(world, 3);
    for (int64_t i = 0; i < shards; i++)
        (void)add_shard(world, -1, -1);
    for (int i = 0; i < NODES; i++) {
        struct node *node = &world->nodes[i];

        node->world = world;
        node->index = i;
        node->clock = (struct clock){.monotonic_ms = sim_monotonic_ms,
                                     .wall_ms = sim_wall_ms};
        node->offset_ms = between(world, 1000, 1000000);
        node->rate = 1.0 + (double)between(world, -10, 10) / 1000;
        node->up_ms = between(world, 0, 5000);
    }
    fault_vfs_install(NULL);
    world->judge = store_open(&(struct store_options){.path = world->path,
                                                      .application = "app",
                                                      .session = "judge",
                                                      .clock = clock_system()},
                              &err);
    assert_ok(world->judge, &err);
    return world;
}

static void close_world(struct world *world)
{
    fault_vfs_install(NULL);
    for (int i = 0; i < NODES; i++)
        leases_destroy(world->nodes[i].leases);
    store_close(world->judge);
    fault_vfs_remove();
    free(world->path);
    test_folder_remove(world->folder);
    free(world);
}

static int count_after(const struct sim_shard *shard, uint64_t sequence)
{
    int count = 0;

    for (int i = 0; i < shard->count; i++)
        count += shard->records[i].sequence > sequence;
    return count;
}

static uint64_t last_handled(const struct sim_shard *shard)
{
    uint64_t last = 0;

    for (int i = 0; i < shard->count; i++)
        if (shard->records[i].is_handled)
            last = shard->records[i].sequence;
    return last;
}

static void assert_all_done(const struct world *world)
{
    for (int i = 0; i < world->shard_count; i++) {
        const struct sim_shard *shard = &world->shards[i];
        int behind = 0;

        for (int r = 0; r < shard->count; r++)
            behind += !shard->records[r].is_handled;
        if (shard->is_closed && shard->row.state != LEASE_ENDED)
            fail_msg("%s never ended", shard->id);
        // The last few may be on their way.
        if (behind > (shard->is_closed ? 0 : 30))
            fail_msg("%s: %d of %d records were not handled", shard->id, behind,
                     shard->count);
        if (count_after(shard, number_of(shard->row.checkpoint)) > 60)
            fail_msg("%s: the checkpoint stays at %s", shard->id,
                     shard->row.checkpoint);
    }
}

static void assert_even(const struct world *world)
{
    int least = SHARDS, most = 0;

    for (int n = 0; n < NODES; n++) {
        int count = 0;

        for (int i = 0; i < world->shard_count; i++) {
            const struct lease_held *held =
                held_of(&world->nodes[n], world->shards[i].id);

            count += held && held->is_ours;
        }
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    if (most - least > 1)
        fail_msg("L2: one has %d shards and another %d", most, least);
}

static void simulate(uint64_t seed)
{
    struct world *world = open_world(seed, 4);
    int grants;

    print_message("seed %" PRIu64 "%s\n", seed,
                  world->locks_vanish ? " (no locks)" : "");
    world->faults = true;
    run_until(world, FAULTY_MS);
    world->faults = false;
    for (int i = 0; i < NODES; i++)
        world->nodes[i].fault = (struct fault){0};
    run_until(world, FAULTY_MS + QUIET_MS - STEADY_MS);
    grants = world->grants;
    run_until(world, FAULTY_MS + QUIET_MS);
    if (world->grants != grants)
        fail_msg("L2: shards move though nothing happens");
    assert_all_done(world);
    assert_even(world);
    print_message("  %d pauses, %d crashes, %d stops, %d outages: %d grants, "
                  "%d shards, %d records\n",
                  world->pauses, world->crashes, world->stops, world->outages,
                  world->grants, world->shard_count, world->handled);
    close_world(world);
}

static void test_random_faults(void **state)
{
    const char *seed = getenv("POLLARD_SIM_SEED");
    const char *count = getenv("POLLARD_SIM_RUNS");
    uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
    uint64_t runs = count ? strtoull(count, NULL, 10) : seed ? 1 : RUNS;

    (void)state;
    for (uint64_t i = 0; i < runs; i++)
        simulate(first + i);
}

static size_t owned(const struct node *node)
{
    size_t count = 0;

    for (size_t i = 0; node->leases && i < leases_count(node->leases); i++)
        count += leases_at(node->leases, i)->is_ours &&
                 leases_at(node->leases, i)->should_read;
    return count;
}

static void test_a_second_worker_gets_its_half_and_then_all(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = open_world(seed, 4);

        world->locks_vanish = false;
        world->nodes[0].up_ms = 0;
        world->nodes[1].up_ms = 20000;
        world->nodes[2].up_ms = INT64_MAX;
        run_until(world, 2000);
        assert_int_equal(owned(&world->nodes[0]), 4);
        run_until(world, 20000 + 10000);
        assert_int_equal(owned(&world->nodes[0]), 2);
        assert_int_equal(owned(&world->nodes[1]), 2);

        crash(&world->nodes[0]);
        world->nodes[0].up_ms = INT64_MAX;
        run_until(world, world->now_ms + TAKEOVER_MS);
        assert_int_equal(owned(&world->nodes[1]), 4);
        close_world(world);
    }
}

static void test_a_worker_that_stops_hands_over_at_once(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = open_world(seed, 4);
        int64_t deadline_ms;

        world->locks_vanish = false;
        world->nodes[0].up_ms = world->nodes[1].up_ms = 0;
        world->nodes[2].up_ms = INT64_MAX;
        run_until(world, 20000);
        assert_int_equal(owned(&world->nodes[0]), 2);
        world->nodes[0].is_stopping = true;
        leases_drain(world->nodes[0].leases);
        while (world->nodes[0].leases) // its batches end
            run_until(world, world->now_ms + STEP_MS);
        world->nodes[0].up_ms = INT64_MAX;
        deadline_ms = world->now_ms + TAKEOVER_MS;
        run_until(world, deadline_ms);
        assert_int_equal(owned(&world->nodes[1]), 4);
        close_world(world);
    }
}

static void test_a_worker_that_stops_leaves_its_last_checkpoints(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = open_world(seed, 4);

        world->nodes[0].up_ms = 0;
        world->nodes[1].up_ms = world->nodes[2].up_ms = INT64_MAX;
        run_until(world, 20000);
        world->nodes[0].is_stopping = true;
        leases_drain(world->nodes[0].leases);
        while (world->nodes[0].leases) {
            run_until(world, world->now_ms + STEP_MS);
            assert_true(world->now_ms < 30000);
        }
        for (int i = 0; i < world->shard_count; i++) {
            const struct sim_shard *shard = &world->shards[i];

            assert_true(last_handled(shard) > 0);
            assert_int_equal(number_of(shard->row.checkpoint),
                             last_handled(shard));
        }
        close_world(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_worker_that_stops_leaves_its_last_checkpoints),
        cmocka_unit_test(test_a_second_worker_gets_its_half_and_then_all),
        cmocka_unit_test(test_a_worker_that_stops_hands_over_at_once),
        cmocka_unit_test(test_random_faults),
    };

    return cmocka_run_group_tests_name("keeper, simulated", tests, NULL, NULL);
}
