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
#include "store/store.h"
#include "supervisor/notify.h"
#include "supervisor/settings.h"
#include "supervisor/trigger.h"

#define STATUS_INTERVAL_MS 10000
#define PROGRESS_MS 30000 // a loop that did not go round for so long is stuck
#define FORCED_JOIN_MS 1000

// One reading of the file and the AWS session made from it. A generation lives
// as long as a trigger uses it.
struct generation {
    struct settings *settings;   // owned
    struct aws_session *session; // owned
    struct generation *next;     // owned; the one before
};

struct supervisor {
    // Set by supervisor_create, never changed.
    struct log_sink *sink; // borrowed
    struct log log;
    const struct clock *clock;
    char *store_session; // owned
    bool (*adjust)(void *context, struct settings *settings, struct error *err);
    void *adjust_context; // borrowed
    int signals, changes; // signalfd, eventfd

    // Main thread only.
    struct generation *generations; // owned; the newest first
    struct trigger **triggers;      // owned, and each in it
    size_t trigger_count;
    struct poller_stats past; // of triggers that a reload removed
    struct notify notify;
    int64_t status_ms, watchdog_ms; // when to speak next
    bool user_code_hangs;
};

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

static struct generation *generation_create(struct supervisor *supervisor,
                                            struct settings *settings,
                                            struct error *err)
{
    struct generation *generation = mem_calloc(1, sizeof(*generation));

    generation->settings = settings;
    generation->session = aws_session_create(
        &(struct aws_session_options){.config = &settings->aws,
                                      .clock = supervisor->clock,
                                      .log = &supervisor->log},
        err);
    if (generation->session)
        return generation;
    settings_destroy(settings);
    free(generation);
    return NULL;
}

static void generation_destroy(struct generation *generation)
{
    aws_session_destroy(generation->session);
    settings_destroy(generation->settings);
    free(generation);
}

static struct trigger *make_trigger(struct supervisor *supervisor,
                                    const struct generation *generation,
                                    const struct trigger_config *config,
                                    struct error *err)
{
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
        trigger =
            make_trigger(supervisor, generation, &settings->triggers[i], err);
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
    for (size_t i = 0; i < supervisor->trigger_count; i++) {
        struct poller_stats stats;

        trigger_read_stats(supervisor->triggers[i], &stats);
        log_info(
            &supervisor->log, "trigger.counters",
            LOG_STR("trigger", trigger_config(supervisor->triggers[i])->name),
            LOG_INT("received", stats.records_received),
            LOG_INT("done", stats.records_done),
            LOG_INT("failed", stats.records_failed),
            LOG_INT("returned", stats.records_returned),
            LOG_INT("batches", stats.batches_started));
    }
}

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
            trigger = make_trigger(supervisor, generation, config, err);
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

static int wait_until_ended(struct supervisor *supervisor,
                            struct trigger *const *triggers, size_t count,
                            int64_t deadline_ms);

// Drain and free the triggers that the swap leaves out. Their successors start
// afterwards, so that a shard or FIFO queue never has two readers.
static size_t retire_the_others(struct supervisor *supervisor,
                                const struct swap *swap)
{
    const struct settings *settings = supervisor->generations->settings;
    int64_t deadline_ms =
        clock_now_ms(supervisor->clock) + settings->stop_grace_ms;
    struct trigger **old = mem_calloc(supervisor->trigger_count, sizeof(*old));
    size_t count = 0;

    for (size_t i = 0; i < supervisor->trigger_count; i++)
        if (!swap_has(swap, supervisor->triggers[i]))
            old[count++] = supervisor->triggers[i];
    for (size_t i = 0; i < count; i++)
        trigger_stop(old[i]);
    (void)wait_until_ended(supervisor, old, count, deadline_ms);
    for (size_t i = 0; i < count; i++) {
        struct poller_stats stats;

        if (!trigger_has_ended(old[i]))
            trigger_force(old[i]);
        trigger_read_stats(old[i], &stats);
        poller_stats_add(&supervisor->past, &stats);
        if (!trigger_destroy(old[i], deadline_ms))
            supervisor->user_code_hangs = true;
    }
    free(old);
    return count;
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

static void swap_commit(struct supervisor *supervisor, struct swap *swap,
                        struct generation *generation)
{
    size_t stopped = retire_the_others(supervisor, swap), started = 0;

    free(supervisor->triggers);
    supervisor->triggers = swap->triggers;
    supervisor->trigger_count = swap->count;
    generation->next = supervisor->generations;
    supervisor->generations = generation;
    for (size_t i = 0; i < swap->count; i++)
        if (swap->fresh[i]) {
            trigger_start(swap->triggers[i]);
            started++;
        }
    log_info(&supervisor->log, "reload.done", LOG_INT("stopped", stopped),
             LOG_INT("started", started),
             LOG_INT("kept", swap->count - started));
    free(swap->fresh);
    log_set_level(supervisor->sink,
                  (enum log_level)generation->settings->log.level);
    sweep_generations(supervisor);
}

// Validate, then swap only what changed; a mistake changes nothing.
static void reload(struct supervisor *supervisor)
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
    if (generation && swap_prepare(supervisor, &swap, generation,
                                   shared_differs(current, settings), &err)) {
        swap_commit(supervisor, &swap, generation);
        return;
    }
    log_error(&supervisor->log, "reload.refused", LOG_ERROR(&err),
              LOG_STR("message", "the running configuration stays"));
    swap_abandon(&swap);
    if (generation)
        generation_destroy(generation);
}

static bool all_ended(struct trigger *const *triggers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!trigger_has_ended(triggers[i]))
            return false;
    return true;
}

// Returns the signal that cut the wait short, or 0.
static int wait_until_ended(struct supervisor *supervisor,
                            struct trigger *const *triggers, size_t count,
                            int64_t deadline_ms)
{
    while (!all_ended(triggers, count)) {
        int64_t now_ms = clock_now_ms(supervisor->clock);
        int number;

        if (now_ms >= deadline_ms)
            return 0;
        number = wait_for_event(
            supervisor,
            clock_earlier(deadline_ms, tick_manager(supervisor, now_ms)));
        if (number == SIGTERM || number == SIGINT)
            return number;
    }
    return 0;
}

// What is forced ends at once, but for user code; its counts are final then.
static void force_the_rest(struct supervisor *supervisor)
{
    int64_t deadline_ms = clock_now_ms(supervisor->clock) + FORCED_JOIN_MS;

    for (size_t i = 0; i < supervisor->trigger_count; i++)
        if (!trigger_has_ended(supervisor->triggers[i]))
            trigger_force(supervisor->triggers[i]);
    (void)wait_until_ended(supervisor, supervisor->triggers,
                           supervisor->trigger_count, deadline_ms);
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
    (void)wait_until_ended(supervisor, supervisor->triggers,
                           supervisor->trigger_count, deadline_ms);
    drained = all_ended(supervisor->triggers, supervisor->trigger_count);
    if (!drained)
        force_the_rest(supervisor);
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
    notify_open(&supervisor->notify);
    notify_send(&supervisor->notify, "READY=1\nSTATUS=%zu triggers",
                supervisor->trigger_count);
}

static void reload_and_tell(struct supervisor *supervisor)
{
    // Type=notify-reload wants the moment the reload began (sd_notify(3)).
    notify_send(&supervisor->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
                notify_monotonic_usec());
    reload(supervisor);
    notify_send(&supervisor->notify, "READY=1");
}

int supervisor_run(struct supervisor *supervisor)
{
    start_all(supervisor);
    for (;;) {
        int64_t now_ms = clock_now_ms(supervisor->clock);
        int64_t next_ms = clock_earlier(tick_triggers(supervisor, now_ms),
                                        tick_manager(supervisor, now_ms));

        switch (wait_for_event(supervisor, next_ms)) {
        case SIGHUP:
            reload_and_tell(supervisor);
            break;
        case SIGUSR1:
            log_counters(supervisor);
            break;
        case SIGTERM:
            return drain(supervisor, SIGTERM);
        case SIGINT:
            return drain(supervisor, SIGINT);
        default:
            break;
        }
    }
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
