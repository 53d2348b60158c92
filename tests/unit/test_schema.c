#include "config/schema.h"

#include <jansson.h>
#include <stdio.h>

#include "base/mem.h"
#include "config/problems.h"
#include "config/schema_name.h"
#include "config/suggest.h"
#include "config/timestamp.h"
#include "config/yaml.h"

#include "test.h"

enum colour { COLOUR_RED = 3, COLOUR_GREEN };

struct inner {
    char *word;
    int64_t number;
};

struct sample {
    char *text, *path;
    int64_t number, plain, ms, size, at_ms;
    bool flag, given;
    int colour;
    json_t *json;
    struct inner inner;
    struct {
        char *left, *right;
    } one;
};

static const struct choice colours[] = {
    {"red", COLOUR_RED},
    {"violet", CHOICE_PLANNED},
    {"green", COLOUR_GREEN},
    {0},
};

static const struct field inner_fields[] = {
    {"word", FIELD_STRING(struct inner, word), .required = true,
     .help = "A word."},
    {"inner_number", FIELD_INT(struct inner, number), .fallback = "7", .min = 0,
     .max = 9, .help = "A digit."},
    {0},
};

static const struct field one_fields[] = {
    {"left", FIELD_STRING(struct sample, one.left), .help = "Left."},
    {"right", FIELD_STRING(struct sample, one.right), .help = "Right."},
    {"up", FIELD_PLANNED, .help = "Up."},
    {0},
};

static const struct field sample_fields[] = {
    {"text", FIELD_STRING(struct sample, text), .fallback = "${POLLARD_T:-t}",
     .help = "Text."},
    {"some_path", FIELD_PATH(struct sample, path), .help = "A path."},
    {"batch_size", FIELD_INT(struct sample, number), .unset = -5, .min = 1,
     .max = 10000, .help = "A number."},
    {"plain", FIELD_INT(struct sample, plain), .help = "Any number."},
    {"wait", FIELD_MS(struct sample, ms), .fallback = "3s", .min = 500,
     .max = 3600000, .help = "A duration."},
    {"size", FIELD_SIZE(struct sample, size), .min = 1024, .max = 1 << 30,
     .help = "A size."},
    {"flag", FIELD_BOOL(struct sample, flag), .fallback = "true",
     .help = "A flag."},
    {"colour", FIELD_CHOICE(struct sample, colour), .choices = colours,
     .fallback = "green", .help = "A colour."},
    {"since", FIELD_TIMESTAMP(struct sample, at_ms), .help = "A time."},
    {"settings", FIELD_JSON(struct sample, json), .help = "Anything."},
    {"inner", FIELD_SECTION(inner_fields),
     .offset = offsetof(struct sample, inner),
     .given = FIELD_GIVEN(struct sample, given), .help = "A section."},
    {"one", FIELD_SECTION(one_fields), .one_of = true, .help = "One of it."},
    {"kms_key_arn", FIELD_PLANNED, .alias = "KMSKeyArn", .help = "A key."},
    {0},
};

struct read {
    struct sample sample;
    struct problems problems;
    struct yaml_node *root;
    struct schema_map map;
    bool ok;
};

static struct read *read_sample(const char *text)
{
    struct read *read = mem_calloc(1, sizeof(*read));

    problems_init(&read->problems);
    read->root = yaml_read_text("f", text, strlen(text), &read->problems);
    assert_non_null(read->root);
    read->map = (struct schema_map){.file = "f",
                                    .folder = "/home/me",
                                    .fields = sample_fields,
                                    .node = read->root};
    read->ok = schema_apply(&read->map, &read->sample, &read->problems);
    return read;
}

static void read_finish(struct read *read)
{
    schema_release(sample_fields, &read->sample);
    yaml_destroy(read->root);
    problems_finish(&read->problems);
    free(read);
}

static struct problem_case {
    const char *name, *text;
    const char *problem; // "line:column: text" of the only one; NULL: good
} cases[] = {
    {"a number at its ends", "batch_size: 10000\n", NULL},
    {"too large", "batch_size: 20000\n",
     "1:13: batch_size: 20000 is not allowed: 1 to 10000"},
    {"too small", "batch_size: 0\n",
     "1:13: batch_size: 0 is not allowed: 1 to 10000"},
    {"over 64 bits", "batch_size: 99999999999999999999\n",
     "1:13: batch_size: \"99999999999999999999\" is not allowed: a whole "
     "number, 1 to 10000"},
    {"a word as a number", "batch_size: ten\n",
     "1:13: batch_size: \"ten\" is not allowed: a whole number, 1 to 10000"},
    {"a fraction as a number", "plain: 1.5\n",
     "1:8: plain: \"1.5\" is not allowed: a whole number"},
    {"hex", "plain: 0x10\n",
     "1:8: plain: \"0x10\" is not allowed: a whole number"},
    {"a number in quotes", "plain: '12'\n",
     "1:8: plain: \"12\" is not allowed: a whole number (without quotes)"},
    {"a list as a number", "plain: [1]\n",
     "1:8: plain: a list is not allowed: a whole number"},
    {"a map as a number", "plain: {a: 1}\n",
     "1:8: plain: a mapping is not allowed: a whole number"},
    {"nothing as a number", "plain:\n",
     "1:7: plain: nothing is not allowed: a whole number"},
    {"negative", "plain: -7\n", NULL},
    {"a duration", "wait: 500ms\n", NULL},
    {"a duration in quotes", "wait: '1h'\n", NULL},
    {"a duration without unit", "wait: 30\n",
     "1:7: wait: 30 is not allowed: a duration with its unit (500ms, 30s, 5m, "
     "2h), 500ms to 1h"},
    {"an unknown unit", "wait: 1d\n",
     "1:7: wait: \"1d\" is not allowed: a duration with its unit (500ms, 30s, "
     "5m, 2h), 500ms to 1h"},
    {"too long", "wait: 61m\n",
     "1:7: wait: \"61m\" is not allowed: 500ms to 1h"},
    {"a duration over 64 bits", "wait: 9223372036854775807h\n",
     "1:7: wait: \"9223372036854775807h\" is not allowed: a duration with its "
     "unit (500ms, 30s, 5m, 2h), 500ms to 1h"},
    {"a size", "size: 6MiB\n", NULL},
    {"a decimal size", "size: 6MB\n",
     "1:7: size: \"6MB\" is not allowed: a size with its unit (64KiB, 6MiB), "
     "1KiB to 1GiB"},
    {"too large a size", "size: 2GiB\n",
     "1:7: size: \"2GiB\" is not allowed: 1KiB to 1GiB"},
    {"booleans of YAML 1.1", "flag: yes\n",
     "1:7: flag: \"yes\" is not allowed: true or false"},
    {"a boolean in quotes", "flag: \"true\"\n",
     "1:7: flag: \"true\" is not allowed: true or false (without quotes)"},
    {"a boolean in capitals", "flag: FALSE\n", NULL},
    {"no choice", "colour: blue\n",
     "1:9: colour: \"blue\" is not allowed: red or green"},
    {"a choice in another case", "colour: Red\n",
     "1:9: colour: \"Red\" is not allowed: red or green"},
    {"a choice to come", "colour: violet\n",
     "1:9: colour: violet: not implemented in this version of pollard"},
    {"a time without zone", "since: 2026-11-22T15:00:00\n",
     "1:8: since: \"2026-11-22T15:00:00\" is not allowed: a time with its zone "
     "(2026-11-22T15:00:00Z) or seconds since 1970"},
    {"no text", "text: ''\n",
     "1:7: text: \"\" is not allowed: text that is not empty"},
    {"null as text", "text: ~\n",
     "1:7: text: nothing is not allowed: text that is not empty"},
    {"a number as text", "text: 12\n", NULL},
    {"a long text is cut",
     "plain: "
     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
     "1:8: plain: "
     "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" is "
     "not allowed: a whole number"},
    {"what the environment gave is not shown", "plain: ${POLLARD_SECRET}\n",
     "1:8: plain: what the environment gives is not allowed: a whole number"},
    {"an unset variable is told once", "plain: ${POLLARD_UNSET}\n",
     "1:8: plain: the environment variable POLLARD_UNSET is not set, and there "
     "is no default (${NAME:-default})"},
    {"settings that are no map", "settings: 3\n",
     "1:11: settings: 3 is not allowed: a mapping"},
    {"settings that JSON cannot say", "settings: {a: [1, .inf]}\n",
     "1:19: settings: \".inf\" has no form in JSON"},
    {"settings with too large a number",
     "settings: {a: 99999999999999999999}\n",
     "1:15: settings: \"99999999999999999999\" has no form in JSON"},
    {"an unknown key, near", "bacth_size: 3\n",
     "1:1: bacth_size: unknown key; did you mean batch_size?"},
    {"an unknown key in another spelling", "batchSize: 3\n",
     "1:1: batchSize: unknown key; did you mean batch_size?"},
    {"an unknown key, far", "inner: {word: a, elephant: 3}\n",
     "1:18: inner.elephant: unknown key; allowed here: word, inner_number"},
    {"a key that has its place further down", "inner_number: 3\n",
     "1:1: inner_number: unknown key; did you mean inner.inner_number?"},
    {"such a key in AWS's spelling", "InnerNumber: 3\n",
     "1:1: InnerNumber: unknown key; did you mean inner.inner_number?"},
    {"both spellings", "batch_size: 3\nBatchSize: 3\n",
     "2:1: BatchSize: the same as batch_size, which is on line 1"},
    {"a key to come", "kms_key_arn: x\n",
     "1:1: kms_key_arn: not implemented in this version of pollard"},
    {"a key to come in AWS's spelling", "KMSKeyArn: x\n",
     "1:1: kms_key_arn: not implemented in this version of pollard"},
    {"a required key", "inner: {inner_number: 3}\n",
     "1:1: inner.word: missing. A word."},
    {"a section that is nothing", "inner:\n",
     "1:1: inner.word: missing. A word."},
    {"a section that is a list", "inner: [1]\n",
     "1:8: inner: a list, not a mapping; allowed here: word, inner_number"},
    {"a section that is a word", "inner: x\n",
     "1:8: inner: a single value, not a mapping; allowed here: word, "
     "inner_number"},
    {"one of two", "one: {left: x}\n", NULL},
    {"none of two", "one: {}\n",
     "1:1: one: exactly one of these must be given: left, right"},
    {"both of two", "one: {left: x, right: y}\n",
     "1:1: one: exactly one of these must be given: left, right"},
    {"a typing mistake in one of two is told once", "one: {lefd: x}\n",
     "1:7: one.lefd: unknown key; did you mean left?"},
    {"one to come", "one: {up: x}\n",
     "1:7: one.up: not implemented in this version of pollard"},
    {"a list at the top", "- 1\n",
     "1:1: a list, not a mapping; allowed here: text, some_path, batch_size, "
     "plain, wait, size, flag, colour, since, settings, inner, one"},
};

static void test_problem(void **state)
{
    const struct problem_case *c = *state;
    struct read *read = read_sample(c->text);
    char found[600] = "";

    if (read->problems.count)
        (void)snprintf(
            found, sizeof(found), "%d:%d: %s", read->problems.list[0].line,
            read->problems.list[0].column, read->problems.list[0].text);
    assert_string_equal(found, c->problem ? c->problem : "");
    assert_int_equal(read->problems.count, c->problem ? 1 : 0);
    assert_int_equal(read->ok, !c->problem);
    read_finish(read);
}

static void test_defaults(void **state)
{
    struct read *read = read_sample("{}");
    const struct sample *sample = &read->sample;

    (void)state;
    assert_true(read->ok);
    assert_string_equal(sample->text, "t");
    assert_null(sample->path);
    assert_int_equal(sample->number, -5);
    assert_int_equal(sample->plain, 0);
    assert_int_equal(sample->ms, 3000);
    assert_int_equal(sample->size, 0);
    assert_true(sample->flag);
    assert_int_equal(sample->colour, COLOUR_GREEN);
    assert_null(sample->json);
    assert_int_equal(sample->inner.number, 7);
    assert_false(sample->given);
    read_finish(read);
}

static void check_all_set(const struct sample *sample)
{
    assert_string_equal(sample->text, "a b");
    assert_string_equal(sample->path, "/home/me/x/y.so");
    assert_int_equal(sample->number, 12);
    assert_int_equal(sample->plain, -3);
    assert_int_equal(sample->ms, 90000);
    assert_int_equal(sample->size, 65536);
    assert_false(sample->flag);
    assert_int_equal(sample->colour, COLOUR_RED);
    assert_int_equal(sample->at_ms, 1795359600500);
    assert_string_equal(sample->inner.word, "w");
    assert_int_equal(sample->inner.number, 9);
    assert_true(sample->given);
    assert_string_equal(sample->one.right, "r");
}

static void test_snake_case(void **state)
{
    struct read *read = read_sample(
        "text: a b\nsome_path: ./x/y.so\nbatch_size: 12\nplain: -3\n"
        "wait: 90s\nsize: 64KiB\nflag: false\ncolour: red\n"
        "since: 2026-11-22T15:00:00.5Z\ninner: {word: w, inner_number: 9}\n"
        "one: {right: r}\n");

    (void)state;
    assert_true(read->ok);
    check_all_set(&read->sample);
    read_finish(read);
}

static void test_pascal_case(void **state)
{
    struct read *read = read_sample(
        "Text: a b\nSomePath: ././x/y.so\nBatchSize: 12\nPlain: -3\n"
        "Wait: 90s\nSize: 64KiB\nFlag: false\nColour: red\n"
        "Since: 1795359600.5\nInner: {Word: w, InnerNumber: 9}\n"
        "One: {Right: r}\n");

    (void)state;
    assert_true(read->ok);
    check_all_set(&read->sample);
    read_finish(read);
}

static void test_absolute_paths_stay(void **state)
{
    struct read *read = read_sample("some_path: /opt/x.so\n");

    (void)state;
    assert_string_equal(read->sample.path, "/opt/x.so");
    read_finish(read);
}

static void test_settings_become_json(void **state)
{
    struct read *read = read_sample(
        "settings:\n  n: null\n  t: true\n  no: 'true'\n  i: -12\n  o: 0o17\n"
        "  x: 0xff\n  z: 007\n  f: 1.5e3\n  h: .5\n  s: 1.5.1\n  y: yes\n"
        "  l: [1, {a: b}, '1', e]\n  e: {}\n  d: 2026-01-01\n");
    json_t *wanted =
        json_pack("{s:n, s:b, s:s, s:i, s:i, s:i, s:i, s:f, s:f, s:s, s:s, "
                  "s:[i,{s:s},s,s], s:{}, s:s}",
                  "n", "t", 1, "no", "true", "i", -12, "o", 15, "x", 255, "z",
                  7, "f", 1500.0, "h", 0.5, "s", "1.5.1", "y", "yes", "l", 1,
                  "a", "b", "1", "e", "e", "d", "2026-01-01");

    (void)state;
    assert_non_null(wanted);
    assert_true(read->ok);
    assert_true(json_equal(read->sample.json, wanted));
    json_decref(wanted);
    read_finish(read);
}

static void test_every_mistake_is_told_in_order(void **state)
{
    struct read *read =
        read_sample("flag: yes\nnope: 1\ninner:\n  inner_number: 12\n"
                    "batch_size: x\nwait: 3\n");
    const int lines[] = {1, 2, 3, 4, 5, 6};

    (void)state;
    assert_false(read->ok);
    assert_int_equal(read->problems.count, 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(read->problems.list[i].line, lines[i]);
    assert_int_equal(read->sample.number, -5); // refused is as unset
    read_finish(read);
}

static void test_members_are_found_in_any_spelling(void **state)
{
    struct read *read =
        read_sample("BatchSize: 3\nInner: {Word: a}\nKMSKeyArn: x\n");

    (void)state;
    assert_int_equal(schema_find(&read->map, "batch_size")->line, 1);
    assert_int_equal(schema_find(&read->map, "inner.word")->line, 2);
    assert_int_equal(schema_find(&read->map, "kms_key_arn")->line, 3);
    assert_null(schema_find(&read->map, "plain"));
    assert_null(schema_find(&read->map, "one.left"));
    read_finish(read);
}

static void test_complaints_stand_at_the_member_or_its_map(void **state)
{
    struct read *read = read_sample("inner:\n  word: x\n");
    struct schema_map inner;

    (void)state;
    schema_enter(&read->map, "inner", &inner);
    assert_false(schema_complain(&inner, "word", &read->problems, "%s", "bad"));
    assert_false(
        schema_complain(&inner, "inner_number", &read->problems, "absent"));
    assert_int_equal(read->problems.count, 2);
    assert_string_equal(read->problems.list[0].text,
                        "inner.inner_number: absent");
    assert_int_equal(read->problems.list[0].line, 1);
    assert_string_equal(read->problems.list[1].text, "inner.word: bad");
    assert_int_equal(read->problems.list[1].column, 9);
    read_finish(read);
}

static void test_equal_compares_what_the_rows_say(void **state)
{
    static const char *const texts[] = {
        "{}",
        "plain: 1\n",
        "text: x\n",
        "some_path: x\n",
        "flag: false\n",
        "colour: red\n",
        "settings: {a: 1}\n",
        "settings: {a: 2}\n",
        "inner: {word: t}\n",
        "one: {left: a}\n",
    };
    const size_t count = sizeof(texts) / sizeof(texts[0]);

    (void)state;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            struct read *a = read_sample(texts[i]), *b = read_sample(texts[j]);

            assert_int_equal(
                schema_equal(sample_fields, &a->sample, &b->sample), i == j);
            read_finish(a);
            read_finish(b);
        }
}

static struct duration_case {
    const char *name;
    int64_t ms;
} durations[] = {{"0s", 0},        {"1ms", 1},      {"1500ms", 1500},
                 {"90s", 90000},   {"15m", 900000}, {"12h", 43200000},
                 {"25h", 90000000}};

static void test_durations_are_shown_as_they_are_written(void **state)
{
    const struct duration_case *c = *state;
    char text[SCHEMA_DURATION_SIZE];
    int64_t ms;

    schema_format_duration(c->ms, text);
    assert_string_equal(text, c->name);
    assert_true(schema_parse_duration(text, &ms));
    assert_int_equal(ms, c->ms);
}

static struct time_case {
    const char *name;
    int64_t ms; // -1: refused
} times[] = {
    {"2026-11-22T15:00:00Z", 1795359600000},
    {"2026-11-22 15:00:00Z", 1795359600000},
    {"2026-11-22T16:30:00+01:30", 1795359600000},
    {"2026-11-22T10:00:00-0500", 1795359600000},
    {"2026-11-22T15:00:00.1239Z", 1795359600123},
    {"1795359600", 1795359600000},
    {"1795359600.25", 1795359600250},
    {"2024-02-29T00:00:00Z", 1709164800000},
    {"2023-02-29T00:00:00Z", -1},
    {"2026-13-01T00:00:00Z", -1},
    {"2026-11-22T24:00:00Z", -1},
    {"2026-11-22", -1},
    {"2026-11-22T15:00:00", -1},
    {"2026-11-22T15:00:00z", -1},
    {"2026-11-22T15:00Z", -1},
    {"2026-11-22T15:00:00.Z", -1},
    {"2026-11-22T15:00:00+1", -1},
    {"2026-11-22T15:00:00Zx", -1},
    {" 1795359600", -1},
    {"-1", -1},
    {"1795359600.", -1},
    {"99999999999999999999", -1},
    {"now", -1},
    {"", -1},
};

static void test_time(void **state)
{
    const struct time_case *c = *state;
    int64_t ms = -1;

    assert_int_equal(timestamp_parse(c->name, &ms), c->ms >= 0);
    assert_int_equal(ms, c->ms);
}

static struct word_case {
    const char *name, *meant;
    int distance;
} words[] = {
    {"batch_size", "batch_size", 0},
    {"BatchSize", "batch_size", 0},
    {"batch-size", "batch_size", 0},
    {"bath_size", "batch_size", 1},
    {"abtch_size", "batch_size", 1},
    {"batchsizes", "batch_size", 1},
    {"btach_sise", "batch_size", 2},
    {"sns", "sqs", 1},
    {"bch_se", "batch_size", 3},
    {"x", "arn", 3},
    {"ab", "arn", 3},
    {"", "arn", 3},
};

static void test_distance(void **state)
{
    const struct word_case *c = *state;

    assert_int_equal(suggest_distance(c->name, c->meant), c->distance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_snake_case),
        cmocka_unit_test(test_pascal_case),
        cmocka_unit_test(test_absolute_paths_stay),
        cmocka_unit_test(test_settings_become_json),
        cmocka_unit_test(test_every_mistake_is_told_in_order),
        cmocka_unit_test(test_members_are_found_in_any_spelling),
        cmocka_unit_test(test_complaints_stand_at_the_member_or_its_map),
        cmocka_unit_test(test_equal_compares_what_the_rows_say),
    };
    int failed;

    unsetenv("POLLARD_UNSET");
    unsetenv("POLLARD_T");
    setenv("POLLARD_SECRET", "hunter2", 1);
    failed = run_table("problem", cases, test_problem);
    failed += run_table("duration", durations,
                        test_durations_are_shown_as_they_are_written);
    failed += run_table("time", times, test_time);
    failed += run_table("distance", words, test_distance);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
