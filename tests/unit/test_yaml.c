#include "config/yaml.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "config/problems.h"

#include "test.h"

static struct yaml_node *read_text(const char *text, struct problems *problems)
{
    problems_init(problems);
    return yaml_read_text("file", text, strlen(text), problems);
}

// "line:column: text" of the first problem, or "".
static void first_problem(const struct problems *problems, char *text,
                          size_t size)
{
    *text = '\0';
    if (problems->count)
        (void)snprintf(text, size, "%d:%d: %s", problems->list[0].line,
                       problems->list[0].column, problems->list[0].text);
}

static struct broken_case {
    const char *name, *text;
    const char *problem; // the beginning of the first
    bool has_tree;       // one can go on with the rest
} broken[] = {
    {"nothing", "", "0:0: the file is empty", false},
    {"only comments", "# a\n\n# b\n", "0:0: the file is empty", false},
    {"only a document mark", "---\n", "0:0: the file is empty", false},
    {"null", "~", "0:0: the file is empty", false},
    {"a tab", "a:\n\tb: 1\n",
     "2:1: found character that cannot start any token, while scanning for the "
     "next token (a tab; YAML indents with spaces)",
     false},
    {"broken indentation", "a: b\n  c: d\n",
     "2:4: mapping values are not allowed in this context", false},
    {"an open bracket", "a: [1, 2\nb: 3\n",
     "2:2: did not find expected ',' or ']', while parsing a flow sequence "
     "that begins on line 1",
     false},
    {"an open quote", "a: \"b\n", "2:1: found unexpected end of stream", false},
    {"an unquoted variable in braces", "a: {b: ${HOME}}\n",
     "1:9: did not find expected ',' or '}', while parsing a flow mapping "
     "(within [] and {}, ${NAME} must stand in quotes)",
     false},
    {"JSON in the wrong quotes", "a: \"{\"b\": [1]}\"\n",
     "1:7: did not find expected key, while parsing a block mapping (JSON as a "
     "string stands in single quotes: '{...}')",
     false},
    {"Latin-1", "a: caf\xe9\n",
     "1:7: incomplete UTF-8 octet sequence; the file must be UTF-8", false},
    {"UTF-16", "\xff\xfe\x61\n", "1:1: invalid leading UTF-8 octet", false},
    {"a control character", "a: \x01\n", "1:4: control characters", false},
    {"a zero byte by escape", "a: \"x\\0y\"\n", "1:4: a: a zero byte", false},
    {"two documents", "a: 1\n---\nb: 2\n",
     "2:1: a second document; a file holds one", false},
    {"twice the same key", "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n",
     "5:3: b.c: given twice, the first time on line 3", true},
    {"the same key, quoted", "a: 1\n\"a\": 2\n",
     "2:1: a: given twice, the first time on line 1", true},
    {"a list as a key", "[a]: 1\n", "1:1: a key must be plain text", false},
    {"an alias as a key", "a: &x b\n*x : 1\n", "2:1: a key must be plain text",
     false},
    {"a merge key", "a: &x {b: 1}\nc: {<<: *x}\n", "2:5: c: merge keys (<<)",
     false},
    {"an unknown anchor", "a: *x\n", "1:4: an alias without an anchor", false},
    {"an alias inside itself", "a: &x [1, *x]\n", "1:11: an alias inside",
     false},
    {"a tag", "a: !!int 1\n", "1:4: a: only the tag !!str", false},
    {"a tag on a map", "a: !x {b: 1}\n", "1:4: a: only the tag !!str", false},
    {"an unset variable", "a: x\nb: [1, 'go ${POLLARD_UNSET} on']\n",
     "2:12: b[1]: the environment variable POLLARD_UNSET is not set", true},
    {"an unset variable behind wide characters",
     "a: \xc3\xa9${POLLARD_UNSET}\n",
     "1:5: a: the environment variable POLLARD_UNSET", true},
    {"an unset variable in a block", "a: |\n  one\n  ${POLLARD_UNSET}\n",
     "3:3: a: the environment variable POLLARD_UNSET", true},
    {"an open variable", "a: x${HOME\n", "1:5: a: ${ without its }", true},
    {"a variable without name", "a: ${}\n", "1:4: a: ${} is neither", true},
    {"another shell's substitution", "a: ${HOME:?x}\n",
     "1:4: a: ${HOME:?x} is neither", true},
    {"a variable within a default", "a: ${HOME:-${USER}}\n",
     "1:4: a: a default cannot hold another", true},
};

static void test_broken(void **state)
{
    const struct broken_case *c = *state;
    struct problems problems;
    struct yaml_node *root = read_text(c->text, &problems);
    char problem[400];

    first_problem(&problems, problem, sizeof(problem));
    if (strncmp(problem, c->problem, strlen(c->problem)) != 0)
        fail_msg("\"%s\" instead of \"%s\"", problem, c->problem);
    assert_int_equal(root != NULL, c->has_tree);
    yaml_destroy(root);
    problems_finish(&problems);
}

static struct value_case {
    const char *name, *text, *value; // of the key `a`; NULL: left out
} values[] = {
    {"plain", "a: b c\n", "b c"},
    {"quoted", "a: 'it''s'\n", "it's"},
    {"escapes", "a: \"\\u00e9\\n\"\n", "\xc3\xa9\n"},
    {"folded", "a: >-\n  b\n  c\n", "b c"},
    {"!!str", "a: !!str 12\n", "12"},
    {"a byte order mark and CRLF",
     "\xef\xbb\xbf"
     "a: b\r\n",
     "b"},
    {"an alias", "b: &x c\na: *x\n", "c"},
    {"an anchor set twice", "b: &x 1\nc: &x 2\na: *x\n", "2"},
    {"an anchor in a second twin", "b: 1\nb: &x 3\na: *x\n", "3"},
    {"a variable", "a: <${POLLARD_SET}>\n", "<value>"},
    {"a variable in single quotes", "a: '${POLLARD_SET}'\n", "value"},
    {"two variables", "a: ${POLLARD_SET}${POLLARD_SET}\n", "valuevalue"},
    {"a default", "a: ${POLLARD_UNSET:-x y}\n", "x y"},
    {"a default not needed", "a: ${POLLARD_SET:-x}\n", "value"},
    {"a default for what is empty", "a: ${POLLARD_EMPTY:-x}\n", "x"},
    {"an empty variable is set", "a: \"${POLLARD_EMPTY}\"\n", ""},
    {"an empty default leaves out", "a: ${POLLARD_UNSET:-}\n", NULL},
    {"but not in quotes", "a: \"${POLLARD_UNSET:-}\"\n", ""},
    {"a dollar", "a: $$5 and $5 and $\n", "$5 and $5 and $"},
    {"a dollar before a brace", "a: $${POLLARD_SET}\n", "${POLLARD_SET}"},
    {"what a variable brings is not read again", "a: ${POLLARD_TRICK}\n",
     "${POLLARD_SET}"},
    {"keys are left alone", "b: {'${POLLARD_SET}': 1}\na: x\n", "x"},
};

static void test_value(void **state)
{
    const struct value_case *c = *state;
    struct problems problems;
    struct yaml_node *root = read_text(c->text, &problems);
    struct yaml_node *member = yaml_member(root, "a");

    assert_non_null(root);
    if (!c->value) {
        assert_null(member);
        assert_int_equal(problems.count, 0);
    } else {
        assert_non_null(member);
        assert_string_equal(member->text, c->value);
    }
    yaml_destroy(root);
    problems_finish(&problems);
}

static void test_every_node_knows_its_place(void **state)
{
    struct problems problems;
    struct yaml_node *root = read_text("# x\na:\n  b: [1, \xc3\xa9, c]\n"
                                       "d: &x\n  - e\nf: *x\n",
                                       &problems);
    const struct yaml_node *b = yaml_member(yaml_member(root, "a"), "b");
    const struct yaml_node *f = yaml_member(root, "f");

    (void)state;
    assert_int_equal(problems.count, 0);
    assert_int_equal(b->key_line, 3);
    assert_int_equal(b->key_column, 3);
    assert_int_equal(b->column, 6);
    assert_int_equal(b->first->next->next->column, 13); // in characters
    // An aliased value stands where it was written, its key where it is used.
    assert_int_equal(f->key_line, 6);
    assert_int_equal(f->first->line, 5);
    yaml_destroy(root);
    problems_finish(&problems);
}

static void test_what_is_null_and_what_is_text(void **state)
{
    struct problems problems;
    struct yaml_node *root = read_text(
        "[~, Null, null, NULL, '', 'null', nULL, no, {}]\n", &problems);
    const bool expected[] = {true,  true,  true,  true, false,
                             false, false, false, false};
    const struct yaml_node *item = root->first;

    (void)state;
    for (size_t i = 0; i < sizeof(expected); i++, item = item->next)
        assert_int_equal(yaml_is_null(item), expected[i]);
    yaml_destroy(root);
    problems_finish(&problems);
}

static void test_what_the_environment_gave_is_marked(void **state)
{
    struct problems problems;
    struct yaml_node *root = read_text(
        "a: ${POLLARD_SET}\nb: value\nc: ${POLLARD_UNSET}\n", &problems);

    (void)state;
    assert_true(yaml_member(root, "a")->replaced);
    assert_false(yaml_member(root, "b")->replaced);
    assert_true(yaml_member(root, "c")->wrong);
    yaml_destroy(root);
    problems_finish(&problems);
}

static void test_all_mistakes_in_the_files_order(void **state)
{
    struct problems problems;
    struct yaml_node *root = read_text(
        "a: ${POLLARD_UNSET}\nb:\n  c: 1\n  c: 2\nd: '${'\na: 3\n", &problems);
    const int lines[] = {1, 4, 5, 6};

    (void)state;
    assert_non_null(root);
    assert_int_equal(problems.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(problems.list[i].line, lines[i]);
    yaml_destroy(root);
    problems_finish(&problems);
}

// head, then `part` again and again, then tail.
static char *repeat(const char *head, const char *part, size_t times,
                    const char *tail)
{
    struct buffer text;

    buffer_init(&text, (size_t)4 << 20);
    buffer_append_text(&text, head);
    while (times-- > 0)
        buffer_append_text(&text, part);
    buffer_append_text(&text, tail);
    return buffer_detach(&text);
}

static char *alias_bomb(void)
{
    struct buffer text;

    buffer_init(&text, 10000);
    buffer_append_text(&text, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++) {
        buffer_printf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            buffer_printf(&text, "%s*a%d", j ? "," : "", i - 1);
        buffer_append_text(&text, "]\n");
    }
    return buffer_detach(&text);
}

static char *deep_aliases(void)
{
    struct buffer text;

    buffer_init(&text, 10000);
    buffer_append_text(&text, "a0: &a0 [x]\n");
    for (int i = 1; i < 40; i++)
        buffer_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    return buffer_detach(&text);
}

static char *bomb_of_text(void)
{
    AUTO_FREE char *head = repeat("a: &a ", "x", 60000, "\nb: [");

    return repeat(head, "*a,", 90000, "]\n");
}

static char *bomb_of_keys(void)
{
    AUTO_FREE char *head = repeat("a: &a {? ", "x", 60000, " : 1}\nb: [");

    return repeat(head, "*a,", 40000, "]\n");
}

static char *many_anchors(void)
{
    struct buffer text;

    buffer_init(&text, (size_t)1 << 20);
    for (int i = 0; i < 2000; i++)
        buffer_printf(&text, "k%d: &a%d x\n", i, i);
    return buffer_detach(&text);
}

static void check_refused(char *text, const char *problem)
{
    struct problems problems;

    assert_null(read_text(text, &problems));
    assert_int_equal(problems.count, 1);
    assert_contains(problems.list[0].text, problem);
    problems_finish(&problems);
    free(text);
}

static void test_bounds(void **state)
{
    (void)state;
    check_refused(repeat("a: ", "x", (size_t)1 << 20, "\n"), "over 1 MiB");
    check_refused(repeat("a: ", "x", 70000, "\n"), "over 64 KiB");
    check_refused(repeat("", "[", 1000000, ""), "nested deeper than 32");
    check_refused(repeat("", "- ", 500000, ""), "nested deeper than 32");
    check_refused(repeat("", "{a: ", 200000, ""), "nested deeper than 32");
    check_refused(repeat("", "- x\n", 150000, ""), "over 100000 values");
    check_refused(alias_bomb(), "over 100000 values, aliases expanded");
    check_refused(bomb_of_text(), "over 16 MiB of text");
    check_refused(bomb_of_keys(), "over 16 MiB of text");
    check_refused(deep_aliases(), "deeper than 32, aliases expanded");
    check_refused(many_anchors(), "over 1000 anchors");
}

static void test_a_variable_cannot_pass_the_bounds(void **state)
{
    AUTO_FREE char *big = repeat("", "x", 60000, "");

    (void)state;
    setenv("POLLARD_BIG", big, 1);
    check_refused(repeat("a: ${POLLARD_BIG}${POLLARD_BIG}\n", "", 0, ""),
                  "over 64 KiB, variables replaced");
    check_refused(repeat("", "- ${POLLARD_BIG}\n", 300, ""),
                  "over 16 MiB of text");
    unsetenv("POLLARD_BIG");
}

static void test_the_most_that_is_allowed(void **state)
{
    AUTO_FREE char *deep = repeat("", "[", 32, "");
    AUTO_FREE char *text = repeat(deep, "]", 32, "");
    AUTO_FREE char *wide = repeat("", "- x\n", 99999, "");
    struct problems problems;
    struct yaml_node *root = read_text(text, &problems);

    (void)state;
    assert_non_null(root);
    yaml_destroy(root);
    problems_finish(&problems);
    root = read_text(wide, &problems);
    assert_non_null(root);
    yaml_destroy(root);
    problems_finish(&problems);
}

static void test_a_thousand_mistakes_are_a_hundred_and_a_count(void **state)
{
    AUTO_FREE char *text = repeat("", "- ${POLLARD_UNSET}\n", 50000, "");
    struct problems problems;
    struct yaml_node *root = read_text(text, &problems);

    (void)state;
    assert_non_null(root);
    assert_int_equal(problems.count, 100);
    assert_int_equal(problems.dropped, 49900);
    assert_int_equal(problems.list[99].line, 100);
    yaml_destroy(root);
    problems_finish(&problems);
}

static void test_a_problem_cannot_forge_a_line(void **state)
{
    struct problems problems;
    char *shown = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&shown, &size);

    (void)state;
    yaml_destroy(read_text("\"a\\nfile:1:1: forged\\e[2J\": 1\n"
                           "\"a\\nfile:1:1: forged\\e[2J\": 2\n",
                           &problems));
    problems_print(&problems, out);
    (void)fclose(out);
    assert_string_equal(shown, "file:2:1: a?file:1:1: forged?[2J: given "
                               "twice, the first time on line 1\n");
    free(shown);
    problems_finish(&problems);
}

static struct file_case {
    const char *name, *problem;
} files[] = {
    {"/nonexistent/pollard.yaml", "cannot be read: No such file or directory"},
    {"/tmp", "cannot be read: Is a directory"},
    {"/dev/zero", "the file is over 1 MiB"},
    {"/dev/null", "the file is empty"},
};

static void test_file(void **state)
{
    const struct file_case *c = *state;
    struct problems problems;

    problems_init(&problems);
    assert_null(yaml_read_file(c->name, &problems));
    assert_int_equal(problems.count, 1);
    assert_string_equal(problems.list[0].file, c->name);
    assert_string_equal(problems.list[0].text, c->problem);
    problems_finish(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_node_knows_its_place),
        cmocka_unit_test(test_what_is_null_and_what_is_text),
        cmocka_unit_test(test_what_the_environment_gave_is_marked),
        cmocka_unit_test(test_all_mistakes_in_the_files_order),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_a_variable_cannot_pass_the_bounds),
        cmocka_unit_test(test_the_most_that_is_allowed),
        cmocka_unit_test(test_a_thousand_mistakes_are_a_hundred_and_a_count),
        cmocka_unit_test(test_a_problem_cannot_forge_a_line),
    };
    int failed;

    unsetenv("POLLARD_UNSET");
    setenv("POLLARD_SET", "value", 1);
    setenv("POLLARD_EMPTY", "", 1);
    setenv("POLLARD_TRICK", "${POLLARD_SET}", 1);
    failed = run_table("broken", broken, test_broken);
    failed += run_table("value", values, test_value);
    failed += run_table("file", files, test_file);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
