#include "cli/command_line.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"

#define OPTIONS_MOST 16
#define HELP 'h'
// What getopt answers for the first row, beyond any letter.
#define FIRST_ROW 256

/* The table as getopt_long wants it. */
struct forms {
    struct option longs[OPTIONS_MOST + 2];
    char shorts[2 * OPTIONS_MOST + 2];
};

static void add_short(struct forms *forms, char letter, bool takes_value)
{
    size_t size = strlen(forms->shorts);

    forms->shorts[size] = letter;
    forms->shorts[size + 1] = takes_value ? ':' : '\0';
}

static void make_forms(const struct command_option *options,
                       struct forms *forms)
{
    size_t count = 0;

    *forms = (struct forms){.shorts = {HELP}};
    for (; options[count].name; count++) {
        bool takes_value = options[count].kind != COMMAND_OPTION_FLAG;

        assert(count < OPTIONS_MOST);
        forms->longs[count] = (struct option){
            options[count].name, takes_value ? required_argument : no_argument,
            NULL, FIRST_ROW + (int)count};
        if (options[count].letter)
            add_short(forms, options[count].letter, takes_value);
    }
    forms->longs[count] = (struct option){"help", no_argument, NULL, HELP};
}

static const struct command_option *
find_option(const struct command_option *options, int answer)
{
    if (answer >= FIRST_ROW)
        return &options[answer - FIRST_ROW];
    while (options->letter != answer)
        options++;
    return options;
}

static bool has_letter(const struct command_option *options, char letter)
{
    while (options->name && options->letter != letter)
        options++;
    return options->name;
}

static bool read_number(const char *text, int64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoll(text, &end, 10);
    return !errno && end != text && !*end;
}

static int set_option(const char *name, const struct command_option *option,
                      void *into)
{
    void *member = (char *)into + option->offset;

    switch (option->kind) {
    case COMMAND_OPTION_FLAG:
        *(bool *)member = true;
        break;
    case COMMAND_OPTION_TEXT:
        *(const char **)member = optarg;
        break;
    case COMMAND_OPTION_NUMBER:
        if (!read_number(optarg, member))
            return command_usage(name, "--%s is %s", option->name, option->is);
        break;
    }
    return COMMAND_OK;
}

int command_line_read(const char *name, int argc, char **argv,
                      const struct command_option *options, void *into,
                      size_t words_most, struct command_words *words)
{
    struct forms forms;
    int answer, status;

    make_forms(options, &forms);
    optind = 1;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, forms.shorts, forms.longs,
                                 NULL)) != -1) {
        if (answer == HELP)
            exit(command_help(name));
        if (answer == '?')
            return command_bad_option(name, argv);
        status = set_option(name, find_option(options, answer), into);
        if (status != COMMAND_OK)
            return status;
    }
    words->list = argv + optind;
    words->count = (size_t)(argc - optind);
    if (words->count > words_most)
        return command_usage(name, "'%s' is one argument too many%s",
                             words->list[words_most],
                             !words_most && has_letter(options, 'c')
                                 ? ": a configuration is named with -c FILE"
                                 : "");
    return COMMAND_OK;
}
