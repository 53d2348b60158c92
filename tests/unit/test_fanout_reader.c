#include "source/fanout_reader.h"

#include "base/mem.h"
#include "base/random.h"
#include "record/record.h"
#include "record/sequence.h"
#include "source/shard_refusal.h"
#include "test.h"

#define SECOND 1000
#define ASKED_WALL_MS 1795359600000

struct story {
    struct fanout_reader reader;
    int64_t now_ms;
    bool has_space;
};

static void begin(struct story *s, const struct stream_start *start, bool aws)
{
    *s = (struct story){.now_ms = 1000 * SECOND, .has_space = true};
    fanout_reader_init(&s->reader,
                       &(struct fanout_reader_options){
                           .start = *start, .asks_for_end = !aws, .seed = 7});
}

static enum fanout_step next(struct story *s)
{
    enum fanout_step step =
        fanout_reader_next(&s->reader, s->has_space, s->now_ms);

    if (step == FANOUT_SUBSCRIBE)
        s->reader.asked_wall_ms = ASKED_WALL_MS;
    return step;
}

// Time passes until there is something to do.
static enum fanout_step await(struct story *s)
{
    int64_t due_ms = fanout_reader_deadline_ms(&s->reader, s->has_space);
    enum fanout_step step;

    if (due_ms > s->now_ms) {
        step = next(s);
        assert_int_equal(step, FANOUT_REST); // not before
        s->now_ms = due_ms;
    }
    step = next(s);
    return step;
}

static void begin_subscribed(struct story *s, const struct stream_start *start,
                             bool aws)
{
    begin(s, start, aws);
    assert_int_equal(next(s), FANOUT_SUBSCRIBE);
    assert_int_equal(next(s), FANOUT_REST);
}

static const struct stream_start horizon = {.position = STREAM_TRIM_HORIZON};
static const struct stream_start latest = {.position = STREAM_LATEST};

static void event(struct story *s, const char *last, const char *continuation)
{
    struct stream_page page = {.next_iterator = mem_strdup(continuation)};
    struct record record = {.id = bytes_of(last)};
    struct chunk chunk = {.records = &record};

    if (last) {
        page.chunk = &chunk;
        page.count = 1;
    }
    fanout_reader_got_event(&s->reader, &page, s->now_ms);
    free(page.next_iterator);
}

static void end_of_shard(struct story *s, size_t children)
{
    struct stream_page page = {.children = children};

    fanout_reader_got_event(&s->reader, &page, s->now_ms);
}

static void refuse(struct story *s, const char *code, enum error_code reaction)
{
    struct error err;

    error_set(&err, reaction, "refused");
    fanout_reader_got_refusal(
        &s->reader,
        &(struct shard_refusal){.code = code, .status = 400, .error = &err},
        s->now_ms);
}

static void end(struct story *s)
{
    fanout_reader_got_end(&s->reader, s->now_ms);
}

static void assert_after(const struct story *s, const char *sequence)
{
    assert_int_equal(s->reader.start.position, STREAM_AFTER_SEQUENCE_NUMBER);
    assert_string_equal(s->reader.start.sequence_number, sequence);
}

static void finish(struct story *s)
{
    fanout_reader_finish(&s->reader);
}

static void test_goes_on_behind_the_last_record(void **state)
{
    struct story s;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    event(&s, "41", "41");
    event(&s, "42", "45"); // what lies behind 42 may hold records yet to come
    assert_after(&s, "42");
    event(&s, NULL, "47");
    assert_after(&s, "47");
    s.now_ms += 10 * SECOND;
    end(&s);
    assert_int_equal(next(&s), FANOUT_SUBSCRIBE);
    assert_after(&s, "47");
    finish(&s);
}

static void test_an_empty_event_never_leads_back(void **state)
{
    static const struct stream_start start = {
        .position = STREAM_AFTER_SEQUENCE_NUMBER, .sequence_number = "100"};
    struct story s;

    (void)state;
    begin_subscribed(&s, &start, true);
    event(&s, NULL, "99");
    event(&s, NULL, "0");
    event(&s, NULL, "not-a-number");
    assert_after(&s, "100");
    event(&s, NULL, "101");
    assert_after(&s, "101");
    finish(&s);
    begin_subscribed(&s, &horizon, true);
    event(&s, NULL, "0"); // kinesis-mock on an empty shard
    assert_int_equal(s.reader.start.position, STREAM_TRIM_HORIZON);
    finish(&s);
}

static void test_an_empty_event_passes_no_sub_record_by(void **state)
{
    static const struct stream_start start = {
        .position = STREAM_AFTER_SEQUENCE_NUMBER, .sequence_number = "100:3"};
    struct story s;

    (void)state;
    begin_subscribed(&s, &start, true);
    event(&s, NULL, "100");
    assert_after(&s, "100:3");
    event(&s, NULL, "101");
    assert_after(&s, "101");
    finish(&s);
}

static void
test_subscribes_anew_between_events_before_five_minutes(void **state)
{
    struct story s;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    for (int i = 0; i < 57; i++) { // 285 s
        assert_int_equal(next(&s), FANOUT_REST);
        s.now_ms += 5 * SECOND;
        event(&s, NULL, "1");
    }
    assert_int_equal(next(&s), FANOUT_CUT);
    assert_int_equal(next(&s), FANOUT_REST); // until its end came
    end(&s);
    assert_int_equal(next(&s), FANOUT_SUBSCRIBE); // at once
    finish(&s);
}

static void test_waits_for_the_last_event_no_longer_than_that(void **state)
{
    struct story s;
    int64_t begun_ms;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    begun_ms = s.now_ms;
    s.now_ms += 284 * SECOND;
    event(&s, NULL, "1");
    assert_int_equal(await(&s), FANOUT_CUT);
    assert_true(s.now_ms < begun_ms + 300 * SECOND);
    finish(&s);
}

static void test_leaves_a_server_that_says_nothing(void **state)
{
    struct story s;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    s.now_ms += 10 * SECOND;
    event(&s, "5", "5");
    assert_int_equal(await(&s), FANOUT_CUT);
    assert_int_equal(s.now_ms, 1045 * SECOND);
    end(&s);
    assert_int_equal(await(&s), FANOUT_SUBSCRIBE);
    assert_true(s.now_ms > 1045 * SECOND && s.now_ms < 1047 * SECOND);
    assert_after(&s, "5");
    finish(&s);
}

static void test_what_stands_still_for_us_is_not_silent(void **state)
{
    struct story s;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    event(&s, "5", "5");
    s.has_space = false;
    fanout_reader_got_pause(&s.reader, true, s.now_ms);
    s.now_ms += 200 * SECOND;
    assert_int_equal(next(&s), FANOUT_REST);
    s.has_space = true;
    fanout_reader_got_pause(&s.reader, false, s.now_ms);
    s.now_ms += 34 * SECOND;
    assert_int_equal(next(&s), FANOUT_REST);
    s.now_ms += SECOND;
    assert_int_equal(next(&s), FANOUT_CUT);
    finish(&s);
}

static void
test_what_stood_still_too_long_begins_again_where_it_was(void **state)
{
    struct story s;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    event(&s, "5", "5");
    s.has_space = false;
    fanout_reader_got_pause(&s.reader, true, s.now_ms);
    assert_int_equal(await(&s), FANOUT_CUT);
    assert_int_equal(s.now_ms, 1295 * SECOND);
    end(&s);
    s.now_ms += 3600 * SECOND;
    assert_int_equal(next(&s), FANOUT_REST); // nobody could take what comes
    s.has_space = true;
    assert_int_equal(next(&s), FANOUT_SUBSCRIBE);
    assert_after(&s, "5");
    finish(&s);
}

static void test_waits_while_another_has_the_shard(void **state)
{
    struct story s;
    int64_t refused_ms;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    for (int i = 0; i < 20; i++) {
        refused_ms = s.now_ms;
        refuse(&s, "ResourceInUseException", ERROR_INVALID);
        assert_int_equal(await(&s), FANOUT_SUBSCRIBE);
        assert_true(s.now_ms >= refused_ms + 5 * SECOND);
        assert_true(s.now_ms <= refused_ms + 6 * SECOND); // and no later
    }
    finish(&s);
}

static void test_never_calls_more_than_once_a_second(void **state)
{
    struct story s;
    int64_t last_ms;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    for (int i = 0; i < 100; i++) {
        last_ms = s.now_ms;
        event(&s, "1", "1");
        if (i % 2)
            end(&s);
        else
            refuse(&s, "", ERROR_TRANSIENT);
        assert_int_equal(await(&s), FANOUT_SUBSCRIBE);
        assert_true(s.now_ms >= last_ms + SECOND);
    }
    finish(&s);
}

static void test_backs_off_from_a_server_that_fails(void **state)
{
    struct story s;
    int64_t begun_ms;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    begun_ms = s.now_ms;
    for (int i = 0; i < 20; i++) {
        refuse(&s, "InternalFailureException", ERROR_TRANSIENT);
        assert_int_equal(await(&s), FANOUT_SUBSCRIBE);
    }
    assert_true(s.now_ms - begun_ms > 60 * SECOND);
    assert_true(s.now_ms - begun_ms < 20 * 21 * SECOND);
    finish(&s);
}

static void test_a_stream_that_ends_without_a_word_is_a_failure(void **state)
{
    struct story s;
    int64_t begun_ms;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    begun_ms = s.now_ms;
    for (int i = 0; i < 20; i++) {
        end(&s);
        assert_int_equal(await(&s), FANOUT_SUBSCRIBE);
    }
    assert_true(s.now_ms - begun_ms > 60 * SECOND);
    finish(&s);
}

// An initial-response is no success.
static void test_backs_off_from_a_server_that_only_greets(void **state)
{
    struct story s;
    int64_t begun_ms;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    begun_ms = s.now_ms;
    for (int i = 0; i < 20; i++) {
        fanout_reader_got_event(&s.reader, NULL, s.now_ms);
        if (i % 2)
            end(&s);
        else
            refuse(&s, "InternalFailureException", ERROR_TRANSIENT);
        assert_int_equal(await(&s), FANOUT_SUBSCRIBE);
    }
    assert_true(s.now_ms - begun_ms > 60 * SECOND);
    finish(&s);
}

static struct fatal {
    const char *name, *code;
    enum error_code reaction;
} fatals[] = {
    {"no right", "AccessDeniedException", ERROR_DENIED},
    {"no consumer", "ResourceNotFoundException", ERROR_NOT_FOUND},
    {"no such position", "InvalidArgumentException", ERROR_INVALID},
};

static void test_gives_up_where_nothing_helps(void **state)
{
    const struct fatal *fatal = *state;
    struct story s;

    begin_subscribed(&s, &horizon, true);
    refuse(&s, fatal->code, fatal->reaction);
    assert_int_equal(s.reader.failure.code, fatal->reaction);
    assert_int_equal(next(&s), FANOUT_REST);
    assert_true(fanout_reader_deadline_ms(&s.reader, true) > s.now_ms);
    finish(&s);
}

static void test_children_end_the_shard(void **state)
{
    struct story s;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    event(&s, "5", "5");
    end_of_shard(&s, 2);
    assert_true(s.reader.ended);
    assert_int_equal(next(&s), FANOUT_CUT); // nothing comes any more
    end(&s);
    assert_int_equal(next(&s), FANOUT_REST);
    finish(&s);
}

static void test_an_end_without_children_is_not_believed(void **state)
{
    struct story s;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    end_of_shard(&s, 0);
    end_of_shard(&s, 0);
    assert_false(s.reader.ended);
    assert_int_equal(next(&s), FANOUT_LOOK);
    fanout_reader_got_look(&s.reader, false, s.now_ms);
    assert_int_equal(next(&s), FANOUT_REST); // not at once again
    s.now_ms += 10 * SECOND;
    end_of_shard(&s, 0);
    assert_int_equal(next(&s), FANOUT_LOOK);
    fanout_reader_got_look(&s.reader, true, s.now_ms);
    assert_false(s.reader.ended); // records may have come before the close
    end_of_shard(&s, 0);
    end_of_shard(&s, 0);
    assert_true(s.reader.ended);
    finish(&s);
}

static void test_looks_after_a_shard_that_a_server_never_ends(void **state)
{
    struct story s;

    (void)state;
    begin_subscribed(&s, &horizon, false);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(next(&s), FANOUT_REST);
        event(&s, NULL, "5");
    }
    assert_int_equal(next(&s), FANOUT_LOOK);
    fanout_reader_got_look(&s.reader, true, s.now_ms);
    event(&s, NULL, "5");
    event(&s, "6", "6"); // the last one, after all
    event(&s, NULL, "6");
    assert_false(s.reader.ended);
    event(&s, NULL, "6");
    assert_true(s.reader.ended);
    finish(&s);
}

static void test_aws_is_not_asked(void **state)
{
    struct story s;

    (void)state;
    begin_subscribed(&s, &horizon, true);
    for (int i = 0; i < 50; i++)
        event(&s, NULL, "5");
    assert_int_equal(next(&s), FANOUT_REST);
    finish(&s);
}

static void test_latest_is_a_point_in_time_from_then_on(void **state)
{
    struct story s;

    (void)state;
    begin_subscribed(&s, &latest, true);
    refuse(&s, "", ERROR_TRANSIENT); // it never began
    assert_int_equal(s.reader.start.position, STREAM_LATEST);
    assert_int_equal(await(&s), FANOUT_SUBSCRIBE);
    fanout_reader_got_event(&s.reader, NULL, s.now_ms);
    refuse(&s, "", ERROR_TRANSIENT);
    assert_int_equal(s.reader.start.position, STREAM_AT_TIMESTAMP);
    assert_int_equal(s.reader.start.timestamp_ms, ASKED_WALL_MS - 10 * SECOND);
    finish(&s);
}

// ---- chance: a server that does anything, a poller that takes at any time

struct server {
    int64_t open_ms; // when the subscription was made
    unsigned at;     // the record that comes next on it
    bool open;
};

static void check_started(const struct story *s, struct server *server,
                          unsigned read)
{
    struct sequence from;

    server->at = 1;
    if (s->reader.start.position == STREAM_AFTER_SEQUENCE_NUMBER) {
        assert_true(
            sequence_parse(bytes_of(s->reader.start.sequence_number), &from));
        server->at = (unsigned)atoi(s->reader.start.sequence_number) + 1;
    }
    assert_int_equal(server->at, read + 1); // nothing lost, nothing twice
    server->open = true;
    server->open_ms = s->now_ms;
}

static void deliver(struct story *s, struct server *server, unsigned *read)
{
    AUTO_FREE char *sequence = mem_printf("%u", server->at);

    assert_int_equal(server->at, *read + 1);
    *read = server->at++;
    event(s, sequence, sequence);
}

static void test_nothing_is_lost_or_read_twice(void **state)
{
    struct random random = {.state = 42};
    struct server server = {0};
    unsigned read = 0;
    int64_t asked_ms = 0;
    struct story s;

    (void)state;
    begin(&s, &horizon, true);
    for (int i = 0; i < 200000; i++) {
        enum fanout_step step = next(&s);

        s.now_ms += (int64_t)random_below(&random, 4000);
        if (step == FANOUT_SUBSCRIBE) {
            assert_false(server.open);
            assert_true(s.now_ms >= asked_ms);
            check_started(&s, &server, read);
        } else if (step == FANOUT_CUT) {
            assert_true(server.open);
            server.open = false;
            end(&s);
        }
        if (!server.open) {
            s.has_space = s.has_space || !random_below(&random, 4);
            continue;
        }
        assert_true(s.now_ms - server.open_ms < 300 * SECOND);
        switch (random_below(&random, 12)) {
        case 0:
            s.has_space = !s.has_space;
            fanout_reader_got_pause(&s.reader, !s.has_space, s.now_ms);
            break;
        case 1:
            if (random_below(&random, 10))
                break;
            server.open = false;
            end(&s);
            break;
        case 2:
            if (random_below(&random, 10))
                break;
            server.open = false;
            refuse(&s, random_below(&random, 2) ? "ResourceInUseException" : "",
                   ERROR_TRANSIENT);
            break;
        default:
            if (s.has_space)
                deliver(&s, &server, &read);
        }
    }
    assert_true(read > 10000);
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_goes_on_behind_the_last_record),
        cmocka_unit_test(test_an_empty_event_never_leads_back),
        cmocka_unit_test(test_an_empty_event_passes_no_sub_record_by),
        cmocka_unit_test(
            test_subscribes_anew_between_events_before_five_minutes),
        cmocka_unit_test(test_waits_for_the_last_event_no_longer_than_that),
        cmocka_unit_test(test_leaves_a_server_that_says_nothing),
        cmocka_unit_test(test_what_stands_still_for_us_is_not_silent),
        cmocka_unit_test(
            test_what_stood_still_too_long_begins_again_where_it_was),
        cmocka_unit_test(test_waits_while_another_has_the_shard),
        cmocka_unit_test(test_never_calls_more_than_once_a_second),
        cmocka_unit_test(test_backs_off_from_a_server_that_fails),
        cmocka_unit_test(test_a_stream_that_ends_without_a_word_is_a_failure),
        cmocka_unit_test(test_backs_off_from_a_server_that_only_greets),
        cmocka_unit_test(test_children_end_the_shard),
        cmocka_unit_test(test_an_end_without_children_is_not_believed),
        cmocka_unit_test(test_looks_after_a_shard_that_a_server_never_ends),
        cmocka_unit_test(test_aws_is_not_asked),
        cmocka_unit_test(test_latest_is_a_point_in_time_from_then_on),
        cmocka_unit_test(test_nothing_is_lost_or_read_twice),
    };

    return cmocka_run_group_tests_name("fanout_reader", tests, NULL, NULL) +
           run_table("fanout_reader failures", fatals,
                     test_gives_up_where_nothing_helps);
}
