#include "aws/credentials_cache.h"

#include <errno.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "sim_clock.h"
#include "test.h"

#define MINUTE_MS (60 * (int64_t)1000)
#define HOUR_MS (60 * MINUTE_MS)

// A provider whose next answer the test decides, and holds back.
struct fake_provider {
    struct credentials_provider base;
    const struct sim_clock *clock;
    sem_t asked, go;
    // Set by the test while nobody is asking.
    bool fails;
    bool same_again;
    int64_t lifetime_ms; // 0: for ever
    int fetches;
};

struct fixture {
    struct sim_clock clock;
    struct log log;
    struct fake_provider *provider; // the cache's
    struct credentials_cache *cache;
    struct credentials_user user;
    sem_t woken;
};

static void wait_for(sem_t *semaphore)
{
    struct timespec deadline;

    (void)clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 10;
    while (sem_timedwait(semaphore, &deadline))
        assert_int_equal(errno, EINTR);
}

static bool fake_fetch(struct credentials_provider *provider,
                       const struct credentials_tools *tools,
                       struct credentials *credentials, struct error *err)
{
    struct fake_provider *fake = (struct fake_provider *)provider;

    (void)tools;
    sem_post(&fake->asked);
    wait_for(&fake->go);
    if (fake->fails)
        return error_set(err, ERROR_TRANSIENT, "no answer");
    fake->fetches += !fake->same_again || !fake->fetches;
    *credentials = (struct credentials){
        .access_key = mem_printf("key-%d", fake->fetches),
        .secret_key = mem_strdup("secret"),
        .expires_at_ms =
            fake->lifetime_ms ? fake->clock->wall_ms + fake->lifetime_ms : 0};
    return true;
}

static void fake_destroy(struct credentials_provider *provider)
{
    struct fake_provider *fake = (struct fake_provider *)provider;

    sem_destroy(&fake->asked);
    sem_destroy(&fake->go);
    free(fake);
}

static const struct credentials_provider_ops stable_ops = {.name = "a fake",
                                                           .is_stable = true,
                                                           .fetch = fake_fetch,
                                                           .destroy =
                                                               fake_destroy};
static const struct credentials_provider_ops unstable_ops = {
    .name = "a fake", .fetch = fake_fetch, .destroy = fake_destroy};

static void wake(void *context)
{
    sem_post(context);
}

static void open_cache(struct fixture *f,
                       const struct credentials_provider_ops *ops,
                       int64_t lifetime_ms)
{
    *f = (struct fixture){.provider = mem_calloc(1, sizeof(*f->provider))};
    sim_clock_init(&f->clock);
    f->provider->base.ops = ops;
    f->provider->clock = &f->clock;
    f->provider->lifetime_ms = lifetime_ms;
    sem_init(&f->provider->asked, 0, 0);
    sem_init(&f->provider->go, 0, 0);
    sem_init(&f->woken, 0, 0);
    f->cache = credentials_cache_create(
        &(struct credentials_cache_options){.provider = &f->provider->base,
                                            .clock = &f->clock.clock,
                                            .log = &f->log,
                                            .seed = 1});
    f->user.wake = wake;
    f->user.context = &f->woken;
    credentials_cache_enter(f->cache, &f->user);
}

static void close_cache(struct fixture *f)
{
    credentials_cache_leave(f->cache, &f->user);
    sem_post(&f->provider->go); // whoever still asks
    credentials_cache_destroy(f->cache);
    sem_destroy(&f->woken);
}

static enum credentials_state use(struct fixture *f)
{
    struct error err = {0};

    return credentials_cache_use(f->cache, &f->user, &err);
}

static void let_fetch(struct fixture *f)
{
    wait_for(&f->provider->asked);
    sem_post(&f->provider->go);
    wait_for(&f->woken);
}

static bool is_asked(struct fixture *f)
{
    return sem_trywait(&f->provider->asked) == 0;
}

static void first_fetch(struct fixture *f)
{
    assert_int_equal(use(f), CREDENTIALS_PENDING);
    let_fetch(f);
    assert_int_equal(use(f), CREDENTIALS_READY);
    assert_string_equal(f->user.credentials.access_key, "key-1");
}

static void test_the_first_use_waits_and_is_woken(void **state)
{
    struct fixture f;

    (void)state;
    open_cache(&f, &stable_ops, 0);
    first_fetch(&f);
    sim_clock_advance(&f.clock, 1000 * HOUR_MS);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_false(is_asked(&f));
    close_cache(&f);
}

static void test_others_go_on_with_the_old_set_during_a_refresh(void **state)
{
    struct fixture f;

    (void)state;
    open_cache(&f, &stable_ops, 6 * HOUR_MS);
    first_fetch(&f);
    sim_clock_advance(&f.clock, 5 * HOUR_MS - MINUTE_MS);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_false(is_asked(&f));
    sim_clock_advance(&f.clock, 2 * MINUTE_MS);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_string_equal(f.user.credentials.access_key, "key-1");
    let_fetch(&f);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_string_equal(f.user.credentials.access_key, "key-2");
    assert_false(is_asked(&f));
    close_cache(&f);
}

static void test_in_the_last_minute_all_wait(void **state)
{
    struct fixture f;

    (void)state;
    open_cache(&f, &stable_ops, HOUR_MS);
    first_fetch(&f);
    sim_clock_advance(&f.clock, HOUR_MS - MINUTE_MS);
    assert_int_equal(use(&f), CREDENTIALS_PENDING);
    let_fetch(&f);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_string_equal(f.user.credentials.access_key, "key-2");
    close_cache(&f);
}

static void test_a_failed_refresh_leaves_the_old_set_past_its_end(void **state)
{
    struct fixture f;

    (void)state;
    open_cache(&f, &stable_ops, HOUR_MS);
    first_fetch(&f);
    f.provider->fails = true;
    sim_clock_advance(&f.clock, HOUR_MS + MINUTE_MS);
    assert_int_equal(use(&f), CREDENTIALS_PENDING);
    let_fetch(&f);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_string_equal(f.user.credentials.access_key, "key-1");

    // Not asked again for 300 to 600 s; then nobody waits for it.
    sim_clock_advance(&f.clock, 299 * 1000);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_false(is_asked(&f));
    sim_clock_advance(&f.clock, 301 * 1000);
    f.provider->fails = false;
    assert_int_equal(use(&f), CREDENTIALS_READY);
    let_fetch(&f);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_string_equal(f.user.credentials.access_key, "key-2");
    close_cache(&f);
}

static void test_what_may_not_go_stale_fails_past_its_end(void **state)
{
    struct fixture f;
    struct error err = {0};

    (void)state;
    open_cache(&f, &unstable_ops, HOUR_MS);
    first_fetch(&f);
    f.provider->fails = true;
    sim_clock_advance(&f.clock, HOUR_MS + MINUTE_MS);
    assert_int_equal(use(&f), CREDENTIALS_PENDING);
    let_fetch(&f);
    assert_int_equal(credentials_cache_use(f.cache, &f.user, &err),
                     CREDENTIALS_FAILED);
    assert_string_equal(err.message, "credentials from a fake: no answer");
    close_cache(&f);
}

static void
test_a_failed_first_fetch_is_told_and_tried_again_later(void **state)
{
    struct fixture f;
    struct error err = {0};

    (void)state;
    open_cache(&f, &stable_ops, 0);
    f.provider->fails = true;
    assert_int_equal(use(&f), CREDENTIALS_PENDING);
    let_fetch(&f);
    assert_int_equal(credentials_cache_use(f.cache, &f.user, &err),
                     CREDENTIALS_FAILED);
    assert_int_equal(err.code, ERROR_TRANSIENT);
    assert_false(is_asked(&f));
    f.provider->fails = false;
    sim_clock_advance(&f.clock, 21 * 1000);
    assert_int_equal(use(&f), CREDENTIALS_PENDING);
    let_fetch(&f);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    close_cache(&f);
}

static void
test_a_set_that_is_about_to_expire_is_not_asked_for_in_a_loop(void **state)
{
    struct fixture f;

    (void)state;
    open_cache(&f, &stable_ops, MINUTE_MS / 2);
    first_fetch(&f);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    sim_clock_advance(&f.clock, MINUTE_MS);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_false(is_asked(&f));
    close_cache(&f);
}

static void test_a_refused_set_is_fetched_anew_once(void **state)
{
    struct fixture f;

    (void)state;
    open_cache(&f, &stable_ops, 0);
    first_fetch(&f);
    credentials_cache_reject(f.cache, f.user.generation);
    credentials_cache_reject(f.cache, f.user.generation);
    assert_int_equal(use(&f), CREDENTIALS_PENDING);
    let_fetch(&f);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_string_equal(f.user.credentials.access_key, "key-2");

    credentials_cache_reject(f.cache, f.user.generation - 1); // late
    credentials_cache_reject(f.cache, f.user.generation);     // too soon
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_false(is_asked(&f));
    sim_clock_advance(&f.clock, 31 * 1000);
    f.provider->same_again = true;
    credentials_cache_reject(f.cache, f.user.generation);
    assert_int_equal(use(&f), CREDENTIALS_PENDING);
    let_fetch(&f);
    assert_int_equal(use(&f), CREDENTIALS_READY);
    assert_int_equal(f.user.generation, 2); // nothing newer was had
    close_cache(&f);
}

static void test_check_waits_for_the_outcome(void **state)
{
    struct fixture f;
    struct error err = {0};

    (void)state;
    open_cache(&f, &stable_ops, 0);
    f.provider->fails = true;
    sem_post(&f.provider->go);
    assert_fails(credentials_cache_check(f.cache, &err), &err, ERROR_TRANSIENT);
    f.provider->fails = false;
    sem_post(&f.provider->go);
    assert_ok(credentials_cache_check(f.cache, &err), &err);
    close_cache(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_use_waits_and_is_woken),
        cmocka_unit_test(test_others_go_on_with_the_old_set_during_a_refresh),
        cmocka_unit_test(test_in_the_last_minute_all_wait),
        cmocka_unit_test(test_a_failed_refresh_leaves_the_old_set_past_its_end),
        cmocka_unit_test(test_what_may_not_go_stale_fails_past_its_end),
        cmocka_unit_test(
            test_a_failed_first_fetch_is_told_and_tried_again_later),
        cmocka_unit_test(
            test_a_set_that_is_about_to_expire_is_not_asked_for_in_a_loop),
        cmocka_unit_test(test_a_refused_set_is_fetched_anew_once),
        cmocka_unit_test(test_check_waits_for_the_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
