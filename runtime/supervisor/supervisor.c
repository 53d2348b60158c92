#include "supervisor/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "aws/session.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/problems.h"
#include "poller/trigger_config.h"
#include "store/store.h"
#include "supervisor/advice.h"
#include "supervisor/metrics.h"
#include "supervisor/notify.h"
#include "supervisor/reach.h"
#include "supervisor/settings.h"
#include "supervisor/supervisor_inner.h"
#include "supervisor/trigger.h"

#define STATUS_INTERVAL_MS 10000
#define PROGRESS_MS 30000 // a loop that did not go round for so long is stuck
#define FORCED_JOIN_MS 1000

static void signal_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

void supervisor_block_signals(void)
{
    sigset_t set;

    signal_set(&set);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    // A peer that hangs up, or a file that may grow no more, is an error of a
    // write, and no reason to die.
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

// Any thread: something ended.
static void wake(void *context)
{
    const struct supervisor *supervisor = context;
    uint64_t one = 1;

    (void)!write(supervisor->changes, &one, sizeof(one));
}

struct trigger *supervisor_make_trigger(struct supervisor *supervisor,
                                        const struct generation *generation,
                                        const struct trigger_config *config,
                                        struct error *err)
{
    const char *key;

    if (!reach_check(config, generation->session, &key, err)) {
        error_wrap(err, "%s:%d:%d: triggers.%s.%s", generation->settings->path,
                   config->line, config->column, config->name, key);
        return NULL;
    }
    return trigger_create(
        &(struct trigger_options){
            .config = config,
            .settings = generation->settings,
            .session = generation->session,
            .store_session = supervisor->store_session,
            .clock = supervisor->clock,
            .log = &supervisor->log,
            .changed = wake,
            .context = supervisor,
        },
        err);
}

static bool create_triggers(struct supervisor *supervisor, struct error *err)
{
    const struct generation *generation = supervisor->generations;
    const struct settings *settings = generation->settings;

    supervisor->triggers =
        mem_calloc(settings->trigger_count, sizeof(*supervisor->triggers));
    for (size_t i = 0; i < settings->trigger_count; i++) {
        struct trigger *trigger;

        if (!settings->triggers[i].enabled)
            continue;
        trigger = supervisor_make_trigger(supervisor, generation,
                                          &settings->triggers[i], err);
        if (!trigger)
            return false;
        supervisor->triggers[supervisor->trigger_count++] = trigger;
    }
    return true;
}

static bool open_descriptors(struct supervisor *supervisor, struct error *err)
{
    sigset_t set;

    signal_set(&set);
    supervisor->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    supervisor->changes = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (supervisor->signals >= 0 && supervisor->changes >= 0)
        return true;
    return error_set(err, ERROR_TRANSIENT, "signalfd or eventfd: %s",
                     strerror(errno));
}

struct supervisor *supervisor_create(const struct supervisor_options *options,
                                     struct error *err)
{
    struct supervisor *supervisor = mem_calloc(1, sizeof(*supervisor));

    supervisor->sink = options->sink;
    supervisor->log.sink = options->sink;
    supervisor->clock = clock_system();
    supervisor->store_session = store_session_id();
    supervisor->adjust = options->adjust;
    supervisor->adjust_context = options->context;
    supervisor->signals = supervisor->changes = -1;
    supervisor->notify.fd = -1;
    if (supervisor->adjust &&
        !supervisor->adjust(options->context, options->settings, err)) {
        settings_destroy(options->settings);
        goto fail;
    }
    supervisor->generations =
        generation_create(supervisor, options->settings, err);
    if (!supervisor->generations || !open_descriptors(supervisor, err) ||
        !create_triggers(supervisor, err))
        goto fail;
    return supervisor;

fail:
    (void)supervisor_destroy(supervisor);
    return NULL;
}

static void sum_stats(const struct supervisor *supervisor,
                      struct poller_stats *sum)
{
    *sum = supervisor->past;
    for (size_t i = 0; i < supervisor->trigger_count; i++) {
        struct poller_stats stats;

        trigger_read_stats(supervisor->triggers[i], &stats);
        poller_stats_add(sum, &stats);
    }
}

static int64_t tick_triggers(struct supervisor *supervisor, int64_t now_ms)
{
    int64_t next_ms = CLOCK_NEVER;

    for (size_t i = 0; i < supervisor->trigger_count; i++)
        next_ms = clock_earlier(next_ms,
                                trigger_tick(supervisor->triggers[i], now_ms));
    return next_ms;
}

static bool all_progress(const struct supervisor *supervisor, int64_t now_ms)
{
    for (size_t i = 0; i < supervisor->trigger_count; i++)
        if (!trigger_progresses(supervisor->triggers[i], now_ms, PROGRESS_MS))
            return false;
    return true;
}

// Status and watchdog to the service manager. Returns when to come again.
static int64_t tick_manager(struct supervisor *supervisor, int64_t now_ms)
{
    struct notify *notify = &supervisor->notify;
    struct poller_stats stats;

    if (notify->fd < 0)
        return CLOCK_NEVER;
    if (now_ms >= supervisor->status_ms) {
        supervisor->status_ms = now_ms + STATUS_INTERVAL_MS;
        sum_stats(supervisor, &stats);
        notify_send(notify,
                    "STATUS=%zu triggers, %" PRIu64 " records done, %" PRIu64
                    " failed",
                    supervisor->trigger_count, stats.records_done,
                    stats.records_failed);
    }
    if (!notify->watchdog_ms)
        return supervisor->status_ms;
    if (now_ms >= supervisor->watchdog_ms) {
        supervisor->watchdog_ms = now_ms + notify->watchdog_ms;
        if (all_progress(supervisor, now_ms))
            notify_send(notify, "WATCHDOG=1");
    }
    return clock_earlier(supervisor->status_ms, supervisor->watchdog_ms);
}

// Sleep until a signal, a change or the deadline. Returns the signal or 0.
static int wait_for_event(struct supervisor *supervisor, int64_t deadline_ms)
{
    int64_t now_ms = clock_now_ms(supervisor->clock);
    struct pollfd fds[] = {{.fd = supervisor->signals, .events = POLLIN},
                           {.fd = supervisor->changes, .events = POLLIN}};
    struct signalfd_siginfo info;
    uint64_t count;

    (void)poll(fds, 2, (int)clock_until_ms(deadline_ms, now_ms, 60000));
    (void)!read(supervisor->changes, &count, sizeof(count));
    if (read(supervisor->signals, &info, sizeof(info)) == sizeof(info))
        return (int)info.ssi_signo;
    return 0;
}

static void log_counters(const struct supervisor *supervisor)
{
    int64_t now_ms = clock_now_ms(supervisor->clock);
    int64_t wall_ms = clock_wall_ms(supervisor->clock);

    for (size_t i = 0; i < supervisor->trigger_count; i++) {
        const struct trigger *trigger = supervisor->triggers[i];
        struct metrics_trigger figures = {
            .name = trigger_config(trigger)->name,
            .is_queue = trigger_config(trigger)->source.type == SOURCE_TYPE_SQS,
        };

        trigger_read_stats(trigger, &figures.stats);
        if (log_enabled(&supervisor->log, LOG_LEVEL_INFO))
            metrics_log(&(struct metrics_options){.triggers = &figures,
                                                  .count = 1,
                                                  .now_ms = now_ms,
                                                  .wall_ms = wall_ms},
                        &supervisor->log);
    }
}

static bool all_ended(struct trigger *const *triggers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!trigger_has_ended(triggers[i]))
            return false;
    return true;
}

void supervisor_wait_ended(struct supervisor *supervisor,
                           struct trigger *const *triggers, size_t count,
                           int64_t deadline_ms)
{
    while (!all_ended(triggers, count)) {
        int64_t now_ms = clock_now_ms(supervisor->clock);
        int number;

        if (now_ms >= deadline_ms)
            return;
        number = wait_for_event(
            supervisor,
            clock_earlier(deadline_ms, tick_manager(supervisor, now_ms)));
        if (number == SIGTERM || number == SIGINT) {
            supervisor->stop_signal = number;
            return;
        }
        supervisor->reload_again |= number == SIGHUP;
        if (number == SIGUSR1)
            log_counters(supervisor);
    }
}

void supervisor_force(struct supervisor *supervisor,
                      struct trigger *const *triggers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!trigger_has_ended(triggers[i]))
            trigger_force(triggers[i]);
    supervisor_wait_ended(supervisor, triggers, count,
                          clock_now_ms(supervisor->clock) + FORCED_JOIN_MS);
}

static void free_triggers(struct supervisor *supervisor, int64_t deadline_ms)
{
    for (size_t i = 0; i < supervisor->trigger_count; i++)
        if (!trigger_destroy(supervisor->triggers[i], deadline_ms))
            supervisor->user_code_hangs = true;
    free(supervisor->triggers);
    supervisor->triggers = NULL;
    supervisor->trigger_count = 0;
}

// First everyone is asked, then everyone is waited for (style rule 34).
static int drain(struct supervisor *supervisor, int number)
{
    int64_t grace_ms = supervisor->generations->settings->stop_grace_ms;
    int64_t deadline_ms = clock_now_ms(supervisor->clock) + grace_ms;
    struct poller_stats stats;
    bool drained;

    log_info(&supervisor->log, "worker.stopping",
             LOG_STR("signal", strsignal(number)),
             LOG_INT("stop_grace_ms", grace_ms));
    notify_send(&supervisor->notify, "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64,
                (grace_ms + 5000) * 1000);
    for (size_t i = 0; i < supervisor->trigger_count; i++)
        trigger_stop(supervisor->triggers[i]);
    supervisor_wait_ended(supervisor, supervisor->triggers,
                          supervisor->trigger_count, deadline_ms);
    drained = all_ended(supervisor->triggers, supervisor->trigger_count);
    if (!drained)
        supervisor_force(supervisor, supervisor->triggers,
                         supervisor->trigger_count);
    sum_stats(supervisor, &stats);
    free_triggers(supervisor,
                  drained ? deadline_ms
                          : clock_now_ms(supervisor->clock) + FORCED_JOIN_MS);
    log_info(&supervisor->log, drained ? "worker.stopped" : "worker.forced",
             LOG_INT("finished", stats.records_done),
             LOG_INT("failed", stats.records_failed),
             LOG_INT("returned", stats.records_returned),
             LOG_INT("left_hidden", stats.records_left_hidden));
    return drained ? 0 : 128 + number;
}

static void start_all(struct supervisor *supervisor)
{
    for (size_t i = 0; i < supervisor->trigger_count; i++)
        trigger_start(supervisor->triggers[i]);
    log_info(&supervisor->log, "worker.started",
             LOG_STR("version", POLLARD_VERSION),
             LOG_STR("config", supervisor->generations->settings->path),
             LOG_INT("triggers", supervisor->trigger_count));
    advice_give(supervisor->generations->settings, NULL, &supervisor->log);
    notify_open(&supervisor->notify);
    notify_send(&supervisor->notify, "READY=1\nSTATUS=%zu triggers",
                supervisor->trigger_count);
}

static void reload_and_tell(struct supervisor *supervisor)
{
    // Type=notify-reload wants the moment the reload began (sd_notify(3)).
    notify_send(&supervisor->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                notify_monotonic_usec());
    supervisor_reload(supervisor);
    notify_send(&supervisor->notify, "READY=1");
}

// The file may have changed after it was read.
static int next_signal(struct supervisor *supervisor, int64_t deadline_ms)
{
    if (!supervisor->reload_again)
        return wait_for_event(supervisor, deadline_ms);
    supervisor->reload_again = false;
    return SIGHUP;
}

static void act_on(struct supervisor *supervisor, int number)
{
    switch (number) {
    case SIGHUP:
        reload_and_tell(supervisor);
        return;
    case SIGUSR1:
        log_counters(supervisor);
        return;
    case SIGTERM:
    case SIGINT:
        supervisor->stop_signal = number;
        return;
    default:
        return;
    }
}

int supervisor_run(struct supervisor *supervisor)
{
    start_all(supervisor);
    while (!supervisor->stop_signal) {
        int64_t now_ms = clock_now_ms(supervisor->clock);
        int64_t next_ms = clock_earlier(tick_triggers(supervisor, now_ms),
                                        tick_manager(supervisor, now_ms));

        act_on(supervisor, next_signal(supervisor, next_ms));
    }
    return drain(supervisor, supervisor->stop_signal);
}

bool supervisor_destroy(struct supervisor *supervisor)
{
    bool clean;

    if (!supervisor)
        return true;
    free_triggers(supervisor, clock_now_ms(supervisor->clock) + FORCED_JOIN_MS);
    notify_close(&supervisor->notify);
    clean = !supervisor->user_code_hangs;
    while (clean && supervisor->generations) {
        struct generation *generation = supervisor->generations;

        supervisor->generations = generation->next;
        generation_destroy(generation);
    }
    if (supervisor->signals >= 0)
        (void)close(supervisor->signals);
    if (supervisor->changes >= 0 && clean)
        (void)close(supervisor->changes);
    free(supervisor->store_session);
    if (clean)
        free(supervisor);
    return clean;
}
