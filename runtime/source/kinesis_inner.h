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
#include "source/kinesis_origin.h"
#include "source/shard_inbox.h"
#include "source/shard_look.h"
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
    char *stream; // owned
    struct kinesis_origin origin;

    // How the reading goes.
    struct shard_reader reader;
    bool asked_cbor;       // by the call in flight
    int64_t asked_wall_ms; // when the iterator in flight was asked for, by the
                           // server's clock
    struct shard_look look;
    bool stopping;
    bool was_ended; // said in the log
    struct log_repeat trouble;

    // What arrived.
    struct shard_inbox inbox;
    struct chunk_spares spares; // open while it is behind
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
