#include "supervisor/trigger.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "handler/handler.h"
#include "keeper/keeper.h"
#include "supervisor/settings.h"

#define RESTART_BASE_MS 1000
#define RESTART_MAXIMUM_MS 60000
#define STEADY_MS 60000 // after so long a run, a failure is a first one again

// Shards run one batch each, so this is a bound and no size: threads and
// instances are made when a shard needs them.
#define STREAM_CONCURRENCY 10000

// Which file a path named when it was loaded.
struct library_identity {
    dev_t device;
    ino_t inode;
    struct timespec changed;
};

struct trigger {
    // Set by trigger_create, never changed.
    const struct trigger_config *config; // borrowed
    const struct settings *settings;     // borrowed
    struct aws_session *session;         // borrowed
    const char *store_session;           // borrowed
    const struct clock *clock;
    struct log log;
    void (*changed)(void *context);
    void *context;
    struct handler *handler; // owned
    struct library_identity library;

    // Supervisor thread only.
    struct poller *poller;    // owned; a queue's, NULL while down
    struct keeper *keeper;    // owned; a stream's, NULL while down
    struct poller_stats past; // of the runs that ended
    struct random random;
    unsigned failures;
    int64_t started_ms, restart_ms;
    bool stopping, forced;

    // Shared: set by the poller's or keeper's thread as its last act.
    atomic_bool ended;
};

static struct library_identity identify(const char *path)
{
    struct library_identity identity;
    struct stat status;

    memset(&identity, 0, sizeof(identity));
    if (stat(path, &status))
        return identity;
    identity.device = status.st_dev;
    identity.inode = status.st_ino;
    identity.changed = status.st_mtim;
    return identity;
}

static bool is_queue(const struct trigger_config *config)
{
    return config->source.type == SOURCE_TYPE_SQS;
}

static int64_t concurrency_of(const struct trigger_config *config)
{
    if (!is_queue(config))
        return STREAM_CONCURRENCY;
    return config->scaling_config.maximum_concurrency
               ? config->scaling_config.maximum_concurrency
               : TRIGGER_DEFAULT_CONCURRENCY;
}

struct trigger *trigger_create(const struct trigger_options *options,
                               struct error *err)
{
    struct trigger *trigger = mem_calloc(1, sizeof(*trigger));

    trigger->config = options->config;
    trigger->settings = options->settings;
    trigger->session = options->session;
    trigger->store_session = options->store_session;
    trigger->clock = options->clock;
    trigger->changed = options->changed;
    trigger->context = options->context;
    trigger->random.state = random_seed();
    trigger->library = identify(options->config->handler.library);
    log_child(&trigger->log, options->log, "trigger", options->config->name);
    trigger->handler = handler_open(
        &(struct handler_options){
            .config = &options->config->handler,
            .trigger = options->config->name,
            .concurrency = concurrency_of(options->config),
            .clock = options->clock,
            .log = options->log,
        },
        err);
    if (!trigger->handler) {
        error_wrap(err, "%s:%d:%d: triggers.%s.handler",
                   options->settings->path, options->config->line,
                   options->config->column, options->config->name);
        free(trigger);
        return NULL;
    }
    return trigger;
}

static void tell_ended(struct trigger *trigger)
{
    void (*changed)(void *) = trigger->changed;
    void *context = trigger->context;

    atomic_store(&trigger->ended, true);
    changed(context);
}

static void poller_has_ended(void *context, struct poller *poller)
{
    (void)poller;
    tell_ended(context);
}

static void keeper_has_ended(void *context, struct keeper *keeper)
{
    (void)keeper;
    tell_ended(context);
}

static bool start_poller(struct trigger *trigger, struct error *err)
{
    trigger->poller = poller_create(&(struct poller_options){
        .trigger = trigger->config,
        .session = trigger->session,
        .handler = trigger->handler,
        .clock = trigger->clock,
        .log = &trigger->log,
        .events = {.ended = poller_has_ended, .context = trigger},
        .seed = random_next(&trigger->random),
    });
    if (poller_start(trigger->poller, err))
        return true;
    poller_destroy(trigger->poller);
    trigger->poller = NULL;
    return false;
}

static bool start_keeper(struct trigger *trigger, struct error *err)
{
    trigger->keeper = keeper_create(&(struct keeper_options){
        .trigger = trigger->config,
        .store_config = &trigger->settings->store,
        .store_session = trigger->store_session,
        .session = trigger->session,
        .handler = trigger->handler,
        .clock = trigger->clock,
        .log = &trigger->log,
        .ended = keeper_has_ended,
        .context = trigger,
        .seed = random_next(&trigger->random),
    });
    if (keeper_start(trigger->keeper, err))
        return true;
    keeper_destroy(trigger->keeper);
    trigger->keeper = NULL;
    return false;
}

static void schedule_restart(struct trigger *trigger, const struct error *err,
                             int64_t now_ms)
{
    int64_t delay_ms;

    if (now_ms - trigger->started_ms >= STEADY_MS)
        trigger->failures = 0;
    delay_ms = RESTART_BASE_MS +
               random_full_jitter_ms(&trigger->random, RESTART_BASE_MS,
                                     RESTART_MAXIMUM_MS, trigger->failures);
    trigger->failures++;
    trigger->restart_ms = now_ms + delay_ms;
    log_error(&trigger->log, "trigger.failed", LOG_ERROR(err),
              LOG_INT("restart_in_ms", delay_ms));
}

static void start(struct trigger *trigger, int64_t now_ms)
{
    struct error err = {0};

    atomic_store(&trigger->ended, false);
    trigger->started_ms = now_ms;
    if (!(is_queue(trigger->config) ? start_poller(trigger, &err)
                                    : start_keeper(trigger, &err)))
        schedule_restart(trigger, &err, now_ms);
}

void trigger_start(struct trigger *trigger)
{
    log_info(&trigger->log, "trigger.started",
             LOG_STR("source", trigger->config->source.name));
    start(trigger, clock_now_ms(trigger->clock));
}

static void read_running(const struct trigger *trigger,
                         struct poller_stats *stats)
{
    size_t shards;

    *stats = (struct poller_stats){0};
    if (trigger->poller)
        poller_read_stats(trigger->poller, stats);
    if (trigger->keeper)
        keeper_read_stats(trigger->keeper, stats, &shards);
}

// Join what has ended and free it; its counts stay.
static void reap(struct trigger *trigger)
{
    struct poller_stats stats;

    if (trigger->poller)
        poller_join(trigger->poller);
    if (trigger->keeper)
        keeper_join(trigger->keeper);
    read_running(trigger, &stats);
    poller_stats_add_ended(&trigger->past, &stats);
    poller_destroy(trigger->poller);
    keeper_destroy(trigger->keeper);
    trigger->poller = NULL;
    trigger->keeper = NULL;
}

// A keeper dies of nothing.
static bool has_failed(const struct trigger *trigger, struct error *err)
{
    return trigger->poller &&
           poller_ended(trigger->poller, err) == POLLER_FAILED;
}

int64_t trigger_tick(struct trigger *trigger, int64_t now_ms)
{
    struct error err = {0};

    if (trigger->stopping)
        return CLOCK_NEVER;
    if (trigger->poller || trigger->keeper) {
        if (!atomic_load(&trigger->ended))
            return CLOCK_NEVER;
        if (!has_failed(trigger, &err))
            error_set(&err, ERROR_TRANSIENT, "ended without being asked to");
        reap(trigger);
        schedule_restart(trigger, &err, now_ms);
    }
    if (now_ms >= trigger->restart_ms)
        start(trigger, now_ms);
    return trigger->poller || trigger->keeper ? CLOCK_NEVER
                                              : trigger->restart_ms;
}

void trigger_stop(struct trigger *trigger)
{
    trigger->stopping = true;
    if (trigger->poller)
        poller_stop(trigger->poller);
    if (trigger->keeper)
        keeper_stop(trigger->keeper);
}

void trigger_force(struct trigger *trigger)
{
    trigger->stopping = true;
    trigger->forced = true;
    if (trigger->poller)
        poller_force(trigger->poller);
    if (trigger->keeper)
        keeper_force(trigger->keeper);
}

bool trigger_has_ended(const struct trigger *trigger)
{
    return (!trigger->poller && !trigger->keeper) ||
           atomic_load(&trigger->ended);
}

const struct trigger_config *trigger_config(const struct trigger *trigger)
{
    return trigger->config;
}

const struct settings *trigger_settings(const struct trigger *trigger)
{
    return trigger->settings;
}

bool trigger_differs(const struct trigger *trigger,
                     const struct trigger_config *config)
{
    struct library_identity identity = identify(config->handler.library);

    return !trigger_config_equal(trigger->config, config) ||
           memcmp(&identity, &trigger->library, sizeof(identity)) != 0;
}

void trigger_read_stats(const struct trigger *trigger,
                        struct poller_stats *stats)
{
    struct poller_stats running;

    read_running(trigger, &running);
    *stats = trigger->past;
    poller_stats_add(stats, &running);
    stats->progressed_ms = running.progressed_ms;
    stats->waits_for_source = running.waits_for_source;
}

bool trigger_progresses(const struct trigger *trigger, int64_t now_ms,
                        int64_t within_ms)
{
    struct poller_stats running;

    if (!trigger->poller && !trigger->keeper)
        return now_ms < trigger->restart_ms + within_ms;
    if (atomic_load(&trigger->ended)) // it waits for the others of a drain
        return true;
    read_running(trigger, &running);
    if (!running.progressed_ms)
        return now_ms - trigger->started_ms < within_ms;
    return now_ms - running.progressed_ms < within_ms;
}

bool trigger_destroy(struct trigger *trigger, int64_t deadline_ms)
{
    if (!trigger)
        return true;
    if (trigger->poller || trigger->keeper)
        reap(trigger);
    handler_stop(trigger->handler);
    if (!handler_join(trigger->handler, deadline_ms))
        return false;
    handler_close(trigger->handler);
    free(trigger);
    return true;
}
