#include "aws/event_stream.h"

#include <zlib.h>

#include "base/codec.h"
#include "base/mem.h"
#include "test.h"

// wire.md section 2.6
static const char nothing[] = "000000100000000005c248eb7d98c8ff";
static const char only_payload[] =
    "0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936";
static const char initial_response[] =
    "0000007200000060ab820d9e0d3a6d6573736167652d747970650700056576656e740b3a65"
    "76656e742d74797065070010696e697469616c2d726573706f6e73650d3a636f6e74656e74"
    "2d7479706507001a6170706c69636174696f6e2f782d616d7a2d6a736f6e2d312e317b7de1"
    "6e66e4";

static unsigned nibble(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static struct buffer from_hex(const char *hex)
{
    struct buffer out;

    buffer_init(&out, 1 << 20);
    for (; hex[0]; hex += 2)
        buffer_append_char(&out, (char)(nibble(hex[0]) << 4 | nibble(hex[1])));
    return out;
}

static void put_number(struct buffer *out, uint32_t number)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        buffer_append_char(out, (char)(number >> shift));
}

// A message with right checksums around whatever it is.
static void put_message(struct buffer *out, struct bytes headers,
                        struct bytes payload)
{
    size_t start = out->size;
    const unsigned char *data;

    put_number(out, (uint32_t)(headers.size + payload.size + 16));
    put_number(out, (uint32_t)headers.size);
    data = (const unsigned char *)out->data + start;
    put_number(out, (uint32_t)crc32(0, data, 8));
    buffer_append_bytes(out, headers);
    buffer_append_bytes(out, payload);
    data = (const unsigned char *)out->data + start;
    put_number(out, (uint32_t)crc32(0, data, (uInt)(out->size - start)));
}

struct seen {
    struct event_stream stream;
    struct event_message message;
    struct error err;
};

static enum event_stream_step read_all(struct seen *seen, struct bytes bytes)
{
    return event_stream_read(&seen->stream, &bytes, &seen->message, &seen->err);
}

static void open_stream(struct seen *seen)
{
    *seen = (struct seen){0};
    event_stream_init(&seen->stream, EVENT_STREAM_PAYLOAD_LIMIT);
}

static void close_stream(struct seen *seen)
{
    event_message_finish(&seen->message);
    event_stream_finish(&seen->stream);
}

static void assert_payload(const struct seen *seen, const char *text)
{
    assert_int_equal(seen->message.payload.size, strlen(text));
    assert_memory_equal(seen->message.payload.size ? seen->message.payload.data
                                                   : "",
                        text, strlen(text));
}

static void test_reads_the_vectors(void **state)
{
    struct seen seen;
    struct buffer in = from_hex(nothing);

    (void)state;
    open_stream(&seen);
    assert_int_equal(read_all(&seen, buffer_bytes(&in)), EVENT_STREAM_MESSAGE);
    assert_int_equal(seen.message.headers.size, 0);
    assert_payload(&seen, "");
    event_message_finish(&seen.message);
    buffer_finish(&in);

    in = from_hex(only_payload);
    assert_int_equal(read_all(&seen, buffer_bytes(&in)), EVENT_STREAM_MESSAGE);
    assert_payload(&seen, "{'foo':'bar'}");
    buffer_finish(&in);
    close_stream(&seen);
}

static void assert_text(const struct event_message *message, const char *name,
                        const char *wanted)
{
    struct bytes value = event_message_text(message, name);

    assert_true(bytes_equal(value, bytes_of(wanted)));
}

static void assert_initial_response(const struct seen *seen)
{
    assert_text(&seen->message, ":message-type", "event");
    assert_text(&seen->message, ":event-type", "initial-response");
    assert_text(&seen->message, ":content-type", "application/x-amz-json-1.1");
    assert_text(&seen->message, ":exception-type", "");
    assert_payload(seen, "{}");
}

static void test_reads_headers_by_name(void **state)
{
    struct seen seen;
    struct buffer in = from_hex(initial_response);

    (void)state;
    open_stream(&seen);
    assert_int_equal(read_all(&seen, buffer_bytes(&in)), EVENT_STREAM_MESSAGE);
    assert_initial_response(&seen);
    assert_true(event_stream_is_between(&seen.stream));
    close_stream(&seen);
    buffer_finish(&in);
}

static void test_it_does_not_matter_how_the_bytes_are_cut(void **state)
{
    struct buffer in = from_hex(initial_response);

    (void)state;
    for (size_t cut = 1; cut < in.size; cut++) {
        struct seen seen;

        open_stream(&seen);
        assert_int_equal(read_all(&seen, (struct bytes){in.data, cut}),
                         EVENT_STREAM_MORE);
        assert_false(event_stream_is_between(&seen.stream));
        assert_int_equal(
            read_all(&seen, (struct bytes){in.data + cut, in.size - cut}),
            EVENT_STREAM_MESSAGE);
        assert_initial_response(&seen);
        close_stream(&seen);
    }
    buffer_finish(&in);
}

static void test_every_flipped_bit_is_noticed(void **state)
{
    struct buffer in = from_hex(initial_response);

    (void)state;
    for (size_t bit = 0; bit < 8 * in.size; bit++) {
        struct seen seen;

        open_stream(&seen);
        in.data[bit / 8] = (char)(in.data[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(read_all(&seen, buffer_bytes(&in)),
                         EVENT_STREAM_BROKEN);
        assert_int_equal(seen.err.code, ERROR_TRANSIENT);
        in.data[bit / 8] = (char)(in.data[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(read_all(&seen, buffer_bytes(&in)),
                         EVENT_STREAM_BROKEN); // for good
        close_stream(&seen);
    }
    buffer_finish(&in);
}

static void test_messages_follow_each_other(void **state)
{
    struct seen seen;
    struct buffer in = from_hex(initial_response);
    struct bytes rest;

    (void)state;
    put_message(&in, BYTES(""), BYTES("second"));
    rest = buffer_bytes(&in);
    open_stream(&seen);
    assert_int_equal(
        event_stream_read(&seen.stream, &rest, &seen.message, &seen.err),
        EVENT_STREAM_MESSAGE);
    event_message_finish(&seen.message);
    assert_int_equal(
        event_stream_read(&seen.stream, &rest, &seen.message, &seen.err),
        EVENT_STREAM_MESSAGE);
    assert_payload(&seen, "second");
    assert_int_equal(rest.size, 0);
    event_message_finish(&seen.message);
    assert_int_equal(
        event_stream_read(&seen.stream, &rest, &seen.message, &seen.err),
        EVENT_STREAM_MORE);
    event_stream_finish(&seen.stream);
    buffer_finish(&in);
}

static void test_reads_every_type_of_header(void **state)
{
    static const char headers[] = "\1a\0"
                                  "\1b\1"
                                  "\1c\2\xff"
                                  "\1d\3\xff\xfe"
                                  "\1e\4\x7f\xff\xff\xff"
                                  "\1f\5\xff\xff\xff\xff\xff\xff\xff\xfd"
                                  "\1g\6\0\2xy"
                                  "\1h\7\0\0"
                                  "\1i\10\0\0\1\x75\x55\x2b\xa8\0"
                                  "\1j\t0123456789abcdef";
    static const struct {
        enum event_header_type type;
        int64_t number;
        struct bytes value;
    } wanted[] = {{EVENT_HEADER_TRUE, 0, {0}},
                  {EVENT_HEADER_FALSE, 0, {0}},
                  {EVENT_HEADER_INT8, -1, {0}},
                  {EVENT_HEADER_INT16, -2, {0}},
                  {EVENT_HEADER_INT32, INT32_MAX, {0}},
                  {EVENT_HEADER_INT64, -3, {0}},
                  {EVENT_HEADER_BYTES, 0, {"xy", 2}},
                  {EVENT_HEADER_STRING, 0, {"", 0}},
                  {EVENT_HEADER_TIMESTAMP, 0x175552ba800, {0}},
                  {EVENT_HEADER_UUID, 0, {"0123456789abcdef", 16}}};
    struct bytes rest = {headers, sizeof(headers) - 1};
    struct event_header header;
    char name = 'a';

    (void)state;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        assert_true(event_header_next(&rest, &header));
        assert_int_equal(header.name.size, 1);
        assert_int_equal(header.name.data[0], name++);
        assert_int_equal(header.type, wanted[i].type);
        assert_true(header.number == wanted[i].number);
        assert_true(bytes_equal(header.value, wanted[i].value));
    }
    assert_false(event_header_next(&rest, &header));
}

static struct bad {
    const char *name;
    struct bytes headers;
} bad_headers[] = {
    {"an unknown type", {"\1a\12", 3}},
    {"a name without letters", {"\0\0", 2}},
    {"a name that is cut off", {"\5ab", 3}},
    {"no type", {"\1a", 2}},
    {"a value that is cut off", {"\1a\7\0\5abc", 8}},
    {"a number that is cut off", {"\1a\5\0\0", 5}},
};

static void test_refuses_headers(void **state)
{
    const struct bad *bad = *state;
    struct seen seen;
    struct buffer in;

    buffer_init(&in, 1024);
    put_message(&in, bad->headers, BYTES("x"));
    open_stream(&seen);
    assert_int_equal(read_all(&seen, buffer_bytes(&in)), EVENT_STREAM_BROKEN);
    assert_contains(seen.err.message, "headers");
    close_stream(&seen);
    buffer_finish(&in);
}

static void refuse_prelude(uint32_t size, uint32_t headers, const char *words)
{
    struct seen seen;
    struct buffer in;

    buffer_init(&in, 64);
    put_number(&in, size);
    put_number(&in, headers);
    put_number(&in, (uint32_t)crc32(0, (const unsigned char *)in.data, 8));
    open_stream(&seen);
    assert_int_equal(read_all(&seen, buffer_bytes(&in)), EVENT_STREAM_BROKEN);
    assert_contains(seen.err.message, words);
    close_stream(&seen);
    buffer_finish(&in);
}

static void test_refuses_lengths_that_cannot_be(void **state)
{
    (void)state;
    refuse_prelude(15, 0, "15 bytes");
    refuse_prelude(0, 0, "0 bytes");
    refuse_prelude(32, 17, "17 bytes of headers");
    refuse_prelude(UINT32_MAX, UINT32_MAX, "of headers");
    refuse_prelude(200000, EVENT_STREAM_HEADERS_LIMIT + 1, "of headers");
    refuse_prelude(EVENT_STREAM_PAYLOAD_LIMIT + 17, 0, "not taken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_the_vectors),
        cmocka_unit_test(test_reads_headers_by_name),
        cmocka_unit_test(test_it_does_not_matter_how_the_bytes_are_cut),
        cmocka_unit_test(test_every_flipped_bit_is_noticed),
        cmocka_unit_test(test_messages_follow_each_other),
        cmocka_unit_test(test_reads_every_type_of_header),
        cmocka_unit_test(test_refuses_lengths_that_cannot_be),
    };

    return cmocka_run_group_tests_name("event_stream", tests, NULL, NULL) +
           run_table("event_stream headers", bad_headers, test_refuses_headers);
}
