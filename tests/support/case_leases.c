#include "case_leases.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "case_world.h"
#include "keeper/leases.h"
#include "poller/pipeline.h"
#include "sim_clock.h"
#include "supervisor/settings.h"
#include "test.h"

#define TICKS 1000 // until a worker has left, at the most

struct case_leases {
    char *folder, *path; // owned
    struct sim_clock clock;
    struct log log;
    struct leases *leases; // owned; NULL: no worker
    bool is_listed;
    bool has_ended[CASE_SHARDS];
};

struct case_leases *case_leases_create(const struct case_world *world)
{
    struct case_leases *leases = mem_calloc(1, sizeof(*leases));

    (void)world;
    leases->folder = test_folder_create_fast();
    leases->path = mem_printf("%s/state.db", leases->folder);
    sim_clock_init(&leases->clock);
    return leases;
}

void case_leases_destroy(struct case_leases *leases)
{
    if (!leases)
        return;
    leases_destroy(leases->leases);
    free(leases->path);
    test_folder_remove(leases->folder);
    free(leases);
}

static void set_clock(struct case_leases *leases,
                      const struct case_world *world)
{
    leases->clock.now_ms = world->now_ms;
    leases->clock.wall_ms = case_world_wall_ms(world);
}

void case_leases_start(struct case_leases *leases, struct case_world *world)
{
    const struct trigger_config *trigger = &world->settings->triggers[0];

    set_clock(leases, world);
    leases->is_listed = false;
    leases->leases = leases_create(&(struct leases_options){
        .path = leases->path,
        .application = "app",
        .stream = "stream",
        .name = "me",
        .start = lineage_start_of(trigger, leases->clock.wall_ms),
        .duration_ms = 10000,
        .heartbeat_ms = 3000,
        .flush_ms = 50,
        .clock = &leases->clock.clock,
        .log = &leases->log,
        .seed = 7});
}

/* All shards of the case: a closed one is listed with those that follow it. */
static bool list(struct case_leases *leases, const struct case_world *world)
{
    struct stream_shards shards = {0};
    bool is_taken;

    for (size_t i = 0; i < world->shard_count; i++) {
        const struct case_shard *from = &world->shards[i];
        struct stream_shard *shard = stream_shards_add(&shards);

        shard->id = mem_strdup(from->id);
        shard->closed = from->closes;
        for (size_t k = 0; from->parent && k < world->shard_count; k++)
            if (!strcmp(world->shards[k].name, from->parent))
                shard->parent = mem_strdup(world->shards[k].id);
    }
    is_taken = leases_listed(leases->leases, &shards);
    stream_shards_finish(&shards);
    return is_taken;
}

static struct case_shard *shard_of(struct case_world *world,
                                   const struct lease_held *held)
{
    for (size_t i = 0; i < world->shard_count; i++)
        if (!strcmp(world->shards[i].id, held->shard))
            return &world->shards[i];
    fail_msg("no shard %s", held->shard);
    return NULL;
}

/* Whether its reader began or ended now. */
static bool tend_one(struct case_leases *leases, struct case_world *world,
                     struct lease_held *held)
{
    struct case_shard *shard = shard_of(world, held);

    if (held->is_ours && held->should_read && !held->has_reader &&
        !leases->has_ended[shard - world->shards]) {
        struct stream_start start = leases_start_of(held);

        case_world_open(world, shard, &start, leases_window_of(held));
        leases_reader_started(leases->leases, held);
        return true;
    }
    if (held->has_reader && shard->closes &&
        case_world_is_through(world, shard)) {
        case_world_close(world, shard);
        leases->has_ended[shard - world->shards] = true;
        leases_reader_ended(leases->leases, held, LEASE_END_SHARD);
        return true;
    }
    return false;
}

bool case_leases_tend(struct case_leases *leases, struct case_world *world)
{
    bool any = false;

    set_clock(leases, world);
    leases_tick(leases->leases);
    if (!leases->is_listed || leases_want_listing(leases->leases))
        leases->is_listed = list(leases, world);
    for (size_t i = 0; i < leases_count(leases->leases); i++)
        any |= tend_one(leases, world, leases_at(leases->leases, i));
    return any;
}

static struct lease_held *held_of(const struct case_leases *leases,
                                  const struct case_shard *shard)
{
    for (size_t i = 0; i < leases_count(leases->leases); i++) {
        struct lease_held *held = leases_at(leases->leases, i);

        if (!strcmp(held->shard, shard->id))
            return held;
    }
    fail_msg("no lease of %s", shard->id);
    return NULL;
}

void case_leases_checkpoint(struct case_leases *leases,
                            const struct case_shard *shard,
                            const struct pipeline_checkpoint *checkpoint)
{
    struct bytes sequence = checkpoint->sequence, window = checkpoint->window;
    AUTO_FREE char *text =
        sequence.size ? mem_strndup(sequence.data, sequence.size) : NULL;

    leases_progress(leases->leases, held_of(leases, shard),
                    &(struct lease_progress){
                        .sequence = text,
                        .sets_window = checkpoint->sets_window,
                        .window = window.size
                                      ? mem_strndup(window.data, window.size)
                                      : NULL});
}

/* As a worker that is told to stop: what was not handled is left. */
void case_leases_stop(struct case_leases *leases, struct case_world *world)
{
    leases_drain(leases->leases);
    for (size_t i = 0; i < leases_count(leases->leases); i++) {
        struct lease_held *held = leases_at(leases->leases, i);

        if (!held->has_reader)
            continue;
        case_world_close(world, shard_of(world, held));
        leases_reader_ended(leases->leases, held, LEASE_END_STOPPED);
    }
    for (int i = 0; i < TICKS && !leases_have_left(leases->leases); i++) {
        leases_tick(leases->leases);
        sim_clock_advance(&leases->clock, 10);
        world->now_ms += 10;
    }
    assert_true(leases_have_left(leases->leases));
    leases_destroy(leases->leases);
    leases->leases = NULL;
}

int64_t case_leases_due_ms(const struct case_leases *leases)
{
    return leases_due_ms(leases->leases);
}

bool case_leases_are_through(const struct case_leases *leases,
                             const struct case_world *world)
{
    for (size_t i = 0; i < world->shard_count; i++) {
        const struct case_shard *shard = &world->shards[i];

        if (!leases->has_ended[i] && (shard->closes || !shard->pipeline ||
                                      !case_world_is_through(world, shard)))
            return false;
    }
    return true;
}
