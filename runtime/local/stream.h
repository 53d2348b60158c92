/*
 * stream: one Kinesis stream: its shards, and how they split and merge. Pure
 * but for memory: time is an argument.
 *
 * Threads: the server thread only.
 */
#ifndef POLLARD_LOCAL_STREAM_H
#define POLLARD_LOCAL_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "local/consumer.h"
#include "local/map.h"
#include "local/shard.h"

struct stream {
    // Set once.
    struct map_node node;    // by name
    struct map_node id_node; // by id
    char *name;              // owned
    uint32_t id;
    int64_t created_ms;

    bool on_demand;
    int64_t retention_h;
    size_t record_limit;   // bytes of data and key
    uint64_t serial;       // of the last record, or of the last opened shard
    struct shard **shards; // owned, by index; none ever leaves
    uint32_t count, capacity;
    uint64_t put, got; // records
    struct consumers consumers;
};

struct stream *stream_create(struct bytes name, uint32_t id, unsigned shards,
                             int64_t now_ms);
void stream_destroy(struct stream *stream);

/* The open shard whose range holds the key. */
struct shard *stream_shard_for(const struct stream *stream, hash_key key);

/* NULL when there is none of this id, or it is trimmed. */
struct shard *stream_find_shard(const struct stream *stream, struct bytes id,
                                int64_t now_ms);

uint32_t stream_open_count(const struct stream *stream);

/* Records older than this are gone. */
int64_t stream_horizon_ms(const struct stream *stream, int64_t now_ms);

/* False when it was closed so long ago that nothing of it is left. */
bool stream_keeps_shard(const struct stream *stream, const struct shard *shard,
                        int64_t now_ms);

/* Returns the record's serial. */
uint64_t stream_put(struct stream *stream, struct shard *shard, int64_t now_ms,
                    struct bytes key, struct bytes data);

/* The shard is open, and `at` is in its range but not its first key. */
void stream_split(struct stream *stream, struct shard *shard, hash_key at,
                  int64_t now_ms);

/* Both are open and their ranges touch. Returns the child. */
struct shard *stream_merge(struct stream *stream, struct shard *shard,
                           struct shard *adjacent, int64_t now_ms);

/* Split and merge until `count` shards of equal ranges are open. */
void stream_resize(struct stream *stream, unsigned count, int64_t now_ms);

#endif
