#include "keeper/shard_poller.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"
#include "keeper/leases.h"
#include "poller/poller.h"
#include "poller/trigger_config.h"

#define RESTART_BASE_MS 1000
#define RESTART_MAXIMUM_MS 30000
#define STEADY_MS 60000 // after so long a run, a failure is a first one again
#define STALL_MS 60000
#define STALL_TIMEOUTS 5
#define STEP_MAXIMUM_MS 2000 // a look after a suspend counts no more than this

struct progress {
    bool is_there;
    char *sequence; // owned; NULL: as before
    bool sets_window;
    char *window; // owned; NULL: none is open
};

struct shard_poller {
    struct mail mail; // first

    // Never changed after shard_poller_create.
    struct shard_poller_options options;
    char *stream;            // owned
    struct lease_held *held; // borrowed

    // The keeper's.
    struct poller *poller; // owned; NULL: none
    bool is_asked_to_stop;
    struct random random;
    unsigned failures;
    int64_t started_ms, restart_ms;
    int64_t progressed_ms, looked_ms, still_ms; // of a poller that hangs

    // Shared.
    pthread_mutex_t lock;
    struct progress latest; // guarded by lock: not reported yet
};

struct shard_poller *
shard_poller_create(const struct shard_poller_options *options,
                    struct lease_held *held)
{
    struct shard_poller *shard = mem_calloc(1, sizeof(*shard));

    shard->options = *options;
    shard->options.stream = shard->stream = mem_strdup(options->stream);
    shard->held = held;
    shard->mail.kind = options->mail_kind;
    shard->random.state = options->seed;
    pthread_mutex_init(&shard->lock, NULL);
    return shard;
}

void shard_poller_destroy(struct shard_poller *shard)
{
    if (!shard)
        return;
    free(shard->latest.sequence);
    free(shard->latest.window);
    free(shard->stream);
    pthread_mutex_destroy(&shard->lock);
    free(shard);
}

static char *copy_of(struct bytes text)
{
    return text.size ? mem_strndup(text.data, text.size) : NULL;
}

static void swap(char **a, char **b)
{
    char *kept = *a;

    *a = *b;
    *b = kept;
}

/* What the newer says goes to the latest, and what that said before comes back
 * to be freed. */
static void merge(struct progress *latest, struct progress *newer)
{
    latest->is_there = true;
    if (newer->sequence)
        swap(&latest->sequence, &newer->sequence);
    if (!newer->sets_window)
        return;
    latest->sets_window = true;
    swap(&latest->window, &newer->window);
}

// On the poller's thread.
static void poller_has_progressed(void *context, struct poller *poller,
                                  const struct poller_checkpoint *checkpoint)
{
    struct shard_poller *shard = context;
    struct progress newer = {.sequence = copy_of(checkpoint->sequence),
                             .sets_window = checkpoint->sets_window,
                             .window = copy_of(checkpoint->window)};

    (void)poller;
    pthread_mutex_lock(&shard->lock);
    merge(&shard->latest, &newer);
    pthread_mutex_unlock(&shard->lock);
    free(newer.sequence);
    free(newer.window);
}

// Likewise.
static void poller_has_ended(void *context, struct poller *poller)
{
    struct shard_poller *shard = context;

    (void)poller;
    mailbox_post(shard->options.mailbox, &shard->mail);
}

void shard_poller_report(struct shard_poller *shard)
{
    struct progress latest;

    pthread_mutex_lock(&shard->lock);
    latest = shard->latest;
    shard->latest = (struct progress){0};
    pthread_mutex_unlock(&shard->lock);
    if (latest.is_there)
        leases_progress(shard->options.leases, shard->held,
                        &(struct lease_progress){latest.sequence,
                                                 latest.sets_window,
                                                 latest.window});
    free(latest.sequence);
}

static void plan_restart(struct shard_poller *shard, const struct error *err,
                         int64_t now_ms)
{
    int64_t delay_ms = RESTART_BASE_MS;

    if (now_ms - shard->started_ms >= STEADY_MS)
        shard->failures = 0;
    for (unsigned i = 0; i < shard->failures && delay_ms < RESTART_MAXIMUM_MS;
         i++)
        delay_ms *= 2;
    if (delay_ms > RESTART_MAXIMUM_MS)
        delay_ms = RESTART_MAXIMUM_MS;
    shard->failures++;
    shard->restart_ms = now_ms + delay_ms;
    log_error(shard->options.log, "shard.failed",
              LOG_STR("shard", shard->held->shard),
              LOG_INT("restart_in_ms", delay_ms), LOG_ERROR(err));
}

static void start(struct shard_poller *shard, int64_t now_ms)
{
    const struct shard_poller_options *options = &shard->options;
    struct error err = {0};

    shard->started_ms = now_ms;
    shard->progressed_ms = shard->still_ms = 0;
    shard->looked_ms = now_ms;
    shard->is_asked_to_stop = false;
    shard->poller = poller_create(&(struct poller_options){
        .trigger = options->trigger,
        .session = options->session,
        .handler = options->handler,
        .clock = options->clock,
        .log = options->log,
        .events = {.checkpoint = poller_has_progressed,
                   .ended = poller_has_ended,
                   .context = shard},
        .stream = options->stream,
        .shard = shard->held->shard,
        .start = leases_start_of(shard->held),
        .consumer_arn = *options->consumer_arn,
        .window = leases_window_of(shard->held),
        .acts_until_ms = &shard->held->acts_until_ms,
        .seed = random_next(&shard->random),
    });
    if (poller_start(shard->poller, &err)) {
        leases_reader_started(options->leases, shard->held);
        return;
    }
    poller_destroy(shard->poller);
    shard->poller = NULL;
    plan_restart(shard, &err, now_ms);
}

static int64_t stall_ms(const struct shard_poller *shard)
{
    int64_t ms = STALL_TIMEOUTS * shard->options.trigger->handler.timeout_ms;

    return ms > STALL_MS ? ms : STALL_MS;
}

/* leases.md I9. Only what we saw pass counts: after a suspend every poller
 * looks old. */
static void watch_progress(struct shard_poller *shard, int64_t now_ms)
{
    struct poller_stats stats;
    int64_t step_ms = now_ms - shard->looked_ms;

    shard->looked_ms = now_ms;
    poller_read_stats(shard->poller, &stats);
    if (stats.progressed_ms != shard->progressed_ms) {
        shard->progressed_ms = stats.progressed_ms;
        shard->still_ms = 0;
        return;
    }
    shard->still_ms += step_ms < STEP_MAXIMUM_MS ? step_ms : STEP_MAXIMUM_MS;
    if (shard->still_ms >= stall_ms(shard) && shard->held->should_read)
        leases_abandon(shard->options.leases, shard->held);
}

// A consumer's subscriptions need its ARN.
static bool is_ready(const struct shard_poller *shard)
{
    return !shard->options.trigger->source.consumer ||
           *shard->options.consumer_arn;
}

void shard_poller_steer(struct shard_poller *shard, int64_t now_ms)
{
    if (!shard->poller) {
        if (shard->held->is_ours && shard->held->should_read &&
            is_ready(shard) && now_ms >= shard->restart_ms)
            start(shard, now_ms);
        return;
    }
    watch_progress(shard, now_ms);
    if (shard->held->should_read || shard->is_asked_to_stop)
        return;
    shard->is_asked_to_stop = true;
    poller_stop(shard->poller);
}

int64_t shard_poller_due_ms(const struct shard_poller *shard)
{
    return !shard->poller && shard->held->should_read && is_ready(shard)
               ? shard->restart_ms
               : CLOCK_NEVER;
}

void shard_poller_force(struct shard_poller *shard)
{
    if (shard->poller)
        poller_force(shard->poller);
}

struct shard_poller *shard_poller_of_mail(struct mail *mail)
{
    return (struct shard_poller *)(void *)mail;
}

static enum lease_end end_of(struct shard_poller *shard, int64_t now_ms)
{
    struct error err = {0};

    switch (poller_ended(shard->poller, &err)) {
    case POLLER_SHARD_ENDED:
        return LEASE_END_SHARD;
    case POLLER_FAILED:
        plan_restart(shard, &err, now_ms);
        return err.code == ERROR_NOT_FOUND ? LEASE_END_MISSING : LEASE_END_NONE;
    case POLLER_STOPPED:
    case POLLER_RUNNING:
        break;
    }
    return LEASE_END_STOPPED;
}

void shard_poller_ended(struct shard_poller *shard, int64_t now_ms)
{
    struct poller_stats stats;
    enum lease_end end;

    poller_join(shard->poller);
    shard_poller_report(shard);
    end = end_of(shard, now_ms);
    poller_read_stats(shard->poller, &stats);
    poller_stats_add_ended(shard->options.past, &stats);
    poller_destroy(shard->poller);
    shard->poller = NULL;
    leases_reader_ended(shard->options.leases, shard->held, end);
}

bool shard_poller_read_stats(const struct shard_poller *shard,
                             struct poller_stats *stats)
{
    if (!shard->poller)
        return false;
    poller_read_stats(shard->poller, stats);
    return true;
}
