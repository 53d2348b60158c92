#include "supervisor/supervisor_inner.h"

#include <stdlib.h>
#include <string.h>

#include "aws/aws_config.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "config/problems.h"
#include "config/schema.h"
#include "store/store_config.h"
#include "supervisor/advice.h"
#include "supervisor/settings.h"
#include "supervisor/supervisor.h"
#include "supervisor/trigger.h"

static struct trigger *find_trigger(const struct supervisor *supervisor,
                                    const char *name)
{
    for (size_t i = 0; i < supervisor->trigger_count; i++)
        if (!strcmp(trigger_config(supervisor->triggers[i])->name, name))
            return supervisor->triggers[i];
    return NULL;
}

static void log_problems(const struct supervisor *supervisor,
                         const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++)
        log_error(&supervisor->log, "reload.problem",
                  LOG_STR("file", problems->list[i].file),
                  LOG_INT("line", problems->list[i].line),
                  LOG_INT("column", problems->list[i].column),
                  LOG_STR("error", problems->list[i].text));
}

static struct settings *read_again(struct supervisor *supervisor)
{
    const char *path = supervisor->generations->settings->path;
    struct problems problems;
    struct error err = {0};
    struct settings *settings;

    problems_init(&problems);
    settings = settings_load(path, &problems);
    log_problems(supervisor, &problems);
    problems_finish(&problems);
    if (settings && supervisor->adjust &&
        !supervisor->adjust(supervisor->adjust_context, settings, &err)) {
        log_error(&supervisor->log, "reload.problem", LOG_ERROR(&err));
        settings_destroy(settings);
        settings = NULL;
    }
    return settings;
}

// What every trigger depends on; a change swaps them all.
static bool shared_differs(const struct settings *a, const struct settings *b)
{
    return !schema_equal(aws_config_fields, &a->aws, &b->aws) ||
           !schema_equal(store_config_fields, &a->store, &b->store);
}

// The set of triggers after a reload: kept ones and new ones, not yet started.
struct swap {
    struct trigger **triggers; // owned array
    bool *fresh;               // owned array: made by this reload
    size_t count;
};

static void swap_abandon(struct swap *swap)
{
    for (size_t i = 0; i < swap->count; i++)
        if (swap->fresh[i])
            (void)trigger_destroy(swap->triggers[i], 0);
    free(swap->triggers);
    free(swap->fresh);
}

static bool swap_prepare(struct supervisor *supervisor, struct swap *swap,
                         const struct generation *generation, bool all,
                         struct error *err)
{
    const struct settings *settings = generation->settings;

    swap->triggers =
        mem_calloc(settings->trigger_count, sizeof(*swap->triggers));
    swap->fresh = mem_calloc(settings->trigger_count, sizeof(*swap->fresh));
    for (size_t i = 0; i < settings->trigger_count; i++) {
        const struct trigger_config *config = &settings->triggers[i];
        struct trigger *trigger = find_trigger(supervisor, config->name);
        bool keep = trigger && !all && !trigger_differs(trigger, config);

        if (!config->enabled)
            continue;
        if (!keep)
            trigger =
                supervisor_make_trigger(supervisor, generation, config, err);
        if (!trigger)
            return false;
        swap->triggers[swap->count] = trigger;
        swap->fresh[swap->count++] = !keep;
    }
    return true;
}

static bool swap_has(const struct swap *swap, const struct trigger *trigger)
{
    for (size_t i = 0; i < swap->count; i++)
        if (swap->triggers[i] == trigger)
            return true;
    return false;
}

static size_t leave_out(const struct supervisor *supervisor,
                        const struct swap *swap, struct trigger **old)
{
    size_t count = 0;

    for (size_t i = 0; i < supervisor->trigger_count; i++)
        if (!swap_has(swap, supervisor->triggers[i]))
            old[count++] = supervisor->triggers[i];
    return count;
}

static void drain_old(struct supervisor *supervisor, struct trigger **old,
                      size_t count)
{
    int64_t grace_ms = supervisor->generations->settings->stop_grace_ms;

    if (count)
        log_info(&supervisor->log, "reload.draining",
                 LOG_INT("triggers", count));
    for (size_t i = 0; i < count; i++)
        trigger_stop(old[i]);
    supervisor_wait_ended(supervisor, old, count,
                          clock_now_ms(supervisor->clock) + grace_ms);
}

static void free_old(struct supervisor *supervisor, struct trigger **old,
                     size_t count)
{
    supervisor_force(supervisor, old, count);
    for (size_t i = 0; i < count; i++) {
        struct poller_stats stats;

        trigger_read_stats(old[i], &stats);
        poller_stats_add_ended(&supervisor->past, &stats);
        if (!trigger_destroy(old[i], clock_now_ms(supervisor->clock)))
            supervisor->user_code_hangs = true;
    }
}

static bool generation_is_used(const struct supervisor *supervisor,
                               const struct generation *generation)
{
    if (generation == supervisor->generations || supervisor->user_code_hangs)
        return true;
    for (size_t i = 0; i < supervisor->trigger_count; i++)
        if (trigger_settings(supervisor->triggers[i]) == generation->settings)
            return true;
    return false;
}

static void sweep_generations(struct supervisor *supervisor)
{
    struct generation **link = &supervisor->generations;

    while (*link) {
        struct generation *generation = *link;

        if (generation_is_used(supervisor, generation)) {
            link = &generation->next;
            continue;
        }
        *link = generation->next;
        generation_destroy(generation);
    }
}

static size_t start_fresh(const struct swap *swap)
{
    size_t started = 0;

    for (size_t i = 0; i < swap->count; i++)
        if (swap->fresh[i]) {
            trigger_start(swap->triggers[i]);
            started++;
        }
    return started;
}

static void swap_commit(struct supervisor *supervisor, struct swap *swap,
                        struct generation *generation, size_t stopped)
{
    size_t started;

    free(supervisor->triggers);
    supervisor->triggers = swap->triggers;
    supervisor->trigger_count = swap->count;
    advice_give(generation->settings, supervisor->generations->settings,
                &supervisor->log);
    generation->next = supervisor->generations;
    supervisor->generations = generation;
    started = start_fresh(swap);
    log_info(&supervisor->log, "reload.done", LOG_INT("stopped", stopped),
             LOG_INT("started", started),
             LOG_INT("kept", swap->count - started));
    free(swap->fresh);
    log_set_level(supervisor->sink,
                  (enum log_level)generation->settings->log.level);
    sweep_generations(supervisor);
}

// The old ones drain before their successors start, so that a shard or a FIFO
// queue never has two readers. False: told to stop meanwhile; the old ones are
// left to that.
static bool swap_carry_out(struct supervisor *supervisor, struct swap *swap,
                           struct generation *generation)
{
    struct trigger **old = mem_calloc(supervisor->trigger_count, sizeof(*old));
    size_t count = leave_out(supervisor, swap, old);
    bool goes_on;

    drain_old(supervisor, old, count);
    goes_on = !supervisor->stop_signal;
    if (goes_on) {
        free_old(supervisor, old, count);
        swap_commit(supervisor, swap, generation, count);
    }
    free(old);
    return goes_on;
}

// Validate, then swap only what changed; a mistake changes nothing.
void supervisor_reload(struct supervisor *supervisor)
{
    const struct settings *current = supervisor->generations->settings;
    struct settings *settings = read_again(supervisor);
    struct generation *generation;
    struct swap swap = {0};
    struct error err = {0};

    if (!settings) {
        log_error(&supervisor->log, "reload.refused",
                  LOG_STR("message", "the running configuration stays"));
        return;
    }
    generation = generation_create(supervisor, settings, &err);
    if (!generation || !swap_prepare(supervisor, &swap, generation,
                                     shared_differs(current, settings), &err)) {
        log_error(&supervisor->log, "reload.refused", LOG_ERROR(&err),
                  LOG_STR("message", "the running configuration stays"));
    } else if (swap_carry_out(supervisor, &swap, generation)) {
        return;
    }
    swap_abandon(&swap);
    if (generation)
        generation_destroy(generation);
}
