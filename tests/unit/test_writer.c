#include "local/writer.h"

#include "local/token.h"
#include "test.h"

// One document with everything in it, in each format.
static void write_all(struct writer *writer)
{
    writer_open(writer, NULL);
    writer_text(writer, "Text", BYTES("a<b>&\"\r"));
    writer_int(writer, "Int", -5);
    writer_bool(writer, "Bool", true);
    writer_blob(writer, "Blob", BYTES("hi"));
    writer_list(writer, "Urls");
    writer_item_text(writer, "Url", BYTES("1"));
    writer_item_text(writer, "Url", BYTES("2"));
    writer_list_end(writer);
    writer_list(writer, "Messages");
    writer_item(writer, "Message");
    writer_text(writer, "Id", BYTES("x"));
    writer_item_end(writer, "Message");
    writer_list_end(writer);
    writer_map(writer, "Attributes");
    writer_pair(writer, "Attribute", BYTES("n"), BYTES("v"));
    writer_map_end(writer);
    writer_map(writer, "Named");
    writer_named(writer, "One", BYTES("n"));
    writer_text(writer, "T", BYTES("t"));
    writer_named_end(writer, "One");
    writer_map_end(writer);
    writer_map(writer, "Tags");
    writer_pair(writer, "Tag", BYTES("k"), BYTES("v"));
    writer_map_end(writer);
    writer_close(writer, NULL);
}

static struct format_case {
    const char *name;
    enum writer_format format;
    struct bytes expected;
} format_cases[] = {
    {"json", WRITER_JSON,
     BYTES("{\"Text\":\"a<b>&\\\"\\r\",\"Int\":-5,\"Bool\":true,"
           "\"Blob\":\"aGk=\",\"Urls\":[\"1\",\"2\"],"
           "\"Messages\":[{\"Id\":\"x\"}],\"Attributes\":{\"n\":\"v\"},"
           "\"Named\":{\"n\":{\"T\":\"t\"}},\"Tags\":{\"k\":\"v\"}}")},
    {"xml", WRITER_XML,
     BYTES("<Text>a&lt;b&gt;&amp;&quot;&#xD;</Text><Int>-5</Int>"
           "<Bool>true</Bool><Blob>aGk=</Blob><Url>1</Url><Url>2</Url>"
           "<Message><Id>x</Id></Message>"
           "<Attribute><Name>n</Name><Value>v</Value></Attribute>"
           "<One><Name>n</Name><Value><T>t</T></Value></One>"
           "<Tag><Key>k</Key><Value>v</Value></Tag>")},
    {"cbor", WRITER_CBOR,
     BYTES("\xbf\x64Text\x67"
           "a<b>&\"\r\x63Int\x24\x64"
           "Bool\xf5\x64"
           "Blob\x42hi\x64Urls\x9f\x61"
           "1\x61"
           "2\xff\x68Messages\x9f\xbf\x62Id\x61x\xff\xff\x6a"
           "Attributes\xbf\x61n\x61v\xff\x65Named\xbf\x61n\xbf\x61T\x61t\xff"
           "\xff\x64Tags\xbf\x61k\x61v\xff\xff")},
};

static void test_format(void **state)
{
    const struct format_case *c = *state;
    struct buffer out;
    struct writer writer = {.format = c->format, .out = &out};

    buffer_init(&out, 10000);
    write_all(&writer);
    assert_int_equal(out.size, c->expected.size);
    assert_memory_equal(out.data, c->expected.data, out.size);
    buffer_finish(&out);
}

static void test_times(void **state)
{
    struct buffer out;
    struct writer writer = {.format = WRITER_JSON, .out = &out};

    (void)state;
    buffer_init(&out, 100);
    writer_time_ms(&writer, "T", 1545084650007);
    assert_string_equal(buffer_text(&out), "\"T\":1545084650.007");
    buffer_clear(&out);
    writer.format = WRITER_CBOR;
    writer_time_ms(&writer, "T", 0x167be34452b);
    assert_memory_equal(out.data,
                        "\x61T\xc1\x1b\x00\x00\x01\x67\xbe\x34\x45\x2b", 12);
    buffer_finish(&out);
}

static void test_tokens_come_back(void **state)
{
    char text[TOKEN_TEXT_LIMIT], data[TOKEN_DATA_LIMIT],
        most[TOKEN_DATA_LIMIT] = {1, 2, 3};
    size_t size = 0;

    (void)state;
    for (size_t n = 0; n <= sizeof(most); n++) {
        size_t length =
            token_write(7, TOKEN_RECEIPT, (struct bytes){most, n}, text);

        assert_int_equal(length, strlen(text));
        assert_true(token_read(7, TOKEN_RECEIPT, bytes_of(text), data, &size));
        assert_int_equal(size, n);
        assert_memory_equal(data, most, n);
    }
}

static void test_other_tokens_are_refused(void **state)
{
    char text[TOKEN_TEXT_LIMIT], data[TOKEN_DATA_LIMIT];
    size_t size, length;

    (void)state;
    length = token_write(7, TOKEN_RECEIPT, BYTES("hello, world"), text);
    assert_false(token_read(8, TOKEN_RECEIPT, bytes_of(text), data, &size));
    assert_false(token_read(7, TOKEN_ITERATOR, bytes_of(text), data, &size));
    assert_false(token_read(7, TOKEN_RECEIPT, BYTES(""), data, &size));
    assert_false(token_read(7, TOKEN_RECEIPT, BYTES("garbage"), data, &size));
    for (size_t i = 0; i < length; i++) {
        char was = text[i];

        text[i] = was == 'B' ? 'C' : 'B';
        assert_false(token_read(7, TOKEN_RECEIPT, bytes_of(text), data, &size));
        text[i] = was;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_tokens_come_back),
        cmocka_unit_test(test_other_tokens_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) +
           run_table("format", format_cases, test_format);
}
