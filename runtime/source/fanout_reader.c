#include "source/fanout_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "record/record.h"
#include "record/sequence.h"
#include "source/shard_refusal.h"

#define OLD_MS (285 * 1000) // then the next event is the last one
#define LIFE_MS (295 * 1000)
#define SILENCE_MS (35 * 1000)
#define PACE_MS 1000        // one call a second
#define SKEW_MS (10 * 1000) // of what is known of the server's clock

#define IN_USE_MS 5000
#define IN_USE_SPREAD_MS 1000
#define RETRY_FLOOR_MS 100
#define RETRY_BASE_MS 250
#define RETRY_MAXIMUM_MS (20 * 1000)
#define THROTTLED_FLOOR_MS 1000
#define THROTTLED_MAXIMUM_MS (10 * 1000)
#define PAUSE_MS (30 * 1000)

#define QUIET_EVENTS 5
#define LOOK_AGAIN_MS (10 * 1000)
#define LAST_EVENTS 2 // without records, after the shard was closed

void fanout_reader_init(struct fanout_reader *reader,
                        const struct fanout_reader_options *options)
{
    *reader = (struct fanout_reader){
        .start = options->start,
        .asks_for_end = options->asks_for_end,
        .random = {.state = options->seed},
        .subscribed_ms = -PACE_MS,
    };
    reader->start.sequence_number = mem_strdup(options->start.sequence_number);
}

static void move_start(struct fanout_reader *reader, struct stream_start to)
{
    // The options' const is for the caller's copy; this one is ours.
    free((void *)(uintptr_t)reader->start.sequence_number);
    reader->start = to;
}

void fanout_reader_finish(struct fanout_reader *reader)
{
    move_start(reader, (struct stream_start){0});
}

static bool is_over(const struct fanout_reader *reader)
{
    return reader->ended || reader->failure.code != ERROR_NONE;
}

static int64_t subscribe_ms(const struct fanout_reader *reader)
{
    int64_t earliest_ms = reader->subscribed_ms + PACE_MS;

    return reader->due_ms > earliest_ms ? reader->due_ms : earliest_ms;
}

static int64_t cut_ms(const struct fanout_reader *reader)
{
    int64_t end_ms = reader->subscribed_ms + LIFE_MS;

    if (reader->is_paused)
        return end_ms;
    return clock_earlier(end_ms, reader->heard_ms + SILENCE_MS);
}

static bool wants_look(const struct fanout_reader *reader)
{
    return !reader->is_looking && !reader->is_closed &&
           (reader->end_suspected ||
            (reader->asks_for_end && reader->quiet >= QUIET_EVENTS));
}

static void subscribe(struct fanout_reader *reader, int64_t now_ms)
{
    reader->is_subscribed = true;
    reader->is_cut = reader->is_heard = reader->is_told = false;
    reader->is_paused = false;
    reader->subscribed_ms = reader->heard_ms = now_ms;
}

static void retry(struct fanout_reader *reader, int64_t now_ms)
{
    reader->due_ms =
        now_ms + RETRY_FLOOR_MS +
        random_full_jitter_ms(&reader->random, RETRY_BASE_MS, RETRY_MAXIMUM_MS,
                              reader->failures++);
}

// A server that hangs is a failure; one that is cut off for age is not.
static void cut(struct fanout_reader *reader, int64_t now_ms)
{
    reader->is_cut = true;
    reader->due_ms = now_ms;
    if (!is_over(reader) && now_ms < reader->subscribed_ms + OLD_MS)
        retry(reader, now_ms);
}

enum fanout_step fanout_reader_next(struct fanout_reader *reader,
                                    bool has_space, int64_t now_ms)
{
    if (reader->is_subscribed && !reader->is_cut &&
        (is_over(reader) || now_ms >= cut_ms(reader))) {
        cut(reader, now_ms);
        return FANOUT_CUT;
    }
    if (is_over(reader))
        return FANOUT_REST;
    if (!reader->is_subscribed && has_space && now_ms >= subscribe_ms(reader)) {
        subscribe(reader, now_ms);
        return FANOUT_SUBSCRIBE;
    }
    if (wants_look(reader) && now_ms >= reader->look_ms) {
        reader->is_looking = true;
        return FANOUT_LOOK;
    }
    return FANOUT_REST;
}

int64_t fanout_reader_deadline_ms(const struct fanout_reader *reader,
                                  bool has_space)
{
    int64_t due_ms = CLOCK_NEVER;

    if (reader->is_subscribed && !reader->is_cut)
        due_ms = is_over(reader) ? 0 : cut_ms(reader);
    if (is_over(reader))
        return due_ms;
    if (!reader->is_subscribed && has_space)
        due_ms = subscribe_ms(reader);
    return wants_look(reader) ? clock_earlier(due_ms, reader->look_ms) : due_ms;
}

static void move_behind(struct fanout_reader *reader, const char *sequence,
                        size_t size)
{
    move_start(reader, (struct stream_start){
                           .position = STREAM_AFTER_SEQUENCE_NUMBER,
                           .sequence_number = mem_strndup(sequence, size)});
}

// An empty event's continuation spares the next subscription a way that was
// already gone. It is no reason to go back, nor to pass by what is left of an
// aggregated record. kinesis-mock says "0" for nowhere.
static bool leads_on(const struct fanout_reader *reader,
                     const char *continuation)
{
    const struct stream_start *start = &reader->start;
    struct sequence to, from;

    if (!sequence_parse(bytes_of(continuation), &to) || to.subs ||
        sequence_compare(continuation, "0") <= 0)
        return false;
    if (start->position != STREAM_AFTER_SEQUENCE_NUMBER)
        return true;
    return sequence_parse(bytes_of(start->sequence_number), &from) &&
           !bytes_equal(from.digits, to.digits) &&
           sequence_compare(continuation, start->sequence_number) > 0;
}

static void note_position(struct fanout_reader *reader,
                          const struct stream_page *event)
{
    struct bytes last;

    if (event->count) {
        last = event->chunk->records[event->count - 1].id;
        move_behind(reader, last.data, last.size);
    } else if (event->next_iterator && leads_on(reader, event->next_iterator))
        move_behind(reader, event->next_iterator, strlen(event->next_iterator));
}

// An event without continuation ends the shard when it names the children; when
// it does not, the list of shards is asked.
static void note_end(struct fanout_reader *reader,
                     const struct stream_page *event)
{
    bool is_quiet =
        !event->count && (!event->millis_behind || !event->next_iterator);

    reader->quiet = is_quiet ? reader->quiet + 1 : 0;
    reader->end_suspected = !event->next_iterator;
    if (!event->next_iterator && event->children)
        reader->ended = true;
    if (reader->is_closed && reader->quiet >= LAST_EVENTS)
        reader->ended = true;
}

void fanout_reader_got_event(struct fanout_reader *reader,
                             const struct stream_page *event, int64_t now_ms)
{
    reader->heard_ms = now_ms;
    reader->is_heard = true;
    if (!event)
        return;
    reader->is_told = true;
    reader->failures = 0;
    note_position(reader, event);
    note_end(reader, event);
    if (now_ms >= reader->subscribed_ms + OLD_MS) // let it be the last one
        reader->subscribed_ms = now_ms - LIFE_MS;
}

void fanout_reader_got_pause(struct fanout_reader *reader, bool is_paused,
                             int64_t now_ms)
{
    reader->is_paused = is_paused;
    reader->heard_ms = now_ms;
}

// A second LATEST would skip what was put since the first.
static void hold_latest(struct fanout_reader *reader)
{
    if (reader->start.position == STREAM_LATEST)
        move_start(reader,
                   (struct stream_start){.position = STREAM_AT_TIMESTAMP,
                                         .timestamp_ms =
                                             reader->asked_wall_ms - SKEW_MS});
}

static void end_subscription(struct fanout_reader *reader)
{
    reader->is_subscribed = false;
    if (reader->is_heard || reader->is_cut)
        hold_latest(reader);
}

void fanout_reader_got_end(struct fanout_reader *reader, int64_t now_ms)
{
    end_subscription(reader);
    if (reader->is_cut)
        return;
    reader->due_ms = now_ms;
    if (!reader->is_told) // a server that has nothing to say
        retry(reader, now_ms);
}

static int64_t throttled_ms(struct fanout_reader *reader)
{
    return THROTTLED_FLOOR_MS +
           random_full_jitter_ms(&reader->random, THROTTLED_FLOOR_MS,
                                 THROTTLED_MAXIMUM_MS, reader->failures++);
}

static void fail(struct fanout_reader *reader, const struct error *err)
{
    reader->failure = *err;
    if (reader->start.position == STREAM_AFTER_SEQUENCE_NUMBER)
        error_wrap(&reader->failure, "after %s", reader->start.sequence_number);
}

static void react(struct fanout_reader *reader,
                  const struct shard_refusal *refusal, int64_t now_ms)
{
    switch (shard_refusal_reaction(refusal)) {
    case SHARD_FAIL:
    case SHARD_DOUBT: // of the position: there is no iterator
        fail(reader, refusal->error);
        break;
    case SHARD_RETRY:
    case SHARD_RENEW:
    case SHARD_TRIMMED:
        retry(reader, now_ms);
        break;
    case SHARD_SLOW:
        reader->due_ms = now_ms + throttled_ms(reader);
        break;
    case SHARD_PAUSE:
        reader->due_ms = now_ms + PAUSE_MS +
                         (int64_t)random_below(&reader->random, PAUSE_MS / 4);
        break;
    }
}

void fanout_reader_got_refusal(struct fanout_reader *reader,
                               const struct shard_refusal *refusal,
                               int64_t now_ms)
{
    end_subscription(reader);
    if (!strcmp(refusal->code, "ResourceInUseException"))
        reader->due_ms =
            now_ms + IN_USE_MS +
            (int64_t)random_below(&reader->random, IN_USE_SPREAD_MS);
    else
        react(reader, refusal, now_ms);
}

// Between the last event and the close records may have come: only events that
// came after it tell that there are no more.
void fanout_reader_got_look(struct fanout_reader *reader, bool closed,
                            int64_t now_ms)
{
    reader->is_looking = false;
    reader->is_closed = closed;
    reader->look_ms = now_ms + LOOK_AGAIN_MS;
    if (closed)
        reader->quiet = 0;
}
