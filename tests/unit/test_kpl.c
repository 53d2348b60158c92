#include "source/kpl.h"

#include <stdio.h>

#include "aggregate.h"
#include "base/clock.h"
#include "base/digest.h"
#include "record/event.h"
#include "record/record.h"
#include "test.h"

#define SEQUENCE "49590338271490256608559692538361571095921575989136588898"

static const struct record_origin origin = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-2:123456789012:stream/clicks",
    .region = "us-east-2",
    .shard = "shardId-000000000000",
    .identity = "arn:aws:iam::123456789012:role/fn-role",
};

static struct kpl *kpl;
static bool has_no_md5; // as OpenSSL in FIPS mode

bool __real_digest_md5(struct digest *digest, struct bytes data, uint8_t *out);
bool __wrap_digest_md5(struct digest *digest, struct bytes data, uint8_t *out);
bool __wrap_digest_md5(struct digest *digest, struct bytes data, uint8_t *out)
{
    return !has_no_md5 && __real_digest_md5(digest, data, out);
}

static int set_up(void **state)
{
    (void)state;
    kpl = kpl_create();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kpl_destroy(kpl);
    return 0;
}

static struct record whole(struct bytes data)
{
    return (struct record){.origin = &origin,
                           .id = BYTES(SEQUENCE),
                           .key = BYTES("outer"),
                           .data = data,
                           .arrived_at_ms = 1545084650987,
                           .received_ms = 77,
                           .visible_ms = CLOCK_NEVER,
                           .receive_count = 1};
}

/* A copy to its last byte, so that a look past the end shows. */
static struct chunk *open_bytes(struct bytes data, uint32_t skip,
                                const char **why)
{
    char *copy = malloc(data.size ? data.size : 1);
    struct record record;
    struct chunk *chunk;

    memcpy(copy, data.data, data.size);
    record = whole((struct bytes){copy, data.size});
    chunk = kpl_open(kpl, &record, skip, why);
    free(copy); // the parts need nothing of it
    return chunk;
}

static struct chunk *open_data(const struct buffer *data, uint32_t skip)
{
    const char *why;
    struct chunk *chunk = open_bytes(buffer_bytes(data), skip, &why);

    if (!chunk)
        fail_msg("it is an ordinary record: %s", why ? why : "");
    assert_null(why);
    return chunk;
}

static void assert_ordinary(struct bytes data, const char *wanted)
{
    const char *why;

    assert_null(open_bytes(data, 0, &why));
    if (wanted)
        assert_string_equal(why, wanted);
    else
        assert_null(why);
}

static void assert_text(struct bytes bytes, const char *text)
{
    assert_int_equal(bytes.size, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size);
}

// wire.md section 3; its protobuf was decoded by an independent library.
static void test_the_vector_of_the_reference(void **state)
{
    const struct bytes vector = BYTES(
        "\xf3\x89\x9a\xc2\x0a\x03\x70\x6b\x30\x0a\x03\x70\x6b\x31\x12\x01\x30"
        "\x1a\x05\x08\x00\x1a\x01\x41\x1a\x08\x08\x01\x10\x00\x1a\x02\x42\x43"
        "\xaa\xbb\x67\x0b\x5f\x9c\x76\xb1\x69\xb6\x97\xc4\xec\xc0\xda\xfd");
    const char *why;
    struct chunk *chunk = open_bytes(vector, 0, &why);

    (void)state;
    assert_non_null(chunk);
    assert_int_equal(chunk->live, 2);
    assert_text(chunk->records[0].key, "pk0");
    assert_text(chunk->records[0].data, "A");
    assert_text(chunk->records[1].key, "pk1");
    assert_text(chunk->records[1].data, "BC");
    chunk_destroy(chunk);
}

static void test_a_part_is_the_record_but_for_data_key_and_place(void **state)
{
    struct buffer data;
    struct chunk *chunk;

    (void)state;
    aggregate_make(&data, 12);
    chunk = open_data(&data, 0);
    assert_int_equal(chunk->live, 12);
    assert_true(chunk_footprint(chunk) >= 12 * sizeof(struct record) + 12 * 6);
    for (uint32_t i = 0; i < 12; i++) {
        const struct record *part = &chunk->records[i];
        char text[80];

        (void)snprintf(text, sizeof(text), "part-%u", i);
        assert_text(part->data, text);
        (void)snprintf(text, sizeof(text), "key-%u", i % 3);
        assert_text(part->key, text);
        (void)snprintf(text, sizeof(text), SEQUENCE ":%u", i);
        assert_text(record_full_id(part), text);
        assert_text(part->id, SEQUENCE);
        assert_int_equal(part->sub, i + 1);
        assert_int_equal(part->is_last_sub, i == 11);
        assert_int_equal(part->arrived_at_ms, 1545084650987);
        assert_int_equal(part->received_ms, 77);
        assert_int_equal(part->receive_count, 1);
        assert_ptr_equal(part->origin, &origin);
        assert_ptr_equal(part->chunk, chunk);
        assert_int_equal(part->event_size, event_record_size(part));
    }
    chunk_destroy(chunk);
    buffer_finish(&data);
}

static void test_the_first_parts_are_left_out(void **state)
{
    struct buffer data;
    struct chunk *chunk;

    (void)state;
    aggregate_make(&data, 5);
    chunk = open_data(&data, 3);
    assert_int_equal(chunk->live, 2);
    assert_text(chunk->records[0].data, "part-3");
    assert_int_equal(chunk->records[0].sub, 4);
    assert_true(chunk->records[1].is_last_sub);
    chunk_destroy(chunk);
    for (uint32_t skip = 5; skip < 8; skip++) {
        chunk = open_data(&data, skip);
        assert_int_equal(chunk->live, 0);
        chunk_destroy(chunk);
    }
    chunk = open_data(&data, UINT32_MAX);
    assert_int_equal(chunk->live, 0);
    chunk_destroy(chunk);
    buffer_finish(&data);
}

/* Put into the record in front of its digest. */
static void put_no_part(struct buffer *data)
{
    aggregate_key(data, "k");
}

static void put_any_order(struct buffer *data)
{
    aggregate_part(data, 1, BYTES("one"));
    aggregate_key(data, "a");
    aggregate_part(data, 0, BYTES(""));
    aggregate_key(data, "");
}

static void put_strange_bytes(struct buffer *data)
{
    aggregate_bytes(data, 1, BYTES("\0\xff"));
    aggregate_part(data, 0, BYTES("\xf3\x89\x9a\xc2"));
}

static void put_unknown_fields(struct buffer *data)
{
    struct buffer part;

    buffer_init(&part, 100);
    aggregate_varint(&part, 9 << 3); // of all wire types there are
    aggregate_varint(&part, UINT64_MAX);
    aggregate_varint(&part, 10 << 3 | 1);
    buffer_append(&part, "12345678", 8);
    aggregate_varint(&part, 11 << 3 | 5);
    buffer_append(&part, "1234", 4);
    aggregate_bytes(&part, 4, BYTES("\x0a\x01t")); // a tag
    aggregate_bytes(data, 7, buffer_bytes(&part));
    aggregate_varint(&part, 1 << 3);
    aggregate_varint(&part, 0);
    aggregate_bytes(&part, 3, BYTES("x"));
    aggregate_key(data, "k");
    aggregate_bytes(data, 3, buffer_bytes(&part));
    buffer_finish(&part);
}

/* The last of a field that is there twice counts. */
static void put_a_field_twice(struct buffer *data)
{
    aggregate_key(data, "a");
    aggregate_key(data, "b");
    aggregate_bytes(data, 3, BYTES("\x08\x00\x1a\x01x\x08\x01\x1a\x01y"));
}

static struct good_case {
    const char *name;
    void (*put)(struct buffer *data);
    const char *parts; // "key=data" with "," between
} good[] = {
    {"no part at all", put_no_part, ""},
    {"fields in any order, empty keys and data", put_any_order, "=one,a="},
    {"bytes that are no text, and data like the magic", put_strange_bytes,
     NULL},
    {"fields that we do not know", put_unknown_fields, "k=x"},
    {"a field twice", put_a_field_twice, "b=y"},
};

static void test_good(void **state)
{
    const struct good_case *c = *state;
    struct buffer data, shown;
    struct chunk *chunk;

    aggregate_begin(&data);
    c->put(&data);
    aggregate_end(&data);
    chunk = open_data(&data, 0);
    buffer_init(&shown, 1000);
    for (size_t i = 0; i < chunk->live; i++) {
        const struct record *part = &chunk->records[i];

        buffer_append_text(&shown, i ? "," : "");
        buffer_append_bytes(&shown, part->key);
        buffer_append_char(&shown, '=');
        buffer_append_bytes(&shown, part->data);
    }
    if (c->parts)
        assert_string_equal(buffer_text(&shown), c->parts);
    else
        assert_memory_equal(buffer_text(&shown), "\0\xff=\xf3\x89\x9a\xc2", 7);
    chunk_destroy(chunk);
    buffer_finish(&shown);
    buffer_finish(&data);
}

#define UNREADABLE "its protobuf cannot be read"
#define PAST "it has an index past its table"

static struct bad_case {
    const char *name;
    struct bytes message;
    const char *why;
} bad[] = {
    {"text", BYTES("{\"a\":1}"), UNREADABLE},
    {"a part without data", BYTES("\x0a\x01k\x1a\x02\x08\x00"), UNREADABLE},
    {"a part without key", BYTES("\x0a\x01k\x1a\x03\x1a\x01x"), UNREADABLE},
    {"an empty part", BYTES("\x0a\x01k\x1a\x00"), UNREADABLE},
    {"a length past the end", BYTES("\x0a\x7fk"), UNREADABLE},
    {"a length past the end of a part",
     BYTES("\x0a\x01k\x1a\x05\x08\x00\x1a\x7fx"), UNREADABLE},
    {"the largest length",
     BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01k"), UNREADABLE},
    {"a varint without end",
     BYTES("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
     UNREADABLE},
    {"field 0", BYTES("\x02\x01k"), UNREADABLE},
    {"a group", BYTES("\x0b\x0c"), UNREADABLE},
    {"a key that is a number", BYTES("\x08\x01"), UNREADABLE},
    {"no table of keys", BYTES("\x1a\x05\x08\x00\x1a\x01x"), PAST},
    {"a key past the table", BYTES("\x0a\x01k\x1a\x05\x08\x01\x1a\x01x"), PAST},
    {"a key far past the table",
     BYTES("\x0a\x01k\x1a\x0e\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x1a"
           "\x01x"),
     PAST},
    {"an explicit hash key past its table",
     BYTES("\x0a\x01k\x1a\x07\x08\x00\x10\x00\x1a\x01x"), PAST},
    {"one wrong part behind a good one",
     BYTES("\x0a\x01k\x1a\x05\x08\x00\x1a\x01x\x1a\x05\x08\x01\x1a\x01x"),
     PAST},
};

static void test_bad(void **state)
{
    const struct bad_case *c = *state;
    struct buffer data;

    aggregate_begin(&data);
    buffer_append_bytes(&data, c->message);
    aggregate_end(&data);
    assert_ordinary(buffer_bytes(&data), c->why);
    buffer_finish(&data);
}

static void test_what_does_not_look_like_one_is_ordinary(void **state)
{
    struct buffer data;

    (void)state;
    assert_ordinary(BYTES(""), NULL);
    assert_ordinary(BYTES("plain"), NULL);
    assert_ordinary(BYTES("\xf3\x89\x9a\xc2"), NULL);
    assert_ordinary(BYTES("\xf3\x89\x9a\xc3 and then some more text"), NULL);
    aggregate_begin(&data); // 20 bytes are none: KCL's rule
    aggregate_end(&data);
    assert_int_equal(data.size, 20);
    assert_ordinary(buffer_bytes(&data), NULL);
    buffer_finish(&data);
}

/* Whatever byte is another one, and wherever it is cut off. */
static void test_a_damaged_one_is_ordinary(void **state)
{
    struct buffer data;

    (void)state;
    aggregate_make(&data, 3);
    for (size_t i = 0; i < data.size; i++) {
        data.data[i] ^= 0x20;
        assert_ordinary(buffer_bytes(&data),
                        i < 4 ? NULL : "its digest is of something else");
        data.data[i] ^= 0x20;
    }
    for (size_t size = 0; size < data.size; size++)
        assert_ordinary((struct bytes){data.data, size},
                        size <= 20 ? NULL : "its digest is of something else");
    buffer_finish(&data);
}

/* The message itself has to tell. */
static void test_without_md5_it_is_split_all_the_same(void **state)
{
    struct buffer data;

    (void)state;
    aggregate_make(&data, 3);
    has_no_md5 = true;
    chunk_destroy(open_data(&data, 0));
    data.data[4] ^= 1; // the first field's number
    assert_ordinary(buffer_bytes(&data), UNREADABLE);
    has_no_md5 = false;
    buffer_finish(&data);
}

/* Of the smallest parts there are, in a record of the largest size. */
static void test_a_bomb_is_ordinary(void **state)
{
    struct buffer data;

    (void)state;
    aggregate_begin(&data);
    aggregate_key(&data, "k");
    while (data.size < 10u << 20)
        aggregate_part(&data, 0, BYTES(""));
    aggregate_end(&data);
    assert_ordinary(buffer_bytes(&data),
                    "reading it takes over 64 MiB of memory");
    buffer_finish(&data);
    aggregate_make(&data, 2); // and the next is read as ever
    chunk_destroy(open_data(&data, 0));
    buffer_finish(&data);
}

/* Its parts would be larger than what reading it takes. */
static void test_a_bomb_of_records_is_ordinary(void **state)
{
    struct buffer data;

    (void)state;
    aggregate_begin(&data);
    aggregate_key(&data, "k");
    for (int i = 0; i < 260000; i++)
        aggregate_part(&data, 0, BYTES(""));
    aggregate_end(&data);
    assert_ordinary(buffer_bytes(&data),
                    "its user records take over 64 MiB of memory");
    buffer_finish(&data);
}

static void test_the_largest_record_of_small_parts_is_split(void **state)
{
    static const char content[88]; // 100 bytes each on the wire
    struct buffer data;
    struct chunk *chunk;

    (void)state;
    aggregate_begin(&data);
    aggregate_key(&data, "k");
    for (int i = 0; i < 100000; i++)
        aggregate_part(&data, 0, (struct bytes){content, sizeof(content)});
    aggregate_end(&data);
    chunk = open_data(&data, 0);
    assert_int_equal(chunk->live, 100000);
    assert_int_equal(chunk->records[99999].sub, 100000);
    chunk_destroy(chunk);
    buffer_finish(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vector_of_the_reference),
        cmocka_unit_test(test_a_part_is_the_record_but_for_data_key_and_place),
        cmocka_unit_test(test_the_first_parts_are_left_out),
        cmocka_unit_test(test_what_does_not_look_like_one_is_ordinary),
        cmocka_unit_test(test_a_damaged_one_is_ordinary),
        cmocka_unit_test(test_without_md5_it_is_split_all_the_same),
        cmocka_unit_test(test_a_bomb_is_ordinary),
        cmocka_unit_test(test_a_bomb_of_records_is_ordinary),
        cmocka_unit_test(test_the_largest_record_of_small_parts_is_split),
    };
    int failed = set_up(NULL);

    failed += run_table("good", good, test_good);
    failed += run_table("bad", bad, test_bad);
    failed += cmocka_run_group_tests_name("kpl", tests, NULL, NULL);
    tear_down(NULL);
    return failed;
}
