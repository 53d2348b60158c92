#include "poller/window.h"

#include "base/clock.h"
#include "poller/batch.h"
#include "record/event.h"
#include "records.h"
#include "test.h"

#define LIMIT (EVENT_FRAME + 1000) // ten records of 100 bytes

struct arrival {
    int64_t at_ms;
    uint32_t size;    // 0: no more arrivals
    int64_t lasts_ms; // visibility; 0: for ever
};

/* What came when, and when the front may go as how many records. */
static struct window_case {
    const char *name;
    struct window_options options;
    int64_t reopened_ms; // an invocation finished then
    struct arrival arrivals[12];
    int64_t due_ms; // the first moment it is due
    size_t count;   // of the batch then
} cases[] = {
    {"no window: at once with what is there",
     {.batch_size = 10, .payload_limit = LIMIT},
     .arrivals = {{5, 100, 0}, {5, 100, 0}},
     .due_ms = 5,
     .count = 2},
    {"window: waits for it",
     {.batch_size = 10, .payload_limit = LIMIT, .length_ms = 1000},
     .arrivals = {{5, 100, 0}, {600, 100, 0}},
     .due_ms = 1005,
     .count = 2},
    {"batch size: goes when it is reached",
     {.batch_size = 3, .payload_limit = LIMIT, .length_ms = 1000},
     .arrivals = {{5, 100, 0}, {6, 100, 0}, {7, 100, 0}},
     .due_ms = 7,
     .count = 3},
    {"batch size: one more stays behind",
     {.batch_size = 2, .payload_limit = LIMIT, .length_ms = 1000},
     .arrivals = {{5, 100, 0}, {6, 100, 0}, {7, 100, 0}},
     .due_ms = 6,
     .count = 2},
    {"payload: goes when the next does not fit",
     {.batch_size = 100, .payload_limit = LIMIT, .length_ms = 1000},
     .arrivals = {{5, 400, 0}, {6, 400, 0}, {7, 400, 0}},
     .due_ms = 7,
     .count = 2},
    {"payload: goes when it is reached to the byte",
     {.batch_size = 100, .payload_limit = LIMIT, .length_ms = 1000},
     .arrivals = {{5, 400, 0}, {6, 600, 0}},
     .due_ms = 6,
     .count = 2},
    {"payload: one byte less does not",
     {.batch_size = 100, .payload_limit = LIMIT, .length_ms = 1000},
     .arrivals = {{5, 400, 0}, {6, 599, 0}},
     .due_ms = 1005,
     .count = 2},
    {"payload: what is too large for any batch goes alone",
     {.batch_size = 100, .payload_limit = LIMIT, .length_ms = 1000},
     .arrivals = {{5, 5000, 0}, {6, 1, 0}},
     .due_ms = 5,
     .count = 1},
    {"visibility: goes while it lasts for the invocation",
     {.batch_size = 10,
      .payload_limit = LIMIT,
      .length_ms = 60000,
      .needs_ms = 3000},
     .arrivals = {{5, 100, 30000}, {600, 100, 30000}},
     .due_ms = 27005,
     .count = 2},
    {"visibility: too short for any window, so at once",
     {.batch_size = 10,
      .payload_limit = LIMIT,
      .length_ms = 60000,
      .needs_ms = 30000},
     .arrivals = {{5, 100, 30000}},
     .due_ms = 5,
     .count = 1},
    {"shard: the window opens when an invocation finished",
     {.batch_size = 10,
      .payload_limit = LIMIT,
      .length_ms = 1000,
      .reopens = true},
     .reopened_ms = 3000,
     .arrivals = {{3600, 100, 0}},
     .due_ms = 4000,
     .count = 1},
    {"shard: an empty window is followed by another",
     {.batch_size = 10,
      .payload_limit = LIMIT,
      .length_ms = 1000,
      .reopens = true},
     .reopened_ms = 3000,
     .arrivals = {{7600, 100, 0}, {7700, 100, 0}},
     .due_ms = 8000,
     .count = 2},
    {"queue: the window opens when an invocation finished",
     {.batch_size = 10, .payload_limit = LIMIT, .length_ms = 1000},
     .reopened_ms = 3000,
     .arrivals = {{3600, 100, 0}, {3900, 100, 0}},
     .due_ms = 4000,
     .count = 2},
    {"queue: an empty window is followed by another",
     {.batch_size = 10, .payload_limit = LIMIT, .length_ms = 1000},
     .reopened_ms = 3000,
     .arrivals = {{7600, 100, 0}},
     .due_ms = 8000,
     .count = 1},
    {"shard: before any invocation it opens with the first record",
     {.batch_size = 10,
      .payload_limit = LIMIT,
      .length_ms = 1000,
      .reopens = true},
     .arrivals = {{7600, 100, 0}},
     .due_ms = 8600,
     .count = 1},
};

static struct record *arrive(struct window *window,
                             const struct arrival *arrival)
{
    struct record *record = record_make(&(struct record_spec){
        .received_ms = arrival->at_ms,
        .visible_ms = arrival->lasts_ms ? arrival->at_ms + arrival->lasts_ms
                                        : CLOCK_NEVER,
        .event_size = arrival->size,
    });

    window_add(window, record, arrival->at_ms);
    return record;
}

static void release_all(struct window *window)
{
    struct record *record;

    while ((record = window_take(window)))
        record_release(record);
    assert_int_equal(window->bytes, 0);
    assert_int_equal(window->front_count, 0);
    assert_int_equal(window->front_bytes, 0);
    assert_int_equal(window_closes_ms(window), CLOCK_NEVER);
}

/* Step through time by the millisecond until it is due. */
static void test_due(void **state)
{
    const struct window_case *c = *state;
    const struct arrival *next = c->arrivals;
    struct window window;
    int64_t now_ms = c->reopened_ms ? c->reopened_ms : 1;

    window_init(&window, &c->options);
    if (c->reopened_ms)
        window_reopen(&window, now_ms);
    for (;; now_ms++) {
        assert_true(now_ms < 100000);
        while (next->size && next->at_ms == now_ms)
            arrive(&window, next++);
        assert_int_equal(window_is_due(&window, now_ms),
                         window_closes_ms(&window) <= now_ms);
        if (window_is_due(&window, now_ms))
            break;
    }
    assert_int_equal(now_ms, c->due_ms);
    assert_int_equal(window.front_count, c->count);
    release_all(&window);
}

static struct batch *take_batch(struct window *window)
{
    struct batch *batch = batch_create(window->front_count);

    while (window_fits(window, batch)) {
        struct record *record = window_take(window);

        batch->records[batch->count++] = record;
        batch->event_bytes += record->event_size;
    }
    return batch;
}

static void release_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        record_release(batch->records[i]);
    free(batch);
}

static void test_a_queues_next_window_began_with_its_first_record(void **state)
{
    struct window window;

    (void)state;
    window_init(&window, &(struct window_options){.batch_size = 2,
                                                  .payload_limit = LIMIT,
                                                  .length_ms = 1000});
    arrive(&window, &(struct arrival){10, 100, 0});
    arrive(&window, &(struct arrival){20, 100, 0});
    arrive(&window, &(struct arrival){30, 100, 0});
    release_batch(take_batch(&window));
    assert_int_equal(window.waiting.count, 1);
    assert_false(window_is_due(&window, 1029));
    assert_true(window_is_due(&window, 1030));
    release_all(&window);
}

static void test_put_back_restores_line_and_measure(void **state)
{
    struct record_list list = {0};
    struct record *first;
    struct window window;

    (void)state;
    window_init(&window, &(struct window_options){.batch_size = 3,
                                                  .payload_limit = LIMIT,
                                                  .length_ms = 1000});
    first = arrive(&window, &(struct arrival){10, 100, 0});
    arrive(&window, &(struct arrival){20, 200, 0});
    arrive(&window, &(struct arrival){30, 300, 0});
    record_list_add(&list, window_take(&window));
    record_list_add(&list, window_take(&window));
    assert_false(window_is_due(&window, 30));
    window_put_back(&window, &list);
    assert_int_equal(list.count, 0);
    assert_ptr_equal(window.waiting.first, first);
    assert_int_equal(window.bytes, 600);
    assert_true(window_is_due(&window, 30)); // full again
    release_all(&window);
}

static void test_stale_when_its_visibility_no_longer_lasts(void **state)
{
    struct record *record;
    struct window window;

    (void)state;
    window_init(&window, &(struct window_options){.batch_size = 3,
                                                  .payload_limit = LIMIT,
                                                  .needs_ms = 3000});
    assert_int_equal(window_stale_ms(&window), CLOCK_NEVER);
    record = arrive(&window, &(struct arrival){10, 100, 30000});
    assert_false(window_is_stale(&window, record, 27010));
    assert_true(window_is_stale(&window, record, 27011));
    assert_int_equal(window_stale_ms(&window), 27011);
    release_all(&window);
}

/* It would not come back with more, so giving it back would go on for ever. */
static void test_just_received_is_not_stale(void **state)
{
    struct record *record;
    struct window window;

    (void)state;
    window_init(&window, &(struct window_options){.batch_size = 3,
                                                  .payload_limit = LIMIT,
                                                  .needs_ms = 30000});
    record = arrive(&window, &(struct arrival){10, 100, 30000});
    assert_false(window_is_stale(&window, record, 10));
    assert_false(window_is_stale(&window, record, 1010));
    assert_true(window_is_stale(&window, record, 1011));
    release_all(&window);
}

static void test_stream_records_never_go_stale(void **state)
{
    struct record *record;
    struct window window;

    (void)state;
    window_init(&window, &(struct window_options){.batch_size = 3,
                                                  .payload_limit = LIMIT});
    record = arrive(&window, &(struct arrival){10, 100, 0});
    assert_false(window_is_stale(&window, record, INT64_MAX / 2));
    assert_int_equal(window_stale_ms(&window), CLOCK_NEVER);
    release_all(&window);
}

/* Ten thousand records, taken as the front says, come out in order, and each
 * batch is as large as it can be. */
static void test_cuts_a_long_line_into_the_largest_batches(void **state)
{
    struct window window;
    struct batch *batch;
    int64_t at_ms = 0;
    size_t left = 10000;

    (void)state;
    window_init(&window, &(struct window_options){.batch_size = 7,
                                                  .payload_limit = LIMIT});
    for (int64_t i = 1; i <= 10000; i++)
        arrive(&window, &(struct arrival){i, (uint32_t)(i * 37 % 500 + 1), 0});
    while (left) {
        size_t front = window.front_count;

        batch = take_batch(&window);
        assert_int_equal(batch->count, front);
        assert_true(EVENT_FRAME + batch->event_bytes <= LIMIT);
        assert_true(!window.waiting.first || batch->count == 7 ||
                    EVENT_FRAME + batch->event_bytes +
                            window.waiting.first->event_size >
                        LIMIT);
        for (size_t i = 0; i < batch->count; i++)
            assert_int_equal(batch->records[i]->received_ms, ++at_ms);
        left -= batch->count;
        release_batch(batch);
    }
    release_all(&window);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_queues_next_window_began_with_its_first_record),
        cmocka_unit_test(test_put_back_restores_line_and_measure),
        cmocka_unit_test(test_stale_when_its_visibility_no_longer_lasts),
        cmocka_unit_test(test_just_received_is_not_stale),
        cmocka_unit_test(test_stream_records_never_go_stale),
        cmocka_unit_test(test_cuts_a_long_line_into_the_largest_batches),
    };
    int failed = run_table("window due", cases, test_due);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
