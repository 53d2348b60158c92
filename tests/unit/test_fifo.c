#include "local/fifo.h"

#include "local/queue.h"
#include "local_state.h"
#include "test.h"

static int set_up(void **state)
{
    struct local_state *s = test_calloc(1, sizeof(*s));

    local_state_init(s, true);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    local_state_finish(*state);
    test_free(*state);
    return 0;
}

static void test_several_of_a_group_in_order(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "a1", "a", 0);
    local_state_send(s, "b1", "b", 0);
    local_state_send(s, "a2", "a", 0);
    assert_string_equal(local_state_receive(s, 10), "a1 a2 b1");
}

static void test_group_is_blocked_while_one_is_in_flight(void **state)
{
    struct local_state *s = *state;
    struct message *first;

    local_state_send(s, "a1", "a", 0);
    local_state_send(s, "a2", "a", 0);
    local_state_send(s, "b1", "b", 0);
    assert_string_equal(local_state_receive(s, 1), "a1");
    first = s->got[0];
    assert_string_equal(local_state_receive(s, 10), "b1");
    assert_string_equal(local_state_receive(s, 10), "");
    queue_delete(s->queue, first);
    assert_string_equal(local_state_receive(s, 10), "a2");
}

static void test_order_survives_the_end_of_visibility(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "a1", "a", 0);
    local_state_send(s, "a2", "a", 0);
    assert_string_equal(local_state_receive(s, 1), "a1");
    local_state_advance(s, 30000);
    assert_string_equal(local_state_receive(s, 10), "a1 a2");
}

static void test_one_given_back_waits_for_its_fellows(void **state)
{
    struct local_state *s = *state;
    struct message *first, *second;

    local_state_send(s, "a1", "a", 0);
    local_state_send(s, "a2", "a", 0);
    local_state_receive(s, 10);
    first = s->got[0];
    second = s->got[1];
    queue_hide(s->queue, first, s->now_ms, 0);
    assert_string_equal(local_state_receive(s, 10), "");
    queue_hide(s->queue, second, s->now_ms, 0);
    assert_string_equal(local_state_receive(s, 10), "a1 a2");
}

static void test_delay_keeps_the_order(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "a1", "a", 5000);
    local_state_send(s, "a2", "a", 0);
    assert_string_equal(local_state_receive(s, 10), "");
    local_state_advance(s, 5000);
    assert_string_equal(local_state_receive(s, 10), "a1 a2");
}

static void test_poison_makes_way_for_its_group(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "poison", "a", 0);
    local_state_send(s, "good", "a", 0);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(local_state_receive(s, 1), "poison");
        local_state_advance(s, 30000);
    }
    assert_string_equal(local_state_receive(s, 10), "good");
    assert_string_equal(local_state_receive_from(s, s->dead, 1), "poison");
}

static void test_last_of_a_group_may_be_redriven(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "poison", "a", 0);
    for (int i = 0; i < 3; i++) {
        local_state_receive(s, 1);
        local_state_advance(s, 30000);
    }
    assert_string_equal(local_state_receive(s, 10), "");
    assert_int_equal(s->queue->fifo.groups.count, 0);
    assert_int_equal(s->queue->fifo.ready_count, 0);
}

static void test_duplicates_are_known_for_five_minutes(void **state)
{
    struct local_state *s = *state;
    const struct message *message = local_state_send(s, "id", "a", 0);
    const struct fifo_sent *sent;

    fifo_remember_sent(s->queue, message, s->now_ms);
    local_state_advance(s, FIFO_REMEMBERED_MS - 1);
    sent = fifo_find_sent(s->queue, BYTES("other"), BYTES("id"), s->now_ms);
    assert_non_null(sent);
    assert_string_equal(sent->id, message->id);
    assert_string_equal(sent->sequence, message->sequence);
    local_state_advance(s, 1);
    assert_null(fifo_find_sent(s->queue, BYTES("a"), BYTES("id"), s->now_ms));
}

static void test_scope_of_duplicates_may_be_the_group(void **state)
{
    struct local_state *s = *state;
    const struct message *message = local_state_send(s, "id", "a", 0);

    s->queue->settings.dedup_per_group = true;
    fifo_remember_sent(s->queue, message, s->now_ms);
    assert_null(fifo_find_sent(s->queue, BYTES("b"), BYTES("id"), s->now_ms));
    assert_non_null(
        fifo_find_sent(s->queue, BYTES("a"), BYTES("id"), s->now_ms));
}

static void test_sequence_numbers_grow(void **state)
{
    struct local_state *s = *state;
    char before[21], after[21];

    fifo_next_sequence(&s->queue->fifo, before);
    fifo_next_sequence(&s->queue->fifo, after);
    assert_int_equal(strlen(before), 20);
    assert_true(strcmp(before, after) < 0);
}

static size_t repeat(struct local_state *s)
{
    return fifo_repeat(s->queue, BYTES("attempt"), s->now_ms, 30000, s->got);
}

static void test_attempt_repeats_with_the_same_receipts(void **state)
{
    struct local_state *s = *state;
    struct receipt first;

    local_state_send(s, "a1", "a", 0);
    local_state_receive(s, 1);
    first = queue_receipt(s->got[0]);
    fifo_remember_attempt(s->queue, BYTES("attempt"), s->now_ms, s->got, 1);
    local_state_advance(s, 20000);
    assert_int_equal(repeat(s), 1);
    assert_int_equal(queue_receipt(s->got[0]).number, first.number);
    local_state_advance(s, 20000); // hidden anew, so it is in flight still
    assert_int_equal(s->queue->counts[MESSAGE_IN_FLIGHT], 1);
}

static void test_attempt_ends_with_any_change(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "a1", "a", 0);
    local_state_receive(s, 1);
    fifo_remember_attempt(s->queue, BYTES("attempt"), s->now_ms, s->got, 1);
    queue_hide(s->queue, s->got[0], s->now_ms, 40000);
    assert_int_equal(repeat(s), 0);
    assert_int_equal(s->queue->fifo.attempts.count, 0);
}

static void test_attempt_ends_with_a_deletion(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "a1", "a", 0);
    local_state_receive(s, 1);
    fifo_remember_attempt(s->queue, BYTES("attempt"), s->now_ms, s->got, 1);
    queue_delete(s->queue, s->got[0]);
    assert_int_equal(repeat(s), 0);
}

struct sleeper {
    struct waiter waiter; // first
    int woken;
};

static void wake(struct waiter *waiter)
{
    ((struct sleeper *)(void *)waiter)->woken++;
}

static void test_only_a_free_group_wakes(void **state)
{
    struct local_state *s = *state;
    struct sleeper a = {.waiter = {.wanted = 10, .wake = wake}};

    local_state_send(s, "a1", "a", 0);
    local_state_receive(s, 1);
    queue_wait(s->queue, &a.waiter);
    local_state_send(s, "a2", "a", 0);
    assert_int_equal(a.woken, 0);
    queue_delete(s->queue, s->got[0]);
    assert_int_equal(a.woken, 1);
    queue_waiter_leave(&a.waiter);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_several_of_a_group_in_order),
        TEST(test_group_is_blocked_while_one_is_in_flight),
        TEST(test_order_survives_the_end_of_visibility),
        TEST(test_one_given_back_waits_for_its_fellows),
        TEST(test_delay_keeps_the_order),
        TEST(test_poison_makes_way_for_its_group),
        TEST(test_last_of_a_group_may_be_redriven),
        TEST(test_duplicates_are_known_for_five_minutes),
        TEST(test_scope_of_duplicates_may_be_the_group),
        TEST(test_sequence_numbers_grow),
        TEST(test_attempt_repeats_with_the_same_receipts),
        TEST(test_attempt_ends_with_any_change),
        TEST(test_attempt_ends_with_a_deletion),
        TEST(test_only_a_free_group_wakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
