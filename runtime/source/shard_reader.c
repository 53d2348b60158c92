#include "source/shard_reader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "record/record.h"
#include "source/shard_refusal.h"

#define SKEW_MS (10 * 1000) // of what is known of the server's clock

#define EMPTY_PACE_MS 200 // between reads that bring nothing; 5 calls a second
#define SLOWEST_PACE_MS 1000

#define RETRY_FLOOR_MS 100
#define RETRY_BASE_MS 250
#define RETRY_MAXIMUM_MS (20 * 1000)
#define THROTTLED_FLOOR_MS 1000
#define THROTTLED_MAXIMUM_MS (10 * 1000)
#define PAUSE_MS (30 * 1000)

#define SERVER_ERRORS_LIMIT 3 // then the iterator is doubted
#define DOUBTS_LIMIT 3        // then the position is

#define FIRST_PAGE_LIMIT 1000
#define FIRST_AVERAGE_BYTES 1024

#define QUIET_READS 10
#define ASK_AGAIN_MS (30 * 1000)
#define LAST_READS 2 // empty ones, after the shard was closed

void shard_reader_init(struct shard_reader *reader,
                       const struct shard_reader_options *options)
{
    *reader = (struct shard_reader){
        .start = options->start,
        .idle_ms = options->idle_ms,
        .base_pace_ms = options->pace_ms,
        .pace_ms = options->pace_ms,
        .iterator_ms = options->iterator_ms,
        .records_limit = options->records_limit,
        .page_bytes_limit = options->page_bytes,
        .asks_for_end = options->asks_for_end,
        .believes_end = options->believes_end,
        .fails_trimmed = options->fails_trimmed,
        .random = {.state = options->seed},
        .limit = FIRST_PAGE_LIMIT,
        .page_limit = FIRST_PAGE_LIMIT,
        .page_bytes = options->page_bytes,
        .fitting_limit = options->records_limit,
        .average_bytes = FIRST_AVERAGE_BYTES,
    };
    reader->start.sequence_number = mem_strdup(options->start.sequence_number);
}

static void drop_iterator(struct shard_reader *reader)
{
    free(reader->iterator);
    reader->iterator = NULL;
    reader->server_errors = 0;
}

static void move_start(struct shard_reader *reader, struct stream_start to)
{
    // The options' const is for the caller's copy; this one is ours.
    free((void *)(uintptr_t)reader->start.sequence_number);
    reader->start = to;
}

void shard_reader_finish(struct shard_reader *reader)
{
    drop_iterator(reader);
    move_start(reader, (struct stream_start){0});
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t next_limit(const struct shard_reader *reader, size_t room)
{
    return smaller(larger(reader->page_limit, room), reader->fitting_limit);
}

// With nothing here, what the poller has room for; otherwise at most a page
// waits while the next one is on its way.
static bool has_space(const struct shard_reader *reader,
                      const struct shard_ahead *ahead)
{
    size_t limit = next_limit(reader, ahead->room);

    if (!ahead->records)
        return ahead->room > 0;
    return ahead->records <= limit &&
           ahead->bytes + limit * reader->average_bytes <= SHARD_AHEAD_BYTES;
}

static bool is_waiting(const struct shard_reader *reader,
                       const struct shard_ahead *ahead)
{
    return reader->in_flight == SHARD_CALL_NONE && !reader->ended &&
           reader->failure.code == ERROR_NONE && has_space(reader, ahead);
}

static enum shard_call choose(struct shard_reader *reader, int64_t now_ms)
{
    if (reader->asks_for_end && !reader->is_closed &&
        reader->quiet >= QUIET_READS && now_ms >= reader->ask_again_ms)
        return SHARD_CALL_SHARDS;
    if (reader->iterator &&
        now_ms - reader->iterator_at_ms > reader->iterator_ms)
        drop_iterator(reader);
    return reader->iterator ? SHARD_CALL_RECORDS : SHARD_CALL_ITERATOR;
}

enum shard_call shard_reader_next(struct shard_reader *reader,
                                  const struct shard_ahead *ahead,
                                  int64_t now_ms)
{
    if (!is_waiting(reader, ahead) || now_ms < reader->due_ms)
        return SHARD_CALL_NONE;
    reader->in_flight = choose(reader, now_ms);
    reader->limit = next_limit(reader, ahead->room);
    reader->sent_ms = now_ms;
    if (reader->in_flight == SHARD_CALL_RECORDS)
        reader->read_due_ms = now_ms + reader->pace_ms;
    return reader->in_flight;
}

int64_t shard_reader_deadline_ms(const struct shard_reader *reader,
                                 const struct shard_ahead *ahead)
{
    return is_waiting(reader, ahead) ? reader->due_ms : CLOCK_NEVER;
}

static void landed(struct shard_reader *reader, enum shard_call call)
{
    assert(reader->in_flight == call && !reader->ignores_in_flight);
    (void)call;
    reader->in_flight = SHARD_CALL_NONE;
}

void shard_reader_got_nothing(struct shard_reader *reader)
{
    reader->in_flight = SHARD_CALL_NONE;
    reader->ignores_in_flight = false;
}

void shard_reader_got_iterator(struct shard_reader *reader, char *iterator,
                               int64_t asked_wall_ms, int64_t now_ms)
{
    landed(reader, SHARD_CALL_ITERATOR);
    drop_iterator(reader);
    reader->iterator = iterator;
    reader->iterator_at_ms = reader->sent_ms;
    reader->due_ms =
        now_ms < reader->read_due_ms ? reader->read_due_ms : now_ms;
    // A second LATEST would skip what was put since the first.
    if (reader->start.position == STREAM_LATEST)
        move_start(reader, (struct stream_start){
                               .position = STREAM_AT_TIMESTAMP,
                               .timestamp_ms = asked_wall_ms - SKEW_MS});
}

static void note_position(struct shard_reader *reader,
                          const struct stream_page *page)
{
    struct bytes last;

    if (!page->count)
        return;
    last = page->chunk->records[page->count - 1].id;
    move_start(reader,
               (struct stream_start){.position = STREAM_AFTER_SEQUENCE_NUMBER,
                                     .sequence_number =
                                         mem_strndup(last.data, last.size)});
}

// A page is as many records as the poller gets through before the next one is
// there, up to page_bytes.
static void size_pages(struct shard_reader *reader,
                       const struct stream_page *page, bool is_dry)
{
    size_t fitting;

    if (!page->count)
        return;
    reader->average_bytes = page->bytes / page->count + sizeof(struct record);
    reader->page_bytes =
        smaller(reader->page_bytes + reader->page_bytes / 16 + 1,
                reader->page_bytes_limit);
    fitting = reader->page_bytes / reader->average_bytes;
    reader->fitting_limit = smaller(larger(fitting, 1), reader->records_limit);
    if (is_dry && reader->fed)
        reader->page_limit =
            smaller(2 * reader->page_limit, reader->records_limit);
    reader->fed = true;
}

static void relax_pace(struct shard_reader *reader)
{
    int64_t above = reader->pace_ms - reader->base_pace_ms;

    reader->pace_ms -= above > 8 ? above / 8 : above;
}

// An end that names no children may be a gap in the answer: what follows is
// asked for once more, from behind the last record.
static void note_end(struct shard_reader *reader,
                     const struct stream_page *page, int64_t now_ms)
{
    drop_iterator(reader);
    reader->due_ms = now_ms;
    if (page->children || reader->believes_end ||
        (reader->end_suspected && !page->count))
        reader->ended = true;
    reader->end_suspected = true;
}

static void use_iterator(struct shard_reader *reader, char *iterator)
{
    free(reader->iterator);
    reader->iterator = iterator;
    reader->iterator_at_ms = reader->sent_ms;
}

static int64_t wait_after(const struct shard_reader *reader,
                          const struct stream_page *page, bool is_behind)
{
    if (!is_behind)
        return reader->idle_ms;
    return page->count || reader->pace_ms > EMPTY_PACE_MS ? reader->pace_ms
                                                          : EMPTY_PACE_MS;
}

void shard_reader_got_head(struct shard_reader *reader, char *iterator)
{
    landed(reader, SHARD_CALL_RECORDS);
    use_iterator(reader, iterator);
    reader->due_ms = reader->sent_ms + reader->pace_ms;
    reader->has_head = true;
    reader->end_suspected = false;
}

// Where to go on, unless the head has told.
static void take_lead(struct shard_reader *reader, struct stream_page *page,
                      bool is_behind, int64_t now_ms)
{
    landed(reader, SHARD_CALL_RECORDS);
    if (!page->next_iterator) {
        note_end(reader, page, now_ms);
        return;
    }
    reader->due_ms = reader->sent_ms + wait_after(reader, page, is_behind);
    use_iterator(reader, page->next_iterator);
    page->next_iterator = NULL;
    reader->end_suspected = reader->end_suspected && !page->count;
}

void shard_reader_got_page(struct shard_reader *reader,
                           struct stream_page *page,
                           const struct shard_ahead *ahead, int64_t now_ms)
{
    bool is_behind = reader->has_head || page->millis_behind > 0 ||
                     page->count >= reader->limit;

    note_position(reader, page);
    if (!reader->has_head)
        take_lead(reader, page, is_behind, now_ms);
    reader->has_head = false;
    reader->failures = reader->server_errors = reader->renewals = 0;
    reader->quiet = is_behind || page->count ? 0 : reader->quiet + 1;
    reader->ended |= reader->is_closed && reader->quiet >= LAST_READS;
    size_pages(reader, page, is_behind && !ahead->records);
    relax_pace(reader);
}

// Between the last read and the close records may have come: only reads that
// were sent after it tell that there are no more.
void shard_reader_got_closed(struct shard_reader *reader, bool closed,
                             int64_t now_ms)
{
    landed(reader, SHARD_CALL_SHARDS);
    reader->is_closed = closed;
    if (closed)
        reader->quiet = 0;
    reader->ask_again_ms = now_ms + ASK_AGAIN_MS;
}

static void retry(struct shard_reader *reader, int64_t now_ms)
{
    reader->due_ms =
        now_ms + RETRY_FLOOR_MS +
        random_full_jitter_ms(&reader->random, RETRY_BASE_MS, RETRY_MAXIMUM_MS,
                              reader->failures++);
}

static void slow_down(struct shard_reader *reader, int64_t now_ms)
{
    int64_t pace_ms = reader->pace_ms ? 2 * reader->pace_ms : EMPTY_PACE_MS;

    reader->pace_ms = pace_ms < SLOWEST_PACE_MS ? pace_ms : SLOWEST_PACE_MS;
    reader->due_ms =
        now_ms + THROTTLED_FLOOR_MS +
        random_full_jitter_ms(&reader->random, THROTTLED_FLOOR_MS,
                              THROTTLED_MAXIMUM_MS, reader->failures++);
}

static void fail(struct shard_reader *reader, const struct error *err)
{
    reader->failure = *err;
    if (reader->start.position == STREAM_AFTER_SEQUENCE_NUMBER)
        error_wrap(&reader->failure, "after %s", reader->start.sequence_number);
}

// The first new iterator is asked for at once, the next ones ever later.
static void renew(struct shard_reader *reader, int64_t now_ms)
{
    drop_iterator(reader);
    reader->due_ms = now_ms;
    if (reader->renewals++)
        retry(reader, now_ms);
}

bool shard_reader_got_garble(struct shard_reader *reader, int64_t now_ms)
{
    reader->has_head = false;
    reader->ignores_in_flight = reader->in_flight != SHARD_CALL_NONE;
    renew(reader, now_ms);
    return reader->ignores_in_flight;
}

static void doubt(struct shard_reader *reader, enum shard_call call,
                  const struct shard_refusal *refusal, int64_t now_ms)
{
    if (call == SHARD_CALL_ITERATOR || reader->renewals >= DOUBTS_LIMIT)
        fail(reader, refusal->error);
    else
        renew(reader, now_ms);
}

// The horizon moves while we ask for it, so that it may be refused as well.
static void skip_trimmed(struct shard_reader *reader,
                         const struct shard_refusal *refusal, int64_t now_ms)
{
    if (reader->fails_trimmed) {
        fail(reader, refusal->error);
        return;
    }
    reader->trimmed++;
    move_start(reader, (struct stream_start){.position = STREAM_TRIM_HORIZON});
    renew(reader, now_ms);
}

// The answer was larger than we take.
static void shrink_pages(struct shard_reader *reader, int64_t now_ms)
{
    size_t bytes = reader->limit * reader->average_bytes;

    reader->page_bytes = larger(smaller(reader->page_bytes, bytes) / 2, 1);
    reader->fitting_limit = reader->limit / 2;
    reader->due_ms = now_ms;
}

static void retry_server_error(struct shard_reader *reader,
                               const struct shard_refusal *refusal,
                               int64_t now_ms)
{
    // kinesis-mock and moto answer so to an iterator that they cannot read.
    if (refusal->status >= 500 && reader->iterator &&
        ++reader->server_errors == SERVER_ERRORS_LIMIT)
        drop_iterator(reader);
    retry(reader, now_ms);
}

void shard_reader_got_refusal(struct shard_reader *reader,
                              const struct shard_refusal *refusal,
                              int64_t now_ms)
{
    enum shard_call call = reader->in_flight;

    reader->in_flight = SHARD_CALL_NONE;
    if (call == SHARD_CALL_SHARDS) {
        reader->ask_again_ms = now_ms + ASK_AGAIN_MS;
        return;
    }
    if (refusal->over_limit && reader->limit > 1) {
        shrink_pages(reader, now_ms);
        return;
    }
    switch (shard_refusal_reaction(refusal)) {
    case SHARD_FAIL:
        fail(reader, refusal->error);
        break;
    case SHARD_RETRY:
        retry_server_error(reader, refusal, now_ms);
        break;
    case SHARD_SLOW:
        slow_down(reader, now_ms);
        break;
    case SHARD_PAUSE:
        reader->due_ms = now_ms + PAUSE_MS +
                         (int64_t)random_below(&reader->random, PAUSE_MS / 4);
        break;
    case SHARD_RENEW:
        renew(reader, now_ms);
        break;
    case SHARD_DOUBT:
        doubt(reader, call, refusal, now_ms);
        break;
    case SHARD_TRIMMED:
        skip_trimmed(reader, refusal, now_ms);
        break;
    }
}
