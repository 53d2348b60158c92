#include "base/utf8.h"

#include "test.h"

static struct utf8_case {
    const char *name;
    struct bytes text;
    size_t valid, invalid; // bytes from the start; bytes of what follows
} cases[] = {
    {"nothing", {"", 0}, 0, 1},
    {"ASCII", {"hello, world: more than a word", 30}, 30, 0},
    {"two bytes", {"\xc3\xa4", 2}, 2, 0},
    {"three bytes", {"\xe2\x82\xac", 3}, 3, 0},
    {"four bytes", {"a\xf0\x9f\x90\xb9", 5}, 5, 0},
    {"the last code point", {"\xf4\x8f\xbf\xbf", 4}, 4, 0},
    {"NUL is a character", {"a\0b", 3}, 3, 0},
    {"a lone continuation", {"ab\x80", 3}, 2, 1},
    {"overlong slash", {"\xc0\xaf", 2}, 0, 1},
    {"overlong three bytes", {"\xe0\x80\xaf", 3}, 0, 1},
    {"a surrogate", {"\xed\xa0\x80", 3}, 0, 1},
    {"past the last code point", {"\xf4\x90\x80\x80", 4}, 0, 1},
    {"five-byte lead", {"\xf8\x88\x80\x80\x80", 5}, 0, 1},
    {"cut after one", {"ok\xe2", 3}, 2, 1},
    {"cut after two", {"ok\xe2\x82", 4}, 2, 2},
    {"cut after three", {"ok\xf0\x9f\x90", 5}, 2, 3},
    {"broken off by ASCII",
     {"\xf0\x9f"
      "abc",
      5},
     0,
     2},
};

static void test_utf8(void **state)
{
    const struct utf8_case *c = *state;
    size_t valid = utf8_valid_size(c->text);
    struct bytes rest = {c->text.data + valid, c->text.size - valid};

    assert_int_equal(valid, c->valid);
    if (rest.size)
        assert_int_equal(utf8_invalid_size(rest), c->invalid);
}

int main(void)
{
    return run_table("utf8", cases, test_utf8);
}
