#include "cli/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/problems.h"
#include "supervisor/settings.h"

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

int command_help(const char *name)
{
    for (const struct command *command = commands; command->name; command++)
        if (!strcmp(command->name, name))
            (void)printf("Usage: pollard %s %s\n\n%s\n", command->name,
                         command->arguments, command->help);
    return COMMAND_OK;
}

struct settings *command_load_settings(const char *path)
{
    struct problems problems;
    struct settings *settings;

    problems_init(&problems);
    settings = settings_load(path, &problems);
    problems_print(&problems, stderr);
    problems_finish(&problems);
    return settings;
}

const char *command_default_config(void)
{
    const char *path = getenv("POLLARD_CONFIG");

    return path && *path ? path : "pollard.yaml";
}
