#include "base/cbor_read.h"
#include "base/cbor_write.h"

#include "test.h"

#define SIZED(literal) ((struct bytes){literal, sizeof(literal) - 1})

// Each document must pass cbor_read_skip, or fail with this sentence.
static struct skip_case {
    const char *name;
    struct bytes document;
    const char *error; // NULL: fine
} skip_cases[] = {
    {"definite map", SIZED("\xa2\x61\x61\x01\x61\x62\x82\x02\x03"), NULL},
    {"indefinite map", SIZED("\xbf\x61\x61\x01\xff"), NULL},
    {"indefinite array in a definite one", SIZED("\x81\x9f\x01\x02\xff"), NULL},
    {"empty containers", SIZED("\x82\xa0\x80"), NULL},
    {"chunked bytes", SIZED("\x5f\x41x\x42yz\xff"), NULL},
    {"chunked text without chunks", SIZED("\x7f\xff"), NULL},
    {"tags on tags", SIZED("\xc1\xc1\xc1\x01"), NULL},
    {"undefined", SIZED("\xf7"), NULL},
    {"half, single, double",
     SIZED("\x83\xf9\x3c\x00\xfa\x47\xc3\x50\x00"
           "\xfb\x40\x09\x21\xfb\x54\x44\x2d\x18"),
     NULL},
    {"names of any kind are passed over", SIZED("\xa1\x01\x02"), NULL},
    {"nothing", SIZED(""), "the document ends early"},
    {"cut in a head", SIZED("\x1b\x01\x02"), "the document ends early"},
    {"cut in a string", SIZED("\x45xy"), "the document ends early"},
    {"cut in a map", SIZED("\xa2\x61\x61\x01"), "the document ends early"},
    {"open map without end", SIZED("\xbf\x61\x61\x01"),
     "the document ends early"},
    {"a string longer than the world",
     SIZED("\x5b\xff\xff\xff\xff\xff\xff\xff\xff!"), "the document ends early"},
    {"an array longer than the world",
     SIZED("\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
     "the document ends early"},
    {"a map longer than the world",
     SIZED("\xbb\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01"),
     "the document ends early"},
    {"end without begin", SIZED("\xff"), "an end where a value is expected"},
    {"end for a value", SIZED("\xbf\x61\x61\xff"),
     "an end where a value is expected"},
    {"text chunk within bytes", SIZED("\x5f\x41x\x61y\xff"),
     "a chunk of another kind within a string"},
    {"chunks within chunks", SIZED("\x5f\x5f\x41x\xff\xff"),
     "a chunk of another kind within a string"},
    {"reserved byte", SIZED("\x1c"), "a byte that starts no CBOR item"},
    {"something follows", SIZED("\x01\x01"), "something follows the document"},
};

static void test_skip(void **state)
{
    const struct skip_case *c = *state;
    char *copy = malloc(c->document.size + 1);
    struct cbor_read in;

    // Its own memory, to the byte, so that a sanitizer sees every overstep.
    memcpy(copy, c->document.data, c->document.size);
    copy = realloc(copy, c->document.size ? c->document.size : 1);
    cbor_read_init(&in, copy, c->document.size);
    (void)cbor_read_skip(&in);
    assert_int_equal(cbor_read_end(&in), !c->error);
    if (c->error)
        assert_string_equal(in.error, c->error);
    free(copy);
}

static struct time_case {
    const char *name;
    struct bytes document;
    int64_t ms; // -1: must be refused
} time_cases[] = {
    {"AWS: tag 1, whole milliseconds",
     SIZED("\xc1\x1b\x00\x00\x01\xa2\x04\x57\x0d\xf9"), 1795369143801},
    {"kinesis-mock: the same without tag",
     SIZED("\x1b\x00\x00\x01\xa2\x04\x57\x0d\xf9"), 1795369143801},
    {"kinesalite: seconds with a fraction",
     SIZED("\xfb\x41\xda\xc0\xca\x2c\x66\xa7\xf0"), 1795369137604},
    {"whole seconds", SIZED("\x1a\x6b\x03\x28\xb1"), 1795369137000},
    {"milliseconds as a float", SIZED("\xfb\x42\x7a\x20\x45\x70\xdf\x90\x00"),
     1795369143801},
    {"null", SIZED("\xf6"), 0},
    {"not a number", SIZED("\xf9\x7e\x00"), -1},
    {"infinite", SIZED("\xf9\x7c\x00"), -1},
    {"beyond 64 bits with sign", SIZED("\x1b\xff\xff\xff\xff\xff\xff\xff\xff"),
     -1},
    {"text", SIZED("\x61\x31"), -1},
};

static void test_time(void **state)
{
    const struct time_case *c = *state;
    char copy[32];
    struct cbor_read in;
    int64_t ms = -1;
    bool ok;

    memcpy(copy, c->document.data, c->document.size);
    cbor_read_init(&in, copy, c->document.size);
    ok = cbor_read_time_ms(&in, &ms);
    assert_int_equal(ok, c->ms >= 0);
    assert_int_equal(cbor_read_end(&in), c->ms >= 0);
    if (ok)
        assert_int_equal(ms, c->ms);
}

static void test_chunks_are_joined_in_place(void **state)
{
    char document[] = "\x82\x5f\x43"
                      "abc\x40\x42"
                      "de\xff\x61!";
    struct cbor_read in;
    struct bytes joined, after;

    (void)state;
    cbor_read_init(&in, document, sizeof(document) - 1);
    assert_true(cbor_read_array(&in));
    assert_true(cbor_read_element(&in));
    assert_true(cbor_read_bytes(&in, &joined));
    assert_true(cbor_read_element(&in));
    assert_true(cbor_read_text(&in, &after));
    assert_false(cbor_read_element(&in));
    assert_true(cbor_read_end(&in));
    assert_int_equal(joined.size, 5);
    assert_memory_equal(joined.data, "abcde", 5);
    assert_true(joined.data > document &&
                joined.data < document + sizeof(document));
    assert_memory_equal(after.data, "!", 1);
}

static void test_depth_is_bounded(void **state)
{
    char document[CBOR_READ_DEPTH + 2];
    struct cbor_read in;

    (void)state;
    memset(document, 0x81, sizeof(document));
    document[CBOR_READ_DEPTH] = 1;
    cbor_read_init(&in, document, CBOR_READ_DEPTH + 1);
    assert_true(cbor_read_skip(&in));
    assert_true(cbor_read_end(&in));

    memset(document, 0x81, sizeof(document));
    document[CBOR_READ_DEPTH + 1] = 1;
    cbor_read_init(&in, document, CBOR_READ_DEPTH + 2);
    assert_false(cbor_read_skip(&in));
    assert_false(cbor_read_end(&in));
    assert_string_equal(in.error, "nested too deeply");
}

static void test_errors_stick(void **state)
{
    char document[] = "\xa1\x61x\x01";
    struct cbor_read in;
    struct bytes text = {document, 1};
    int64_t number;

    (void)state;
    cbor_read_init(&in, document, sizeof(document) - 1);
    assert_false(cbor_read_array(&in));
    assert_string_equal(in.error, "an array is expected");
    assert_false(cbor_read_map(&in));
    assert_false(cbor_read_text(&in, &text));
    assert_int_equal(text.size, 0);
    assert_false(cbor_read_int(&in, &number));
    assert_false(cbor_read_skip(&in));
    assert_int_equal(cbor_read_peek(&in), CBOR_READ_NOTHING);
    assert_string_equal(in.error, "an array is expected");
}

static void write_everything(struct buffer *out)
{
    cbor_put_map(out, 3);
    cbor_put_text(out, BYTES("list"));
    cbor_put_array(out, 5);
    cbor_put_int(out, INT64_MAX);
    cbor_put_int(out, INT64_MIN);
    cbor_put_int(out, 0);
    cbor_put_time_ms(out, 1795369143801);
    cbor_put_null(out);
    cbor_put_text(out, BYTES("bytes"));
    cbor_put_bytes(out, BYTES("\0\xff and quite a few more bytes"));
    cbor_put_text(out, BYTES("empty"));
    cbor_put_text(out, BYTES(""));
}

static void read_list(struct cbor_read *in)
{
    int64_t expected[] = {INT64_MAX, INT64_MIN, 0, 1795369143801, 0}, number;
    size_t count = 0;

    assert_true(cbor_read_array(in));
    while (cbor_read_element(in)) {
        assert_true(cbor_read_int(in, &number));
        assert_int_equal(number, expected[count++]);
    }
    assert_int_equal(count, 5);
}

static void test_what_is_written_can_be_read(void **state)
{
    struct buffer out;
    struct cbor_read in;
    struct bytes name, value;

    (void)state;
    buffer_init(&out, 1000);
    write_everything(&out);
    assert_true(buffer_ok(&out));
    cbor_read_init(&in, out.data, out.size);
    assert_true(cbor_read_map(&in));
    assert_true(cbor_read_member(&in, &name));
    assert_true(bytes_equal(name, BYTES("list")));
    read_list(&in);
    assert_true(cbor_read_member(&in, &name));
    assert_true(cbor_read_bytes(&in, &value));
    assert_true(bytes_equal(value, BYTES("\0\xff and quite a few more bytes")));
    assert_true(cbor_read_member(&in, &name));
    assert_true(cbor_read_text(&in, &value));
    assert_int_equal(value.size, 0);
    assert_false(cbor_read_member(&in, &name));
    assert_true(cbor_read_end(&in));
    buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunks_are_joined_in_place),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_errors_stick),
        cmocka_unit_test(test_what_is_written_can_be_read),
    };
    int failed = run_table("skip", skip_cases, test_skip);

    failed += run_table("time", time_cases, test_time);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
