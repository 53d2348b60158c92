/*
 * fanout_reader: the pure core of enhanced fan-out on one shard: when to
 * subscribe, and from where. It does no I/O and reads no clock: everything is a
 * function of (state, event, now). kinesis_fanout.c is the shell around it.
 *
 *     SubscribeToShard -> event, event, ... -> SubscribeToShard -> ...
 *
 * A subscription lives five minutes at the most: the next one is made shortly
 * before, between two events. A server that says nothing for 35 s is left. A
 * subscription that waits for the poller is not silent, but ends of age like
 * every other. The next one begins behind the last record read, so no record is
 * skipped or read twice.
 *
 * A server that lets somebody else have the shard (ResourceInUseException) is
 * asked again after five seconds: our own last subscription may be what it
 * means. There is never more than one call a second.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_FANOUT_READER_H
#define POLLARD_FANOUT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/random.h"
#include "source/stream.h"

struct shard_refusal;

enum fanout_step {
    FANOUT_REST,
    FANOUT_SUBSCRIBE, // SubscribeToShard from `start`
    FANOUT_CUT,       // end the subscription; fanout_reader_got_end follows
    FANOUT_LOOK,      // ListShards: is this shard closed?
};

struct fanout_reader_options {
    struct stream_start start; // copied
    bool asks_for_end; // the server may never end a closed shard by itself
    uint64_t seed;
};

struct fanout_reader {
    // For whoever carries the step out.
    struct stream_start start; // of the next subscription; sequence owned
    int64_t asked_wall_ms;     // set by whoever subscribes: when, by the
                               // server's clock; by which LATEST becomes a
                               // point in time that can be asked for again

    // How it ended. Both end all.
    bool ended;
    struct error failure; // ERROR_NONE: none

    // Its own.
    bool asks_for_end;
    struct random random;
    bool is_subscribed; // or about to be: a call is in flight
    bool is_cut;        // and its end is expected
    bool is_heard;      // something came on it
    bool is_told;       // and it was a SubscribeToShardEvent
    bool is_paused;
    bool is_looking;
    int64_t subscribed_ms; // the call in flight, or the last one
    int64_t heard_ms;      // of it
    int64_t due_ms;        // no subscription before
    unsigned failures;     // in a row
    unsigned quiet;        // events at the tip without records, in a row
    bool end_suspected;    // an event told of no continuation
    int64_t look_ms;       // not before
    bool is_closed;        // nothing is put into the shard any more
};

void fanout_reader_init(struct fanout_reader *reader,
                        const struct fanout_reader_options *options);
void fanout_reader_finish(struct fanout_reader *reader);

/* What to do now; ask until it is FANOUT_REST. has_space: what comes could be
 * taken. */
enum fanout_step fanout_reader_next(struct fanout_reader *reader,
                                    bool has_space, int64_t now_ms);

/* When to ask again, if nothing else happens. */
int64_t fanout_reader_deadline_ms(const struct fanout_reader *reader,
                                  bool has_space);

/* An event; its next_iterator is the ContinuationSequenceNumber. Others than
 * SubscribeToShardEvent: NULL. */
void fanout_reader_got_event(struct fanout_reader *reader,
                             const struct stream_page *event, int64_t now_ms);

/* The transfer stands still because its taker is full, or goes on. */
void fanout_reader_got_pause(struct fanout_reader *reader, bool is_paused,
                             int64_t now_ms);

/* The subscription is over, as servers end them, or as it was to be cut. */
void fanout_reader_got_end(struct fanout_reader *reader, int64_t now_ms);

/* It failed: refused, cut off, or by an exception on the way. */
void fanout_reader_got_refusal(struct fanout_reader *reader,
                               const struct shard_refusal *refusal,
                               int64_t now_ms);

/* What came of FANOUT_LOOK. */
void fanout_reader_got_look(struct fanout_reader *reader, bool closed,
                            int64_t now_ms);

#endif
