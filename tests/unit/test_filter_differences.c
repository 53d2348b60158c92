/*
 * What tests/differential found, a row for each: the verdicts are those of
 * EventBridge's own matcher.
 */
#include "filter/trial.h"

#include "test.h"

static struct verdict_case {
    const char *name, *pattern, *event;
    bool matches;
} cases[] = {
    {"a field beside an array that binds is found",
     "{'b': {'c': [{'exists': true}]}, 'b.a': ['x']}",
     "{'b': [{'c': 1}], 'b.a': 'x'}", true},
    {"and the other way round",
     "{'b': {'c': [{'exists': true}]}, 'b.a': ['x']}",
     "{'b.a': 'x', 'b': [{'c': 1}]}", true},
    {"it does not help an element that lacks another",
     "{'b': {'c': [1], 'd': [2]}, 'b.a': ['x']}",
     "{'b': [{'c': 1}, {'d': 2}], 'b.a': 'x'}", false},
    {"a field beside an array is not absent",
     "{'b.a': [{'exists': false}], 'b.c': ['x']}",
     "{'b.a': '', 'b': [{'c': 'x'}]}", false},
    {"a field in an array is not absent beside it",
     "{'a': [{'exists': false}], 'a.b': ['x']}", "{'a.b': 'x', 'a': [['y']]}",
     false},
    {"two arrays hold a part each, with dots and without",
     "{'b': {'c': [1], 'a.c': [2]}}", "{'b': [{'c': 1}], 'b.a': [{'c': 2}]}",
     true},
    {"in any order", "{'b': {'c': [1], 'a.c': [2]}}",
     "{'b.a': [{'c': 2}], 'b': [{'c': 1}]}", true},
    {"a value in an array of arrays is found, fields below it or not",
     "{'$or': [{'a': [true]}, {'a': {'b': [1], 'c': [2]}}]}", "{'a': [[true]]}",
     true},
    {"a value and a field of one key share an element",
     "{'a': ['x'], 'a.b': [1]}", "{'a': [['x', {'b': 1}]]}", true},
    {"or do not", "{'a': ['x'], 'a.b': [1]}", "{'a': [['x'], [{'b': 1}]]}",
     false},
    {"an address has no more than fifteen characters",
     "{'a': ['255.255.255.255']}", "{'a': '0255.255.255.255'}", false},
    {"nor do leading zeros change one of IPv6", "{'a': ['2001:db8::1']}",
     "{'a': '02001:0000db8::0001'}", true},
    {"a group of IPv6 has sixteen bits", "{'a': ['2001:db8::1']}",
     "{'a': '12001:db8::1'}", false},
    {"zero itself stays", "{'a': [{'cidr': '::/120'}]}",
     "{'a': '0:00:000::0007'}", true},
    {"fields over two arrays of one key", "{'a': {'b': [1], 'c': [2]}}",
     "{'a': [{'b': 1}], 'a': [{'c': 2}]}", true},
    {"with dots and without", "{'a.b': {'a': [1], 'a.b': ['y']}}",
     "{'a.b': [{'a.b': 'y'}], 'a': [{'b.a': 1}]}", true},
    {"a letter's upper form may be two",
     "{'a': [{'equals-ignore-case': 'Stra\u00dfe'}]}", "{'a': 'STRASSE'}",
     true},
    {"but not its lower one", "{'a': [{'equals-ignore-case': 'Stra\u00dfe'}]}",
     "{'a': 'strasse'}", false},
    {"nor does it go from two to one",
     "{'a': [{'equals-ignore-case': 'strasse'}]}", "{'a': 'Stra\u00dfe'}",
     false},
    {"at the end", "{'a': [{'suffix': {'equals-ignore-case': '\ufb03x'}}]}",
     "{'a': 'oFFIx'}", true},
    {"in front", "{'a': [{'prefix': {'equals-ignore-case': '\u1fb7x'}}]}",
     "{'a': '\u0391\u0342\u0399Xo'}", true},
    {"one lower form is two", "{'a': [{'equals-ignore-case': '\u0130'}]}",
     "{'a': 'i\u0307'}", true},
    {"and not the first of them", "{'a': [{'equals-ignore-case': '\u0130'}]}",
     "{'a': 'i'}", false},
    {"leading zeros fit in", "{'a': ['10.0.0.1']}", "{'a': '0010.000.00.01'}",
     true},
};

// JSON with quotes that a C string can be read with.
static struct bytes quoted(const char *text, char *copy)
{
    size_t size = strlen(text);

    for (size_t i = 0; i <= size; i++)
        copy[i] = text[i] == '\'' ? '"' : text[i];
    return (struct bytes){copy, size};
}

static void test_verdict(void **state)
{
    const struct verdict_case *one = *state;
    char pattern[200], event[200];
    struct error err = {0};
    struct trial *trial;
    struct buffer why;
    size_t offset;
    bool matches;

    buffer_init(&why, 4096);
    trial = trial_create(PATTERN_VIEW_EVENT, quoted(one->pattern, pattern),
                         &offset, &err);
    assert_ok(trial != NULL, &err);
    assert_ok(
        trial_event(trial, quoted(one->event, event), &matches, &why, &err),
        &err);
    if (matches != one->matches)
        fail_msg("%s", buffer_text(&why));
    buffer_finish(&why);
    trial_destroy(trial);
}

int main(void)
{
    return run_table("differences", cases, test_verdict);
}
