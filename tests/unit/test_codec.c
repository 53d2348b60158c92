#include "base/codec.h"

#include "base/mem.h"
#include "base/random.h"

#include "test.h"

// RFC 4648 section 10.
static struct base64_case {
    const char *name, *text;
} good[] = {{"", ""},
            {"f", "Zg=="},
            {"fo", "Zm8="},
            {"foo", "Zm9v"},
            {"foob", "Zm9vYg=="},
            {"fooba", "Zm9vYmE="},
            {"foobar", "Zm9vYmFy"}};

static void test_base64_both_ways(void **state)
{
    const struct base64_case *c = *state;
    char text[16], data[16];
    size_t size = 99;

    assert_int_equal(codec_base64_size(strlen(c->name)), strlen(c->text));
    assert_int_equal(codec_base64_encode(bytes_of(c->name), text),
                     strlen(c->text));
    assert_string_equal(text, c->text);
    assert_true(codec_base64_decode(bytes_of(c->text), data, &size));
    assert_int_equal(size, strlen(c->name));
    assert_memory_equal(data, c->name, size);
}

static struct base64_case bad[] = {
    {"no padding", "Zg"},
    {"half the padding", "Zg="},
    {"padding alone", "===="},
    {"three times padding", "Z==="},
    {"padding inside", "Zg==Zg=="},
    {"padding before a digit", "Zg=A"},
    {"white space", "Zm9 "},
    {"a newline", "Zm9v\nZm9"},
    {"the URL alphabet", "Zm-_"},
    {"bits left over, one byte", "Zh=="},
    {"bits left over, two bytes", "Zm9="},
    {"bytes over 0x7f", "Zm9\xff"},
    {"bad digit in the last group", "Zm9vZ!=="},
};

static void test_base64_malformed(void **state)
{
    const struct base64_case *c = *state;
    char data[16];
    size_t size;

    assert_false(codec_base64_decode(bytes_of(c->text), data, &size));
}

static void test_decodes_in_place(void **state)
{
    struct random random = {7};

    (void)state;
    for (size_t size = 0; size < 300; size++) {
        AUTO_FREE char *data = mem_calloc(size, 1);
        AUTO_FREE char *text = mem_calloc(codec_base64_size(size) + 1, 1);
        size_t made;

        for (size_t i = 0; i < size; i++)
            data[i] = (char)random_next(&random);
        codec_base64_encode((struct bytes){data, size}, text);
        assert_true(codec_base64_decode(bytes_of(text), text, &made));
        assert_int_equal(made, size);
        assert_memory_equal(text, data, size);
    }
}

static void test_hex_is_lower_case(void **state)
{
    char text[9];

    (void)state;
    codec_hex_encode(BYTES("\x00\x7f\x80\xff"), text);
    assert_string_equal(text, "007f80ff");
    codec_hex_encode((struct bytes){0}, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decodes_in_place),
        cmocka_unit_test(test_hex_is_lower_case),
    };
    int failed = run_table("base64", good, test_base64_both_ways);

    failed += run_table("malformed base64", bad, test_base64_malformed);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
