#include "record/record.h"

#include "base/mem.h"
#include "test.h"

static struct chunk *create(struct chunk_spares *spares, size_t count)
{
    struct buffer body;
    struct chunk *chunk;

    buffer_init(&body, 1000);
    buffer_append_text(&body, "{\"Records\":[]}");
    chunk = chunk_adopt(&body, mem_calloc(count, sizeof(struct record)), count);
    assert_null(body.data);
    chunk->capacity = count;
    chunk->spares = spares;
    return chunk;
}

static void release_all(struct chunk *chunk)
{
    for (size_t i = chunk->live; i > 0; i--)
        record_release(&chunk->records[i - 1]);
}

static void test_a_list_gives_back_in_order(void **state)
{
    struct record records[3] = {0};
    struct record_list list = {0};

    (void)state;
    for (int i = 0; i < 3; i++)
        record_list_add(&list, &records[i]);
    assert_int_equal(list.count, 3);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(record_list_take(&list), &records[i]);
    assert_null(record_list_take(&list));
    record_list_add(&list, &records[1]);
    assert_ptr_equal(record_list_take(&list), &records[1]);
}

static void test_a_chunk_lives_as_long_as_its_last_record(void **state)
{
    struct chunk *chunk = create(NULL, 2);
    struct record *first = &chunk->records[0], *second = &chunk->records[1];

    (void)state;
    record_release(second);
    assert_ptr_equal(first->chunk, chunk);
    record_release(first); // a leak would be the sanitizer's to tell
}

static void test_spares_hand_memory_on(void **state)
{
    struct chunk_spares spares = {.open = true};
    struct chunk *chunk = create(&spares, 7);
    const char *data = chunk->body.data;
    const struct record *records = chunk->records;
    struct buffer body;
    struct record *array;
    size_t capacity = 0;

    (void)state;
    release_all(chunk);
    body = chunk_spares_body(&spares);
    assert_ptr_equal(body.data, data);
    assert_int_equal(body.size, 0);
    array = chunk_spares_records(&spares, &capacity);
    assert_ptr_equal(array, records);
    assert_int_equal(capacity, 7);
    assert_null(chunk_spares_records(&spares, &capacity));
    assert_int_equal(capacity, 0);
    assert_null(chunk_spares_body(&spares).data);
    free(array);
    buffer_finish(&body);
}

static void test_spares_are_few(void **state)
{
    struct chunk_spares spares = {.open = true};

    (void)state;
    for (int i = 0; i < 2 * CHUNK_SPARES; i++)
        release_all(create(&spares, 1));
    chunk_spares_close(&spares);
    assert_null(chunk_spares_body(&spares).data);
}

static void test_closed_spares_take_nothing_in(void **state)
{
    struct chunk_spares spares = {.open = true};

    (void)state;
    chunk_spares_close(&spares);
    release_all(create(&spares, 1));
    assert_null(chunk_spares_body(&spares).data);
}

static struct bytes slice(struct buffer *body, const char *text)
{
    struct bytes bytes = {body->data + body->size, strlen(text)};

    buffer_append_text(body, text);
    return bytes;
}

/* All that a stream's record may point at moves with it. */
static void test_a_copy_stands_alone(void **state)
{
    static const struct record_origin change = {.kind = RECORD_DYNAMODB};
    struct record *record, *copy;
    struct buffer body;

    (void)state;
    buffer_init(&body, 1000);
    (void)buffer_reserve(&body, 1000);
    record = &chunk_create(&body, 1)->records[0];
    body = record->chunk->body;
    record->origin = &change;
    record->id = slice(&body, "17:2");
    record->id.size = 2;
    record->sub = 3;
    record->data = slice(&body, "{}");
    record->key = slice(&body, "k");
    record->event_id = slice(&body, "e1");
    record->event_name = slice(&body, "MODIFY");
    record->event_version = slice(&body, "1.1");
    record->user_identity = slice(&body, "");
    record->arrived_at_ms = 5;
    record->event_size = 99;

    copy = record_copy(record);
    memset(body.data, '?', body.size);
    record_release(record);
    assert_ptr_not_equal(copy, record);
    assert_ptr_equal(copy->origin, &change);
    assert_true(bytes_equal(copy->id, BYTES("17")));
    assert_true(bytes_equal(record_full_id(copy), BYTES("17:2")));
    assert_true(bytes_equal(copy->data, BYTES("{}")));
    assert_true(bytes_equal(copy->key, BYTES("k")));
    assert_true(bytes_equal(copy->event_id, BYTES("e1")));
    assert_true(bytes_equal(copy->event_name, BYTES("MODIFY")));
    assert_true(bytes_equal(copy->event_version, BYTES("1.1")));
    assert_int_equal(copy->user_identity.size, 0);
    assert_int_equal(copy->arrived_at_ms, 5);
    assert_int_equal(copy->event_size, 99);
    record_release(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_gives_back_in_order),
        cmocka_unit_test(test_a_copy_stands_alone),
        cmocka_unit_test(test_a_chunk_lives_as_long_as_its_last_record),
        cmocka_unit_test(test_spares_hand_memory_on),
        cmocka_unit_test(test_spares_are_few),
        cmocka_unit_test(test_closed_spares_take_nothing_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
