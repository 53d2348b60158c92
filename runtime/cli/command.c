#include "cli/command.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "config/problems.h"
#include "supervisor/settings.h"

#define NAMES_LIMIT 4096

int command_usage(const char *name, const char *format, ...)
{
    va_list args;

    (void)fprintf(stderr, "pollard %s: ", name);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fprintf(stderr, "\nTry 'pollard %s --help'.\n", name);
    return COMMAND_USAGE;
}

static int print_help(const struct command *command)
{
    (void)printf("Usage: pollard %s%s%s\n\n%s\n", command->name,
                 *command->arguments ? " " : "", command->arguments,
                 command->help);
    return COMMAND_OK;
}

int command_help(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (!strcmp(command->name, name))
            return print_help(command);
    (void)fprintf(stderr,
                  "pollard: there is no command '%s'.\nTry 'pollard help'.\n",
                  name);
    return COMMAND_USAGE;
}

int command_bad_option(const char *name, char **argv)
{
    bool is_long = !strncmp(argv[optind - 1], "--", 2);

    if (optopt && is_long)
        return command_usage(name, "the option %s takes %s", argv[optind - 1],
                             strchr(argv[optind - 1], '=') ? "no value"
                                                           : "a value");
    if (is_long || !optopt)
        return command_usage(name, "there is no option %s", argv[optind - 1]);
    return command_usage(
        name, "there is no option -%c, or its value is missing", optopt);
}

int command_plain(int argc, char **argv, void (*write)(FILE *file))
{
    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return command_help(argv[0]);
    if (argc > 1)
        return command_usage(argv[0], "'%s' is one argument too many", argv[1]);
    write(stdout);
    return fflush(stdout) || ferror(stdout) ? COMMAND_INTERNAL : COMMAND_OK;
}

void command_print(FILE *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool is_c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;

        (void)fputc(*c < 0x20 || *c == 0x7f || is_c1 ? '?' : *c, out);
        c += is_c1;
    }
}

struct settings *command_load_settings(const char *path)
{
    struct problems problems;
    struct settings *settings;

    problems_init(&problems);
    settings = settings_load(path, &problems);
    problems_print(&problems, stderr);
    problems_finish(&problems);
    if (!settings && access(path, F_OK))
        (void)fprintf(stderr, "Name the configuration with -c FILE, or in "
                              "POLLARD_CONFIG.\n");
    return settings;
}

const struct trigger_config *
command_find_trigger(const char *name, const struct settings *settings,
                     const char *trigger)
{
    struct buffer names;

    for (size_t i = 0; i < settings->trigger_count; i++)
        if (!strcmp(settings->triggers[i].name, trigger))
            return &settings->triggers[i];
    buffer_init(&names, NAMES_LIMIT);
    for (size_t i = 0; i < settings->trigger_count; i++)
        buffer_printf(&names, "%s%s", i ? ", " : "",
                      settings->triggers[i].name);
    (void)command_usage(name, "%s has no trigger '%s'; it has %s",
                        settings->path, trigger,
                        buffer_ok(&names) ? buffer_text(&names) : "others");
    buffer_finish(&names);
    return NULL;
}

const char *command_default_config(void)
{
    const char *path = getenv("POLLARD_CONFIG");

    return path && *path ? path : "pollard.yaml";
}
