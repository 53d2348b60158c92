#include "keeper/membership.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/random.h"

#define REPEAT_MS 60000
#define BEAT_RETRY_MS 500

struct membership {
    // Never changed after membership_create.
    char *path, *application, *name; // owned
    int64_t duration_ms, heartbeat_ms;
    const struct clock *clock;
    const struct log *log; // borrowed
    struct random random;

    // The keeper's.
    struct store *store; // owned; one for each session. NULL: closed
    char *id;            // owned; NULL: closed
    bool is_joined;
    int64_t asks_seen, asks_now;
    int64_t beat_due_ms, acts_until_ms;
    bool is_failing;
    bool is_told; // that it fails, since it last was well
    struct log_repeat failures;
};

struct membership *membership_create(const struct membership_options *options)
{
    struct membership *membership = mem_calloc(1, sizeof(*membership));

    membership->path = mem_strdup(options->path);
    membership->application = mem_strdup(options->application);
    membership->name = mem_strdup(options->name);
    membership->duration_ms = options->duration_ms;
    membership->heartbeat_ms = options->heartbeat_ms;
    membership->clock = options->clock;
    membership->log = options->log;
    membership->random.state = options->seed;
    return membership;
}

void membership_close(struct membership *membership)
{
    store_close(membership->store);
    free(membership->id);
    membership->store = NULL;
    membership->id = NULL;
    membership->is_joined = false;
    membership->acts_until_ms = 0;
}

void membership_destroy(struct membership *membership)
{
    if (!membership)
        return;
    membership_close(membership);
    free(membership->path);
    free(membership->application);
    free(membership->name);
    free(membership);
}

bool membership_open(struct membership *membership, struct error *err)
{
    if (membership->store)
        return true;
    free(membership->id);
    membership->id = mem_printf("%s.%08" PRIx32, membership->name,
                                (uint32_t)random_next(&membership->random));
    membership->store = store_open(
        &(struct store_options){.path = membership->path,
                                .application = membership->application,
                                .session = membership->id,
                                .ttl_ms = membership->duration_ms,
                                .clock = membership->clock},
        err);
    return membership->store;
}

enum store_result membership_note_read(struct membership *membership,
                                       enum store_result result,
                                       const struct error *err)
{
    int64_t now_ms = clock_now_ms(membership->clock);

    if (result != STORE_UNAVAILABLE && result != STORE_UNKNOWN)
        return result;
    membership->is_failing = true;
    if (!log_repeat_due(&membership->failures, now_ms, REPEAT_MS))
        return result;
    log_error(membership->log, "store.failing", LOG_ERROR(err),
              LOG_INT("suppressed", membership->failures.suppressed));
    membership->failures.suppressed = 0;
    membership->is_told = true;
    return result;
}

enum store_result membership_note(struct membership *membership,
                                  enum store_result result,
                                  const struct error *err)
{
    if (result == STORE_UNAVAILABLE || result == STORE_UNKNOWN)
        return membership_note_read(membership, result, err);
    membership->is_failing = false;
    if (membership->is_told)
        log_info(membership->log, "store.recovered");
    membership->is_told = false;
    return result;
}

bool membership_is_failing(const struct membership *membership)
{
    return membership->is_failing;
}

static int64_t guard_ms(const struct membership *membership)
{
    return membership->duration_ms / 10;
}

// A beat that was sent at sent_ms arrived.
static void beat_arrived(struct membership *membership, int64_t sent_ms)
{
    int64_t tenth = membership->heartbeat_ms / 10;

    membership->acts_until_ms =
        sent_ms + membership->duration_ms - guard_ms(membership);
    membership->beat_due_ms =
        sent_ms + membership->heartbeat_ms - tenth +
        (int64_t)random_below(&membership->random, (uint64_t)(2 * tenth + 1));
}

enum store_result membership_join(struct membership *membership)
{
    struct error err = {0};
    enum store_result result = STORE_UNAVAILABLE;
    int64_t sent_ms;

    if (membership_open(membership, &err)) {
        sent_ms = clock_now_ms(membership->clock);
        result = store_session_join(membership->store, &err);
    }
    if (result != STORE_OK) {
        membership_close(membership);
        return membership_note(membership, result, &err);
    }
    membership->is_joined = true;
    membership->asks_seen = membership->asks_now = 0;
    beat_arrived(membership, sent_ms);
    return membership_note(membership, result, &err);
}

enum store_result membership_beat(struct membership *membership)
{
    int64_t sent_ms = clock_now_ms(membership->clock);
    struct session_row row = {0};
    struct error err = {0};
    enum store_result result;

    if (sent_ms < membership->beat_due_ms)
        return STORE_OK;
    result = store_session_beat(membership->store, membership->asks_seen, &row,
                                &err);
    if (result == STORE_OK)
        beat_arrived(membership, sent_ms);
    else
        membership->beat_due_ms = sent_ms + BEAT_RETRY_MS;
    if (result == STORE_CONFLICT)
        membership->asks_now = row.asks;
    session_row_finish(&row);
    return membership_note(membership, result, &err);
}

void membership_saw_asks(struct membership *membership)
{
    membership->asks_seen = membership->asks_now;
    membership->beat_due_ms = 0;
}

enum store_result membership_drain(struct membership *membership)
{
    struct error err = {0};
    enum store_result result = store_session_drain(membership->store, &err);

    return membership_note(membership, result, &err);
}

enum store_result membership_leave(struct membership *membership)
{
    struct error err = {0};
    enum store_result result = store_session_leave(membership->store, &err);

    return membership_note(membership, result, &err);
}

bool membership_is_joined(const struct membership *membership)
{
    return membership->is_joined;
}

const char *membership_id(const struct membership *membership)
{
    return membership->id;
}

struct store *membership_store(const struct membership *membership)
{
    return membership->store;
}

int64_t membership_acts_until_ms(const struct membership *membership)
{
    return membership->acts_until_ms;
}

int64_t membership_beat_due_ms(const struct membership *membership)
{
    return membership->beat_due_ms;
}
