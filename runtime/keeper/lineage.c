#include "keeper/lineage.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "poller/trigger_config.h"

#define PARENTS_LIMIT 4096 // two ids of at most 128 characters

struct lineage_start lineage_start_of(const struct trigger_config *trigger,
                                      int64_t wall_ms)
{
    switch ((enum trigger_start)trigger->starting_position) {
    case TRIGGER_START_LATEST:
        // DynamoDB knows no times: its shard's first reader asks for LATEST.
        return (struct lineage_start){
            trigger->source.type == SOURCE_TYPE_DYNAMODB ? "LATEST"
                                                         : "AT_TIMESTAMP",
            wall_ms};
    case TRIGGER_START_AT_TIMESTAMP:
        return (struct lineage_start){"AT_TIMESTAMP",
                                      trigger->starting_position_timestamp_ms};
    case TRIGGER_START_NONE:
    case TRIGGER_START_TRIM_HORIZON:
        break;
    }
    return (struct lineage_start){"TRIM_HORIZON", 0};
}

static bool is(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

static int compare_to_row(const void *key, const void *row)
{
    return strcmp(key, ((const struct lease_row *)row)->shard);
}

bool lineage_has_row(const struct lease_rows *rows, const char *shard)
{
    return rows->count && bsearch(shard, rows->list, rows->count,
                                  sizeof(*rows->list), compare_to_row);
}

// A JSON array. Caller frees.
static char *parents_of(const struct stream_shard *shard)
{
    struct buffer text;

    buffer_init(&text, PARENTS_LIMIT);
    buffer_append_char(&text, '[');
    if (shard->parent)
        json_put_string(&text, bytes_of(shard->parent));
    if (shard->parent && shard->adjacent_parent)
        buffer_append_char(&text, ',');
    if (shard->adjacent_parent)
        json_put_string(&text, bytes_of(shard->adjacent_parent));
    buffer_append_char(&text, ']');
    return buffer_detach(&text);
}

void lineage_find(const struct stream_shards *shards,
                  const struct lease_rows *rows,
                  const struct lineage_start *start, struct lineage *lineage)
{
    bool is_first = !rows->count;

    *lineage = (struct lineage){
        .leases = mem_calloc(shards->count, sizeof(*lineage->leases)),
        .parents = mem_calloc(shards->count, sizeof(*lineage->parents))};
    for (size_t i = 0; i < shards->count; i++) {
        const struct stream_shard *shard = &shards->list[i];

        if (lineage_has_row(rows, shard->id))
            continue;
        lineage->parents[lineage->count] = parents_of(shard);
        lineage->leases[lineage->count] = (struct lease_new){
            .shard = shard->id,
            .checkpoint = is_first ? start->checkpoint : "TRIM_HORIZON",
            .start_timestamp_ms = is_first ? start->timestamp_ms : 0,
            .parents = lineage->parents[lineage->count],
        };
        lineage->count++;
    }
}

void lineage_finish(struct lineage *lineage)
{
    for (size_t i = 0; i < lineage->count; i++)
        free(lineage->parents[i]);
    free(lineage->parents);
    free(lineage->leases);
    *lineage = (struct lineage){0};
}

bool lineage_lists(const struct stream_shards *shards, const char *shard)
{
    for (size_t i = 0; i < shards->count; i++)
        if (is(shards->list[i].id, shard))
            return true;
    return false;
}

bool lineage_has_children(const struct stream_shards *shards, const char *shard)
{
    for (size_t i = 0; i < shards->count; i++)
        if (is(shards->list[i].parent, shard) ||
            is(shards->list[i].adjacent_parent, shard))
            return true;
    return false;
}
