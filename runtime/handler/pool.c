#include "handler/pool.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "handler/host.h"
#include "handler/host_call.h"
#include "handler/instance.h"
#include "handler/load.h"

#define CREATE_RETRY_MS 1000 // after a failed create(), or thread

struct executor {
    // Set when it is made, never changed.
    struct pool *pool;
    size_t number;
    struct executor *older; // made before it

    // The executor's thread's own, once it runs.
    void *instance; // NULL until created; of the first, from pool_create on
    struct host_call call;

    // Shared, guarded by pool->lock.
    struct invocation *work; // handed over, not yet taken
    pthread_cond_t wake;     // work came, or the pool is stopping
    struct executor *next;   // in pool->idle or pool->vacant
    pthread_t thread;
    bool launched;
};

struct pool {
    // Set by pool_create, never changed.
    const struct library *library; // borrowed
    char *settings, *name;
    size_t concurrency;
    const struct clock *clock; // borrowed
    struct log log;

    // Shared, guarded by lock.
    pthread_mutex_t lock;
    pthread_cond_t gone;        // an executor ended
    struct mail *first, **last; // invocations that wait
    struct executor *idle;      // they have an instance and wait for work
    struct executor *vacant;    // they lack an instance, or a thread yet
    struct executor *newest;    // owned; all of them, made when needed
    size_t count;               // of them
    size_t serving;             // threads with an instance
    size_t alive;               // threads
    int64_t create_after_ms;    // no create() before; monotonic
    bool stopping;
};

static void unstarted(struct invocation *invocation, const char *reason)
{
    struct outcome *outcome = &invocation->outcome;

    outcome->kind = OUTCOME_UNSTARTED;
    (void)snprintf(outcome->reason, sizeof(outcome->reason), "%.*s",
                   (int)sizeof(outcome->reason) - 1, reason);
}

// Under the lock.
static void hold_creation(struct pool *pool)
{
    pool->create_after_ms = clock_now_ms(pool->clock) + CREATE_RETRY_MS;
}

static bool have_instance(struct executor *executor, struct error *err)
{
    struct pool *pool = executor->pool;

    if (executor->instance)
        return true;
    executor->instance =
        instance_create(pool->library, pool->settings, &pool->log, err);
    pthread_mutex_lock(&pool->lock);
    if (executor->instance)
        pool->serving++;
    else
        hold_creation(pool);
    pthread_mutex_unlock(&pool->lock);
    return executor->instance != NULL;
}

static void run(struct executor *executor, struct invocation *invocation)
{
    const struct pollard_batch *batch;
    struct error err = {0};
    int result;

    if (!have_instance(executor, &err)) {
        unstarted(invocation, err.message);
        return;
    }
    batch = host_call_begin(&executor->call, invocation);
    result = executor->pool->library->table.handle(executor->instance, batch);
    host_call_end(&executor->call, result);
}

static struct invocation *take_queued(struct pool *pool)
{
    struct invocation *invocation = (struct invocation *)pool->first;

    if (!invocation)
        return NULL;
    pool->first = invocation->mail.next;
    if (!pool->first)
        pool->last = &pool->first;
    return invocation;
}

static void rest(struct executor *executor)
{
    struct pool *pool = executor->pool;
    struct executor **list = executor->instance ? &pool->idle : &pool->vacant;

    executor->next = *list;
    *list = executor;
}

// What waits for an instance, or else rest. Before the outcome is posted: who
// gets it and starts the next at once finds this executor free again.
static void get_ready(struct executor *executor)
{
    struct pool *pool = executor->pool;

    pthread_mutex_lock(&pool->lock);
    if (executor->instance)
        executor->work = take_queued(pool);
    if (!executor->work)
        rest(executor);
    pthread_mutex_unlock(&pool->lock);
}

// NULL: the pool is stopping.
static struct invocation *wait_for_work(struct executor *executor)
{
    struct pool *pool = executor->pool;
    struct invocation *work;

    pthread_mutex_lock(&pool->lock);
    while (!executor->work && !pool->stopping)
        pthread_cond_wait(&executor->wake, &pool->lock);
    work = executor->work;
    executor->work = NULL;
    pthread_mutex_unlock(&pool->lock);
    return work;
}

static void leave(struct executor *executor)
{
    struct pool *pool = executor->pool;

    instance_destroy(pool->library, executor->instance, &pool->log);
    executor->instance = NULL;
    pthread_mutex_lock(&pool->lock);
    pool->alive--;
    pthread_cond_signal(&pool->gone);
    pthread_mutex_unlock(&pool->lock);
}

static void *executor_main(void *argument)
{
    struct executor *executor = argument;
    struct invocation *invocation;

    (void)host_log_as(&executor->pool->log);
    while ((invocation = wait_for_work(executor))) {
        run(executor, invocation);
        get_ready(executor);
        mailbox_post(invocation->reply_to, &invocation->mail);
    }
    leave(executor);
    return NULL;
}

static void name_thread(const struct executor *executor)
{
    const struct pool *pool = executor->pool;
    char name[16]; // the kernel's limit

    (void)snprintf(name, sizeof(name), "%.10s/%zu", pool->name,
                   executor->number % 1000);
    (void)pthread_setname_np(executor->thread, name);
}

// Under the lock, so that whoever joins sees the thread.
static bool launch(struct executor *executor, struct error *err)
{
    struct pool *pool = executor->pool;
    int rc;

    rc = pthread_create(&executor->thread, NULL, executor_main, executor);
    if (rc) {
        executor->work = NULL;
        executor->next = pool->vacant;
        pool->vacant = executor;
        hold_creation(pool);
        return error_set(err, ERROR_TRANSIENT, "start a thread: %s",
                         strerror(rc));
    }
    name_thread(executor);
    executor->launched = true;
    pool->alive++;
    if (executor->instance)
        pool->serving++;
    return true;
}

static struct executor *make_executor(struct pool *pool)
{
    struct executor *executor = mem_calloc(1, sizeof(*executor));

    executor->pool = pool;
    executor->number = pool->count++;
    executor->older = pool->newest;
    pool->newest = executor;
    pthread_cond_init(&executor->wake, NULL);
    host_call_init(&executor->call, pool->clock);
    return executor;
}

static struct executor *pop(struct executor **list)
{
    struct executor *executor = *list;

    if (executor)
        *list = executor->next;
    return executor;
}

static bool may_create(const struct pool *pool)
{
    return pool->serving == 0 ||
           clock_now_ms(pool->clock) >= pool->create_after_ms;
}

// Who could run one now: best an idle executor, else one that needs an
// instance first. NULL: it has to wait.
static struct executor *choose(struct pool *pool)
{
    if (pool->idle)
        return pop(&pool->idle);
    if (!may_create(pool))
        return NULL;
    if (pool->vacant)
        return pop(&pool->vacant);
    return pool->count < pool->concurrency ? make_executor(pool) : NULL;
}

static void enqueue(struct pool *pool, struct invocation *invocation)
{
    invocation->mail.next = NULL;
    *pool->last = &invocation->mail;
    pool->last = &invocation->mail.next;
}

// Under the lock. False: it must come back unstarted.
static bool place(struct pool *pool, struct invocation *invocation,
                  struct executor **to_wake, struct error *err)
{
    struct executor *executor;

    if (pool->stopping)
        return error_set(err, ERROR_STOPPED, "the handler is stopping");
    executor = choose(pool);
    if (!executor) {
        enqueue(pool, invocation);
        return true;
    }
    executor->work = invocation;
    if (!executor->launched)
        return launch(executor, err);
    *to_wake = executor;
    return true;
}

void pool_start(struct pool *pool, struct invocation *invocation)
{
    struct executor *to_wake = NULL;
    struct error err = {0};
    bool placed;

    outcome_init(&invocation->outcome);
    pthread_mutex_lock(&pool->lock);
    placed = place(pool, invocation, &to_wake, &err);
    pthread_mutex_unlock(&pool->lock);
    if (to_wake) // outside, so that it does not wake up into our lock
        pthread_cond_signal(&to_wake->wake);
    if (placed)
        return;
    unstarted(invocation, err.message);
    mailbox_post(invocation->reply_to, &invocation->mail);
}

size_t pool_concurrency(struct pool *pool)
{
    size_t count;

    pthread_mutex_lock(&pool->lock);
    count = may_create(pool) ? pool->concurrency : pool->serving;
    pthread_mutex_unlock(&pool->lock);
    return count;
}

static void init_lock(struct pool *pool)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->gone, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct pool *pool_create(const struct pool_options *options, struct error *err)
{
    struct pool *pool = mem_calloc(1, sizeof(*pool));
    struct executor *first;

    pool->library = options->library;
    pool->settings = mem_strdup(options->settings);
    pool->name = mem_strdup(options->name);
    pool->concurrency = options->concurrency;
    pool->clock = options->clock;
    pool->log = *options->log;
    pool->last = &pool->first;
    init_lock(pool);
    first = make_executor(pool);
    first->instance =
        instance_create(pool->library, pool->settings, &pool->log, err);
    if (!first->instance) {
        pool_destroy(pool);
        return NULL;
    }
    pool->vacant = first;
    return pool;
}

void pool_stop(struct pool *pool)
{
    struct mail *waiting;

    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    waiting = pool->first;
    pool->first = NULL;
    pool->last = &pool->first;
    for (struct executor *one = pool->newest; one; one = one->older)
        pthread_cond_signal(&one->wake);
    pthread_mutex_unlock(&pool->lock);
    while (waiting) {
        struct invocation *invocation = (struct invocation *)waiting;

        waiting = waiting->next;
        unstarted(invocation, "the handler is stopping");
        mailbox_post(invocation->reply_to, &invocation->mail);
    }
}

static struct timespec monotonic_after(int64_t ms)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    return at;
}

bool pool_join(struct pool *pool, int64_t deadline_ms)
{
    static const int64_t longest_ms = 24 * 3600 * 1000;
    struct timespec until = monotonic_after(
        clock_until_ms(deadline_ms, clock_now_ms(pool->clock), longest_ms));
    bool all_gone;
    int rc = 0;

    pthread_mutex_lock(&pool->lock);
    while (pool->alive && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&pool->gone, &pool->lock, &until);
    all_gone = pool->alive == 0;
    pthread_mutex_unlock(&pool->lock);
    if (!all_gone)
        return false;
    for (struct executor *one = pool->newest; one; one = one->older) {
        if (one->launched)
            (void)pthread_join(one->thread, NULL);
        one->launched = false;
    }
    return true;
}

static void destroy_executor(struct executor *executor)
{
    const struct pool *pool = executor->pool;

    instance_destroy(pool->library, executor->instance, &pool->log);
    host_call_finish(&executor->call);
    pthread_cond_destroy(&executor->wake);
    free(executor);
}

void pool_destroy(struct pool *pool)
{
    if (!pool)
        return;
    while (pool->newest) {
        struct executor *executor = pool->newest;

        pool->newest = executor->older;
        destroy_executor(executor);
    }
    pthread_cond_destroy(&pool->gone);
    pthread_mutex_destroy(&pool->lock);
    free(pool->settings);
    free(pool->name);
    free(pool);
}
