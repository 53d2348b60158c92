#include "local/input.h"

#include "base/mem.h"
#include "test.h"

struct attribute {
    struct bytes name;
    struct bytes type, text, binary;
};

struct entry {
    struct bytes id;
    struct input_int delay;
    struct vector attributes;
};

struct sample {
    struct bytes url, data;
    struct input_int wanted, when;
    bool fifo;
    struct vector names, pairs, entries;
    struct entry inner;
};

static const struct input_field attribute_rows[] = {
    {"DataType", NULL, INPUT_TEXT, offsetof(struct attribute, type), NULL},
    {"StringValue", NULL, INPUT_TEXT, offsetof(struct attribute, text), NULL},
    {"BinaryValue", NULL, INPUT_BLOB, offsetof(struct attribute, binary), NULL},
};
static const struct input_fields attribute_fields =
    INPUT_FIELDS(attribute_rows, struct attribute);

static const struct input_field entry_rows[] = {
    {"Id", NULL, INPUT_TEXT, offsetof(struct entry, id), NULL},
    {"Delay", NULL, INPUT_INT, offsetof(struct entry, delay), NULL},
    {"Attributes", "Attribute", INPUT_NAMED, offsetof(struct entry, attributes),
     &attribute_fields},
};
static const struct input_fields entry_fields =
    INPUT_FIELDS(entry_rows, struct entry);

static const struct input_field rows[] = {
    {"Url", NULL, INPUT_TEXT, offsetof(struct sample, url), NULL},
    {"Data", NULL, INPUT_BLOB, offsetof(struct sample, data), NULL},
    {"Wanted", NULL, INPUT_INT, offsetof(struct sample, wanted), NULL},
    {"When", NULL, INPUT_TIME, offsetof(struct sample, when), NULL},
    {"Fifo", NULL, INPUT_BOOL, offsetof(struct sample, fifo), NULL},
    {"Names", "Name", INPUT_TEXTS, offsetof(struct sample, names), NULL},
    {"Pairs", "Pair", INPUT_PAIRS, offsetof(struct sample, pairs), NULL},
    {"Entries", "Entry", INPUT_OBJECTS, offsetof(struct sample, entries),
     &entry_fields},
    {"Inner", NULL, INPUT_OBJECT, offsetof(struct sample, inner),
     &entry_fields},
};
static const struct input_fields fields = INPUT_FIELDS(rows, struct sample);

struct fixture {
    struct arena arena;
    struct buffer body;
    struct sample sample;
    struct input_error error;
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));

    buffer_init(&f->body, 1 << 20);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    arena_finish(&f->arena);
    buffer_finish(&f->body);
    free(f);
    return 0;
}

static bool read_json(struct fixture *f, const char *text)
{
    buffer_append_text(&f->body, text);
    return input_read_json(&fields, &f->arena, &f->body, &f->sample, &f->error);
}

static bool read_cbor(struct fixture *f, const void *data, size_t size)
{
    buffer_append(&f->body, data, size);
    return input_read_cbor(&fields, &f->arena, &f->body, &f->sample, &f->error);
}

static bool read_form(struct fixture *f, const char *text)
{
    buffer_append_text(&f->body, text);
    return input_read_form(&fields, &f->arena, f->body.data, f->body.size,
                           &f->sample, &f->error);
}

static void assert_text(struct bytes text, const char *expected)
{
    assert_non_null(text.data);
    assert_true(bytes_equal(text, bytes_of(expected)));
}

static void test_json_of_every_type(void **state)
{
    struct fixture *f = *state;
    const struct sample *s = &f->sample;
    const struct entry *entries;
    const struct attribute *attributes;

    assert_true(read_json(
        f, "{\"Url\":\"a\\u00e4\\\"\",\"Data\":\"aGk=\",\"Wanted\":10,"
           "\"When\":1545084650.987,\"Fifo\":true,\"Other\":[{\"x\":1}],"
           "\"Names\":[\"a\",\"b\"],\"Pairs\":{\"k\":\"v\"},"
           "\"Entries\":[{\"Id\":\"1\",\"Delay\":0,\"Attributes\":{\"n\":"
           "{\"DataType\":\"String\",\"StringValue\":\"t\"}}},{\"Id\":\"2\"}],"
           "\"Inner\":{\"Id\":\"in\"}}"));
    assert_text(s->url, "a\xc3\xa4\"");
    assert_text(s->data, "hi");
    assert_true(s->wanted.given && s->wanted.value == 10);
    assert_int_equal(s->when.value, 1545084650987);
    assert_true(s->fifo);
    assert_int_equal(s->names.count, 2);
    assert_text(((const struct bytes *)s->names.items)[1], "b");
    assert_text(((const struct input_pair *)s->pairs.items)->value, "v");
    assert_int_equal(s->entries.count, 2);
    entries = s->entries.items;
    assert_true(entries[0].delay.given);
    assert_false(entries[1].delay.given);
    attributes = entries[0].attributes.items;
    assert_text(attributes[0].name, "n");
    assert_text(attributes[0].text, "t");
    assert_text(s->inner.id, "in");
}

static void test_null_is_not_given(void **state)
{
    struct fixture *f = *state;

    assert_true(read_json(f, "{\"Url\":null,\"Wanted\":null,\"Names\":null,"
                             "\"Pairs\":null,\"Entries\":null,\"Inner\":null,"
                             "\"Data\":null}"));
    assert_null(f->sample.url.data);
    assert_null(f->sample.data.data);
    assert_false(f->sample.wanted.given);
    assert_int_equal(f->sample.entries.count, 0);
}

static void test_empty_is_given(void **state)
{
    struct fixture *f = *state;

    assert_true(read_json(f, "{\"Url\":\"\",\"Data\":\"\"}"));
    assert_text(f->sample.url, "");
    assert_text(f->sample.data, "");
}

static void test_no_body_is_no_parameters(void **state)
{
    struct fixture *f = *state;

    assert_true(read_json(f, ""));
    assert_true(read_cbor(f, "", 0));
    assert_null(f->sample.url.data);
}

static void test_more_items_than_first_reserved(void **state)
{
    struct fixture *f = *state;
    const struct bytes *names;

    buffer_append_text(&f->body, "{\"Names\":[\"0\"");
    for (int i = 1; i < 1000; i++)
        buffer_printf(&f->body, ",\"%d\"", i);
    assert_true(read_json(f, "]}"));
    assert_int_equal(f->sample.names.count, 1000);
    names = f->sample.names.items;
    assert_text(names[0], "0");
    assert_text(names[999], "999");
}

static void test_cbor_definite_and_not(void **state)
{
    static const char data[] =
        "\xbf"
        "\x63Url\x61u"
        "\x64"
        "Data\x42\x00\xff"
        "\x64When\xc1\x1b\x00\x00\x01\x67\xbe\x34\x45\x2b"
        "\x67"
        "Entries\x9f\xa1\x62Id\x61"
        "1\xbf\x62Id\x61"
        "2\xff\xff"
        "\x66Wanted\x19\x27\x10"
        "\xff";
    struct fixture *f = *state;
    const struct entry *entries;

    assert_true(read_cbor(f, data, sizeof(data) - 1));
    assert_text(f->sample.url, "u");
    assert_int_equal(f->sample.data.size, 2);
    assert_int_equal(f->sample.when.value, 0x167be34452b);
    assert_int_equal(f->sample.wanted.value, 10000);
    assert_int_equal(f->sample.entries.count, 2);
    entries = f->sample.entries.items;
    assert_text(entries[1].id, "2");
}

static void test_form_of_every_type(void **state)
{
    struct fixture *f = *state;
    const struct sample *s = &f->sample;
    const struct entry *entries;
    const struct attribute *attributes;

    assert_true(read_form(
        f, "Action=X&Url=a%26b%3d+c&Wanted=7&Fifo=true&Data=aGk%3D&Name.2=b&"
           "Name.1=a&Pair.1.Name=k&Pair.1.Value=v&Pair.2.Key=K&Pair.2.Value=V&"
           "Entry.1.Id=1&Entry.1.Delay=3&Entry.1.Attribute.1.Name=n&"
           "Entry.1.Attribute.1.Value.DataType=String&"
           "Entry.1.Attribute.1.Value.StringValue=t%F0%9F%98%80&Empty&=&&"
           "Inner.Id=in&Unknown.1.x=y"));
    assert_text(s->url, "a&b= c");
    assert_int_equal(s->wanted.value, 7);
    assert_true(s->fifo);
    assert_text(s->data, "hi");
    assert_text(((const struct bytes *)s->names.items)[0], "a");
    assert_text(((const struct bytes *)s->names.items)[1], "b");
    assert_text(((const struct input_pair *)s->pairs.items)[1].name, "K");
    entries = s->entries.items;
    assert_int_equal(entries[0].delay.value, 3);
    attributes = entries[0].attributes.items;
    assert_text(attributes[0].name, "n");
    assert_text(attributes[0].text, "t\xf0\x9f\x98\x80");
    assert_text(s->inner.id, "in");
}

static void test_stray_percent_signs_stay(void **state)
{
    struct fixture *f = *state;

    assert_true(read_form(f, "Url=100%&Name.1=%zz%4"));
    assert_text(f->sample.url, "100%");
    assert_text(((const struct bytes *)f->sample.names.items)[0], "%zz%4");
}

static void test_form_is_peeked_at(void **state)
{
    struct bytes form = BYTES("Action=Send&Version=1&ActionX=2&Empty=");

    (void)state;
    assert_text(input_peek_form(form, "Action"), "Send");
    assert_text(input_peek_form(form, "Version"), "1");
    assert_null(input_peek_form(form, "Act").data);
    assert_int_equal(input_peek_form(form, "Empty").size, 0);
    assert_null(input_peek_form((struct bytes){0}, "Action").data);
}

static struct bad_case {
    const char *name;
    bool form;
    const char *text, *wrong;
} bad_cases[] = {
    {"cut off", false, "{\"Url\":\"x", "near byte"},
    {"wrong type", false, "{\"Url\":7}", "near byte"},
    {"text for a number", false, "{\"Wanted\":\"7\"}", "near byte"},
    {"not base64", false, "{\"Data\":\"a\"}", "not base64"},
    {"something after", false, "{} {}", "near byte"},
    {"an array", false, "[]", "near byte"},
    {"no number", true, "Wanted=many", "not a number: Wanted"},
    {"place zero", true, "Name.0=x", "no place in a list: 0"},
    {"place too far", true, "Name.1001=x", "no place in a list: 1001"},
    {"place of words", true, "Entry.x.Id=1", "no place in a list: x"},
    {"not base64 in a form", true, "Data=%21", "not base64: Data"},
};

static void test_bad(void **state)
{
    const struct bad_case *c = *state;
    void *fixture;

    set_up(&fixture);
    assert_false(c->form ? read_form(fixture, c->text)
                         : read_json(fixture, c->text));
    assert_contains(((struct fixture *)fixture)->error.text, c->wrong);
    tear_down(&fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_json_of_every_type),
        TEST(test_null_is_not_given),
        TEST(test_empty_is_given),
        TEST(test_no_body_is_no_parameters),
        TEST(test_more_items_than_first_reserved),
        TEST(test_cbor_definite_and_not),
        TEST(test_form_of_every_type),
        TEST(test_stray_percent_signs_stay),
        TEST(test_form_is_peeked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) +
           run_table("bad input", bad_cases, test_bad);
}
