#include "local/queue.h"

#include "local_state.h"
#include "test.h"

static int set_up(void **state)
{
    struct local_state *s = test_calloc(1, sizeof(*s));

    local_state_init(s, false);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    local_state_finish(*state);
    test_free(*state);
    return 0;
}

static void assert_counts(const struct queue *queue, unsigned ready,
                          unsigned delayed, unsigned in_flight)
{
    assert_int_equal(queue->counts[MESSAGE_READY], ready);
    assert_int_equal(queue->counts[MESSAGE_DELAYED], delayed);
    assert_int_equal(queue->counts[MESSAGE_IN_FLIGHT], in_flight);
}

static void test_receives_in_order_up_to_what_is_wanted(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "a", NULL, 0);
    local_state_send(s, "b", NULL, 0);
    local_state_send(s, "c", NULL, 0);
    assert_string_equal(local_state_receive(s, 2), "a b");
    assert_counts(s->queue, 1, 0, 2);
    assert_string_equal(local_state_receive(s, 10), "c");
    assert_string_equal(local_state_receive(s, 10), "");
}

static void test_comes_back_when_visibility_ends(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "a", NULL, 0);
    local_state_receive(s, 1);
    local_state_advance(s, 29999);
    assert_string_equal(local_state_receive(s, 1), "");
    local_state_advance(s, 1);
    assert_string_equal(local_state_receive(s, 1), "a");
    assert_int_equal(s->got[0]->receives, 2);
    assert_int_equal(s->got[0]->first_received_ms, STATE_START_MS);
}

static void test_delay_hides_until_it_is_over(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "late", NULL, 5000);
    assert_counts(s->queue, 0, 1, 0);
    assert_string_equal(local_state_receive(s, 1), "");
    local_state_advance(s, 5000);
    assert_string_equal(local_state_receive(s, 1), "late");
}

static void test_deleted_is_gone(void **state)
{
    struct local_state *s = *state;
    struct receipt receipt;
    struct message *message;

    local_state_send(s, "a", NULL, 0);
    local_state_receive(s, 1);
    receipt = queue_receipt(s->got[0]);
    assert_int_equal(queue_check(s->queue, &receipt, &message), RECEIPT_GOOD);
    queue_delete(s->queue, message);
    assert_int_equal(queue_check(s->queue, &receipt, &message), RECEIPT_GONE);
    local_state_advance(s, 60000);
    assert_string_equal(local_state_receive(s, 1), "");
    assert_counts(s->queue, 0, 0, 0);
}

static void test_receipt_ages_with_its_message(void **state)
{
    struct local_state *s = *state;
    struct receipt first;
    struct message *message;

    local_state_send(s, "a", NULL, 0);
    local_state_receive(s, 1);
    first = queue_receipt(s->got[0]);
    local_state_advance(s, 30000);
    assert_int_equal(queue_check(s->queue, &first, &message), RECEIPT_EXPIRED);
    local_state_receive(s, 1);
    assert_int_equal(queue_check(s->queue, &first, &message), RECEIPT_OLD);
}

static void test_slot_of_a_deleted_message_is_not_mistaken(void **state)
{
    struct local_state *s = *state;
    struct receipt old;
    struct message *message;

    local_state_send(s, "a", NULL, 0);
    local_state_receive(s, 1);
    old = queue_receipt(s->got[0]);
    queue_delete(s->queue, s->got[0]);
    local_state_send(s, "b", NULL, 0);
    local_state_receive(s, 1);
    assert_int_equal(queue_receipt(s->got[0]).slot, old.slot);
    assert_int_equal(queue_check(s->queue, &old, &message), RECEIPT_GONE);
}

static void test_hiding_longer_or_not_at_all(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "a", NULL, 0);
    local_state_receive(s, 1);
    queue_hide(s->queue, s->got[0], s->now_ms, 100000);
    local_state_advance(s, 99999);
    assert_string_equal(local_state_receive(s, 1), "");
    queue_hide(s->queue, s->got[0] = s->queue->slots[0], s->now_ms, 0);
    assert_string_equal(local_state_receive(s, 1), "a");
}

static void test_moves_to_the_dead_letter_queue_after_the_limit(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "poison", NULL, 0);
    for (int i = 0; i < 3; i++) {
        assert_string_equal(local_state_receive(s, 1), "poison");
        local_state_advance(s, 30000);
    }
    assert_string_equal(local_state_receive(s, 1), "");
    assert_counts(s->queue, 0, 0, 0);
    assert_string_equal(local_state_receive_from(s, s->dead, 1), "poison");
    assert_string_equal(s->got[0]->dead_letter_source, "arn:q");
    assert_int_equal(s->got[0]->receives, 4);
}

static void test_unreceived_did_not_happen(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "a", NULL, 0);
    local_state_send(s, "b", NULL, 0);
    local_state_receive(s, 1);
    queue_unreceive(s->queue, s->got[0]);
    assert_counts(s->queue, 2, 0, 0);
    assert_string_equal(local_state_receive(s, 2), "a b");
    assert_int_equal(s->got[0]->receives, 1);
    local_state_advance(s, 29999);
    assert_counts(s->queue, 0, 0, 2);
}

static void test_expires_what_is_too_old(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "old", NULL, 0);
    local_state_advance(s, 1000);
    local_state_send(s, "new", NULL, 0);
    local_state_advance(s, 3600 * 1000 - 1000);
    queue_expire(s->queue, s->now_ms);
    assert_string_equal(local_state_receive(s, 10), "new");
}

static void test_purge_forgets_messages_in_any_state(void **state)
{
    struct local_state *s = *state;

    local_state_send(s, "a", NULL, 0);
    local_state_receive(s, 1);
    local_state_send(s, "b", NULL, 1000);
    local_state_send(s, "c", NULL, 0);
    queue_purge(s->queue);
    assert_counts(s->queue, 0, 0, 0);
    local_state_advance(s, 100000);
    assert_string_equal(local_state_receive(s, 10), "");
}

struct sleeper {
    struct waiter waiter; // first
    int woken;
};

static void wake(struct waiter *waiter)
{
    ((struct sleeper *)(void *)waiter)->woken++;
}

static struct sleeper sleeper(unsigned wanted)
{
    return (struct sleeper){.waiter = {.wanted = wanted, .wake = wake}};
}

static void test_send_wakes_the_longest_waiting(void **state)
{
    struct local_state *s = *state;
    struct sleeper a = sleeper(1), b = sleeper(1);

    queue_wait(s->queue, &a.waiter);
    queue_wait(s->queue, &b.waiter);
    local_state_send(s, "m", NULL, 0);
    assert_int_equal(a.woken, 1);
    assert_int_equal(b.woken, 0);
    local_state_send(s, "n", NULL, 0);
    assert_int_equal(b.woken, 1);
    assert_int_equal(s->queue->waiting, 2);
    queue_waiter_leave(&a.waiter);
    queue_waiter_leave(&b.waiter);
    assert_int_equal(s->queue->waiting, 0);
    assert_int_equal(s->queue->promised, 0);
}

static void test_one_that_takes_ten_needs_no_company(void **state)
{
    struct local_state *s = *state;
    struct sleeper a = sleeper(10), b = sleeper(10);

    queue_wait(s->queue, &a.waiter);
    queue_wait(s->queue, &b.waiter);
    for (int i = 0; i < 10; i++)
        local_state_send(s, "m", NULL, 0);
    assert_int_equal(b.woken, 0);
    local_state_send(s, "m", NULL, 0);
    assert_int_equal(b.woken, 1);
    queue_waiter_leave(&a.waiter);
    queue_waiter_leave(&b.waiter);
}

static void test_end_of_visibility_and_of_delay_wake(void **state)
{
    struct local_state *s = *state;
    struct sleeper a = sleeper(1), b = sleeper(1);

    local_state_send(s, "hidden", NULL, 0);
    local_state_receive(s, 1);
    local_state_send(s, "delayed", NULL, 1000);
    queue_wait(s->queue, &a.waiter);
    queue_wait(s->queue, &b.waiter);
    local_state_advance(s, 1000);
    assert_int_equal(a.woken, 1);
    local_state_advance(s, 29000);
    assert_int_equal(b.woken, 1);
    queue_waiter_leave(&a.waiter);
    queue_waiter_leave(&b.waiter);
}

static void test_woken_but_gone_passes_it_on(void **state)
{
    struct local_state *s = *state;
    struct sleeper a = sleeper(1), b = sleeper(1);

    queue_wait(s->queue, &a.waiter);
    queue_wait(s->queue, &b.waiter);
    local_state_send(s, "m", NULL, 0);
    queue_waiter_leave(&a.waiter);
    queue_wake(s->queue);
    assert_int_equal(b.woken, 1);
    queue_waiter_leave(&b.waiter);
}

static void test_end_of_the_queue_wakes_everybody(void **state)
{
    struct local_state *s = *state;
    struct sleeper a = sleeper(1), b = sleeper(1);

    queue_wait(s->queue, &a.waiter);
    queue_wait(s->queue, &b.waiter);
    local_state_send(s, "m", NULL, 0);
    queue_destroy(s->queue);
    s->queue = NULL;
    assert_int_equal(a.woken, 1);
    assert_int_equal(b.woken, 1);
    assert_null(a.waiter.queue);
    queue_waiter_leave(&a.waiter);
}

static void test_many_deadlines_come_in_order(void **state)
{
    struct local_state *s = *state;
    uint32_t x = 12345;

    for (int i = 0; i < 2000; i++) {
        x = x * 1664525 + 1013904223;
        local_state_send(s, "m", NULL, 1 + x % 1000);
    }
    for (unsigned ready = 0; s->queue->counts[MESSAGE_DELAYED];) {
        local_state_advance(s, 1);
        assert_true(s->queue->counts[MESSAGE_READY] >= ready);
        ready = (unsigned)s->queue->counts[MESSAGE_READY];
        for (uint32_t i = 0; i < s->queue->slot_count; i++)
            if (s->queue->slots[i]->state == MESSAGE_DELAYED)
                assert_true(s->queue->slots[i]->timer.due_ms > s->now_ms);
    }
    assert_counts(s->queue, 2000, 0, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_receives_in_order_up_to_what_is_wanted),
        TEST(test_comes_back_when_visibility_ends),
        TEST(test_delay_hides_until_it_is_over),
        TEST(test_deleted_is_gone),
        TEST(test_receipt_ages_with_its_message),
        TEST(test_slot_of_a_deleted_message_is_not_mistaken),
        TEST(test_hiding_longer_or_not_at_all),
        TEST(test_moves_to_the_dead_letter_queue_after_the_limit),
        TEST(test_unreceived_did_not_happen),
        TEST(test_expires_what_is_too_old),
        TEST(test_purge_forgets_messages_in_any_state),
        TEST(test_send_wakes_the_longest_waiting),
        TEST(test_one_that_takes_ten_needs_no_company),
        TEST(test_end_of_visibility_and_of_delay_wake),
        TEST(test_woken_but_gone_passes_it_on),
        TEST(test_end_of_the_queue_wakes_everybody),
        TEST(test_many_deadlines_come_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
