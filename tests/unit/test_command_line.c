#include "cli/command_line.h"

#include "cli/command.h"
#include "test.h"

#define WORDS_MOST 2

const struct command commands[] = {{0}}; // main.c's, for --help

struct told {
    const char *file;
    bool loud;
    int64_t count;
};

static const struct command_option rows[] = {
    {"file", 'f', COMMAND_TEXT(struct told, file)},
    {"loud", 0, COMMAND_FLAG(struct told, loud)},
    {"count", 'n', COMMAND_NUMBER(struct told, count),
     .is = "a number of things"},
    {0}};

static struct line_case {
    const char *name;
    const char *line[8];
    int status;
    struct told told;
    size_t words;
} cases[] = {
    {"nothing leaves what was there", {NULL}, .told = {"old", false, 7}},
    {"long and short names",
     {"--loud", "-f", "x", "--count=-3"},
     .told = {"x", true, -3}},
    {"the last one wins", {"-fx", "--file", "y"}, .told = {"y", false, 7}},
    {"words may stand before options",
     {"one", "--loud", "two"},
     .told = {"old", true, 7},
     .words = 2},
    {"behind -- all are words",
     {"--", "--loud"},
     .told = {"old", false, 7},
     .words = 1},
    {"a name may be cut short", {"--lo"}, .told = {"old", true, 7}},
    {"a word too many", {"1", "2", "3"}, .status = COMMAND_USAGE},
    {"an option that is not there", {"--wide"}, .status = COMMAND_USAGE},
    {"a letter that is not there", {"-l"}, .status = COMMAND_USAGE},
    {"a value is missing", {"--file"}, .status = COMMAND_USAGE},
    {"the value of a letter is missing", {"-f"}, .status = COMMAND_USAGE},
    {"a flag takes no value", {"--loud=1"}, .status = COMMAND_USAGE},
    {"a number is one", {"--count", "3x"}, .status = COMMAND_USAGE},
    {"a number is not empty", {"--count="}, .status = COMMAND_USAGE},
    {"a number has 64 bits",
     {"-n", "9223372036854775808"},
     .status = COMMAND_USAGE},
};

static void test_line(void **state)
{
    const struct line_case *c = *state;
    struct told told = {"old", false, 7};
    struct command_words words;
    char *argv[10] = {(char[]){"test"}};
    int argc = 1;

    while (argc <= 8 && c->line[argc - 1]) {
        argv[argc] = (char *)(uintptr_t)c->line[argc - 1];
        argc++;
    }
    assert_int_equal(
        command_line_read("test", argc, argv, rows, &told, WORDS_MOST, &words),
        c->status);
    if (c->status != COMMAND_OK)
        return;
    assert_string_equal(told.file, c->told.file);
    assert_int_equal(told.loud, c->told.loud);
    assert_int_equal(told.count, c->told.count);
    assert_int_equal(words.count, c->words);
}

int main(void)
{
    return run_table("command_line", cases, test_line);
}
