/*
 * shard_reader: the pure core of reading one shard: which call comes next,
 * when, and from where. It does no I/O and reads no clock: everything is a
 * function of (state, event, now). kinesis.c and dynamodb.c are the shells
 * around it.
 *
 *     GetShardIterator -> GetRecords -> GetRecords -> ... -> the shard's end
 *
 * Pace: at the tip one read each idle_ms; behind it, as fast as pace_ms allows
 * and as long as what waits stays within SHARD_AHEAD_BYTES. An iterator that
 * expired, or is about to, is made anew from behind the last record read, so no
 * record is skipped or read twice. Where the stream let go of what comes next
 * (trimmed data), it goes on with the oldest record that is left, or fails.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_SHARD_READER_H
#define POLLARD_SHARD_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/random.h"
#include "source/stream.h"

struct shard_refusal;

#define SHARD_AHEAD_BYTES (10u * 1024 * 1024)

enum shard_call {
    SHARD_CALL_NONE,
    SHARD_CALL_ITERATOR, // GetShardIterator from `start`
    SHARD_CALL_RECORDS,  // GetRecords with `iterator` and `limit`
    SHARD_CALL_SHARDS,   // ListShards: is this shard closed?
};

struct shard_reader_options {
    struct stream_start start; // copied
    int64_t idle_ms;           // between reads at the tip
    int64_t pace_ms;           // between reads otherwise; 200: AWS's 5 calls a
                               // second; 0: the server sets no limit, until it
                               // throttles
    int64_t iterator_ms;       // so long an iterator may be used
    size_t records_limit;      // of an answer
    size_t page_bytes;         // what an answer should weigh at the most
    bool asks_for_end;  // the server may never end a closed shard by itself
    bool believes_end;  // an end stands without children to prove it
    bool fails_trimmed; // where data was trimmed
    uint64_t seed;
};

struct shard_ahead { // arrived, not handed out
    size_t records, bytes;
    size_t room; // records that the poller could take now
};

struct shard_reader {
    // For whoever sends the call that shard_reader_next returned.
    struct stream_start start; // of the next iterator; sequence_number owned
    char *iterator;            // owned; NULL: none
    size_t limit;              // of the next GetRecords

    // How it ended. Both end all calls.
    bool ended;
    struct error failure; // ERROR_NONE: none

    uint64_t trimmed; // how often it went on behind trimmed data

    // Its own.
    int64_t idle_ms, base_pace_ms, pace_ms, iterator_ms;
    size_t records_limit, page_bytes_limit;
    bool asks_for_end, believes_end, fails_trimmed;
    struct random random;
    enum shard_call in_flight;
    bool has_head;          // of a page that is yet to come
    bool ignores_in_flight; // its answer has become meaningless
    int64_t sent_ms;        // the call in flight, or the last one
    int64_t due_ms;         // nothing is sent before
    int64_t iterator_at_ms; // when it was asked for
    int64_t read_due_ms;    // no GetRecords is sent before
    unsigned failures;      // in a row
    unsigned server_errors; // HTTP 5xx in a row on one iterator
    unsigned renewals;      // of the iterator, without a page between
    size_t page_limit;      // grows while the poller runs dry
    size_t page_bytes;      // what a page should weigh
    size_t fitting_limit;   // records of the sizes seen that weigh so much
    size_t average_bytes;   // of a record
    bool fed;               // records have come
    unsigned quiet;         // empty reads at the tip in a row
    int64_t ask_again_ms;   // whether the shard is closed
    bool is_closed;         // nothing is put into the shard any more
    bool end_suspected;     // an end without children: believed twice
};

void shard_reader_init(struct shard_reader *reader,
                       const struct shard_reader_options *options);
void shard_reader_finish(struct shard_reader *reader);

/* The call to send now; it is in flight from here on, until one of the
 * functions below is told what became of it. */
enum shard_call shard_reader_next(struct shard_reader *reader,
                                  const struct shard_ahead *ahead,
                                  int64_t now_ms);

/* When to ask again, if nothing else happens. */
int64_t shard_reader_deadline_ms(const struct shard_reader *reader,
                                 const struct shard_ahead *ahead);

/* Takes the iterator over. asked_wall_ms: when it was asked for, by the
 * server's clock; by which LATEST becomes a point in time that can be asked for
 * again. */
void shard_reader_got_iterator(struct shard_reader *reader, char *iterator,
                               int64_t asked_wall_ms, int64_t now_ms);

/* The head of a page, when it tells that there is more behind this page: the
 * next one can be asked for. Takes the iterator over. The page itself, or the
 * garble, must follow before any other event. */
void shard_reader_got_head(struct shard_reader *reader, char *iterator);

/* Takes the page's next_iterator over; `ahead` is without this page. */
void shard_reader_got_page(struct shard_reader *reader,
                           struct stream_page *page,
                           const struct shard_ahead *ahead, int64_t now_ms);
void shard_reader_got_closed(struct shard_reader *reader, bool closed,
                             int64_t now_ms);
void shard_reader_got_refusal(struct shard_reader *reader,
                              const struct shard_refusal *refusal,
                              int64_t now_ms);

/* The call was not what mattered: send it again. */
void shard_reader_got_nothing(struct shard_reader *reader);

/* A page whose head was taken cannot be read: go back to where it began. What
 * becomes of a call sent meanwhile is of no interest; false: there is none. */
bool shard_reader_got_garble(struct shard_reader *reader, int64_t now_ms);

#endif
