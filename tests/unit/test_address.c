#include "filter/address.h"

#include <stdio.h>

#include "test.h"

static struct parse_case {
    const char *name, *text;
    const char *bytes; // in hex; NULL: it is no address
} parses[] = {
    {"four numbers", "10.0.0.255", "0a0000ff"},
    {"zeros in front", "010.000.0.1", "0a000001"},
    {"of version 6", "2001:db8::1", "20010db8000000000000000000000001"},
    {"all zero", "::", "00000000000000000000000000000000"},
    {"in capitals", "2001:DB8::A", "20010db800000000000000000000000a"},
    {"mapped: the one that it stands for", "::ffff:a00:1", "0a000001"},

    {"empty", "", NULL},
    {"a letter", "a", NULL},
    {"a name", "localhost", NULL},
    {"three numbers", "10.0.0", NULL},
    {"five numbers", "10.0.0.0.1", NULL},
    {"over 255", "10.0.0.256", NULL},
    {"far over 255", "10.0.0.4294967297", NULL},
    {"a number that is not there", "10..0.1", NULL},
    {"a point at the end", "10.0.0.1.", NULL},
    {"a point in front", ".10.0.0.1", NULL},
    {"a blank", "10.0.0.1 ", NULL},
    {"a sign", "10.0.0.-1", NULL},
    {"points alone", "...", NULL},
    {"with a block's bits", "10.0.0.0/8", NULL},
    {"with a port", "10.0.0.1:80", NULL},
    {"two gaps", "1::2::3", NULL},
    {"a colon", ":", NULL},
    {"nine groups", "1:2:3:4:5:6:7:8:9", NULL},
    {"a group of five", "12345::", NULL},
    {"with a zone", "fe80::1%eth0", NULL},
    {"in brackets", "[::1]", NULL},
    {"longer than any", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000",
     NULL},
};

static void test_parse(void **state)
{
    const struct parse_case *c = *state;
    struct address address;
    char hex[33] = "";

    assert_int_equal(address_parse(bytes_of(c->text), &address),
                     c->bytes != NULL);
    if (!c->bytes)
        return;
    for (unsigned i = 0; i < address.size; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", address.bytes[i]);
    assert_string_equal(hex, c->bytes);
}

static void test_a_nul_ends_no_address(void **state)
{
    struct address address;

    (void)state;
    assert_false(address_parse(BYTES("10.0.0.1\0"), &address));
    assert_false(address_parse(BYTES("::1\0"), &address));
}

static struct block_case {
    const char *name, *block;
    const char *within, *beyond; // addresses
} blocks[] = {
    {"whole bytes", "10.0.0.0/24", "10.0.0.255", "10.0.1.0"},
    {"bits of a byte", "10.0.0.128/25", "10.0.0.200", "10.0.0.127"},
    {"one bit is left", "10.0.0.6/31", "10.0.0.7", "10.0.0.8"},
    {"bits behind the prefix do not count", "10.1.2.3/8", "10.9.9.9",
     "11.1.2.3"},
    {"everything", "0.0.0.0/0", "255.255.255.255", "::1"},
    {"of version 6", "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
    {"of version 6, one bit is left", "::6/127", "::7", "::8"},
    {"everything of version 6", "::/0", "ffff::", "10.0.0.1"},
    {"a mapped address is of version 4", "10.0.0.0/8", "::ffff:a01:203",
     "::a01:203"},
};

static bool is_within(const char *text, const struct address_block *block)
{
    struct address address;

    assert_true(address_parse(bytes_of(text), &address));
    return address_is_within(&address, block);
}

static void test_block(void **state)
{
    const struct block_case *c = *state;
    struct address_block block;
    const char *reason;

    assert_true(address_parse_block(bytes_of(c->block), &block, &reason));
    assert_true(is_within(c->within, &block));
    assert_false(is_within(c->beyond, &block));
}

static struct refusal_case {
    const char *name, *block, *reason;
} refusals[] = {
    {"empty", "", "not an address, a slash"},
    {"no slash", "10.0.0.0", "not an address, a slash"},
    {"no bits", "10.0.0.0/", "not an address, a slash"},
    {"no address", "/24", "not an address, a slash"},
    {"bits with a sign", "10.0.0.0/+8", "not an address, a slash"},
    {"bits of four digits", "10.0.0.0/0008", "not an address, a slash"},
    {"two slashes", "10.0.0.0/8/8", "not an address, a slash"},
    {"a name", "localhost/8", "not an address, a slash"},
    {"all bits", "10.0.0.0/32", "the bits of an IPv4 block are 0 to 31"},
    {"too many bits", "10.0.0.0/999", "the bits of an IPv4 block are 0 to 31"},
    {"all bits of version 6", "::/128",
     "the bits of an IPv6 block are 0 to 127"},
};

static void test_refusal(void **state)
{
    const struct refusal_case *c = *state;
    struct address_block block;
    const char *reason = NULL;

    assert_false(address_parse_block(bytes_of(c->block), &block, &reason));
    assert_contains(reason, c->reason);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_nul_ends_no_address),
    };

    return run_table("parse", parses, test_parse) +
           run_table("block", blocks, test_block) +
           run_table("refusal", refusals, test_refusal) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
