#include "local/stream.h"

#include <stdio.h>

#include "test.h"

#define NOW 1795359600000
#define HOUR_MS (60 * 60 * 1000)

static struct stream *stream_of(unsigned shards)
{
    return stream_create(BYTES("s"), 7, shards, NOW);
}

static const char *range(const struct shard *shard, char text[100])
{
    char first[HASH_KEY_TEXT], last[HASH_KEY_TEXT];

    hash_key_write(shard->first, first);
    hash_key_write(shard->last, last);
    (void)snprintf(text, 100, "%s-%s", first, last);
    return text;
}

static void test_ranges_are_those_of_aws(void **state)
{
    struct stream *stream = stream_of(3);
    char text[100];

    (void)state;
    assert_string_equal(range(stream->shards[0], text),
                        "0-113427455640312821154458202477256070484");
    assert_string_equal(range(stream->shards[1], text),
                        "113427455640312821154458202477256070485-"
                        "226854911280625642308916404954512140969");
    assert_string_equal(range(stream->shards[2], text),
                        "226854911280625642308916404954512140970-"
                        "340282366920938463463374607431768211455");
    stream_destroy(stream);
}

// Every key has exactly one open shard, whatever happened before.
static void assert_covered(const struct stream *stream)
{
    hash_key next = 0;
    uint32_t seen = 0;

    do {
        const struct shard *shard = stream_shard_for(stream, next);

        assert_non_null(shard);
        assert_true(shard->first == next);
        next = shard->last + 1;
        seen++;
    } while (next != 0);
    assert_int_equal(seen, stream_open_count(stream));
}

static void test_split_closes_the_parent(void **state)
{
    struct stream *stream = stream_of(1);
    struct shard *parent = stream->shards[0];

    (void)state;
    stream_split(stream, parent, 1000, NOW + 5);
    assert_int_equal(stream->count, 3);
    assert_int_equal(parent->closed_ms, NOW + 5);
    assert_int_equal(stream->shards[1]->parent, 0);
    assert_int_equal(stream->shards[2]->adjacent, SHARD_NONE);
    assert_true(stream->shards[2]->first == 1000);
    assert_true(stream->shards[1]->opened_serial > parent->closed_serial);
    assert_covered(stream);
    stream_destroy(stream);
}

static void test_merge_has_two_parents(void **state)
{
    struct stream *stream = stream_of(2);
    struct shard *child =
        stream_merge(stream, stream->shards[1], stream->shards[0], NOW);

    (void)state;
    assert_int_equal(child->parent, 1);
    assert_int_equal(child->adjacent, 0);
    assert_true(child->first == 0 && child->last == HASH_KEY_LAST);
    assert_covered(stream);
    stream_destroy(stream);
}

static void assert_resized(unsigned from, unsigned to)
{
    struct stream *stream = stream_of(from);

    stream_resize(stream, to, NOW);
    assert_int_equal(stream_open_count(stream), to);
    assert_covered(stream);
    for (unsigned i = 0; i < to; i++)
        assert_true(stream_shard_for(stream, hash_key_uniform(i, to))->first ==
                    hash_key_uniform(i, to));
    for (uint32_t i = from; i < stream->count; i++)
        assert_true(stream->shards[i]->parent < i);
    stream_destroy(stream);
}

static void test_resize_reaches_any_count(void **state)
{
    (void)state;
    for (unsigned from = 1; from <= 9; from++)
        for (unsigned to = 1; to <= 9; to++)
            assert_resized(from, to);
}

static void test_sequence_numbers_grow_over_shards_and_time(void **state)
{
    struct stream *stream = stream_of(2);
    char before[SHARD_SEQUENCE_SIZE + 1] = "", now[SHARD_SEQUENCE_SIZE + 1];

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        struct shard *shard = stream->shards[i % 2];

        shard_sequence(
            shard, stream_put(stream, shard, NOW, BYTES("k"), BYTES("d")), now);
        assert_int_equal(strlen(now), SHARD_SEQUENCE_SIZE);
        assert_true(strcmp(before, now) < 0);
        memcpy(before, now, sizeof(now));
    }
    stream_destroy(stream);
}

static void test_sequence_number_of_another_shard_is_refused(void **state)
{
    struct stream *stream = stream_of(2);
    char text[SHARD_SEQUENCE_SIZE + 1];
    uint64_t serial;

    (void)state;
    shard_sequence(stream->shards[0], 42, text);
    assert_true(shard_serial(stream->shards[0], bytes_of(text), &serial));
    assert_int_equal(serial, 42);
    assert_false(shard_serial(stream->shards[1], bytes_of(text), &serial));
    assert_false(shard_serial(stream->shards[0], BYTES("42"), &serial));
    stream_destroy(stream);
}

static void put_many(struct stream *stream, unsigned count, size_t size)
{
    char *data = test_calloc(1, size), key[16];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(key, sizeof(key), "key-%u", i);
        memset(data, 'a' + (int)(i % 26), size);
        stream_put(stream, stream->shards[0], NOW + i, bytes_of(key),
                   (struct bytes){data, size});
    }
    test_free(data);
}

static void test_record_keeps_what_was_put(void **state)
{
    struct stream *stream = stream_of(1);
    const struct shard_record *record;
    char sequence[SHARD_SEQUENCE_SIZE + 1];

    (void)state;
    put_many(stream, 3, 5);
    record = shard_record(stream->shards[0], 2);
    assert_true(bytes_equal(shard_record_data(record), BYTES("ccccc")));
    assert_true(bytes_equal(shard_record_key(record), BYTES("key-2")));
    shard_sequence(stream->shards[0], record->serial, sequence);
    assert_true(bytes_equal(shard_record_sequence(record), bytes_of(sequence)));
    assert_int_equal(record->arrived_ms, NOW + 2);
    stream_destroy(stream);
}

static void test_cbor_is_the_form_of_aws(void **state)
{
    struct stream *stream = stream_of(1);
    struct buffer out;

    (void)state;
    stream_put(stream, stream->shards[0], NOW, BYTES("k"), BYTES("d"));
    buffer_init(&out, 1000);
    shard_put_cbor(stream->shards[0], 0, 1, &out);
    assert_memory_equal(out.data, "\xbf\x6eSequenceNumber\x78\x38", 18);
    assert_memory_equal(out.data + 18 + 56,
                        "\x78\x1b"
                        "ApproximateArrivalTimestamp\xc1\x1b\x00\x00\x01",
                        34);
    assert_memory_equal(out.data + out.size - 23,
                        "\x64"
                        "Data\x41"
                        "d\x6cPartitionKey\x61k\xff",
                        23);
    buffer_finish(&out);
    stream_destroy(stream);
}

static void test_page_ends_at_limit_bytes_or_tip(void **state)
{
    struct stream *stream = stream_of(1);
    const struct shard *shard = stream->shards[0];

    (void)state;
    put_many(stream, 100, 1000); // keys of 5 and 6 characters
    assert_int_equal(shard_page(shard, 0, 7, 1 << 20), 7);
    assert_int_equal(shard_page(shard, 0, 1000, 1 << 20), 100);
    assert_int_equal(shard_page(shard, 95, 1000, 1 << 20), 5);
    assert_int_equal(shard_page(shard, 100, 1000, 1 << 20), 0);
    assert_int_equal(shard_page(shard, 50, 1000, 3 * 1006), 3);
    assert_int_equal(shard_page(shard, 50, 1000, 3 * 1006 - 1), 2);
    assert_int_equal(shard_page(shard, 50, 1000, 1), 1);
    stream_destroy(stream);
}

static void test_pages_over_blocks_are_whole(void **state)
{
    struct stream *stream = stream_of(1);
    const struct shard *shard = stream->shards[0];
    struct buffer all, parts;

    (void)state;
    put_many(stream, 40, 100 * 1000); // about ten to a block
    buffer_init(&all, 64 << 20);
    buffer_init(&parts, 64 << 20);
    shard_put_cbor(shard, 0, 40, &all);
    for (uint64_t i = 0; i < 40; i += 8)
        shard_put_cbor(shard, i, 8, &parts);
    assert_int_equal(all.size, parts.size);
    assert_memory_equal(all.data, parts.data, all.size);
    buffer_finish(&all);
    buffer_finish(&parts);
    stream_destroy(stream);
}

static void test_positions_by_serial_and_time(void **state)
{
    struct stream *stream = stream_of(1);
    const struct shard *shard = stream->shards[0];
    uint64_t serial;

    (void)state;
    put_many(stream, 10, 1);
    serial = shard_record(shard, 4)->serial;
    assert_int_equal(shard_position_of(shard, serial), 4);
    assert_int_equal(shard_position_of(shard, serial + 1), 5);
    assert_int_equal(shard_position_of(shard, 0), 0);
    assert_int_equal(shard_position_of(shard, UINT64_MAX), 10);
    assert_int_equal(shard_position_at(shard, NOW - 1), 0);
    assert_int_equal(shard_position_at(shard, NOW + 7), 7);
    assert_int_equal(shard_position_at(shard, NOW + 10), 10);
    stream_destroy(stream);
}

static void test_trimming_keeps_positions(void **state)
{
    struct stream *stream = stream_of(1);
    struct shard *shard = stream->shards[0];

    (void)state;
    put_many(stream, 100, 50 * 1000);
    shard_trim(shard, NOW + 60);
    assert_int_equal(shard_start(shard), 60);
    assert_int_equal(shard_end(shard), 100);
    assert_true(bytes_equal(shard_record_key(shard_record(shard, 60)),
                            BYTES("key-60")));
    put_many(stream, 1, 10);
    assert_int_equal(shard_end(shard), 101);
    shard_trim(shard, INT64_MAX);
    assert_int_equal(shard_start(shard), 101);
    assert_int_equal(shard_page(shard, 101, 10, 1000), 0);
    stream_destroy(stream);
}

static void test_closed_shard_goes_with_its_records(void **state)
{
    struct stream *stream = stream_of(1);

    (void)state;
    stream_split(stream, stream->shards[0], 1000, NOW);
    assert_true(
        stream_keeps_shard(stream, stream->shards[0], NOW + 24 * HOUR_MS));
    assert_false(
        stream_keeps_shard(stream, stream->shards[0], NOW + 24 * HOUR_MS + 1));
    assert_null(stream_find_shard(stream, BYTES("shardId-000000000000"),
                                  NOW + 25 * HOUR_MS));
    assert_non_null(stream_find_shard(stream, BYTES("shardId-000000000001"),
                                      NOW + 25 * HOUR_MS));
    stream_destroy(stream);
}

static struct key_case {
    const char *name, *text;
    bool good;
} key_cases[] = {
    {"zero", "0", true},
    {"the largest", "340282366920938463463374607431768211455", true},
    {"one too large", "340282366920938463463374607431768211456", false},
    {"far too large", "999999999999999999999999999999999999999", false},
    {"too long", "0340282366920938463463374607431768211455", false},
    {"negative", "-1", false},
    {"empty", "", false},
    {"hexadecimal", "ff", false},
};

static void test_hash_key(void **state)
{
    const struct key_case *c = *state;
    char text[HASH_KEY_TEXT];
    hash_key key;

    assert_int_equal(hash_key_read(bytes_of(c->text), &key), c->good);
    if (!c->good)
        return;
    hash_key_write(key, text);
    assert_string_equal(text, c->text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_are_those_of_aws),
        cmocka_unit_test(test_split_closes_the_parent),
        cmocka_unit_test(test_merge_has_two_parents),
        cmocka_unit_test(test_resize_reaches_any_count),
        cmocka_unit_test(test_sequence_numbers_grow_over_shards_and_time),
        cmocka_unit_test(test_sequence_number_of_another_shard_is_refused),
        cmocka_unit_test(test_record_keeps_what_was_put),
        cmocka_unit_test(test_cbor_is_the_form_of_aws),
        cmocka_unit_test(test_page_ends_at_limit_bytes_or_tip),
        cmocka_unit_test(test_pages_over_blocks_are_whole),
        cmocka_unit_test(test_positions_by_serial_and_time),
        cmocka_unit_test(test_trimming_keeps_positions),
        cmocka_unit_test(test_closed_shard_goes_with_its_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) +
           run_table("hash keys", key_cases, test_hash_key);
}
