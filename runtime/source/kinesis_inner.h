/*
 * kinesis_inner: what the parts of the Kinesis source share: its state, which
 * kinesis.c opens and closes, and the two ways in which things move it on. For
 * these files only.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_KINESIS_INNER_H
#define POLLARD_KINESIS_INNER_H

#include "base/log.h"
#include "record/record.h"
#include "source/shard_reader.h"
#include "source/source.h"

struct aws_client;
struct aws_reply;
struct aws_session;
struct clock;

struct kinesis_source {
    struct source source; // first

    // Set by kinesis_open, never changed.
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed
    const struct clock *clock;
    struct log log;
    char *stream, *shard, *arn, *region, *identity; // owned
    struct record_origin origin;                    // points at them

    // How the reading goes.
    struct shard_reader reader;
    bool asked_cbor;       // by the call in flight
    int64_t asked_wall_ms; // when the iterator in flight was asked for
    char *shards_token;    // owned; the next page of the ListShards going on
    size_t room; // records that the poller still takes, as of the last poll
    bool stopping;
    bool was_ended; // said in the log
    struct log_repeat trouble;

    // What arrived.
    struct record_list waiting;
    size_t waiting_bytes;
    struct chunk_spares spares; // open while it is behind
    size_t out;                 // records that the poller has
    struct source_counts counts;
};

/* What lies between the reader and the poller now. */
struct shard_ahead kinesis_ahead(const struct kinesis_source *self);

/* kinesis_send.c: send the call that is due, if one is. */
void kinesis_send_next(struct kinesis_source *self,
                       const struct shard_ahead *ahead, int64_t now_ms);

/* kinesis_reply.c: the call in flight was answered. */
void kinesis_reply_take(struct kinesis_source *self, struct aws_reply *reply,
                        int64_t now_ms);

#endif
