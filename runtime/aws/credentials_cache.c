#include "aws/credentials_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/random.h"

#define REJECT_PAUSE_MS 30000      // between refreshes that servers ask for
#define STALE_PAUSE_MS 300000      // and up to twice as long: wire.md 7.4
#define RESTLESS_PAUSE_MS 5000     // where the old set does not stay in use
#define FIRST_PAUSE_LIMIT_MS 20000 // while there is no set at all

struct credentials_cache {
    // Never changed.
    struct credentials_provider *provider; // owned; asked by the thread only
    struct credentials_tools tools;
    const struct clock *clock;
    struct log log;

    // Shared; all of it guarded by lock.
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct credentials credentials;
    uint64_t generation; // 0: none yet
    int64_t fetched_at_ms;
    bool wanted;   // a fetch is asked for or under way
    bool rejected; // ... because a server refused the set: wait for it
    bool stop, started;
    unsigned failures;  // in a row
    struct error error; // the last one
    int64_t next_fetch_ms, next_reject_ms;
    struct random random;
    struct credentials_user *users;

    // The creator's, and whoever starts it.
    pthread_t thread;
};

static int64_t spread(struct credentials_cache *cache, int64_t ms)
{
    return ms + (int64_t)random_below(&cache->random, (uint64_t)ms);
}

// How long to let the provider rest after this fetch.
static int64_t rest_ms(struct credentials_cache *cache)
{
    if (!cache->generation)
        return 100 + random_full_jitter_ms(&cache->random, 1000,
                                           FIRST_PAUSE_LIMIT_MS,
                                           cache->failures);
    return spread(cache, cache->provider->ops->is_stable ? STALE_PAUSE_MS
                                                         : RESTLESS_PAUSE_MS);
}

static enum credentials_window window_of(const struct credentials_cache *cache)
{
    return credentials_window(&cache->credentials, cache->fetched_at_ms,
                              clock_wall_ms(cache->clock));
}

// Lock held.
static void take(struct credentials_cache *cache, struct credentials *fetched)
{
    if (!cache->generation || !credentials_equal(&cache->credentials, fetched))
        cache->generation++;
    credentials_finish(&cache->credentials);
    cache->credentials = *fetched;
    cache->fetched_at_ms = clock_wall_ms(cache->clock);
    cache->failures = 0;
    cache->next_fetch_ms = 0;
    // A provider that hands out what is about to expire is not asked in a loop.
    if (window_of(cache) != CREDENTIALS_FRESH)
        cache->next_fetch_ms = clock_now_ms(cache->clock) + rest_ms(cache);
}

// Lock held.
static void note_failure(struct credentials_cache *cache,
                         const struct error *err)
{
    cache->failures++;
    cache->error = *err;
    cache->next_fetch_ms = clock_now_ms(cache->clock) + rest_ms(cache);
}

// Lock held.
static void finish_fetch(struct credentials_cache *cache)
{
    cache->wanted = false;
    cache->rejected = false;
    for (struct credentials_user *user = cache->users; user; user = user->next)
        user->wake(user->context);
    pthread_cond_broadcast(&cache->changed);
}

// A failed refresh has nobody above it to tell: its users go on with the old
// set. The first fetch has: its users get the error.
static void fetch(struct credentials_cache *cache)
{
    struct credentials fetched;
    struct error err = {0};
    bool ok = credentials_provider_fetch(cache->provider, &cache->tools,
                                         &fetched, &err);
    bool is_refresh;

    pthread_mutex_lock(&cache->lock);
    is_refresh = cache->generation > 0;
    if (ok)
        take(cache, &fetched);
    else
        note_failure(cache, &err);
    finish_fetch(cache);
    pthread_mutex_unlock(&cache->lock);
    if (!ok && is_refresh && err.code != ERROR_STOPPED)
        log_warn(&cache->log, "credentials.refresh_failed", LOG_ERROR(&err));
}

static void *run(void *context)
{
    struct credentials_cache *cache = context;

    (void)pthread_setname_np(pthread_self(), "credentials");
    pthread_mutex_lock(&cache->lock);
    while (!cache->stop) {
        if (cache->wanted) {
            pthread_mutex_unlock(&cache->lock);
            fetch(cache);
            pthread_mutex_lock(&cache->lock);
        } else {
            pthread_cond_wait(&cache->changed, &cache->lock);
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return NULL;
}

// Lock held. Nothing blocks here: the thread fetches.
static void want(struct credentials_cache *cache)
{
    struct error err;

    if (cache->wanted)
        return;
    cache->wanted = true;
    if (!cache->started)
        cache->started = !pthread_create(&cache->thread, NULL, run, cache);
    if (!cache->started) {
        error_set(&err, ERROR_TRANSIENT,
                  "cannot start a thread to fetch "
                  "credentials");
        note_failure(cache, &err);
        cache->wanted = false;
    }
    pthread_cond_broadcast(&cache->changed);
}

struct credentials_cache *
credentials_cache_create(const struct credentials_cache_options *options)
{
    struct credentials_cache *cache = mem_calloc(1, sizeof(*cache));
    struct credentials fetched;
    struct error err;

    cache->provider = options->provider;
    cache->clock = options->clock;
    cache->log = *options->log;
    cache->tools = (struct credentials_tools){
        .transport = options->transport,
        .clock = options->clock,
        .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    cache->random.state = options->seed;
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->changed, NULL);
    if (!cache->provider->ops->is_local)
        return cache;
    if (credentials_provider_fetch(cache->provider, &cache->tools, &fetched,
                                   &err))
        take(cache, &fetched);
    else
        note_failure(cache, &err);
    return cache;
}

static void stop(struct credentials_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    cache->stop = true;
    pthread_cond_broadcast(&cache->changed);
    pthread_mutex_unlock(&cache->lock);
    (void)eventfd_write(cache->tools.stop_fd, 1);
    if (cache->started)
        pthread_join(cache->thread, NULL);
}

void credentials_cache_destroy(struct credentials_cache *cache)
{
    if (!cache)
        return;
    stop(cache);
    credentials_provider_destroy(cache->provider);
    credentials_finish(&cache->credentials);
    pthread_cond_destroy(&cache->changed);
    pthread_mutex_destroy(&cache->lock);
    (void)close(cache->tools.stop_fd);
    free(cache);
}

void credentials_cache_enter(struct credentials_cache *cache,
                             struct credentials_user *user)
{
    pthread_mutex_lock(&cache->lock);
    user->next = cache->users;
    cache->users = user;
    pthread_mutex_unlock(&cache->lock);
}

void credentials_cache_leave(struct credentials_cache *cache,
                             struct credentials_user *user)
{
    struct credentials_user **place = &cache->users;

    pthread_mutex_lock(&cache->lock);
    while (*place && *place != user)
        place = &(*place)->next;
    if (*place)
        *place = user->next;
    pthread_mutex_unlock(&cache->lock);
    credentials_finish(&user->credentials);
    user->generation = 0;
}

static bool is_due(const struct credentials_cache *cache)
{
    return clock_now_ms(cache->clock) >= cache->next_fetch_ms;
}

// Lock held.
static enum credentials_state use_first(struct credentials_cache *cache)
{
    if (is_due(cache))
        want(cache);
    return cache->wanted ? CREDENTIALS_PENDING : CREDENTIALS_FAILED;
}

// Lock held. Whoever sees that a refresh is due asks for it; waiting is for the
// last minute, and only for a refresh that has not failed yet.
static enum credentials_state use_known(struct credentials_cache *cache)
{
    enum credentials_window window = window_of(cache);
    bool expired =
        cache->credentials.expires_at_ms &&
        clock_wall_ms(cache->clock) >= cache->credentials.expires_at_ms;

    if (cache->provider->ops->is_fixed)
        return CREDENTIALS_READY;
    if (window != CREDENTIALS_FRESH && is_due(cache))
        want(cache);
    if (cache->wanted && (cache->rejected || (window == CREDENTIALS_MANDATORY &&
                                              !cache->failures)))
        return CREDENTIALS_PENDING;
    if (expired && cache->failures && !cache->provider->ops->is_stable)
        return CREDENTIALS_FAILED;
    return CREDENTIALS_READY;
}

enum credentials_state credentials_cache_use(struct credentials_cache *cache,
                                             struct credentials_user *user,
                                             struct error *err)
{
    enum credentials_state state;

    pthread_mutex_lock(&cache->lock);
    state = cache->generation ? use_known(cache) : use_first(cache);
    if (state == CREDENTIALS_FAILED)
        *err = cache->error;
    if (state == CREDENTIALS_READY && user->generation != cache->generation) {
        credentials_finish(&user->credentials);
        credentials_copy(&user->credentials, &cache->credentials);
        user->generation = cache->generation;
    }
    pthread_mutex_unlock(&cache->lock);
    return state;
}

void credentials_cache_reject(struct credentials_cache *cache,
                              uint64_t generation)
{
    int64_t now_ms = clock_now_ms(cache->clock);

    pthread_mutex_lock(&cache->lock);
    if (generation == cache->generation && !cache->wanted &&
        !cache->provider->ops->is_fixed && now_ms >= cache->next_reject_ms) {
        cache->next_reject_ms = now_ms + REJECT_PAUSE_MS;
        cache->rejected = true;
        want(cache);
    }
    pthread_mutex_unlock(&cache->lock);
}

bool credentials_cache_check(struct credentials_cache *cache, struct error *err)
{
    bool ok;

    pthread_mutex_lock(&cache->lock);
    if (!cache->provider->ops->is_fixed || !cache->generation)
        want(cache);
    while (cache->wanted)
        pthread_cond_wait(&cache->changed, &cache->lock);
    ok = cache->failures == 0;
    if (!ok)
        *err = cache->error;
    pthread_mutex_unlock(&cache->lock);
    return ok;
}

const char *credentials_cache_source(const struct credentials_cache *cache)
{
    return cache->provider->ops->name;
}

char *credentials_cache_account(struct credentials_cache *cache)
{
    char *account;

    pthread_mutex_lock(&cache->lock);
    account = mem_strdup(cache->credentials.account);
    pthread_mutex_unlock(&cache->lock);
    return account;
}
