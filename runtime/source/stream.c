#include "source/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/record.h"

void stream_page_finish(struct stream_page *page)
{
    chunk_destroy(page->chunk);
    free(page->next_iterator);
    *page = (struct stream_page){0};
}

struct stream_shard *stream_shards_add(struct stream_shards *shards)
{
    struct stream_shard *shard;

    // Room is made at every power of two.
    if (!(shards->count & (shards->count - 1)))
        shards->list =
            mem_realloc(shards->list, shards->count ? 2 * shards->count : 1,
                        sizeof(*shards->list));
    shard = &shards->list[shards->count++];
    *shard = (struct stream_shard){0};
    return shard;
}

const struct stream_shard *
stream_shards_find(const struct stream_shards *shards, const char *id)
{
    for (size_t i = 0; i < shards->count; i++)
        if (!strcmp(shards->list[i].id, id))
            return &shards->list[i];
    return NULL;
}

static void finish_shard(struct stream_shard *shard)
{
    free(shard->id);
    free(shard->parent);
    free(shard->adjacent_parent);
    free(shard->starting_hash_key);
    free(shard->ending_hash_key);
}

void stream_shards_finish(struct stream_shards *shards)
{
    for (size_t i = 0; i < shards->count; i++)
        finish_shard(&shards->list[i]);
    free(shards->list);
    *shards = (struct stream_shards){0};
}
