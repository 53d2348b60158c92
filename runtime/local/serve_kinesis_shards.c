#include "local/serve_kinesis.h"
#include "local/server.h"
#include "local/token.h"

#define LIST_LIMIT 1000
#define TOKEN_LIFE_MS (300 * 1000)

enum filter_type {
    FILTER_NONE,
    FILTER_AFTER_SHARD_ID,
    FILTER_OPEN_AT, // open at that time
    FILTER_FROM,    // open at that time, or opened later
};

static const struct filter_name {
    const char *name;
    enum filter_type type;
    enum { TIME_NONE, TIME_NOW, TIME_HORIZON, TIME_GIVEN } time;
} filters[] = {
    {"AFTER_SHARD_ID", FILTER_AFTER_SHARD_ID, TIME_NONE},
    {"AT_TRIM_HORIZON", FILTER_OPEN_AT, TIME_HORIZON},
    {"FROM_TRIM_HORIZON", FILTER_FROM, TIME_HORIZON},
    {"AT_LATEST", FILTER_OPEN_AT, TIME_NOW},
    {"AT_TIMESTAMP", FILTER_OPEN_AT, TIME_GIVEN},
    {"FROM_TIMESTAMP", FILTER_FROM, TIME_GIVEN},
};

// A listing that goes on; also what its token holds.
struct listing {
    int64_t made_ms;
    int64_t time_ms; // of the filter
    uint32_t stream;
    uint32_t next; // index of the first shard to look at
    uint32_t filter, unused;
};

_Static_assert(sizeof(struct listing) == 32, "a listing has no padding");

static bool fail(struct request *request, const char *reason)
{
    (void)request_fail(request, API_INVALID_ARGUMENT, "%s", reason);
    return false;
}

static const struct filter_name *find_filter(struct bytes name)
{
    for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
        if (bytes_equal(name, bytes_of(filters[i].name)))
            return &filters[i];
    return NULL;
}

// shardId-000000000012 is the one with index 12.
static bool read_index(struct bytes id, uint32_t *index)
{
    int64_t number;

    if (id.size != SHARD_ID_SIZE || memcmp(id.data, "shardId-", 8) != 0 ||
        !text_to_int((struct bytes){id.data + 8, id.size - 8}, &number) ||
        number < 0 || number > UINT32_MAX)
        return false;
    *index = (uint32_t)number;
    return true;
}

static bool start_after(struct request *request, struct listing *listing,
                        struct bytes id)
{
    uint32_t index;

    if (!read_index(id, &index))
        return fail(request, "the shard id to start after is none");
    if (index >= listing->next)
        listing->next = index + 1;
    return true;
}

static bool read_filter(struct request *request, const struct stream *stream,
                        struct listing *listing)
{
    const struct kinesis_filter *in = &serve_kinesis_input(request)->filter;
    const struct filter_name *filter = find_filter(in->type);
    int64_t now_ms = request->server->now_ms;
    int64_t horizon_ms = stream_horizon_ms(stream, now_ms);

    if (!in->type.data)
        return true;
    if (!filter)
        return fail(request, "ShardFilter has an unknown Type");
    if (filter->type == FILTER_AFTER_SHARD_ID)
        return start_after(request, listing, in->shard);
    if (filter->time == TIME_GIVEN && !in->time.given)
        return fail(request, "ShardFilter of this Type needs a Timestamp");
    if (horizon_ms < stream->created_ms)
        horizon_ms = stream->created_ms;
    listing->filter = filter->type;
    listing->time_ms = filter->time == TIME_NOW     ? now_ms
                       : filter->time == TIME_GIVEN ? in->time.value
                                                    : horizon_ms;
    return true;
}

static bool begin_listing(struct request *request, struct listing *listing)
{
    struct bytes after = serve_kinesis_input(request)->after_shard;
    const struct stream *stream = serve_kinesis_stream(request);

    if (!stream)
        return false;
    *listing = (struct listing){.stream = stream->id};
    return (!after.data || start_after(request, listing, after)) &&
           read_filter(request, stream, listing);
}

static bool continue_listing(struct request *request, struct listing *listing)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    char data[TOKEN_DATA_LIMIT];
    size_t size;

    if (in->name.data || in->arn.data || in->after_shard.data ||
        in->filter.type.data)
        return fail(request, "NextToken and StreamName cannot be provided "
                             "together.");
    if (!token_read(request->server->secret, TOKEN_SHARDS, in->next_token, data,
                    &size) ||
        size != sizeof(*listing))
        return fail(request, "NextToken is invalid.");
    memcpy(listing, data, sizeof(*listing));
    if (request->server->now_ms - listing->made_ms <= TOKEN_LIFE_MS)
        return true;
    (void)request_fail(request, API_EXPIRED_NEXT_TOKEN,
                       "NextToken has expired.");
    return false;
}

static bool is_listed(const struct listing *listing, const struct shard *shard)
{
    int64_t at_ms = listing->time_ms;
    bool ended = shard->closed_ms && shard->closed_ms <= at_ms;

    switch ((enum filter_type)listing->filter) {
    case FILTER_OPEN_AT:
        return shard->opened_ms <= at_ms && !ended;
    case FILTER_FROM:
        return !ended;
    case FILTER_NONE:
    case FILTER_AFTER_SHARD_ID:
        break;
    }
    return true;
}

static void write_token(struct request *request, struct listing *listing,
                        uint32_t next)
{
    struct bytes data = {(const char *)listing, sizeof(*listing)};
    char text[TOKEN_TEXT_LIMIT];

    listing->next = next;
    listing->made_ms = request->server->now_ms;
    (void)token_write(request->server->secret, TOKEN_SHARDS, data, text);
    writer_text(&request->writer, "NextToken", bytes_of(text));
}

static void write_listing(struct request *request, const struct stream *stream,
                          struct listing *listing, size_t limit)
{
    uint32_t i = listing->next;
    uint32_t more = SHARD_NONE; // the first that is left for the next page

    writer_list(&request->writer, "Shards");
    for (; i < stream->count && more == SHARD_NONE; i++) {
        const struct shard *shard = stream->shards[i];

        if (!stream_keeps_shard(stream, shard, request->server->now_ms) ||
            !is_listed(listing, shard))
            continue;
        if (limit-- == 0)
            more = i;
        else
            serve_kinesis_write_shard(request, shard);
    }
    writer_list_end(&request->writer);
    if (more != SHARD_NONE)
        write_token(request, listing, more);
}

enum step serve_kinesis_list_shards(struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    size_t limit = LIST_LIMIT;
    struct listing listing;
    const struct stream *stream;

    if (in->max_results.given &&
        !serve_kinesis_check_range(request, "maxResults", &in->max_results, 1,
                                   10000))
        return STEP_REPLY;
    if (!(in->next_token.data ? continue_listing(request, &listing)
                              : begin_listing(request, &listing)))
        return STEP_REPLY;
    stream = server_stream_by_id(request->server, listing.stream);
    if (!stream)
        return request_fail(request, API_RESOURCE_NOT_FOUND,
                            "The stream of the token does not exist.");
    if (in->max_results.given && in->max_results.value < LIST_LIMIT)
        limit = (size_t)in->max_results.value;
    write_listing(request, stream, &listing, limit);
    return STEP_REPLY;
}

// NULL: it failed.
static struct shard *open_shard(struct request *request,
                                const struct stream *stream, struct bytes id)
{
    struct shard *shard = serve_kinesis_shard(request, stream, id);

    if (!shard || !shard->closed_ms)
        return shard;
    (void)fail(request, arena_printf(&request->arena,
                                     "Shard %s in stream %s is closed already",
                                     shard->id, stream->name));
    return NULL;
}

static struct stream *provisioned(struct request *request)
{
    struct stream *stream = serve_kinesis_stream(request);

    if (!stream || !stream->on_demand)
        return stream;
    (void)request_fail(request, API_VALIDATION,
                       "Request is invalid. Stream %s under account %s is in "
                       "On-Demand mode.",
                       stream->name, request->server->account);
    return NULL;
}

enum step serve_kinesis_split_shard(struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    struct stream *stream = provisioned(request);
    struct shard *shard =
        stream ? open_shard(request, stream, in->split_shard) : NULL;
    hash_key at;

    if (!shard)
        return STEP_REPLY;
    if (!hash_key_read(in->split_key, &at) || at <= shard->first ||
        at > shard->last) {
        (void)fail(request, "NewStartingHashKey must be greater than the "
                            "shard's StartingHashKey and not beyond its "
                            "EndingHashKey");
        return STEP_REPLY;
    }
    stream_split(stream, shard, at, request->server->now_ms);
    serve_kinesis_wake(request->server, stream->id);
    return STEP_REPLY;
}

static bool touch(const struct shard *a, const struct shard *b)
{
    return (a->last != HASH_KEY_LAST && a->last + 1 == b->first) ||
           (b->last != HASH_KEY_LAST && b->last + 1 == a->first);
}

enum step serve_kinesis_merge_shards(struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    struct stream *stream = provisioned(request);
    struct shard *shard =
        stream ? open_shard(request, stream, in->merge_shard) : NULL;
    struct shard *adjacent =
        shard ? open_shard(request, stream, in->merge_adjacent) : NULL;

    if (!adjacent)
        return STEP_REPLY;
    if (!touch(shard, adjacent)) {
        (void)fail(request, "the two shards are not adjacent");
        return STEP_REPLY;
    }
    (void)stream_merge(stream, shard, adjacent, request->server->now_ms);
    serve_kinesis_wake(request->server, stream->id);
    return STEP_REPLY;
}

enum step serve_kinesis_update_shard_count(struct request *request)
{
    const struct kinesis_input *in = serve_kinesis_input(request);
    struct stream *stream = provisioned(request);
    struct writer *writer = &request->writer;
    int64_t open;

    if (!stream)
        return STEP_REPLY;
    open = stream_open_count(stream);
    if (!bytes_equal(in->scaling_type, BYTES("UNIFORM_SCALING")))
        return request_fail(request, API_VALIDATION,
                            "ScalingType must be UNIFORM_SCALING");
    if (!in->target_count.given || in->target_count.value < (open + 1) / 2 ||
        in->target_count.value > open * 2)
        return request_fail(request, API_INVALID_ARGUMENT,
                            "TargetShardCount must be between half and twice "
                            "the %lld open shards",
                            (long long)open);
    stream_resize(stream, (unsigned)in->target_count.value,
                  request->server->now_ms);
    serve_kinesis_wake(request->server, stream->id);
    writer_text(writer, "StreamName", bytes_of(stream->name));
    writer_text(writer, "StreamARN",
                bytes_of(serve_kinesis_arn(request, stream)));
    writer_int(writer, "CurrentShardCount", open);
    writer_int(writer, "TargetShardCount", in->target_count.value);
    return STEP_REPLY;
}
