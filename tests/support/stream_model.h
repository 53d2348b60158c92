/*
 * stream_model: a stream as simulations need it: shards with parents and
 * children, their records, and what the store keeps of each shard: who has it,
 * how far it is handled, its open window. What is stored is judged here: no
 * checkpoint may pass a record of which nobody can say what became of it.
 */
#ifndef POLLARD_STREAM_MODEL_H
#define POLLARD_STREAM_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/random.h"

#define MODEL_SHARDS 8
#define MODEL_SHARD_RECORDS 300
#define MODEL_KEYS 9

enum model_fate {
    FATE_NONE,
    FATE_FILTERED,
    FATE_TRIMMED, // it was gone before anybody read it
    FATE_HANDLED,
    FATE_REPORTED, // given up, and the destination has accepted the report
    FATE_DROPPED,  // given up, and there is no destination
};

struct model_record {
    unsigned key;
    uint64_t number;           // in its key's order, over all shards
    uint32_t digits, sub;      // its sequence number; sub as in a record
    bool is_last_sub;          //
    int64_t arrived_at_ms;     // 0: it does not say
    int64_t latest_before_ms;  // of those before it in its shard
    uint32_t size;             // of its event
    bool is_filtered;          // no filter matches it
    bool was_given_up;         // or passed by: by somebody, once
    bool was_handled;          // by somebody, once
    enum model_fate committed; // as the checkpoint passed it
};

/* A shard and its row in the store. */
struct model_shard {
    size_t parents[2], parent_count; // of shards, or indexes
    struct model_record records[MODEL_SHARD_RECORDS];
    size_t count;
    bool is_closed;
    size_t horizon; // those before it are trimmed

    unsigned epoch; // of the last lease
    int64_t leased_until_ms;
    size_t committed; // so many of its records are handled
    char *window;     // owned; NULL: none is open
    bool has_ended;
};

struct model_stream {
    struct random *chance; // borrowed
    struct model_shard *shards[MODEL_SHARDS];
    size_t shard_count;
    size_t shard_of[MODEL_KEYS]; // where its records go now
    uint64_t numbers[MODEL_KEYS];
    uint64_t handled_to[MODEL_KEYS]; // the last number first handled
    unsigned filtered_in;            // one of so many; 0: none
    bool tells_arrival;              // all records do
};

void model_stream_init(struct model_stream *stream, struct random *chance,
                       size_t shards);
void model_stream_finish(struct model_stream *stream);

/* A few records more, of one key, or one aggregated record of it. */
void model_stream_put(struct model_stream *stream, int64_t wall_ms);

/* A shard is split, two are merged, or one closes without children. */
void model_stream_reshard(struct model_stream *stream);

/* Its parents, if there are any, are through. */
bool model_shard_is_open(const struct model_stream *stream,
                         const struct model_shard *shard);

/* What the checkpoint's text means: so many of the shard's records. Fails the
 * test when it means nothing. */
size_t model_shard_place(const struct model_shard *shard, struct bytes text);

/* It was handled, by whomever: the first time in its key's order. */
void model_record_handled(struct model_stream *stream,
                          struct model_record *record);

/* All is over: everything is accounted for. */
void model_stream_check(const struct model_stream *stream);

#endif
