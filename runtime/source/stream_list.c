#include "source/stream_list.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "source/dynamodb.h"
#include "source/kinesis.h"
#include "source/source_config.h"

struct stream_listed *stream_listing_add(struct stream_listing *listing)
{
    struct stream_listed *listed;

    listing->list =
        mem_realloc(listing->list, listing->count + 1, sizeof(*listing->list));
    listed = &listing->list[listing->count++];
    *listed = (struct stream_listed){0};
    return listed;
}

void stream_listing_finish(struct stream_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        free(listing->list[i].identity);
        free(listing->list[i].arn);
        stream_shards_finish(&listing->list[i].shards);
    }
    free(listing->list);
    free(listing->consumer_arn);
    *listing = (struct stream_listing){0};
}

static bool list_kinesis(struct aws_client *client, const char *name,
                         const bool *stop, struct stream_listing *listing,
                         struct error *err)
{
    struct stream_listed *listed = stream_listing_add(listing);
    struct kinesis_summary summary = {0};

    if (!kinesis_describe(client, name, stop, &summary, err))
        return false;
    listed->identity =
        summary.created_ms
            ? mem_printf("%s@%" PRId64, name, summary.created_ms / 1000)
            : mem_strdup(name);
    listed->arn = summary.arn;
    summary.arn = NULL;
    kinesis_summary_finish(&summary);
    return kinesis_list_shards(client, name, stop, &listed->shards, err);
}

static bool list(struct aws_client *client, const struct source_config *source,
                 const bool *stop, struct stream_listing *listing,
                 struct error *err)
{
    const char *arn = source_config_arn(source);

    if (source->type != SOURCE_TYPE_DYNAMODB)
        return list_kinesis(client, source->name, stop, listing, err);
    return arn ? dynamodb_list_stream(client, arn, stop, listing, err)
               : dynamodb_list_table(client, source->name, stop, listing, err);
}

bool stream_list(struct aws_client *client, const struct source_config *source,
                 const bool *stop, struct stream_listing *listing,
                 struct error *err)
{
    *listing = (struct stream_listing){0};
    if (list(client, source, stop, listing, err))
        return true;
    stream_listing_finish(listing);
    return false;
}
