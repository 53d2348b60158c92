#include "source/stream.h"

#include <stdlib.h>

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
