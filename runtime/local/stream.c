#include "local/stream.h"

#include <stdlib.h>

#include "base/mem.h"

#define HOUR_MS (60 * 60 * 1000)

static struct shard *open_shard(struct stream *stream,
                                const struct shard_options *options)
{
    struct shard_options all = *options;
    struct shard *shard;

    if (stream->count == stream->capacity) {
        stream->capacity = stream->capacity ? stream->capacity * 2 : 8;
        stream->shards = mem_realloc(stream->shards, stream->capacity,
                                     sizeof(struct shard *));
    }
    all.index = stream->count;
    all.opened_serial = ++stream->serial;
    all.stream_created_ms = stream->created_ms;
    shard = shard_create(&all);
    stream->shards[stream->count++] = shard;
    return shard;
}

struct stream *stream_create(struct bytes name, uint32_t id, unsigned shards,
                             int64_t now_ms)
{
    struct stream *stream = mem_calloc(1, sizeof(*stream));

    stream->name = mem_strndup(name.data, name.size);
    stream->id = id;
    stream->created_ms = now_ms;
    stream->retention_h = 24;
    stream->record_limit = 1 << 20;
    consumers_init(&stream->consumers);
    for (unsigned i = 0; i < shards; i++)
        (void)open_shard(stream,
                         &(struct shard_options){
                             .parent = SHARD_NONE,
                             .adjacent = SHARD_NONE,
                             .first = hash_key_uniform(i, shards),
                             .last = i + 1 < shards
                                         ? hash_key_uniform(i + 1, shards) - 1
                                         : HASH_KEY_LAST,
                             .opened_ms = now_ms});
    return stream;
}

void stream_destroy(struct stream *stream)
{
    if (!stream)
        return;
    for (uint32_t i = 0; i < stream->count; i++)
        shard_destroy(stream->shards[i]);
    consumers_finish(&stream->consumers);
    free(stream->shards);
    free(stream->name);
    free(stream);
}

// The newest shards are the likely ones. Every key has an open shard.
struct shard *stream_shard_for(const struct stream *stream, hash_key key)
{
    for (uint32_t i = stream->count; i-- > 0;) {
        struct shard *shard = stream->shards[i];

        if (!shard->closed_ms && key >= shard->first && key <= shard->last)
            return shard;
    }
    return NULL;
}

int64_t stream_horizon_ms(const struct stream *stream, int64_t now_ms)
{
    return now_ms - stream->retention_h * HOUR_MS;
}

bool stream_keeps_shard(const struct stream *stream, const struct shard *shard,
                        int64_t now_ms)
{
    return !shard->closed_ms ||
           shard->closed_ms >= stream_horizon_ms(stream, now_ms);
}

struct shard *stream_find_shard(const struct stream *stream, struct bytes id,
                                int64_t now_ms)
{
    for (uint32_t i = 0; i < stream->count; i++) {
        struct shard *shard = stream->shards[i];

        if (bytes_equal(bytes_of(shard->id), id))
            return stream_keeps_shard(stream, shard, now_ms) ? shard : NULL;
    }
    return NULL;
}

uint32_t stream_open_count(const struct stream *stream)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < stream->count; i++)
        count += !stream->shards[i]->closed_ms;
    return count;
}

uint64_t stream_put(struct stream *stream, struct shard *shard, int64_t now_ms,
                    struct bytes key, struct bytes data)
{
    stream->put++;
    shard_append(shard, ++stream->serial, now_ms, key, data);
    return stream->serial;
}

static void close_shard(struct stream *stream, struct shard *shard,
                        int64_t now_ms)
{
    shard->closed_ms = now_ms;
    shard->closed_serial = ++stream->serial;
}

void stream_split(struct stream *stream, struct shard *shard, hash_key at,
                  int64_t now_ms)
{
    struct shard_options child = {.parent = shard->index,
                                  .adjacent = SHARD_NONE,
                                  .first = shard->first,
                                  .last = at - 1,
                                  .opened_ms = now_ms};

    close_shard(stream, shard, now_ms);
    (void)open_shard(stream, &child);
    child.first = at;
    child.last = shard->last;
    (void)open_shard(stream, &child);
}

struct shard *stream_merge(struct stream *stream, struct shard *shard,
                           struct shard *adjacent, int64_t now_ms)
{
    bool below = shard->first < adjacent->first;
    struct shard_options child = {
        .parent = shard->index,
        .adjacent = adjacent->index,
        .first = below ? shard->first : adjacent->first,
        .last = below ? adjacent->last : shard->last,
        .opened_ms = now_ms,
    };

    close_shard(stream, shard, now_ms);
    close_shard(stream, adjacent, now_ms);
    return open_shard(stream, &child);
}

// Split wherever a new range begins, then merge what lies within one. Shards in
// between are closed as they were opened, empty, as in AWS.
void stream_resize(struct stream *stream, unsigned count, int64_t now_ms)
{
    for (unsigned i = 1; i < count; i++) {
        hash_key start = hash_key_uniform(i, count);
        struct shard *shard = stream_shard_for(stream, start);

        if (shard->first != start)
            stream_split(stream, shard, start, now_ms);
    }
    for (unsigned i = 0; i < count; i++) {
        hash_key last =
            i + 1 < count ? hash_key_uniform(i + 1, count) - 1 : HASH_KEY_LAST;
        struct shard *shard =
            stream_shard_for(stream, hash_key_uniform(i, count));

        while (shard->last != last)
            shard =
                stream_merge(stream, shard,
                             stream_shard_for(stream, shard->last + 1), now_ms);
    }
}
