#include "source/shard_look.h"

#include <stdlib.h>

#include "source/kinesis_calls.h"
#include "source/kinesis_shards.h"
#include "source/stream.h"

void shard_look_put_call(const struct shard_look *look, struct buffer *body,
                         const char *stream)
{
    kinesis_put_shards_call(body, stream, look->token);
}

void shard_look_reset(struct shard_look *look)
{
    free(look->token);
    look->token = NULL;
}

enum shard_look_finding shard_look_take(struct shard_look *look,
                                        struct bytes answer, const char *shard,
                                        struct error *err)
{
    struct stream_shards shards = {0};
    const struct stream_shard *found;
    enum shard_look_finding finding = SHARD_LOOK_FAILED;
    char *next = NULL;

    shard_look_reset(look);
    if (kinesis_shards_parse(answer, &shards, &next, err)) {
        found = stream_shards_find(&shards, shard);
        finding = found && found->closed ? SHARD_LOOK_CLOSED : SHARD_LOOK_OPEN;
        if (!found && next)
            finding = SHARD_LOOK_MORE;
    }
    if (finding == SHARD_LOOK_MORE)
        look->token = next;
    else
        free(next);
    stream_shards_finish(&shards);
    return finding;
}
