#include "source/dynamodb_records.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/mem.h"
#include "record/event.h"
#include "record/record.h"
#include "test.h"

#define CORPUS "tests/fuzz/corpus/dynamodb_records/"

#define ARN                                            \
    "arn:aws:dynamodb:us-east-2:123456789012:table/t/" \
    "stream/2024-06-10T19:26:16.525"

static const struct record_origin origin = {.kind = RECORD_DYNAMODB,
                                            .arn = ARN,
                                            .region = "us-east-2",
                                            .shard = "shardId-1"};

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

static bool parse(struct buffer *body, struct stream_page *page,
                  struct error *err)
{
    return dynamodb_page_parse(body, &origin, 77, page, err);
}

// A page of these records, which the caller finishes.
static struct stream_page page_of(const char *records)
{
    char *json =
        mem_printf("{\"Records\":[%s],\"NextShardIterator\":\"i\"}", records);
    struct buffer body = body_of(json, strlen(json));
    struct stream_page page = {0};
    struct error err = {0};

    assert_ok(parse(&body, &page, &err), &err);
    buffer_finish(&body);
    free(json);
    return page;
}

static void assert_bytes(struct bytes got, const char *expected)
{
    if (!bytes_equal(got, bytes_of(expected)))
        fail_msg("%.*s\n != %s", BYTES_ARGS(got), expected);
}

// ---- what servers said -----------------------------------------------------

#define KEY_TEXT "{\"S\":\"a\\\"/\xc3\xbc\xe2\x80\xa8 \xf0\x9f\x90\xb9\\n\"}"

static struct recorded_case {
    const char *name;
    const char *keys; // in the server's order
} recorded_cases[] = {
    {"dynamodb-local-records.json",
     "\"Keys\":{\"at\":{\"N\":\"7\"},\"id\":" KEY_TEXT "}"},
    {"moto-records.json",
     "\"Keys\":{\"id\":" KEY_TEXT ",\"at\":{\"N\":\"7\"}}"},
};

static void assert_contains_bytes(struct bytes text, const char *part)
{
    if (!memmem(text.data, text.size, part, strlen(part)))
        fail_msg("%.*s does not contain %s", BYTES_ARGS(text), part);
}

static void test_recorded(void **state)
{
    static const char *const names[] = {"INSERT", "MODIFY", "REMOVE"};
    const struct recorded_case *c = *state;
    struct buffer body = load(c->name);
    struct stream_page page = {0};
    struct error err = {0};

    assert_ok(parse(&body, &page, &err), &err);
    assert_int_equal(page.count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct record *record = &page.chunk->records[i];

        assert_bytes(record->event_name, names[i]);
        assert_bytes(record->key, "{\"at\":{\"N\":\"7\"},\"id\":" KEY_TEXT "}");
        assert_contains_bytes(record->data, c->keys);
        assert_in_range(record->arrived_at_ms, 1767225600000, 1988150400000);
        assert_true(record->id.size >= 21);
        assert_true(record->event_id.size >= 32);
        assert_int_equal(record->received_ms, 77);
        assert_int_equal(record->receive_count, 1);
        assert_true(record->visible_ms == CLOCK_NEVER);
        assert_ptr_equal(record->origin, &origin);
        assert_false(record->user_identity.size);
    }
    assert_non_null(page.next_iterator);
    assert_null(body.data);
    stream_page_finish(&page);
}

static struct end_case {
    const char *name;
    bool ended;
} end_cases[] = {
    {"dynamodb-local-empty.json", false},
    {"dynamodb-local-end.json", true},
    {"moto-empty.json", false},
};

static void test_end(void **state)
{
    const struct end_case *c = *state;
    struct buffer body = load(c->name);
    struct stream_page page = {0};
    struct error err = {0};

    assert_ok(parse(&body, &page, &err), &err);
    assert_int_equal(page.count, 0);
    assert_int_equal(page.next_iterator == NULL, c->ended);
    stream_page_finish(&page);
    buffer_finish(&body);
}

// ---- the event that Lambda would deliver -----------------------------------

#define HEAD(id_, name_)                                         \
    "{\"eventID\":\"" id_ "\",\"eventName\":\"" name_ "\","      \
    "\"eventVersion\":\"1.1\",\"eventSource\":\"aws:dynamodb\"," \
    "\"awsRegion\":\"us-east-2\",\"dynamodb\":{"
#define TAIL "\"eventSourceARN\":\"" ARN "\"}"

// The first is section 2.3 of lambda-esm.md as it was recorded on AWS, member
// for member; the second is a deletion by TTL.
static void test_the_event_is_lambdas(void **state)
{
    static const char expected[] = "{\"Records\":[" HEAD(
        "c4ca4238a0b923820dcc509a6f75849b",
        "INSERT") "\"ApproximateCreationDateTime\":1733418659.0,"
                  "\"Keys\":{\"pk\":{\"S\":\"hello world\"}},"
                  "\"NewImage\":{\"pk\":{\"S\":\"hello world\"},"
                  "\"bin\":{\"B\":\"Zm9vYmFy\"},\"n\":{\"N\":\"42\"}},"
                  "\"SequenceNumber\":\"4421584500000000017450439091\","
                  "\"SizeBytes\":70,\"StreamViewType\":\"NEW_AND_OLD_IMAGES\"}"
                  "," TAIL "," HEAD(
                      "c81e728d9d4c2f636f067f89cc14862c",
                      "REMOVE") "\"ApproximateCreationDateTime\":1733418660.0,"
                                "\"Keys\":{\"pk\":{\"S\":\"hello world\"}},"
                                "\"OldImage\":{\"pk\":{\"S\":\"hello world\"}},"
                                "\"SequenceNumber\":"
                                "\"4421584600000000017450439092\","
                                "\"SizeBytes\":22,\"StreamViewType\":\"NEW_AND_"
                                "OLD_IMAGES\"},"
                                "\"userIdentity\":{\"principalId\":\"dynamodb."
                                "amazonaws.com\","
                                "\"type\":\"Service\"}," TAIL "]}";
    struct buffer body = load("aws-records.json"), event;
    const struct record *records[2];
    struct stream_page page = {0};
    struct error err = {0};

    (void)state;
    assert_ok(parse(&body, &page, &err), &err);
    assert_int_equal(page.count, 2);
    records[0] = &page.chunk->records[0];
    records[1] = &page.chunk->records[1];
    buffer_init(&event, 65536);
    event_write(&event, records, 2);
    assert_bytes(buffer_bytes(&event), expected);
    assert_true(event.size <=
                records[0]->event_size + records[1]->event_size + EVENT_FRAME);
    buffer_finish(&event);
    stream_page_finish(&page);
}

static void test_members_come_in_any_order(void **state)
{
    struct stream_page page = page_of(
        " { \"dynamodb\" : {\"StreamViewType\":\"KEYS_ONLY\",\"SizeBytes\":9,"
        "\"Future\":[{\"x\":1}],\"SequenceNumber\":\"7\",\"NewImage\":null,"
        "\"Keys\" : { \"a\" : { \"S\" : \"\\u0041\\/\" } } ,"
        "\"ApproximateCreationDateTime\" : 1733418659 } , \"eventID\":\"e\" }");
    const struct record *record = page.chunk->records;

    (void)state;
    assert_bytes(record->data,
                 "{\"ApproximateCreationDateTime\":1733418659.0,"
                 "\"Keys\":{\"a\":{\"S\":\"A/\"}},\"SequenceNumber\":\"7\","
                 "\"SizeBytes\":9,\"StreamViewType\":\"KEYS_ONLY\"}");
    assert_bytes(record->key, "{\"a\":{\"S\":\"A/\"}}");
    assert_bytes(record->id, "7");
    assert_int_equal(record->arrived_at_ms, 1733418659000);
    stream_page_finish(&page);
}

#define KEYED(keys_) \
    "{\"dynamodb\":{\"SequenceNumber\":\"1\",\"Keys\":" keys_ "}}"

static struct key_case {
    const char *name, *record, *key;
} key_cases[] = {
    {"a hash key alone", KEYED("{\"id\":{\"S\":\"x\"}}"),
     "{\"id\":{\"S\":\"x\"}}"},
    {"by name", KEYED("{\"b\":{\"N\":\"1\"},\"a\":{\"S\":\"x\"}}"),
     "{\"a\":{\"S\":\"x\"},\"b\":{\"N\":\"1\"}}"},
    {"a shorter name first",
     KEYED("{\"ab\":{\"N\":\"1\"},\"a\":{\"S\":\"x\"}}"),
     "{\"a\":{\"S\":\"x\"},\"ab\":{\"N\":\"1\"}}"},
    {"escapes undone before the order is looked at",
     KEYED("{\"\\u0062\":{\"N\":\"1\"},\"a\":{\"S\":\"x\"}}"),
     "{\"a\":{\"S\":\"x\"},\"b\":{\"N\":\"1\"}}"},
    {"binary", KEYED("{ \"a\" :{\"B\" : \"AA==\"}}"),
     "{\"a\":{\"B\":\"AA==\"}}"},
    {"no keys", "{\"dynamodb\":{\"SequenceNumber\":\"1\"}}", ""},
    {"null", KEYED("null"), ""},
};

static void test_key(void **state)
{
    const struct key_case *c = *state;
    struct stream_page page = page_of(c->record);

    assert_bytes(page.chunk->records[0].key, c->key);
    stream_page_finish(&page);
}

static void test_a_page_knows_its_weight(void **state)
{
    struct stream_page page = page_of(
        KEYED("{\"a\":{\"S\":\"x\"}}") "," KEYED("{\"a\":{\"S\":\"y\"}}"));
    const struct record *records = page.chunk->records;

    (void)state;
    assert_int_equal(page.count, 2);
    assert_int_equal(page.bytes, records[0].data.size + records[0].key.size +
                                     records[1].data.size +
                                     records[1].key.size);
    assert_bytes(records[1].key, "{\"a\":{\"S\":\"y\"}}");
    assert_int_equal(page.chunk->live, 2);
    stream_page_finish(&page);
}

// Data and keys are texts of their own, beside the answer.
static void test_a_page_counts_all_of_its_memory(void **state)
{
    struct stream_page page = page_of(KEYED("{\"a\":{\"S\":\"x\"}}"));
    const struct chunk *chunk = page.chunk;

    (void)state;
    assert_true(chunk_footprint(chunk) >=
                chunk->body.capacity + chunk->capacity * sizeof(struct record) +
                    chunk->records[0].data.size + chunk->records[0].key.size);
    stream_page_finish(&page);
}

// ---- what is no answer -----------------------------------------------------

static struct bad_case {
    const char *name, *body, *part;
} bad_cases[] = {
    {"nothing", "", "ends early"},
    {"no object", "[]", "not an object"},
    {"no records", "{}", "no Records"},
    {"cut off", "{\"Records\":[", "ends early"},
    {"behind it", "{\"Records\":[]}x", "something follows"},
    {"a record that is none", "{\"Records\":[null]}", "a record that is none"},
    {"no change", "{\"Records\":[{}]}", "a record without `dynamodb`"},
    {"a change that is none", "{\"Records\":[{\"dynamodb\":null}]}",
     "a record without `dynamodb`"},
    {"no sequence number", "{\"Records\":[{\"dynamodb\":{}}]}",
     "a record without SequenceNumber"},
    {"no number", "{\"Records\":[{\"dynamodb\":{\"SequenceNumber\":\"4x\"}}]}",
     "a SequenceNumber that is no number"},
    {"keys that are none", "{\"Records\":[" KEYED("[]") "]}",
     "Keys that are none"},
    {"too many keys",
     "{\"Records\":[" KEYED("{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,"
                            "\"g\":1,\"h\":1,\"i\":1}") "]}",
     "Keys that are none"},
    {"an item that is none",
     "{\"Records\":[{\"dynamodb\":{\"SequenceNumber\":\"4\",\"NewImage\":3}}]}",
     "an item that is none"},
    {"no UTF-8", "{\"Records\":[],\"x\":\"\xff\"}", "not UTF-8"},
};

static void test_bad(void **state)
{
    const struct bad_case *c = *state;
    struct buffer body = body_of(c->body, strlen(c->body));
    struct stream_page page = {0};
    struct error err = {0};

    assert_fails(parse(&body, &page, &err), &err, ERROR_TRANSIENT);
    assert_contains(err.message, c->part);
    assert_null(page.chunk);
    buffer_finish(&body);
}

static struct buffer many(size_t count)
{
    struct buffer body;

    buffer_init(&body, 1 << 20);
    buffer_append_text(&body, "{\"Records\":[");
    for (size_t i = 0; i < count; i++)
        buffer_append_text(&body, i ? "," KEYED("{\"a\":{\"S\":\"x\"}}")
                                    : KEYED("{\"a\":{\"S\":\"x\"}}"));
    buffer_append_text(&body, "]}");
    assert_true(buffer_ok(&body));
    return body;
}

static void test_a_thousand_records_and_no_more(void **state)
{
    struct buffer body = many(DYNAMODB_RECORDS_LIMIT);
    struct stream_page page = {0};
    struct error err = {0};

    (void)state;
    assert_ok(parse(&body, &page, &err), &err);
    assert_int_equal(page.count, DYNAMODB_RECORDS_LIMIT);
    stream_page_finish(&page);
    body = many(DYNAMODB_RECORDS_LIMIT + 1);
    assert_fails(parse(&body, &page, &err), &err, ERROR_TRANSIENT);
    buffer_finish(&body);
}

// Whatever is cut off, nothing passes for an end of the shard.
static void test_every_cut_is_seen(void **state)
{
    struct buffer whole = load("dynamodb-local-records.json");

    (void)state;
    for (size_t size = 0; size < whole.size; size++) {
        struct buffer body = body_of(whole.data, size);
        struct stream_page page = {0};
        struct error err = {0};

        assert_fails(parse(&body, &page, &err), &err, ERROR_TRANSIENT);
        buffer_finish(&body);
    }
    buffer_finish(&whole);
}

/* An attribute of DynamoDB's has up to 32 levels (its limits), and a level is
 * {"M":{"a":...}}. */
static void test_an_item_may_be_as_deep_as_dynamodb_allows(void **state)
{
    struct buffer json;
    struct stream_page page;

    (void)state;
    buffer_init(&json, 4096);
    buffer_append_text(&json, "{\"dynamodb\":{\"SequenceNumber\":\"1\","
                              "\"Keys\":{\"k\":{\"S\":\"a\"}},"
                              "\"NewImage\":{\"a\":");
    for (int i = 0; i < 32; i++)
        buffer_append_text(&json, "{\"M\":{\"a\":");
    buffer_append_text(&json, "{\"S\":\"x\"}");
    for (int i = 0; i < 32; i++)
        buffer_append_text(&json, "}}");
    buffer_append_text(&json, "}}}");
    page = page_of(buffer_text(&json));
    assert_int_equal(page.count, 1);
    stream_page_finish(&page);
    buffer_finish(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_event_is_lambdas),
        cmocka_unit_test(test_members_come_in_any_order),
        cmocka_unit_test(test_a_page_knows_its_weight),
        cmocka_unit_test(test_a_page_counts_all_of_its_memory),
        cmocka_unit_test(test_a_thousand_records_and_no_more),
        cmocka_unit_test(test_every_cut_is_seen),
        cmocka_unit_test(test_an_item_may_be_as_deep_as_dynamodb_allows),
    };

    return run_table("recorded", recorded_cases, test_recorded) +
           run_table("end", end_cases, test_end) +
           run_table("key", key_cases, test_key) +
           run_table("bad", bad_cases, test_bad) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
