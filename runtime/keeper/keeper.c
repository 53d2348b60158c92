#include "keeper/keeper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "base/random.h"
#include "keeper/leases.h"
#include "keeper/lister.h"
#include "keeper/shard_poller.h"
#include "poller/poller.h"
#include "poller/trigger_config.h"
#include "store/store_config.h"

#define STACK_BYTES (256 * 1024)
#define ROUND_MS 1000
#define LISTING_MS 60000
#define LISTING_SOON_MS 1000 // for children, or after an error; doubles
#define LISTING_MISSING_MS 5000
#define LISTING_RETRY_MS 30000
#define REPEAT_MS 60000
#define CLOSED_REPEAT_MS (10 * 60 * 1000)

enum keeper_mail { KEEPER_POLLER_ENDED, KEEPER_LISTED };

struct keeper {
    // Never changed after keeper_create.
    const struct trigger_config *trigger; // borrowed
    struct aws_session *session;          // borrowed
    struct handler *handler;              // borrowed
    const struct clock *clock;
    struct log log;
    void (*ended)(void *context, struct keeper *keeper);
    void *context;

    // The keeper thread's, once it runs.
    struct leases *leases; // owned
    struct lister *lister; // owned
    struct random random;
    struct poller_stats past; // of the pollers that ended
    int64_t listing_ms;       // when to list again
    int64_t listed_ms;        // when it was asked for last
    bool is_listing;
    unsigned listing_failures;
    bool is_missing;    // the stream, or its consumer
    bool is_closed;     // nothing new is written to it
    char *consumer_arn; // owned; of enhanced fan-out, once it is known
    struct log_repeat trouble, closed;
    bool is_draining, is_forced;

    // Shared.
    struct mailbox mailbox;
    atomic_bool stop_asked, force_asked;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken;                // guarded by lock
    struct poller_stats stats; // guarded by lock
    size_t shards;             // guarded by lock

    // The creator's own.
    pthread_t thread;
    bool started;
};

static void wake(void *context)
{
    struct keeper *keeper = context;

    pthread_mutex_lock(&keeper->lock);
    keeper->woken = true;
    pthread_cond_signal(&keeper->wake);
    pthread_mutex_unlock(&keeper->lock);
}

static struct leases *create_leases(struct keeper *keeper,
                                    const struct keeper_options *options)
{
    const struct store_config *store = options->store_config;
    AUTO_FREE char *application =
        mem_printf("%s/%s", store->application, keeper->trigger->name);

    return leases_create(&(struct leases_options){
        .path = store->sqlite.path,
        .application = application,
        .name = options->store_session,
        .start =
            lineage_start_of(keeper->trigger, clock_wall_ms(keeper->clock)),
        .duration_ms = store->lease_duration_ms,
        .heartbeat_ms = store->heartbeat_ms,
        .flush_ms = store->checkpoint_interval_ms,
        .clock = keeper->clock,
        .log = &keeper->log,
        .seed = random_next(&keeper->random)});
}

static void init_wake(struct keeper *keeper)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&keeper->lock, NULL);
}

struct keeper *keeper_create(const struct keeper_options *options)
{
    struct keeper *keeper = mem_calloc(1, sizeof(*keeper));

    keeper->trigger = options->trigger;
    keeper->session = options->session;
    keeper->handler = options->handler;
    keeper->clock = options->clock;
    keeper->log = *options->log;
    keeper->ended = options->ended;
    keeper->context = options->context;
    keeper->random.state = options->seed;
    init_wake(keeper);
    mailbox_init(&keeper->mailbox, wake, keeper);
    keeper->leases = create_leases(keeper, options);
    keeper->lister = lister_create(
        &(struct lister_options){.session = keeper->session,
                                 .source = &keeper->trigger->source,
                                 .reply_to = &keeper->mailbox,
                                 .mail_kind = KEEPER_LISTED,
                                 .clock = keeper->clock,
                                 .log = &keeper->log,
                                 .seed = random_next(&keeper->random)});
    return keeper;
}

static struct shard_poller *shard_at(const struct keeper *keeper, size_t index)
{
    return leases_at(keeper->leases, index)->context;
}

static void say_found(struct keeper *keeper)
{
    if (keeper->is_missing)
        log_info(&keeper->log, "stream.found",
                 LOG_STR("stream", keeper->trigger->source.name));
    keeper->is_missing = false;
    keeper->listing_failures = 0;
    keeper->trouble = (struct log_repeat){0};
}

static void say_trouble(struct keeper *keeper, const struct error *err,
                        int64_t now_ms)
{
    if (!log_repeat_due(&keeper->trouble, now_ms, REPEAT_MS))
        return;
    log_warn(&keeper->log,
             keeper->is_missing ? "stream.missing" : "stream.unlisted",
             LOG_INT("suppressed", keeper->trouble.suppressed), LOG_ERROR(err));
    keeper->trouble.suppressed = 0;
}

// What it still holds is read; then nothing comes until it has a successor.
static void say_closed(struct keeper *keeper,
                       const struct stream_listing *listing, size_t chosen,
                       int64_t now_ms)
{
    const struct stream_listed *listed = &listing->list[chosen];

    keeper->is_closed = listed->shards.is_final && chosen + 1 == listing->count;
    if (listed->shards.is_final) // its successor is looked for
        keeper->listing_ms = now_ms + LISTING_MISSING_MS;
    if (!keeper->is_closed ||
        !log_repeat_due(&keeper->closed, now_ms, CLOSED_REPEAT_MS))
        return;
    log_warn(&keeper->log, "stream.closed", LOG_STR("stream", listed->identity),
             LOG_STR("waits_for", "a new stream of the table"),
             LOG_INT("suppressed", keeper->closed.suppressed));
    keeper->closed.suppressed = 0;
}

static void listing_failed(struct keeper *keeper, const struct error *err,
                           int64_t now_ms)
{
    int64_t most_ms, delay_ms = LISTING_SOON_MS;

    if (err->code == ERROR_STOPPED)
        return;
    keeper->is_missing = err->code == ERROR_NOT_FOUND;
    most_ms = keeper->is_missing ? LISTING_MISSING_MS : LISTING_RETRY_MS;
    for (unsigned i = 0; i < keeper->listing_failures && delay_ms < most_ms;
         i++)
        delay_ms *= 2;
    keeper->listing_failures++;
    keeper->listing_ms = now_ms + (delay_ms < most_ms ? delay_ms : most_ms);
    say_trouble(keeper, err, now_ms);
}

// One that was deleted and registered anew has another ARN. What reads by the
// old one fails by itself, and begins again.
static void take_consumer(struct keeper *keeper, struct stream_listing *listing)
{
    const char *known = keeper->consumer_arn;

    if (!listing->consumer_arn ||
        (known && !strcmp(known, listing->consumer_arn)))
        return;
    log_info(&keeper->log, "consumer.found",
             LOG_STR("arn", listing->consumer_arn));
    free(keeper->consumer_arn);
    keeper->consumer_arn = listing->consumer_arn;
    listing->consumer_arn = NULL;
}

static void take_listing(struct keeper *keeper, int64_t now_ms)
{
    struct stream_listing listing = {0};
    struct error err = {0};
    size_t chosen;

    keeper->is_listing = false;
    if (!lister_take(keeper->lister, &listing, &err)) {
        listing_failed(keeper, &err, now_ms);
        return;
    }
    keeper->listing_ms = now_ms + LISTING_MS - LISTING_MS / 10 +
                         (int64_t)random_below(&keeper->random, LISTING_MS / 5);
    say_found(keeper);
    take_consumer(keeper, &listing);
    if (!keeper->is_draining &&
        !leases_follow(keeper->leases, &listing, &chosen))
        keeper->listing_ms = now_ms + LISTING_SOON_MS;
    else if (!keeper->is_draining)
        say_closed(keeper, &listing, chosen, now_ms);
    stream_listing_finish(&listing);
}

static void take_mail(struct keeper *keeper)
{
    int64_t now_ms = clock_now_ms(keeper->clock);
    struct mail *next;

    for (struct mail *mail = mailbox_take(&keeper->mailbox); mail;
         mail = next) {
        next = mail->next;
        if (mail->kind == KEEPER_LISTED)
            take_listing(keeper, now_ms);
        else
            shard_poller_ended(shard_poller_of_mail(mail), now_ms);
    }
}

static void take_orders(struct keeper *keeper)
{
    bool force = atomic_load(&keeper->force_asked);

    if (!keeper->is_draining && (force || atomic_load(&keeper->stop_asked))) {
        keeper->is_draining = true;
        leases_drain(keeper->leases);
    }
    if (keeper->is_forced || !force)
        return;
    keeper->is_forced = true;
    for (size_t i = 0; i < leases_count(keeper->leases); i++)
        if (shard_at(keeper, i))
            shard_poller_force(shard_at(keeper, i));
}

static struct shard_poller *add_shard(struct keeper *keeper,
                                      struct lease_held *held)
{
    return shard_poller_create(
        &(struct shard_poller_options){.trigger = keeper->trigger,
                                       .stream = leases_stream(keeper->leases),
                                       .session = keeper->session,
                                       .handler = keeper->handler,
                                       .mailbox = &keeper->mailbox,
                                       .mail_kind = KEEPER_POLLER_ENDED,
                                       .clock = keeper->clock,
                                       .log = &keeper->log,
                                       .leases = keeper->leases,
                                       .consumer_arn = &keeper->consumer_arn,
                                       .past = &keeper->past,
                                       .seed = random_next(&keeper->random)},
        held);
}

static void report(struct keeper *keeper)
{
    for (size_t i = 0; i < leases_count(keeper->leases); i++)
        if (shard_at(keeper, i))
            shard_poller_report(shard_at(keeper, i));
}

// Of leases that the next tick forgets.
static void drop_finished(struct keeper *keeper)
{
    for (size_t i = 0; i < leases_count(keeper->leases); i++) {
        struct lease_held *held = leases_at(keeper->leases, i);

        if (held->is_ours || held->has_reader)
            continue;
        shard_poller_destroy(held->context);
        held->context = NULL;
    }
}

static void steer(struct keeper *keeper)
{
    int64_t now_ms = clock_now_ms(keeper->clock);

    for (size_t i = 0; i < leases_count(keeper->leases); i++) {
        struct lease_held *held = leases_at(keeper->leases, i);

        if (!held->context)
            held->context = add_shard(keeper, held);
        shard_poller_steer(held->context, now_ms);
    }
}

static int64_t listing_due_ms(const struct keeper *keeper)
{
    int64_t soon_ms = keeper->listed_ms + LISTING_SOON_MS;

    if (keeper->is_draining || keeper->is_listing)
        return CLOCK_NEVER;
    if (leases_want_listing(keeper->leases) && !keeper->listing_failures)
        return clock_earlier(keeper->listing_ms, soon_ms);
    return keeper->listing_ms;
}

static void list_when_due(struct keeper *keeper)
{
    int64_t now_ms = clock_now_ms(keeper->clock);

    if (now_ms < listing_due_ms(keeper))
        return;
    lister_ask(keeper->lister);
    keeper->is_listing = true;
    keeper->listed_ms = now_ms;
}

static void publish(struct keeper *keeper)
{
    struct poller_stats sum = keeper->past, stats;
    size_t shards = 0;

    sum.progressed_ms = clock_now_ms(keeper->clock);
    sum.waits_for_source = keeper->is_missing || keeper->is_closed;
    for (size_t i = 0; i < leases_count(keeper->leases); i++) {
        struct shard_poller *shard = shard_at(keeper, i);

        if (!shard || !shard_poller_read_stats(shard, &stats))
            continue;
        shards++;
        poller_stats_add(&sum, &stats);
        if (stats.progressed_ms)
            sum.progressed_ms =
                clock_earlier(sum.progressed_ms, stats.progressed_ms);
        sum.waits_for_source = sum.waits_for_source || stats.waits_for_source;
    }
    pthread_mutex_lock(&keeper->lock);
    keeper->stats = sum;
    keeper->shards = shards;
    pthread_mutex_unlock(&keeper->lock);
}

static size_t count_readers(const struct keeper *keeper)
{
    size_t count = 0;

    for (size_t i = 0; i < leases_count(keeper->leases); i++)
        count += leases_at(keeper->leases, i)->has_reader;
    return count;
}

/* Forced, nobody waits for a store that does not answer. */
static bool is_over(const struct keeper *keeper)
{
    return leases_have_left(keeper->leases) ||
           (keeper->is_forced && !count_readers(keeper) &&
            leases_are_stuck(keeper->leases));
}

static bool go_round(struct keeper *keeper)
{
    take_mail(keeper);
    take_orders(keeper);
    report(keeper);
    drop_finished(keeper);
    leases_tick(keeper->leases);
    steer(keeper);
    list_when_due(keeper);
    publish(keeper);
    return !is_over(keeper);
}

static int64_t due_ms(const struct keeper *keeper)
{
    int64_t due =
        clock_earlier(leases_due_ms(keeper->leases), listing_due_ms(keeper));

    for (size_t i = 0; i < leases_count(keeper->leases); i++)
        if (shard_at(keeper, i))
            due = clock_earlier(due, shard_poller_due_ms(shard_at(keeper, i)));
    return due;
}

static void rest(struct keeper *keeper)
{
    int64_t wait_ms =
        clock_until_ms(due_ms(keeper), clock_now_ms(keeper->clock), ROUND_MS);
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += wait_ms / 1000;
    until.tv_nsec += wait_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&keeper->lock);
    while (!keeper->woken && !rc)
        rc = pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until);
    keeper->woken = false;
    pthread_mutex_unlock(&keeper->lock);
}

static void *run(void *context)
{
    struct keeper *keeper = context;

    while (go_round(keeper))
        rest(keeper);
    lister_stop(keeper->lister);
    lister_join(keeper->lister);
    publish(keeper);
    keeper->ended(keeper->context, keeper);
    return NULL;
}

static bool start_thread(struct keeper *keeper, struct error *err)
{
    pthread_attr_t attributes;
    char name[16];
    int rc;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    rc = pthread_create(&keeper->thread, &attributes, run, keeper);
    pthread_attr_destroy(&attributes);
    if (rc)
        return error_set(err, ERROR_TRANSIENT, "start a thread: %s",
                         strerror(rc));
    keeper->started = true;
    (void)snprintf(name, sizeof(name), "keep-%.10s", keeper->trigger->name);
    (void)pthread_setname_np(keeper->thread, name);
    return true;
}

bool keeper_start(struct keeper *keeper, struct error *err)
{
    if (!leases_open(keeper->leases, err) || !lister_start(keeper->lister, err))
        return false;
    if (start_thread(keeper, err))
        return true;
    lister_stop(keeper->lister);
    lister_join(keeper->lister);
    return false;
}

void keeper_stop(struct keeper *keeper)
{
    atomic_store(&keeper->stop_asked, true);
    wake(keeper);
}

void keeper_force(struct keeper *keeper)
{
    atomic_store(&keeper->force_asked, true);
    wake(keeper);
}

void keeper_read_stats(const struct keeper *keeper, struct poller_stats *stats,
                       size_t *shards)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)&keeper->lock;

    pthread_mutex_lock(lock);
    *stats = keeper->stats;
    *shards = keeper->shards;
    pthread_mutex_unlock(lock);
}

void keeper_join(struct keeper *keeper)
{
    if (keeper->started)
        pthread_join(keeper->thread, NULL);
    keeper->started = false;
}

void keeper_destroy(struct keeper *keeper)
{
    if (!keeper)
        return;
    for (size_t i = 0; i < leases_count(keeper->leases); i++)
        shard_poller_destroy(shard_at(keeper, i));
    lister_destroy(keeper->lister);
    leases_destroy(keeper->leases);
    free(keeper->consumer_arn);
    mailbox_finish(&keeper->mailbox);
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}
