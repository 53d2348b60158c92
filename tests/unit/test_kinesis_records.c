#include "source/kinesis_records.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "record/record.h"
#include "test.h"

#define CORPUS "tests/fuzz/corpus/kinesis_records/"

static const struct record_origin origin = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s",
    .region = "us-east-1",
    .shard = "shardId-000000000000",
    .identity = "arn:aws:iam::000000000000:role/pollard"};

// To the byte, so that a sanitizer sees every overstep.
static struct buffer body_of(const char *data, size_t size)
{
    struct buffer body;

    buffer_init(&body, size ? size : 1);
    if (size)
        buffer_append(&body, data, size);
    if (body.data)
        body.data = mem_realloc(body.data, size, 1);
    return body;
}

static struct buffer load(const char *name)
{
    static char data[64 * 1024];
    char *path = mem_printf(CORPUS "%s", name);
    FILE *file = fopen(path, "re");
    size_t size;

    if (!file)
        fail_msg("%s is missing", path);
    size = fread(data, 1, sizeof(data), file);
    (void)fclose(file);
    free(path);
    return body_of(data, size);
}

static bool is_cbor(const char *name)
{
    return strstr(name, ".cbor") != NULL;
}

// What each of these servers answered to the same four records.
static struct recorded_case {
    const char *name;
    int64_t first_arrival_ms; // 0: not the same in each
} recorded_cases[] = {
    {"aws-records.cbor", 1795369143801}, {"kinesis-mock-records.cbor", 0},
    {"kinesis-mock-records.json", 0},    {"kinesalite-records.cbor", 0},
    {"kinesalite-records.json", 0},      {"moto-records.json", 0},
};

static const struct {
    struct bytes key, data;
} put[] = {
    {{"pk-j", 4}, {"hello json", 10}},
    {{"k\303\251", 3}, {"\xff\x00\x62\x69\x6e", 5}},
    {{"empty", 5}, {"", 0}},
    {{"pk-c", 4}, {"cbor put", 8}},
};

static void assert_is_what_was_put(const struct record *record, size_t i)
{
    assert_true(bytes_equal(record->key, put[i].key));
    assert_true(bytes_equal(record->data, put[i].data));
    assert_true(record->id.size > 0);
    assert_ptr_equal(record->origin, &origin);
    assert_int_equal(record->receive_count, 1);
    assert_int_equal(record->received_ms, 77);
    assert_true(record->visible_ms == CLOCK_NEVER);
    assert_true(record->event_size > record->data.size);
    // Between 2026 and 2033.
    assert_in_range(record->arrived_at_ms, 1767225600000, 1988150400000);
}

static void test_recorded(void **state)
{
    const struct recorded_case *c = *state;
    struct buffer body = load(c->name);
    struct stream_page page = {0};
    struct error err = {0};

    assert_ok(
        kinesis_page_parse(&body, is_cbor(c->name), &origin, 77, &page, &err),
        &err);
    assert_int_equal(page.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_is_what_was_put(&page.chunk->records[i], i);
    if (c->first_arrival_ms)
        assert_int_equal(page.chunk->records[0].arrived_at_ms,
                         c->first_arrival_ms);
    assert_int_equal(page.bytes, 23 + 16);
    assert_non_null(page.next_iterator);
    assert_int_equal(page.children, 0);
    assert_int_equal(page.millis_behind, 0);
    assert_null(body.data);
    stream_page_finish(&page);
}

static struct end_case {
    const char *name;
    size_t count, children;
    bool ended;
} end_cases[] = {
    {"aws-end.cbor", 0, 2, true},
    {"kinesis-mock-end.cbor", 4, 2, true},
    {"kinesis-mock-end.json", 4, 2, true},
    {"kinesalite-end.cbor", 0, 0, true}, // `undefined` for the iterator
    {"kinesalite-end.json", 0, 0, true},
    {"moto-end.json", 4, 0, false}, // never ends
    {"kinesis-mock-empty.cbor", 0, 0, false},
    {"kinesis-mock-empty.json", 0, 0, false},
    {"kinesalite-empty.cbor", 0, 0, false},
    {"kinesalite-empty.json", 0, 0, false},
    {"moto-empty.json", 0, 0, false},
};

static void test_end(void **state)
{
    const struct end_case *c = *state;
    struct buffer body = load(c->name);
    struct stream_page page = {0};
    struct error err = {0};

    assert_ok(
        kinesis_page_parse(&body, is_cbor(c->name), &origin, 77, &page, &err),
        &err);
    assert_int_equal(page.count, c->count);
    assert_int_equal(page.children, c->children);
    assert_int_equal(page.next_iterator == NULL, c->ended);
    stream_page_finish(&page);
    buffer_finish(&body);
}

static struct iterator_case {
    const char *name;
} iterator_cases[] = {
    {"aws-iterator.cbor"},          {"kinesis-mock-iterator.cbor"},
    {"kinesis-mock-iterator.json"}, {"kinesalite-iterator.cbor"},
    {"kinesalite-iterator.json"},   {"moto-iterator.json"},
};

static void test_iterator(void **state)
{
    const struct iterator_case *c = *state;
    struct buffer body = load(c->name);
    struct error err = {0};
    char *iterator = kinesis_iterator_parse(&body, is_cbor(c->name), &err);

    assert_ok(iterator, &err);
    assert_true(strlen(iterator) > 30);
    free(iterator);
    buffer_finish(&body);
}

#define SIZED(literal)               \
    {                                \
        literal, sizeof(literal) - 1 \
    }

// A record with this SequenceNumber member and one more.
#define JSON_RECORD(members) \
    "{\"NextShardIterator\":\"i\",\"Records\":[{" members "}]}"

static struct hostile_case {
    const char *name;
    bool cbor;
    struct bytes body;
    const char *error;
} hostile_cases[] = {
    {"nothing", true, SIZED(""), "the document ends early"},
    {"nothing in JSON", false, SIZED(""), "the document ends early"},
    {"an empty map is not the end of a shard", true, SIZED("\xa0"),
     "no Records"},
    {"nor is an empty object", false, SIZED("{}"), "no Records"},
    {"null", false, SIZED("null"), "no map"},
    {"an array", true, SIZED("\x80"), "a map is expected"},
    {"HTML", false, SIZED("<!doctype html>"), "not an object"},
    {"JSON read as CBOR", true, SIZED("{\"Records\":[]}"),
     "the document ends early"},
    {"cut off", true, SIZED("\xa1\x67Records\x82\xa1\x64"),
     "the document ends early"},
    {"two thousand million records, none there", true,
     SIZED("\xa1\x67Records\x9a\x80\x00\x00\x00"), "the document ends early"},
    {"data beyond the end", true,
     SIZED("\xa1\x67Records\x81\xa1\x64"
           "Data\x5b\x7f\xff\xff\xff\xff\xff\xff\xff!"),
     "the document ends early"},
    {"a record that is a number", true, SIZED("\xa1\x67Records\x81\x05"),
     "a map is expected"},
    {"a record that is null", true, SIZED("\xa1\x67Records\x81\xf6"),
     "a record that is none"},
    {"a record without number", true, SIZED("\xa1\x67Records\x81\xa0"),
     "a record without SequenceNumber"},
    {"a number that is none", false,
     SIZED(JSON_RECORD("\"SequenceNumber\":\"12x\"")),
     "a SequenceNumber that is no number"},
    {"an empty number", false, SIZED(JSON_RECORD("\"SequenceNumber\":\"\"")),
     "a SequenceNumber of no sensible length"},
    {"broken base64", false,
     SIZED(JSON_RECORD("\"SequenceNumber\":\"1\",\"Data\":\"aGVsb\"")),
     "Data is no base64"},
    {"text in CBOR that is no base64", true,
     SIZED("\xa1\x67Records\x81\xa2\x6eSequenceNumber\x61"
           "1\x64"
           "Data\x63"
           "a*b"),
     "Data is no base64"},
    {"data that is a number", false,
     SIZED(JSON_RECORD("\"SequenceNumber\":\"1\",\"Data\":5")), "not a string"},
    {"a Buffer of more than bytes", false,
     SIZED(JSON_RECORD("\"SequenceNumber\":\"1\",\"Data\":{\"data\":[1,256]}")),
     "a Buffer with more than bytes in it"},
    {"another object as data", false,
     SIZED(JSON_RECORD("\"SequenceNumber\":\"1\",\"Data\":{\"x\":[1]}")),
     "Data is neither bytes nor base64"},
    {"something follows", true, SIZED("\xa1\x67Records\x80\x00"),
     "something follows the document"},
};

static void test_hostile(void **state)
{
    const struct hostile_case *c = *state;
    struct buffer body = body_of(c->body.data, c->body.size);
    struct stream_page page = {0};
    struct error err = {0};

    assert_fails(kinesis_page_parse(&body, c->cbor, &origin, 77, &page, &err),
                 &err, ERROR_TRANSIENT);
    assert_contains(err.message, c->error);
    assert_null(page.chunk);
    buffer_finish(&body);
}

static void test_records_are_limited(void **state)
{
    struct buffer body;
    struct stream_page page = {0};
    struct error err = {0};

    (void)state;
    buffer_init(&body, 1 << 20);
    buffer_append_text(&body, "{\"Records\":[{\"SequenceNumber\":\"1\"}");
    for (int i = 1; i < KINESIS_RECORDS_LIMIT; i++)
        buffer_append_text(&body, ",{\"SequenceNumber\":\"1\"}");
    buffer_append_text(&body, "]}");
    assert_ok(kinesis_page_parse(&body, false, &origin, 77, &page, &err), &err);
    assert_int_equal(page.count, KINESIS_RECORDS_LIMIT);
    stream_page_finish(&page);

    buffer_append_text(&body, "{\"Records\":[{\"SequenceNumber\":\"1\"}");
    for (int i = 0; i < KINESIS_RECORDS_LIMIT; i++)
        buffer_append_text(&body, ",{\"SequenceNumber\":\"1\"}");
    buffer_append_text(&body, "]}");
    assert_fails(kinesis_page_parse(&body, false, &origin, 77, &page, &err),
                 &err, ERROR_TRANSIENT);
    assert_contains(err.message, "more than 10000 records");
    buffer_finish(&body);
}

// Every prefix of every recording is refused, and none is read past its end.
static void test_prefixes_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(recorded_cases) / sizeof(*recorded_cases);
         i++) {
        const char *name = recorded_cases[i].name;
        struct buffer whole = load(name);

        for (size_t size = 0; size < whole.size; size++) {
            struct buffer body = body_of(whole.data, size);
            struct stream_page page = {0};
            struct error err = {0};

            assert_false(kinesis_page_parse(&body, is_cbor(name), &origin, 77,
                                            &page, &err));
            buffer_finish(&body);
        }
        buffer_finish(&whole);
    }
}

static void test_iterator_must_be_there(void **state)
{
    struct buffer body = body_of("{\"ShardIterator\":null}", 22);
    struct error err = {0};

    (void)state;
    assert_fails(kinesis_iterator_parse(&body, false, &err), &err,
                 ERROR_TRANSIENT);
    assert_contains(err.message, "no ShardIterator");
    buffer_finish(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_are_limited),
        cmocka_unit_test(test_prefixes_are_refused),
        cmocka_unit_test(test_iterator_must_be_there),
    };
    int failed = run_table("recorded", recorded_cases, test_recorded);

    failed += run_table("end", end_cases, test_end);
    failed += run_table("iterator", iterator_cases, test_iterator);
    failed += run_table("hostile", hostile_cases, test_hostile);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
