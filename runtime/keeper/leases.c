#include "keeper/leases.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "keeper/leases_inner.h"
#include "keeper/membership.h"
#include "keeper/plan.h"

// leases.md section 4.4, scaled down for workers of one machine.
#define LOOK_MS 1000 // P, at the most
#define STABLE_LOOKS 2
#define HOLD_LOOKS 3
#define ORPHAN_LOOKS 5
#define JOIN_RETRY_MS 1000
#define BEAT_TRIES 3 // each may find new asks
// Windows are written whole, each time: as many bytes a second at the most, but
// for what is handed over; and so seldom at the most.
#define WINDOW_BYTES_PER_SECOND (4 * 1024 * 1024)
#define FLUSH_MAXIMUM_MS 60000

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value > 0 ? value : fallback;
}

struct leases *leases_create(const struct leases_options *options)
{
    struct leases *leases = mem_calloc(1, sizeof(*leases));
    int64_t heartbeat_ms = or_default(options->heartbeat_ms, 3000);

    leases->stream = mem_strdup(options->stream);
    leases->start = options->start;
    leases->duration_ms = or_default(options->duration_ms, 10000);
    leases->look_ms = heartbeat_ms < LOOK_MS ? heartbeat_ms : LOOK_MS;
    leases->flush_ms = or_default(options->flush_ms, 1000);
    leases->clock = options->clock;
    leases->log = *options->log;
    leases->random.state = options->seed ^ 1;
    leases->membership = membership_create(
        &(struct membership_options){.path = options->path,
                                     .application = options->application,
                                     .name = options->name,
                                     .duration_ms = leases->duration_ms,
                                     .heartbeat_ms = heartbeat_ms,
                                     .clock = options->clock,
                                     .log = &leases->log,
                                     .seed = options->seed});
    return leases;
}

void leases_destroy(struct leases *leases)
{
    if (!leases)
        return;
    leases_forget_all(leases);
    plan_destroy(leases->plan);
    membership_destroy(leases->membership);
    free(leases->stream);
    free(leases->next_stream);
    free(leases);
}

bool leases_open(struct leases *leases, struct error *err)
{
    return membership_open(leases->membership, err);
}

int64_t leases_now(const struct leases *leases)
{
    return clock_now_ms(leases->clock);
}

struct store *leases_store(const struct leases *leases)
{
    return membership_store(leases->membership);
}

static bool worked(struct leases *leases, enum store_result result)
{
    if (result != STORE_UNAVAILABLE && result != STORE_UNKNOWN)
        return true;
    leases->retry_ms = leases_now(leases) + LEASES_RETRY_MS;
    return false;
}

bool leases_answered(struct leases *leases, enum store_result result,
                     const struct error *err)
{
    return worked(leases, membership_note(leases->membership, result, err));
}

bool leases_have_read(struct leases *leases, enum store_result result,
                      const struct error *err)
{
    return worked(leases,
                  membership_note_read(leases->membership, result, err));
}

struct lease_token leases_token(const struct leases *leases,
                                const struct lease_held *held)
{
    return (struct lease_token){
        .stream = leases->stream, .shard = held->shard, .epoch = held->epoch};
}

static void lost_session(struct leases *leases)
{
    log_warn(&leases->log, "session.lost",
             LOG_STR("session", membership_id(leases->membership)),
             LOG_INT("leases", leases->count));
    membership_close(leases->membership);
    plan_destroy(leases->plan);
    leases->plan = NULL;
    for (size_t i = 0; i < leases->count; i++)
        leases_let_go(leases, leases->held[i]);
    leases->retry_ms = 0;
}

static bool join(struct leases *leases)
{
    if (leases_now(leases) < leases->retry_ms)
        return false;
    if (membership_join(leases->membership) != STORE_OK) {
        leases->retry_ms = leases_now(leases) + JOIN_RETRY_MS;
        return false;
    }
    leases->plan = plan_create(
        &(struct plan_options){.me = membership_id(leases->membership),
                               .stable_ms = STABLE_LOOKS * leases->look_ms,
                               .hold_ms = HOLD_LOOKS * leases->look_ms,
                               .orphan_ms = ORPHAN_LOOKS * leases->look_ms});
    leases->look_due_ms = leases->retry_ms = 0;
    return true;
}

static void look_when_due(struct leases *leases)
{
    int64_t now_ms = leases_now(leases), tenth = leases->look_ms / 10;

    if (now_ms < leases->look_due_ms)
        return;
    leases->look_due_ms =
        now_ms + leases->look_ms -
        (int64_t)random_below(&leases->random, (uint64_t)(tenth + 1));
    (void)leases_look(leases);
}

/* False when the session is lost. */
static bool beat(struct leases *leases)
{
    for (int i = 0; i < BEAT_TRIES; i++) {
        enum store_result result = membership_beat(leases->membership);

        if (result == STORE_FENCED) {
            lost_session(leases);
            return false;
        }
        if (result != STORE_CONFLICT)
            break;
        // What is asked for must be known before the beat lets us go on.
        if (!leases_look(leases))
            break;
        membership_saw_asks(leases->membership);
    }
    leases_set_guards(leases);
    return true;
}

static size_t count_dirty(const struct leases *leases, bool *is_urgent)
{
    size_t count = 0;

    *is_urgent = false;
    for (size_t i = 0; i < leases->count; i++) {
        const struct lease_held *held = leases->held[i];

        if (!held->is_dirty)
            continue;
        count++;
        *is_urgent = *is_urgent || !held->has_reader || !held->should_read;
    }
    return count;
}

static void written(struct leases *leases, struct lease_held *held,
                    const struct checkpoint_write *write)
{
    held->is_dirty = held->window_is_dirty = false;
    if (write->is_wanted && !held->asked_ms)
        leases->look_due_ms = 0;
    if (write->result == STORE_FENCED)
        leases_lost(leases, held);
    else if (write->result == STORE_CONFLICT)
        log_warn(&leases->log, "checkpoint.refused",
                 LOG_STR("shard", held->shard),
                 LOG_STR("sequence", write->sequence));
}

static void write_dirty(struct leases *leases, size_t count)
{
    struct checkpoint_write *writes = mem_calloc(count, sizeof(*writes));
    struct lease_held **whose = mem_calloc(count, sizeof(*whose));
    struct error err = {0};
    enum store_result result;
    size_t at = 0;

    for (size_t i = 0; i < leases->count; i++) {
        struct lease_held *held = leases->held[i];

        if (!held->is_dirty)
            continue;
        whose[at] = held;
        writes[at++] =
            (struct checkpoint_write){.lease = leases_token(leases, held),
                                      .sequence = held->sequence,
                                      .sets_window = held->window_is_dirty,
                                      .window = bytes_of(held->window)};
    }
    result = store_lease_checkpoint(leases_store(leases), writes, count, &err);
    if (leases_answered(leases, result, &err) && result == STORE_OK)
        for (size_t i = 0; i < count; i++)
            written(leases, whose[i], &writes[i]);
    free(whose);
    free(writes);
}

/* Until the next flush. */
static int64_t pause_ms(const struct leases *leases)
{
    size_t bytes = 0;
    int64_t ms;

    for (size_t i = 0; i < leases->count; i++)
        if (leases->held[i]->window_is_dirty && leases->held[i]->window)
            bytes += strlen(leases->held[i]->window);
    ms = (int64_t)(bytes * 1000 / WINDOW_BYTES_PER_SECOND);
    if (ms > FLUSH_MAXIMUM_MS)
        ms = FLUSH_MAXIMUM_MS;
    return ms > leases->flush_ms ? ms : leases->flush_ms;
}

static void flush(struct leases *leases)
{
    int64_t now_ms = leases_now(leases);
    bool is_urgent;
    size_t count = count_dirty(leases, &is_urgent);

    if (!count || now_ms < leases->retry_ms ||
        (!is_urgent && now_ms < leases->flush_due_ms))
        return;
    leases->flush_due_ms = now_ms + pause_ms(leases);
    write_dirty(leases, count);
}

bool leases_let_all_go(const struct leases *leases)
{
    return leases->is_draining || leases->next_stream;
}

static void stop_reading(struct leases *leases)
{
    for (size_t i = 0; i < leases->count; i++)
        leases->held[i]->should_read = false;
}

static void change_stream(struct leases *leases)
{
    if (!leases->next_stream || leases->count)
        return;
    free(leases->stream);
    leases->stream = leases->next_stream;
    leases->next_stream = NULL;
    leases->look_due_ms = 0;
}

void leases_set_stream(struct leases *leases, const char *stream)
{
    const char *current =
        leases->next_stream ? leases->next_stream : leases->stream;

    if (current && !strcmp(current, stream))
        return;
    if (current)
        log_warn(&leases->log, "stream.recreated", LOG_STR("now", stream),
                 LOG_STR("was", current));
    free(leases->next_stream);
    leases->next_stream = mem_strdup(stream);
    stop_reading(leases);
    change_stream(leases);
}

static void announce_drain(struct leases *leases)
{
    if (!leases->is_draining || leases->has_drained ||
        leases_now(leases) < leases->retry_ms)
        return;
    leases->has_drained =
        membership_drain(leases->membership) != STORE_UNAVAILABLE;
}

static void leave_when_empty(struct leases *leases)
{
    if (!leases->is_draining || leases->count ||
        leases_now(leases) < leases->retry_ms)
        return;
    leases->has_left =
        membership_leave(leases->membership) != STORE_UNAVAILABLE;
    if (!leases->has_left)
        leases->retry_ms = leases_now(leases) + LEASES_RETRY_MS;
}

void leases_tick(struct leases *leases)
{
    if (leases->has_left)
        return;
    leases_forget_finished(leases);
    change_stream(leases);
    if (!membership_is_joined(leases->membership)) {
        leases->has_left = leases->is_draining && !leases->count;
        if (leases->is_draining || !join(leases))
            return;
    }
    announce_drain(leases);
    if (!beat(leases))
        return;
    look_when_due(leases);
    flush(leases);
    leases_release_finished(leases);
    leave_when_empty(leases);
}

static bool has_finished_ones(const struct leases *leases)
{
    for (size_t i = 0; i < leases->count; i++)
        if (!leases->held[i]->is_ours && !leases->held[i]->has_reader)
            return true;
    return false;
}

/* What waits for the store to work again, or for a reader, is looked at every
 * now and then. */
static int64_t retry_due_ms(const struct leases *leases)
{
    int64_t soon_ms = leases_now(leases) + LEASES_RETRY_MS;

    return leases->retry_ms > soon_ms ? leases->retry_ms : soon_ms;
}

int64_t leases_due_ms(const struct leases *leases)
{
    int64_t due_ms;
    bool is_urgent;

    if (has_finished_ones(leases))
        return 0;
    if (!membership_is_joined(leases->membership))
        return leases->is_draining ? retry_due_ms(leases) : leases->retry_ms;
    due_ms = clock_earlier(membership_beat_due_ms(leases->membership),
                           leases->look_due_ms);
    if (membership_is_failing(leases->membership))
        return clock_earlier(due_ms, retry_due_ms(leases));
    if (!count_dirty(leases, &is_urgent))
        return due_ms;
    return clock_earlier(due_ms, leases->flush_due_ms > leases->retry_ms
                                     ? leases->flush_due_ms
                                     : leases->retry_ms);
}

size_t leases_count(const struct leases *leases)
{
    return leases->count;
}

struct lease_held *leases_at(const struct leases *leases, size_t index)
{
    return leases->held[index];
}

const char *leases_stream(const struct leases *leases)
{
    return leases->stream;
}

struct stream_start leases_start_of(const struct lease_held *held)
{
    struct stream_start start = {.timestamp_ms = held->timestamp_ms};

    if (held->sequence) {
        start.position = STREAM_AFTER_SEQUENCE_NUMBER;
        start.sequence_number = held->sequence;
    } else if (!strcmp(held->begin, "LATEST") && held->epoch == 1 &&
               !held->was_read) {
        start.position = STREAM_LATEST;
    } else if (!strcmp(held->begin, "LATEST") ||
               !strcmp(held->begin, "AT_TIMESTAMP")) {
        // Said by the first reader, LATEST must not mean something later now.
        start.position = STREAM_AT_TIMESTAMP;
    } else {
        start.position = STREAM_TRIM_HORIZON;
    }
    return start;
}

const char *leases_window_of(const struct lease_held *held)
{
    return held->window;
}

static void set_window(struct lease_held *held, char *window)
{
    free(held->window);
    held->window = window;
    held->window_is_dirty = true;
}

static void set_sequence(struct lease_held *held, const char *sequence)
{
    free(held->sequence);
    held->sequence = mem_strdup(sequence);
}

void leases_progress(struct leases *leases, struct lease_held *held,
                     const struct lease_progress *progress)
{
    (void)leases;
    if (!held->is_ours) {
        free(progress->window);
        return;
    }
    if (progress->sequence)
        set_sequence(held, progress->sequence);
    if (progress->sets_window)
        set_window(held, progress->window);
    // Who reads from the beginning opens the window again.
    held->is_dirty = held->sequence != NULL;
}

void leases_reader_started(struct leases *leases, struct lease_held *held)
{
    (void)leases;
    held->has_reader = held->was_read = true;
    held->end = LEASE_END_NONE;
}

void leases_reader_ended(struct leases *leases, struct lease_held *held,
                         enum lease_end end)
{
    held->has_reader = false;
    held->end = end;
    if (end == LEASE_END_NONE)
        return;
    if (end == LEASE_END_MISSING)
        held->misses++;
    held->should_read = false;
    held->ended_ms = leases_now(leases);
}

void leases_abandon(struct leases *leases, struct lease_held *held)
{
    log_error(&leases->log, "shard.stalled", LOG_STR("shard", held->shard));
    held->is_abandoned = true;
    held->should_read = false;
    leases_set_guard(leases, held);
}

void leases_drain(struct leases *leases)
{
    leases->is_draining = true;
    stop_reading(leases);
}

bool leases_have_left(const struct leases *leases)
{
    return leases->has_left;
}

bool leases_are_stuck(const struct leases *leases)
{
    return membership_is_failing(leases->membership);
}
