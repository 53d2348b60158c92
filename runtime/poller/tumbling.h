/*
 * tumbling: a shard's tumbling windows (lambda-esm.md section 2.4): to which a
 * record belongs, the state that goes from call to call, and when a window is
 * over.
 *
 * A window is a stretch of arrival times, as long as the trigger says, aligned
 * to 1970. One is open at a time: the first record behind it opens the next. A
 * record that arrives out of order goes to the open window, however old it is.
 *
 * A window is over when something of a later one was read (a record that no
 * filter matches will do), when the shard has ended, or, with nothing to read,
 * two minutes after its end or after its last record came, whichever is later.
 * Once all of its records are handled there is one more call, without records:
 * the final one. It is tried until it succeeds, and nothing overtakes it; no
 * count of attempts and no age ends that, as there is no record to report.
 *
 * A state of over 1 MiB ends the window early: a final call that says so comes
 * at once, then the window goes on with a fresh state. Until that call has
 * succeeded the checkpoint stays where it was, so such a state is never stored:
 * a worker that takes over begins with the last one that was small enough.
 *
 * What the store keeps is a text with the window and its state. A window whose
 * length is no longer the trigger's ends early, too, in a call of its own
 * times.
 *
 * Threads: the poller's. Pure: time is an argument.
 */
#ifndef POLLARD_TUMBLING_H
#define POLLARD_TUMBLING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "record/event.h"

struct error;
struct record;

#define TUMBLING_IDLE_MS 120000

struct tumbling {
    int64_t length_ms; // 0: none but one that was stored opens

    bool is_open;
    struct event_window view; // of the next call; valid while one is open
    struct buffer state;      // owned
    enum tumbling_early {
        TUMBLING_NOT_EARLY,
        TUMBLING_TOO_LARGE, // its state
        TUMBLING_OUTDATED,  // its length is no longer the trigger's
    } early;
    bool is_closing; // its final call is made

    bool shard_ended;
    int64_t seen_at_ms; // latest arrival time that was read; wall clock
    int64_t came_ms;    // when a record last came; monotonic. INT64_MIN: never

    bool is_changed;    // the text is to be asked for
    bool is_told;       // the text that was asked for last says it as it is
    struct buffer text; // owned
};

/* A window as it was stored. */
struct tumbling_stored {
    int64_t start_ms, end_ms;
    struct bytes state; // borrowed from the text
};

/* ERROR_INVALID for a text that tumbling_text did not write. */
bool tumbling_read(const char *text, struct tumbling_stored *stored,
                   struct error *err);

/* stored: what tumbling_text wrote, or NULL; one that cannot be read is
 * forgotten. origin: borrowed, of the shard's records; NULL: they will say. */
void tumbling_init(struct tumbling *tumbling, int64_t length_ms,
                   const char *stored, const struct record_origin *origin);
void tumbling_finish(struct tumbling *tumbling);

/* The trigger has windows, or one is left of when it had. */
bool tumbling_is_on(const struct tumbling *tumbling);

/* Time begins to count for a window that was stored. */
void tumbling_tick(struct tumbling *tumbling, int64_t now_ms);

/* A record was read; is_wanted: no filter holds it back. */
void tumbling_saw(struct tumbling *tumbling, const struct record *record,
                  bool is_wanted, int64_t now_ms);
void tumbling_end_of_shard(struct tumbling *tumbling);

/* Open the window of the next record, if none is open. wall_ms: for a record
 * that does not say when it arrived. */
void tumbling_open(struct tumbling *tumbling, const struct record *next,
                   int64_t wall_ms);

/* Does the record belong to the open window? */
bool tumbling_holds(const struct tumbling *tumbling,
                    const struct record *record);

/* Are these two of different windows? */
bool tumbling_parts(const struct tumbling *tumbling, const struct record *a,
                    const struct record *b);

/* When the final call is to be made; INT64_MIN: now. is_drained: all records of
 * the open window that were read are handled. */
int64_t tumbling_due_ms(const struct tumbling *tumbling, bool is_drained,
                        int64_t wall_ahead_ms);

/* The final call is made; it is one until tumbling_closed. */
void tumbling_close(struct tumbling *tumbling);

/* The window as a call with records, or the final one, is to see it. It is
 * valid until the next change of the state; only one call is out at a time. */
struct event_window *tumbling_view(struct tumbling *tumbling, bool is_final);

/* A call with records left this state; copied. */
void tumbling_moved(struct tumbling *tumbling, struct bytes state);

/* Records of the open window were given up, so the checkpoint passes them: the
 * window is stored even when no call of it has left a state yet, or else a
 * worker that takes over would owe it no final call. */
void tumbling_gave_up(struct tumbling *tumbling);

/* The final call succeeded. */
void tumbling_closed(struct tumbling *tumbling);

/* The state must not be stored, and no checkpoint told, before the window has
 * ended early. */
bool tumbling_withholds(const struct tumbling *tumbling);

/* What is to be stored from now on; empty: no window is open. It lives until
 * the next call. False: as before. */
bool tumbling_text(struct tumbling *tumbling, struct bytes *text);

/* Every other batch of a trigger with windows has so much less room. */
#define TUMBLING_EVENT_ROOM (EVENT_STATE_LIMIT + 4096)

#endif
