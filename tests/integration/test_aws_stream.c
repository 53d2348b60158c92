#include "aws/client.h"

#include "aws_fixture.h"
#include "base/mem.h"
#include "test.h"

#define BIG_SIZE (4u * 1024 * 1024)
#define WAITS 500 // of 20 ms at the most: more than enough

struct taker {
    struct buffer taken;
    size_t pieces;
    bool is_full; // takes nothing
};

static enum aws_piece take(void *owner, struct bytes piece)
{
    struct taker *taker = owner;

    if (taker->is_full)
        return AWS_PIECE_LATER;
    taker->pieces++;
    buffer_append_bytes(&taker->taken, piece);
    return AWS_PIECE_TAKEN;
}

static const struct aws_stream stream = {.take = take, .silence_ms = 1000};

static void begin(struct aws_fixture *f, struct taker *taker)
{
    struct aws_request request = {.service = AWS_KINESIS,
                                  .protocol = AWS_JSON_11,
                                  .operation = "SubscribeToShard",
                                  .stream = &stream,
                                  .owner = taker};

    buffer_init(&taker->taken, 2 * BIG_SIZE);
    if (!f->client)
        aws_fixture_open(f);
    aws_client_send(f->client, &request);
}

static struct aws_reply await_end(struct aws_fixture *f)
{
    struct aws_reply reply;

    for (int i = 0; i < WAITS; i++) {
        if (aws_client_next(f->client, &reply))
            return reply;
        aws_client_wait(f->client, 20);
    }
    fail_msg("the stream does not end");
    return reply;
}

static void finish(struct taker *taker, struct aws_reply *reply)
{
    buffer_finish(&taker->taken);
    aws_reply_finish(reply);
}

static void test_pieces_are_handed_on_and_the_end_is_a_reply(void **state)
{
    struct aws_fixture *f = *state;
    struct taker taker = {0};
    struct aws_reply reply;

    http_server_push(f->server, &(struct http_answer){.body = "one two three",
                                                      .fault = HTTP_CHUNKED});
    begin(f, &taker);
    reply = await_end(f);
    assert_ok(reply.ok, &reply.error);
    assert_ptr_equal(reply.owner, &taker);
    assert_int_equal(reply.body.size, 0);
    assert_string_equal(buffer_text(&taker.taken), "one two three");
    finish(&taker, &reply);
}

static void test_a_refusal_is_no_stream(void **state)
{
    struct aws_fixture *f = *state;
    struct taker taker = {0};
    struct aws_reply reply;

    http_server_push(
        f->server,
        &(struct http_answer){.status = 400,
                              .body = "{\"__type\":\"ResourceInUseException\","
                                      "\"message\":\"taken\"}"});
    begin(f, &taker);
    reply = await_end(f);
    assert_false(reply.ok);
    assert_int_equal(reply.status, 400);
    assert_string_equal(reply.code, "ResourceInUseException");
    assert_int_equal(taker.pieces, 0);
    assert_int_equal(http_server_count(f->server), 1);
    finish(&taker, &reply);
}

static void test_a_server_error_is_not_tried_again_in_here(void **state)
{
    struct aws_fixture *f = *state;
    struct taker taker = {0};
    struct aws_reply reply;

    http_server_push(f->server, &(struct http_answer){.status = 503});
    begin(f, &taker);
    reply = await_end(f);
    assert_int_equal(reply.error.code, ERROR_TRANSIENT);
    assert_int_equal(http_server_count(f->server), 1);
    finish(&taker, &reply);
}

static void test_a_stream_that_is_cut_off_fails(void **state)
{
    struct aws_fixture *f = *state;
    struct taker taker = {0};
    struct aws_reply reply;

    http_server_push(f->server, &(struct http_answer){.body = "0123456789",
                                                      .fault = HTTP_CUT});
    begin(f, &taker);
    reply = await_end(f);
    assert_false(reply.ok);
    assert_int_equal(reply.error.code, ERROR_TRANSIENT);
    assert_string_equal(buffer_text(&taker.taken), "01234");
    finish(&taker, &reply);
}

static void test_silence_ends_it(void **state)
{
    struct aws_fixture *f = *state;
    struct taker taker = {0};
    struct aws_reply reply;

    http_server_push(f->server, &(struct http_answer){.fault = HTTP_HOLD});
    begin(f, &taker);
    reply = await_end(f);
    assert_false(reply.ok);
    assert_int_equal(reply.error.code, ERROR_TRANSIENT);
    finish(&taker, &reply);
}

// The server sends far more than the sockets hold, and waits.
static void test_a_full_taker_holds_the_sender(void **state)
{
    struct aws_fixture *f = *state;
    struct taker taker = {.is_full = true};
    char *big = mem_calloc(1, BIG_SIZE);
    struct aws_reply reply;

    memset(big, 'x', BIG_SIZE);
    http_server_push(f->server, &(struct http_answer){.body = big,
                                                      .body_size = BIG_SIZE,
                                                      .fault = HTTP_CHUNKED});
    begin(f, &taker);
    // Longer than the silence that would end it.
    for (int i = 0; i < 60; i++) {
        aws_client_wait(f->client, 20);
        assert_false(aws_client_next(f->client, &reply));
    }
    assert_int_equal(taker.pieces, 0);
    assert_int_equal(aws_client_pending(f->client, &taker), 1);
    taker.is_full = false;
    aws_client_resume(f->client, &taker);
    assert_true(taker.pieces > 0);
    reply = await_end(f);
    assert_ok(reply.ok, &reply.error);
    assert_int_equal(taker.taken.size, BIG_SIZE);
    finish(&taker, &reply);
    free(big);
}

static void test_it_can_be_cancelled_while_it_is_paused(void **state)
{
    struct aws_fixture *f = *state;
    struct taker taker = {.is_full = true};
    struct aws_reply reply;

    http_server_push(f->server,
                     &(struct http_answer){.body = "x", .fault = HTTP_CHUNKED});
    begin(f, &taker);
    for (int i = 0; i < 3; i++)
        aws_client_wait(f->client, 20);
    aws_client_cancel(f->client, &taker);
    reply = await_end(f);
    assert_int_equal(reply.error.code, ERROR_STOPPED);
    finish(&taker, &reply);
}

static void test_the_handle_carries_ordinary_calls_afterwards(void **state)
{
    struct aws_fixture *f = *state;
    struct taker taker = {0};
    struct aws_reply reply;

    http_server_push(f->server, &(struct http_answer){.body = "piece",
                                                      .fault = HTTP_CHUNKED});
    http_server_push(f->server, &(struct http_answer){.body = "{\"a\":1}"});
    begin(f, &taker);
    reply = await_end(f);
    finish(&taker, &reply);
    aws_fixture_call(f, &reply);
    assert_ok(reply.ok, &reply.error);
    assert_string_equal(buffer_text(&reply.body), "{\"a\":1}");
    aws_reply_finish(&reply);
}

#define STORY(name_)                                           \
    cmocka_unit_test_setup_teardown(name_, aws_fixture_set_up, \
                                    aws_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(test_pieces_are_handed_on_and_the_end_is_a_reply),
        STORY(test_a_refusal_is_no_stream),
        STORY(test_a_server_error_is_not_tried_again_in_here),
        STORY(test_a_stream_that_is_cut_off_fails),
        STORY(test_silence_ends_it),
        STORY(test_a_full_taker_holds_the_sender),
        STORY(test_it_can_be_cancelled_while_it_is_paused),
        STORY(test_the_handle_carries_ordinary_calls_afterwards),
    };

    return cmocka_run_group_tests_name("aws_stream", tests, NULL, NULL);
}
