#include "fake_pollers.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "poller/trigger_config.h"
#include "test.h"

struct fake_poller {
    struct fake_poller *next;
    struct poller_options options;
    char *shard, *sequence, *window; // owned
    bool runs, is_asked;
    enum poller_end end;
    struct error error;
    int64_t round_ms; // what stats show as progressed_ms
};

struct fake_start { // kept for good, to be counted
    struct fake_start *next;
    char *shard; // owned
};

static struct {
    pthread_mutex_t lock;
    struct fake_poller *pollers; // guarded by lock
    struct fake_start *starts;   // guarded by lock
    bool end_when_asked;         // guarded by lock
} fakes = {.lock = PTHREAD_MUTEX_INITIALIZER};

struct poller *__wrap_poller_create(const struct poller_options *options);
bool __wrap_poller_start(struct poller *poller, struct error *err);
void __wrap_poller_stop(struct poller *poller);
void __wrap_poller_force(struct poller *poller);
enum poller_end __wrap_poller_ended(const struct poller *poller,
                                    struct error *err);
void __wrap_poller_read_stats(const struct poller *poller,
                              struct poller_stats *stats);
void __wrap_poller_join(struct poller *poller);
void __wrap_poller_destroy(struct poller *poller);

static struct fake_poller *fake_of(const struct poller *poller)
{
    return (struct fake_poller *)(uintptr_t)poller;
}

void fake_pollers_init(void)
{
    fakes.end_when_asked = true;
}

void fake_pollers_finish(void)
{
    assert_null(fakes.pollers);
    while (fakes.starts) {
        struct fake_start *start = fakes.starts;

        fakes.starts = start->next;
        free(start->shard);
        free(start);
    }
}

void fake_pollers_end_when_asked(bool yes)
{
    pthread_mutex_lock(&fakes.lock);
    fakes.end_when_asked = yes;
    pthread_mutex_unlock(&fakes.lock);
}

struct poller *__wrap_poller_create(const struct poller_options *options)
{
    struct fake_poller *poller = mem_calloc(1, sizeof(*poller));

    poller->options = *options;
    poller->shard =
        mem_strdup(options->shard ? options->shard : options->trigger->name);
    poller->sequence = mem_strdup(options->start.sequence_number);
    poller->options.start.sequence_number = poller->sequence;
    poller->window = mem_strdup(options->window);
    return (struct poller *)(void *)poller;
}

bool __wrap_poller_start(struct poller *poller, struct error *err)
{
    struct fake_poller *fake = fake_of(poller);
    struct fake_start *start = mem_calloc(1, sizeof(*start));

    (void)err;
    start->shard = mem_strdup(fake->shard);
    pthread_mutex_lock(&fakes.lock);
    start->next = fakes.starts;
    fakes.starts = start;
    fake->runs = true;
    fake->next = fakes.pollers;
    fakes.pollers = fake;
    pthread_mutex_unlock(&fakes.lock);
    return true;
}

// False when it had ended already.
static bool take_out(struct fake_poller *poller, enum poller_end end,
                     enum error_code code)
{
    struct fake_poller **at;
    bool ran;

    pthread_mutex_lock(&fakes.lock);
    ran = poller->runs;
    if (ran) {
        for (at = &fakes.pollers; *at != poller; at = &(*at)->next)
            ;
        *at = poller->next;
        poller->runs = false;
        poller->end = end;
        if (end == POLLER_FAILED)
            error_set(&poller->error, code, "the test said so");
    }
    pthread_mutex_unlock(&fakes.lock);
    return ran;
}

void fake_poller_goes_round(struct fake_poller *poller, int64_t now_ms)
{
    pthread_mutex_lock(&fakes.lock);
    poller->round_ms = now_ms;
    pthread_mutex_unlock(&fakes.lock);
}

void fake_poller_end(struct fake_poller *poller, enum poller_end end,
                     enum error_code code)
{
    struct poller_events events = poller->options.events;

    if (take_out(poller, end, code))
        events.ended(events.context, (struct poller *)(void *)poller);
}

static void ask(struct fake_poller *poller, bool at_once)
{
    pthread_mutex_lock(&fakes.lock);
    poller->is_asked = true;
    at_once = at_once || fakes.end_when_asked;
    pthread_mutex_unlock(&fakes.lock);
    if (at_once)
        fake_poller_end(poller, POLLER_STOPPED, ERROR_NONE);
}

void __wrap_poller_stop(struct poller *poller)
{
    ask(fake_of(poller), false);
}

void __wrap_poller_force(struct poller *poller)
{
    ask(fake_of(poller), true);
}

enum poller_end __wrap_poller_ended(const struct poller *poller,
                                    struct error *err)
{
    const struct fake_poller *fake = fake_of(poller);
    enum poller_end end;

    pthread_mutex_lock(&fakes.lock);
    end = fake->end;
    if (end == POLLER_FAILED)
        *err = fake->error;
    pthread_mutex_unlock(&fakes.lock);
    return end;
}

void __wrap_poller_read_stats(const struct poller *poller,
                              struct poller_stats *stats)
{
    struct fake_poller *fake = fake_of(poller);

    pthread_mutex_lock(&fakes.lock);
    *stats = (struct poller_stats){.records_done = 1,
                                   .progressed_ms = fake->round_ms};
    pthread_mutex_unlock(&fakes.lock);
}

void __wrap_poller_join(struct poller *poller)
{
    (void)poller;
}

void __wrap_poller_destroy(struct poller *poller)
{
    struct fake_poller *fake = fake_of(poller);

    if (!poller)
        return;
    assert_false(fake->runs);
    free(fake->shard);
    free(fake->sequence);
    free(fake->window);
    free(fake);
}

size_t fake_pollers_running(void)
{
    size_t count = 0;

    pthread_mutex_lock(&fakes.lock);
    for (struct fake_poller *at = fakes.pollers; at; at = at->next)
        count++;
    pthread_mutex_unlock(&fakes.lock);
    return count;
}

size_t fake_pollers_started(const char *shard)
{
    size_t count = 0;

    pthread_mutex_lock(&fakes.lock);
    for (struct fake_start *at = fakes.starts; at; at = at->next)
        count += !strcmp(at->shard, shard);
    pthread_mutex_unlock(&fakes.lock);
    return count;
}

struct fake_poller *fake_pollers_find(const char *shard)
{
    struct fake_poller *found = NULL;

    pthread_mutex_lock(&fakes.lock);
    for (struct fake_poller *at = fakes.pollers; at; at = at->next)
        if (!strcmp(at->shard, shard))
            found = at;
    pthread_mutex_unlock(&fakes.lock);
    return found;
}

bool fake_poller_is_asked_to_stop(struct fake_poller *poller)
{
    bool is_asked;

    pthread_mutex_lock(&fakes.lock);
    is_asked = poller->is_asked;
    pthread_mutex_unlock(&fakes.lock);
    return is_asked;
}

const char *fake_poller_trigger(struct fake_poller *poller)
{
    return poller->options.trigger->name;
}

struct stream_start fake_poller_start_of(struct fake_poller *poller)
{
    return poller->options.start;
}

bool fake_poller_may_act(struct fake_poller *poller, int64_t now_ms)
{
    return now_ms <
           __atomic_load_n(poller->options.acts_until_ms, __ATOMIC_ACQUIRE);
}

void fake_poller_progress(struct fake_poller *poller, const char *sequence)
{
    const struct poller_events *events = &poller->options.events;

    events->checkpoint(
        events->context, (struct poller *)(void *)poller,
        &(struct poller_checkpoint){.sequence = bytes_of(sequence)});
}

void fake_poller_windows(struct fake_poller *poller, const char *window)
{
    const struct poller_events *events = &poller->options.events;

    events->checkpoint(events->context, (struct poller *)(void *)poller,
                       &(struct poller_checkpoint){.sets_window = true,
                                                   .window = bytes_of(window)});
}

const char *fake_poller_window_of(struct fake_poller *poller)
{
    return poller->window;
}
