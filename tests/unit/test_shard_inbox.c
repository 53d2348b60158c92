#include "source/shard_inbox.h"

#include <stdio.h>
#include <unistd.h>

#include "aggregate.h"
#include "base/mem.h"
#include "source/stream.h"
#include "test.h"

static const struct record_origin origin = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-2:123456789012:stream/clicks",
    .region = "us-east-2",
    .shard = "shardId-000000000000",
    .identity = "arn:aws:iam::123456789012:role/fn-role",
};

static const struct stream_start horizon = {.position = STREAM_TRIM_HORIZON};

static struct shard_inbox inbox;
static struct log logger;

static int set_up(void **state)
{
    (void)state;
    inbox = (struct shard_inbox){.room = 100};
    logger = (struct log){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    shard_inbox_finish(&inbox);
    return 0;
}

/* A page of one record. */
static void put(const char *sequence, struct bytes data)
{
    struct stream_page page = {.count = 1, .bytes = data.size};
    struct buffer body;
    struct record *record;

    buffer_init(&body, 64u << 20);
    buffer_append_bytes(&body, data);
    buffer_append_text(&body, sequence);
    page.chunk = chunk_create(&body, 1);
    record = &page.chunk->records[0];
    record->origin = &origin;
    record->data = (struct bytes){page.chunk->body.data, data.size};
    record->id =
        (struct bytes){page.chunk->body.data + data.size, strlen(sequence)};
    shard_inbox_put(&inbox, &page);
    stream_page_finish(&page);
}

static void put_aggregated(const char *sequence, unsigned count)
{
    struct buffer data;

    aggregate_make(&data, count);
    put(sequence, buffer_bytes(&data));
    buffer_finish(&data);
}

/* The next one is this: "ID" or "ID:N". Caller settles it. */
static struct record *expect(const char *full_id)
{
    struct record *record = shard_inbox_next(&inbox);
    struct bytes id;

    if (!record)
        fail_msg("%s is not there", full_id);
    id = record_full_id(record);
    assert_int_equal(id.size, strlen(full_id));
    assert_memory_equal(id.data, full_id, id.size);
    return record;
}

static void expect_done(const char *full_id)
{
    shard_inbox_settle(&inbox, expect(full_id), SOURCE_DONE);
}

static void test_splits_nothing_unless_told(void **state)
{
    (void)state;
    put_aggregated("7", 3);
    expect_done("7");
    assert_null(shard_inbox_next(&inbox));
    assert_int_equal(inbox.counts.received, 1);
}

static void test_parts_come_in_order_between_their_neighbours(void **state)
{
    (void)state;
    shard_inbox_split(&inbox, &horizon, &logger);
    put("6", BYTES("plain"));
    put_aggregated("7", 3);
    put_aggregated("8", 1);
    put("9", BYTES("plain"));
    assert_int_equal(inbox.waiting.count, 4);
    expect_done("6");
    expect_done("7:0");
    expect_done("7:1");
    expect_done("7:2");
    expect_done("8:0");
    expect_done("9");
    assert_null(shard_inbox_next(&inbox));
    assert_true(shard_inbox_is_idle(&inbox));
    assert_int_equal(inbox.waiting_bytes, 0);
    assert_int_equal(inbox.counts.received, 6);
    assert_int_equal(inbox.counts.deleted, 6);
}

/* Room is of user records. What waits says so too, so that no more is read. */
static void test_each_part_takes_room(void **state)
{
    struct record *first, *second;

    (void)state;
    shard_inbox_split(&inbox, &horizon, &logger);
    put_aggregated("7", 5);
    inbox.room = 2;
    first = expect("7:0");
    second = expect("7:1");
    assert_false(shard_inbox_has_next(&inbox));
    assert_null(shard_inbox_next(&inbox));
    assert_int_equal(inbox.waiting.count, 3);
    assert_int_equal(inbox.out, 2);
    assert_true(inbox.waiting_bytes > 3 * sizeof(struct record));
    shard_inbox_settle(&inbox, second, SOURCE_DONE);
    shard_inbox_settle(&inbox, first, SOURCE_AGAIN);
    shard_inbox_drop(&inbox);
    assert_int_equal(inbox.counts.received, 5);
    assert_int_equal(inbox.counts.deleted, 1);
    assert_int_equal(inbox.counts.returned, 4);
}

static void test_nothing_is_split_before_its_turn(void **state)
{
    struct record *record;

    (void)state;
    shard_inbox_split(&inbox, &horizon, &logger);
    put_aggregated("7", 2);
    put_aggregated("8", 2);
    record = expect("7:0");
    assert_int_equal(inbox.waiting.count, 2); // 7:1 and all of 8
    shard_inbox_settle(&inbox, record, SOURCE_DONE);
}

/* The parts that were done before a restart are not handed out again. */
static void test_goes_on_inside_of_the_first(void **state)
{
    struct stream_start start = {.position = STREAM_AFTER_SEQUENCE_NUMBER,
                                 .sequence_number = "7:2"};

    (void)state;
    shard_inbox_split(&inbox, &start, &logger);
    put_aggregated("7", 4);
    put_aggregated("8", 3);
    expect_done("7:2");
    expect_done("7:3");
    expect_done("8:0");
    assert_int_equal(inbox.counts.received, 5);
}

static void test_goes_on_behind_a_first_that_has_no_more(void **state)
{
    struct stream_start start = {.position = STREAM_AFTER_SEQUENCE_NUMBER,
                                 .sequence_number = "7:4"};

    (void)state;
    shard_inbox_split(&inbox, &start, &logger);
    put_aggregated("7", 4);
    assert_true(shard_inbox_has_next(&inbox));
    assert_null(shard_inbox_next(&inbox));
    assert_false(shard_inbox_has_next(&inbox)); // nobody comes to look again
    assert_true(shard_inbox_is_idle(&inbox));
    put_aggregated("8", 1);
    expect_done("8:0");
}

/* It was trimmed, or the stream is another one. */
static void test_a_first_that_is_another_is_handed_out_whole(void **state)
{
    struct stream_start start = {.position = STREAM_AFTER_SEQUENCE_NUMBER,
                                 .sequence_number = "7:2"};

    (void)state;
    shard_inbox_split(&inbox, &start, &logger);
    put_aggregated("8", 3);
    put_aggregated("7", 3); // no server does so; nothing is lost even then
    expect_done("8:0");
    expect_done("8:1");
    expect_done("8:2");
    expect_done("7:0");
}

/* The producer does not aggregate any more, or the setting was turned off. */
static void test_a_begun_one_that_is_ordinary_comes_whole(void **state)
{
    struct stream_start start = {.position = STREAM_AFTER_SEQUENCE_NUMBER,
                                 .sequence_number = "7:2"};

    (void)state;
    shard_inbox_split(&inbox, &start, &logger);
    put("7", BYTES("plain"));
    expect_done("7");
}

static void test_aggregates_of_nothing_are_passed_by(void **state)
{
    (void)state;
    shard_inbox_split(&inbox, &horizon, &logger);
    put_aggregated("7", 0);
    put_aggregated("8", 0);
    put("9", BYTES("plain"));
    expect_done("9");
    assert_int_equal(inbox.counts.received, 3);
    assert_int_equal(inbox.counts.deleted, 3);
    assert_int_equal(inbox.waiting_bytes, 0);
}

/* A part that looks like an aggregate is a part. */
static void test_parts_are_not_split_again(void **state)
{
    struct buffer inner, outer;
    struct record *record;

    (void)state;
    aggregate_make(&inner, 2);
    aggregate_begin(&outer);
    aggregate_key(&outer, "k");
    aggregate_part(&outer, 0, buffer_bytes(&inner));
    aggregate_end(&outer);
    shard_inbox_split(&inbox, &horizon, &logger);
    put("7", buffer_bytes(&outer));
    record = expect("7:0");
    assert_true(bytes_equal(record->data, buffer_bytes(&inner)));
    shard_inbox_settle(&inbox, record, SOURCE_DONE);
    assert_null(shard_inbox_next(&inbox));
    buffer_finish(&inner);
    buffer_finish(&outer);
}

static void test_what_cannot_be_split_comes_whole_and_is_said_once(void **state)
{
    struct log_sink sink = {.level = LOG_LEVEL_WARN};
    char text[1000] = "";
    struct buffer data;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    sink.fd = ends[1];
    logger.sink = &sink;
    shard_inbox_split(&inbox, &horizon, &logger);
    aggregate_make(&data, 3);
    data.data[data.size - 1] ^= 1;
    put("7", buffer_bytes(&data));
    put("8", buffer_bytes(&data));
    expect_done("7");
    expect_done("8");
    assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
    assert_contains(text, "kinesis.not_split sequence=7 "
                          "error=\"its digest is of something else\"");
    assert_null(strstr(text, "sequence=8"));
    buffer_finish(&data);
    close(ends[0]);
    close(ends[1]);
}

/* Parts outlive what they were cut from, and their neighbours. */
static void test_parts_may_be_settled_in_any_order(void **state)
{
    struct record *parts[3];

    (void)state;
    shard_inbox_split(&inbox, &horizon, &logger);
    put_aggregated("7", 3);
    for (int i = 0; i < 3; i++) {
        char id[8];

        (void)snprintf(id, sizeof(id), "7:%d", i);
        parts[i] = expect(id);
    }
    shard_inbox_settle(&inbox, parts[1], SOURCE_DONE);
    shard_inbox_settle(&inbox, parts[2], SOURCE_DONE);
    assert_memory_equal(parts[0]->data.data, "part-0", 6);
    shard_inbox_settle(&inbox, parts[0], SOURCE_DONE);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

/* A page of so many records of 1000 bytes and more: "SEQUENCEi" holds that. */
static void put_page(const char *sequence, size_t count)
{
    struct stream_page page = {.count = count, .bytes = count * 1024};
    struct buffer body;

    buffer_init(&body, 64u << 20);
    (void)buffer_reserve(&body, count * 1024);
    page.chunk = chunk_create(&body, count);
    for (size_t i = 0; i < count; i++) {
        struct record *record = &page.chunk->records[i];
        char *at = page.chunk->body.data + i * 1024;

        record->origin = &origin;
        record->id.data = record->data.data = at;
        record->id.size = (size_t)snprintf(at, 1024, "%s%zu", sequence, i);
        memset(at + record->id.size, '.', 1024 - record->id.size);
        record->data.size = 1024;
        record->key = (struct bytes){at, record->id.size};
    }
    shard_inbox_put(&inbox, &page);
    stream_page_finish(&page);
}

/* One record of each page is stuck: it must not keep the page. */
static void test_what_is_stuck_keeps_few_pages(void **state)
{
    enum { PAGES = 200, RECORDS = 1024 };
    struct record *stuck[PAGES];
    char id[32];

    (void)state;
    for (int i = 0; i < PAGES; i++) {
        (void)snprintf(id, sizeof(id), "%d-", i);
        put_page(id, RECORDS);
        inbox.room = RECORDS;
        for (int j = 0; j < RECORDS; j++) {
            struct record *record = shard_inbox_next(&inbox);

            assert_non_null(record);
            if (j == 7)
                stuck[i] = record;
            else
                shard_inbox_settle(&inbox, record, SOURCE_DONE);
        }
        assert_int_equal(inbox.held_bytes, 0);
        assert_true(inbox.lent_bytes < SHARD_LENT_BYTES + (2u << 20));
    }
    assert_true(inbox.lent_bytes >= SHARD_LENT_BYTES); // copies are the last
    for (int i = 0; i < PAGES; i++) {                  // resort
        (void)snprintf(id, sizeof(id), "%d-7", i);
        assert_true(bytes_equal(stuck[i]->id, bytes_of(id)));
        assert_true(bytes_equal(stuck[i]->key, bytes_of(id)));
        assert_int_equal(stuck[i]->data.size, 1024);
        assert_memory_equal(stuck[i]->data.data, id, strlen(id));
        assert_int_equal(stuck[i]->data.data[1023], '.');
        shard_inbox_settle(&inbox, stuck[i], SOURCE_DONE);
    }
    assert_int_equal(inbox.lent_bytes, 0);
    assert_int_equal(inbox.counts.deleted, PAGES * RECORDS);
    assert_true(shard_inbox_is_idle(&inbox));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_splits_nothing_unless_told),
        TEST(test_parts_come_in_order_between_their_neighbours),
        TEST(test_each_part_takes_room),
        TEST(test_nothing_is_split_before_its_turn),
        TEST(test_goes_on_inside_of_the_first),
        TEST(test_goes_on_behind_a_first_that_has_no_more),
        TEST(test_a_first_that_is_another_is_handed_out_whole),
        TEST(test_a_begun_one_that_is_ordinary_comes_whole),
        TEST(test_aggregates_of_nothing_are_passed_by),
        TEST(test_parts_are_not_split_again),
        TEST(test_what_cannot_be_split_comes_whole_and_is_said_once),
        TEST(test_what_is_stuck_keeps_few_pages),
        TEST(test_parts_may_be_settled_in_any_order),
    };

    return cmocka_run_group_tests_name("shard_inbox", tests, NULL, NULL);
}
