#include "local/message.h"

#include "base/digest.h"
#include "local/text.h"
#include "test.h"

#define ID "11111111-2222-4333-8444-555555555555"

// Digests of wire.md section 1.6.
static struct attributes_case {
    const char *name;
    struct message_attribute attributes[3];
    size_t count;
    const char *md5;
} attributes_cases[] = {
    {"one string",
     {{BYTES("Foo"), BYTES("String"), BYTES("Bar"), false}},
     1,
     "ae7155c6026991b6d54b11589678bf9c"},
    {"custom number",
     {{BYTES("customNumberTypeAttrib"), BYTES("Number.float"),
       BYTES("4563442423554324324264524243.32543234"), false}},
     1,
     "9fe1b90bbd9965bdf77bac517c7d2495"},
    {"binary",
     {{BYTES("binaryAttribute"), BYTES("Binary"), BYTES("Hello binary world!"),
       true}},
     1,
     "31a92b15d92f8db860eda32aceb656c3"},
    {"three, to be sorted",
     {{BYTES("customNumberTypeAttrib"), BYTES("Number.float"),
       BYTES("4563442423554324324264524243.32543234"), false},
      {BYTES("binaryAttribute"), BYTES("Binary"), BYTES("Hello binary world!"),
       true},
      {BYTES("attribName1"), BYTES("String"), BYTES("attribValue 1"), false}},
     3,
     "c932db14a896c663f83c260297d594ff"},
    {"none", {{.binary = false}}, 0, ""},
};

static struct message *create(struct bytes body,
                              const struct message_attribute *attributes,
                              size_t count)
{
    struct digest *digest = digest_create();
    struct message *message =
        message_create(&(struct message_content){.body = body,
                                                 .attributes = attributes,
                                                 .attribute_count = count,
                                                 .id = ID,
                                                 .serial = 1},
                       digest);

    digest_destroy(digest);
    return message;
}

static void test_attributes(void **state)
{
    const struct attributes_case *c = *state;
    struct message *message = create(BYTES("x"), c->attributes, c->count);

    assert_string_equal(message->attributes_md5, c->md5);
    message_destroy(message);
}

static void test_body_is_part_of_its_json(void **state)
{
    struct message *message = create(BYTES("msg"), NULL, 0);

    (void)state;
    assert_string_equal(message->body_md5, "6e2baaf3b97dbeef01c0043275f9a0e7");
    assert_true(bytes_equal(message->json,
                            BYTES("\"MessageId\":\"" ID "\",\"MD5OfBody\":"
                                  "\"6e2baaf3b97dbeef01c0043275f9a0e7\","
                                  "\"Body\":\"msg\"")));
    assert_true(bytes_equal(message->body, BYTES("msg")));
    assert_ptr_equal(message->body.data + 4,
                     message->json.data + message->json.size);
    message_destroy(message);
}

static void test_escaped_body_is_kept_both_ways(void **state)
{
    struct message *message = create(BYTES("a\"\n\\"), NULL, 0);
    const char *quoted = "\"a\\\"\\n\\\\\"";
    size_t size = strlen(quoted);

    (void)state;
    assert_true(bytes_equal(message->body, BYTES("a\"\n\\")));
    assert_memory_equal(message->json.data + message->json.size - size, quoted,
                        size);
    message_destroy(message);
}

static void test_copy_is_the_same_message(void **state)
{
    struct digest *digest = digest_create();
    struct message *message =
        create(BYTES("body"), attributes_cases[3].attributes, 3);
    struct message *copy = message_copy(message, 2, digest);

    (void)state;
    assert_string_equal(copy->id, message->id);
    assert_true(bytes_equal(copy->json, message->json));
    assert_string_equal(copy->attributes_md5, message->attributes_md5);
    assert_int_equal(copy->serial, 2);
    message_destroy(message);
    message_destroy(copy);
    digest_destroy(digest);
}

static struct text_case {
    const char *name;
    struct bytes text;
    bool legal, plain;
} text_cases[] = {
    {"empty", BYTES(""), true, true},
    {"ascii", BYTES("hello, world, hello"), true, true},
    {"a quote at the end", BYTES("0123456789abcde\""), true, false},
    {"a backslash in the tail", BYTES("01234567\\"), true, false},
    {"tab, line feed, carriage return", BYTES("\t\n\r"), true, false},
    {"NUL", BYTES("01234567\0"), false, false},
    {"bell", BYTES("\a"), false, false},
    {"delete", BYTES("\x7f"), true, true},
    {"umlaut", BYTES("h\xc3\xa4llo"), true, false},
    {"emoji", BYTES("\xf0\x9f\x98\x80"), true, false},
    {"surrogate", BYTES("\xed\xa0\x80"), false, false},
    {"U+FFFD", BYTES("\xef\xbf\xbd"), true, false},
    {"U+FFFE", BYTES("\xef\xbf\xbe"), false, false},
    {"U+FFFF after text", BYTES("abc\xef\xbf\xbf"), false, false},
    {"cut off", BYTES("abc\xc3"), false, false},
    {"overlong", BYTES("\xc0\x80"), false, false},
    {"past Unicode", BYTES("\xf4\x90\x80\x80"), false, false},
};

static void test_text(void **state)
{
    const struct text_case *c = *state;

    assert_int_equal(text_is_legal(c->text), c->legal);
    assert_int_equal(text_is_plain(c->text), c->plain);
}

static struct match_case {
    const char *name, *pattern, *text;
    bool matches;
} match_cases[] = {
    {"itself", "SendMessage", "SendMessage", true},
    {"a prefix is not all", "SendMessage", "SendMessageBatch", false},
    {"star", "*", "", true},
    {"at the end", "Send*", "SendMessageBatch", true},
    {"in the middle", "*Message*", "ReceiveMessage", true},
    {"twice", "a*b*c", "axxbyyc", true},
    {"back-tracking", "*ab", "aab", true},
    {"none", "a*b", "ac", false},
};

static void test_match(void **state)
{
    const struct match_case *c = *state;

    assert_int_equal(text_matches(bytes_of(c->pattern), bytes_of(c->text)),
                     c->matches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body_is_part_of_its_json),
        cmocka_unit_test(test_escaped_body_is_kept_both_ways),
        cmocka_unit_test(test_copy_is_the_same_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) +
           run_table("attributes", attributes_cases, test_attributes) +
           run_table("text", text_cases, test_text) +
           run_table("patterns", match_cases, test_match);
}
