#include "stream_model.h"

#include "base/mem.h"
#include "record/sequence.h"
#include "test.h"

#define FIRST_DIGITS 95 // so that numbers soon differ in length

static uint64_t roll(struct model_stream *stream, uint64_t sides)
{
    return random_below(stream->chance, sides);
}

static bool one_in(struct model_stream *stream, uint64_t sides)
{
    return roll(stream, sides) == 0;
}

static size_t add_shard(struct model_stream *stream)
{
    assert_true(stream->shard_count < MODEL_SHARDS);
    stream->shards[stream->shard_count] =
        mem_calloc(1, sizeof(*stream->shards[0]));
    return stream->shard_count++;
}

void model_stream_init(struct model_stream *stream, struct random *chance,
                       size_t shards)
{
    *stream = (struct model_stream){.chance = chance};
    while (shards-- > 0)
        (void)add_shard(stream);
    for (size_t key = 0; key < MODEL_KEYS; key++)
        stream->shard_of[key] = roll(stream, stream->shard_count);
}

void model_stream_finish(struct model_stream *stream)
{
    for (size_t i = 0; i < stream->shard_count; i++) {
        free(stream->shards[i]->window);
        free(stream->shards[i]);
    }
}

/* ---- Records ---- */

/* Most are small; some are such that few fit into 6 MiB, or none does. */
static uint32_t random_size(struct model_stream *stream)
{
    if (one_in(stream, 40))
        return (uint32_t)(1 + roll(stream, 8u << 20));
    return (uint32_t)(one_in(stream, 5) ? 1 + roll(stream, 1u << 20)
                                        : 50 + roll(stream, 500));
}

/* Servers are not quite in step, and some records say nothing. */
static int64_t random_arrival(struct model_stream *stream, int64_t wall_ms)
{
    if (!stream->tells_arrival && one_in(stream, 10))
        return 0;
    return one_in(stream, 8) ? wall_ms - (int64_t)roll(stream, 30000) : wall_ms;
}

static struct model_record *add_record(struct model_stream *stream,
                                       struct model_shard *shard, unsigned key,
                                       int64_t arrived_at_ms)
{
    struct model_record *record = &shard->records[shard->count];
    const struct model_record *before = shard->count ? record - 1 : NULL;

    shard->count++;
    *record = (struct model_record){.key = key,
                                    .number = ++stream->numbers[key],
                                    .digits = FIRST_DIGITS,
                                    .arrived_at_ms = arrived_at_ms,
                                    .size = random_size(stream),
                                    .is_filtered =
                                        stream->filtered_in &&
                                        one_in(stream, stream->filtered_in)};
    if (before) {
        record->digits = before->digits + 1 + (uint32_t)roll(stream, 3);
        record->latest_before_ms =
            before->latest_before_ms > before->arrived_at_ms
                ? before->latest_before_ms
                : before->arrived_at_ms;
    }
    return record;
}

/* An aggregated one: its sub-records have one number, and one time. */
static void add_aggregate(struct model_stream *stream,
                          struct model_shard *shard, unsigned key,
                          int64_t arrived_at_ms)
{
    uint32_t subs = 1 + (uint32_t)roll(stream, 4), digits = 0;

    for (uint32_t sub = 1; sub <= subs; sub++) {
        struct model_record *record =
            add_record(stream, shard, key, arrived_at_ms);

        if (sub == 1)
            digits = record->digits;
        record->digits = digits;
        record->sub = sub;
        record->is_last_sub = sub == subs;
    }
}

void model_stream_put(struct model_stream *stream, int64_t wall_ms)
{
    unsigned key = (unsigned)roll(stream, MODEL_KEYS);
    struct model_shard *shard = stream->shards[stream->shard_of[key]];
    size_t count = 1 + roll(stream, 6);

    if (shard->is_closed || shard->count + 8 > MODEL_SHARD_RECORDS)
        return;
    if (one_in(stream, 6)) {
        add_aggregate(stream, shard, key, random_arrival(stream, wall_ms));
        return;
    }
    for (; count > 0; count--)
        (void)add_record(stream, shard, key, random_arrival(stream, wall_ms));
}

/* ---- Shards ---- */

static size_t random_open(struct model_stream *stream)
{
    size_t index = roll(stream, stream->shard_count);

    for (size_t i = 0; i < stream->shard_count; i++, index++)
        if (!stream->shards[index % stream->shard_count]->is_closed)
            return index % stream->shard_count;
    return SIZE_MAX;
}

static void adopt(struct model_stream *stream, size_t child, size_t parent)
{
    struct model_shard *shard = stream->shards[child];

    for (size_t i = 0; i < shard->parent_count; i++)
        if (shard->parents[i] == parent)
            return;
    shard->parents[shard->parent_count++] = parent;
}

void model_stream_reshard(struct model_stream *stream)
{
    size_t a = random_open(stream), b = random_open(stream);
    size_t children[2] = {SIZE_MAX, SIZE_MAX};
    size_t count = a == b ? 2 : 1;

    if (a == SIZE_MAX || stream->shard_count + count > MODEL_SHARDS)
        return;
    stream->shards[a]->is_closed = stream->shards[b]->is_closed = true;
    if (one_in(stream, 8))
        return; // the stream's end, as far as its keys go
    for (size_t i = 0; i < count; i++) {
        children[i] = add_shard(stream);
        adopt(stream, children[i], a);
        adopt(stream, children[i], b);
    }
    for (size_t key = 0; key < MODEL_KEYS; key++)
        if (stream->shard_of[key] == a || stream->shard_of[key] == b)
            stream->shard_of[key] = children[roll(stream, count)];
}

bool model_shard_is_open(const struct model_stream *stream,
                         const struct model_shard *shard)
{
    for (size_t i = 0; i < shard->parent_count; i++)
        if (!stream->shards[shard->parents[i]]->has_ended)
            return false;
    return !shard->has_ended;
}

static uint64_t value_of(struct bytes digits)
{
    uint64_t value = 0;

    for (size_t i = 0; i < digits.size; i++)
        value = value * 10 + (uint64_t)(digits.data[i] - '0');
    return value;
}

size_t model_shard_place(const struct model_shard *shard, struct bytes text)
{
    struct sequence sequence;
    uint64_t digits;
    size_t i = 0;

    if (!sequence_parse(text, &sequence))
        fail_msg("\"%.*s\" is no sequence", BYTES_ARGS(text));
    digits = value_of(sequence.digits);
    while (i < shard->count && shard->records[i].digits < digits)
        i++;
    if (i == shard->count || shard->records[i].digits != digits)
        fail_msg("\"%.*s\" is none of the shard's", BYTES_ARGS(text));
    if (sequence.subs) {
        assert_true(shard->records[i].sub && i + sequence.subs < shard->count);
        i += sequence.subs;
        assert_int_equal(shard->records[i].digits, digits); // else it is whole
        return i;
    }
    while (i < shard->count && shard->records[i].digits == digits)
        i++;
    return i;
}

/* ---- Judgement ---- */

void model_record_handled(struct model_stream *stream,
                          struct model_record *record)
{
    if (record->was_handled)
        return;
    record->was_handled = true;
    // What was given up and handled all the same was so by two owners.
    if (!record->was_given_up)
        assert_true(record->number > stream->handled_to[record->key]);
    if (record->number > stream->handled_to[record->key])
        stream->handled_to[record->key] = record->number;
}

void model_stream_check(const struct model_stream *stream)
{
    for (size_t s = 0; s < stream->shard_count; s++) {
        const struct model_shard *shard = stream->shards[s];

        assert_int_equal(shard->committed, shard->count);
        assert_true(!shard->has_ended || !shard->window);
        for (size_t i = 0; i < shard->count; i++)
            assert_true(shard->records[i].committed != FATE_NONE);
    }
}
