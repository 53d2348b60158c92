#include "poller/order.h"

#include <stdio.h>

#include "poller/batch.h"
#include "records.h"
#include "test.h"

static struct record *enter(struct order *order, const char *group)
{
    struct record *record =
        record_make(&(struct record_spec){.key = group, .event_size = 100});

    order_enter(order, record);
    return record;
}

static void over(struct order *order, struct record *record, bool done,
                 struct record_list *line, struct record_list *back)
{
    order_record_over(order, record, done ? ORDER_DONE : ORDER_FAILED, line,
                      back);
    record_release(record);
}

static void release_all(struct record_list *list)
{
    struct record *record;

    while ((record = record_list_take(list)))
        record_release(record);
}

static void test_concurrency_bounds_batches(void **state)
{
    struct order order;

    (void)state;
    order_init(&order, 2, false, 7);
    assert_int_equal(order_free(&order), 2);
    order_batch_started(&order);
    order_batch_started(&order);
    assert_int_equal(order_free(&order), 0);
    order.concurrency = 1; // fewer than run: no more until they are over
    assert_int_equal(order_free(&order), 0);
    order_batch_over(&order);
    assert_int_equal(order_free(&order), 0);
    order_batch_over(&order);
    assert_int_equal(order_free(&order), 1);
    order_finish(&order);
}

static void test_a_group_is_held_while_it_runs(void **state)
{
    struct record_list line = {0}, back = {0};
    struct batch *one = batch_create(2), *two = batch_create(2);
    struct record *records[4];
    struct order order;

    (void)state;
    order_init(&order, 2, true, 7);
    for (int i = 0; i < 4; i++)
        records[i] = enter(&order, "a");
    assert_int_equal(order_place(&order, one, records[0]), ORDER_START);
    assert_int_equal(order_place(&order, one, records[1]), ORDER_START);
    assert_int_equal(order_place(&order, two, records[2]), ORDER_HOLD);
    assert_int_equal(order_place(&order, two, records[3]), ORDER_HOLD);
    assert_int_equal(order.held, 2);
    assert_int_equal(order.held_bytes, 200);
    over(&order, records[0], true, &line, &back);
    assert_int_equal(line.count, 0); // one of it still runs
    over(&order, records[1], true, &line, &back);
    assert_int_equal(line.count, 2);
    assert_ptr_equal(line.first, records[2]); // in their order
    assert_int_equal(order.held + order.held_bytes, 0);
    order_give_back(&order, records[2], &back);
    order_give_back(&order, records[3], &back);
    assert_int_equal(back.count, 0);
    release_all(&line);
    free(one);
    free(two);
    order_finish(&order);
}

static void test_what_is_held_goes_back_with_a_failed_one(void **state)
{
    struct record_list line = {0}, back = {0};
    struct batch *one = batch_create(1), *two = batch_create(1);
    struct record *failed, *held, *in_line;
    struct order order;

    (void)state;
    order_init(&order, 2, true, 7);
    failed = enter(&order, "a");
    held = enter(&order, "a");
    in_line = enter(&order, "a");
    assert_int_equal(order_place(&order, one, failed), ORDER_START);
    assert_int_equal(order_place(&order, two, held), ORDER_HOLD);
    over(&order, failed, false, &line, &back);
    assert_int_equal(line.count, 0);
    assert_ptr_equal(back.first, held);
    assert_int_equal(order_place(&order, two, in_line), ORDER_BACK);
    record_release(in_line);
    release_all(&back);
    assert_int_equal(order.group_count, 0); // so the next of it may start
    free(one);
    free(two);
    order_finish(&order);
}

static void test_records_without_a_group_are_never_held(void **state)
{
    struct record_list line = {0}, back = {0};
    struct batch *one = batch_create(1), *two = batch_create(1);
    struct order order;

    (void)state;
    order_init(&order, 2, true, 7);
    assert_int_equal(order_place(&order, one, enter(&order, NULL)),
                     ORDER_START);
    assert_int_equal(order_place(&order, two, enter(&order, NULL)),
                     ORDER_START);
    over(&order, one->records[0], false, &line, &back);
    over(&order, two->records[0], true, &line, &back);
    assert_int_equal(line.count + back.count + order.group_count, 0);
    free(one);
    free(two);
    order_finish(&order);
}

/* As many groups as one likes: the table grows with them and forgets them. */
static void test_ten_thousand_groups_run_side_by_side(void **state)
{
    struct record_list line = {0}, back = {0};
    struct batch *batch = batch_create(10000);
    struct order order;
    char group[16];

    (void)state;
    order_init(&order, 1, true, 7);
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(group, sizeof(group), "group-%d", i);
        assert_int_equal(order_place(&order, batch, enter(&order, group)),
                         ORDER_START);
    }
    assert_int_equal(order.group_count, 10000);
    for (size_t i = 0; i < batch->count; i++)
        over(&order, batch->records[i], true, &line, &back);
    assert_int_equal(order.group_count, 0);
    free(batch);
    order_finish(&order);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concurrency_bounds_batches),
        cmocka_unit_test(test_a_group_is_held_while_it_runs),
        cmocka_unit_test(test_what_is_held_goes_back_with_a_failed_one),
        cmocka_unit_test(test_records_without_a_group_are_never_held),
        cmocka_unit_test(test_ten_thousand_groups_run_side_by_side),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
