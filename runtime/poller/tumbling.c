#include "poller/tumbling.h"

#include <assert.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "record/record.h"

#define VERSION 1                      // of the text
#define STATE_LIMIT (6u * 1024 * 1024) // of a response
#define TEXT_LIMIT (EVENT_STATE_LIMIT + 512)
#define LENGTH_LIMIT_MS (24 * 60 * 60 * 1000)

// ---- The text ----

struct text {
    int64_t version;
    struct tumbling_stored stored;
    bool has_state;
};

static void read_state(struct json_read *in, const char *original,
                       struct text *text)
{
    text->has_state = json_read_peek(in) == JSON_READ_OBJECT;
    text->stored.state.data = original + json_read_offset(in);
    json_read_skip(in);
    text->stored.state.size =
        (size_t)(original + json_read_offset(in) - text->stored.state.data);
}

static void read_member(struct json_read *in, struct bytes name,
                        const char *original, struct text *text)
{
    if (bytes_equal(name, BYTES("version")))
        json_read_int(in, &text->version);
    else if (bytes_equal(name, BYTES("start")))
        json_read_int(in, &text->stored.start_ms);
    else if (bytes_equal(name, BYTES("end")))
        json_read_int(in, &text->stored.end_ms);
    else if (bytes_equal(name, BYTES("state")))
        read_state(in, original, text);
    else
        json_read_skip(in);
}

static bool is_sane(const struct text *text)
{
    const struct tumbling_stored *stored = &text->stored;

    return text->has_state && stored->start_ms >= 0 &&
           stored->end_ms > stored->start_ms &&
           stored->end_ms - stored->start_ms <= LENGTH_LIMIT_MS &&
           stored->state.size <= EVENT_STATE_LIMIT;
}

bool tumbling_read(const char *text, struct tumbling_stored *stored,
                   struct error *err)
{
    AUTO_FREE char *copy = mem_strdup(text); // reading overwrites it
    struct text found = {0};
    struct json_read in;
    struct bytes name;

    json_read_init(&in, copy, strlen(copy));
    if (json_read_object(&in))
        while (json_read_member(&in, &name))
            read_member(&in, name, text, &found);
    if (!json_read_end(&in))
        return error_set(err, ERROR_INVALID, "stored window: %s at byte %zu",
                         in.error, json_read_offset(&in));
    if (found.version != VERSION)
        return error_set(err, ERROR_INVALID,
                         "stored window: has version %" PRId64
                         ", this pollard knows %d",
                         found.version, VERSION);
    if (!is_sane(&found))
        return error_set(err, ERROR_INVALID,
                         "stored window: is none: start %" PRId64
                         ", end %" PRId64 ", state of %zu bytes",
                         found.stored.start_ms, found.stored.end_ms,
                         found.has_state ? found.stored.state.size : 0);
    *stored = found.stored;
    return true;
}

static void write_text(struct tumbling *tumbling)
{
    struct buffer *text = &tumbling->text;

    buffer_clear(text);
    if (!tumbling->is_open)
        return;
    buffer_printf(text,
                  "{\"version\":%d,\"start\":%" PRId64 ",\"end\":%" PRId64
                  ",\"state\":",
                  VERSION, tumbling->view.start_ms, tumbling->view.end_ms);
    buffer_append_bytes(text, buffer_bytes(&tumbling->state));
    buffer_append_char(text, '}');
    assert(buffer_ok(text));
}

bool tumbling_text(struct tumbling *tumbling, struct bytes *text)
{
    if (!tumbling->is_changed)
        return false;
    tumbling->is_changed = false;
    tumbling->is_told = true;
    write_text(tumbling);
    *text = buffer_bytes(&tumbling->text);
    return true;
}

// ---- Life ----

static void open_window(struct tumbling *tumbling, int64_t start_ms,
                        int64_t end_ms, struct bytes state)
{
    tumbling->is_open = true;
    tumbling->is_told = false;
    tumbling->early = TUMBLING_NOT_EARLY;
    tumbling->view.start_ms = start_ms;
    tumbling->view.end_ms = end_ms;
    buffer_clear(&tumbling->state);
    buffer_append_bytes(&tumbling->state, state);
}

static void go_on(struct tumbling *tumbling, const char *text)
{
    struct tumbling_stored stored;
    struct error err = {0};

    if (!text)
        return;
    if (!tumbling_read(text, &stored, &err)) {
        tumbling->is_changed = true; // the caller has said why
        return;
    }
    open_window(tumbling, stored.start_ms, stored.end_ms, stored.state);
    tumbling->is_told = true;
    if (stored.end_ms - stored.start_ms != tumbling->length_ms)
        tumbling->early = TUMBLING_OUTDATED;
}

void tumbling_init(struct tumbling *tumbling, int64_t length_ms,
                   const char *stored, const struct record_origin *origin)
{
    *tumbling = (struct tumbling){
        .length_ms = length_ms, .view.origin = origin, .came_ms = INT64_MIN};
    buffer_init(&tumbling->state, STATE_LIMIT);
    buffer_init(&tumbling->text, TEXT_LIMIT);
    go_on(tumbling, stored);
}

void tumbling_finish(struct tumbling *tumbling)
{
    buffer_finish(&tumbling->state);
    buffer_finish(&tumbling->text);
}

bool tumbling_is_on(const struct tumbling *tumbling)
{
    return tumbling->length_ms > 0 || tumbling->is_open;
}

void tumbling_tick(struct tumbling *tumbling, int64_t now_ms)
{
    if (tumbling->came_ms == INT64_MIN)
        tumbling->came_ms = now_ms;
}

// ---- Records ----

void tumbling_saw(struct tumbling *tumbling, const struct record *record,
                  bool is_wanted, int64_t now_ms)
{
    if (record_arrival_ms(record) > tumbling->seen_at_ms)
        tumbling->seen_at_ms = record_arrival_ms(record);
    if (is_wanted)
        tumbling->came_ms = now_ms;
    if (!tumbling->view.origin)
        tumbling->view.origin = record->origin;
}

void tumbling_end_of_shard(struct tumbling *tumbling)
{
    tumbling->shard_ended = true;
}

static int64_t start_of(const struct tumbling *tumbling, int64_t at_ms)
{
    return at_ms - at_ms % tumbling->length_ms;
}

void tumbling_open(struct tumbling *tumbling, const struct record *next,
                   int64_t wall_ms)
{
    int64_t at_ms = record_arrival_ms(next);
    int64_t start_ms;

    if (tumbling->is_open || !tumbling->length_ms)
        return;
    start_ms = start_of(tumbling, at_ms ? at_ms : wall_ms);
    open_window(tumbling, start_ms, start_ms + tumbling->length_ms,
                BYTES("{}"));
}

bool tumbling_holds(const struct tumbling *tumbling,
                    const struct record *record)
{
    return !tumbling->is_open ||
           record_arrival_ms(record) < tumbling->view.end_ms;
}

bool tumbling_parts(const struct tumbling *tumbling, const struct record *a,
                    const struct record *b)
{
    int64_t a_ms = record_arrival_ms(a), b_ms = record_arrival_ms(b);

    return tumbling->length_ms && a_ms && b_ms &&
           start_of(tumbling, a_ms) != start_of(tumbling, b_ms);
}

// ---- Calls ----

static int64_t idle_ms(const struct tumbling *tumbling, int64_t wall_ahead_ms)
{
    int64_t ended_ms = tumbling->view.end_ms - wall_ahead_ms;
    int64_t came_ms = tumbling->came_ms;

    return (came_ms > ended_ms ? came_ms : ended_ms) + TUMBLING_IDLE_MS;
}

int64_t tumbling_due_ms(const struct tumbling *tumbling, bool is_drained,
                        int64_t wall_ahead_ms)
{
    if (!tumbling->is_open || tumbling->is_closing || !tumbling->view.origin)
        return CLOCK_NEVER;
    if (tumbling->early != TUMBLING_NOT_EARLY)
        return INT64_MIN;
    if (!is_drained)
        return CLOCK_NEVER;
    if (tumbling->shard_ended || tumbling->seen_at_ms >= tumbling->view.end_ms)
        return INT64_MIN;
    return idle_ms(tumbling, wall_ahead_ms);
}

void tumbling_close(struct tumbling *tumbling)
{
    assert(tumbling->is_open && !tumbling->is_closing);
    tumbling->is_closing = true;
}

struct event_window *tumbling_view(struct tumbling *tumbling, bool is_final)
{
    struct event_window *view = &tumbling->view;

    assert(tumbling->is_open);
    view->state = buffer_bytes(&tumbling->state);
    view->is_final = is_final;
    view->is_terminated_early =
        is_final && tumbling->early != TUMBLING_NOT_EARLY;
    return view;
}

static void set_state(struct tumbling *tumbling, struct bytes state)
{
    buffer_clear(&tumbling->state);
    buffer_append_bytes(&tumbling->state, state);
    assert(buffer_ok(&tumbling->state));
    tumbling->is_told = false;
    tumbling->is_changed = true;
}

void tumbling_moved(struct tumbling *tumbling, struct bytes state)
{
    if (!tumbling->is_told ||
        !bytes_equal(state, buffer_bytes(&tumbling->state)))
        set_state(tumbling, state);
    if (state.size > EVENT_STATE_LIMIT)
        tumbling->early = TUMBLING_TOO_LARGE;
}

void tumbling_gave_up(struct tumbling *tumbling)
{
    tumbling->is_changed |= tumbling->is_open && !tumbling->is_told;
}

void tumbling_closed(struct tumbling *tumbling)
{
    bool goes_on = tumbling->early == TUMBLING_TOO_LARGE;

    assert(tumbling->is_closing);
    tumbling->is_closing = false;
    tumbling->early = TUMBLING_NOT_EARLY;
    tumbling_finish(tumbling); // it may have been large
    set_state(tumbling, BYTES("{}"));
    tumbling->is_open = goes_on;
}

bool tumbling_withholds(const struct tumbling *tumbling)
{
    return tumbling->early == TUMBLING_TOO_LARGE;
}
