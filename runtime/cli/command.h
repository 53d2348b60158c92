/*
 * command: what the subcommands share: their table, exit codes (sysexits) and
 * the way they report a wrong command line. One file a subcommand beside this.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_COMMAND_H
#define POLLARD_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

enum command_exit { // sysexits.h, and what peers use (Vector)
    COMMAND_OK = 0,
    COMMAND_USAGE = 64,
    COMMAND_DATA = 65,        // the input is not what it must be
    COMMAND_NO_INPUT = 66,    // or cannot be read
    COMMAND_UNAVAILABLE = 69, // a required server or library is not usable
    COMMAND_INTERNAL = 70,
    COMMAND_TEMPORARY = 75,
    COMMAND_CONFIG = 78,
};

struct command {
    const char *name;
    int (*main)(int argc, char **argv); // argv[0] is the subcommand
    const char *arguments, *help;
};

/* Ends with an entry without name. */
extern const struct command commands[];

/* "pollard NAME: <text>" and where to read more, on stderr. Returns
 * COMMAND_USAGE. */
int command_usage(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The help of one subcommand, on stdout. Returns COMMAND_OK, or COMMAND_USAGE
 * when there is none of that name. */
int command_help(const char *name);

/* What getopt_long answered with '?', while opterr is 0. Returns
 * COMMAND_USAGE. */
int command_bad_option(const char *name, char **argv);

/* A subcommand that only prints, and takes nothing but --help. */
int command_plain(int argc, char **argv, void (*write)(FILE *file));

/* Text from outside, without what would move a terminal's cursor. */
void command_print(FILE *out, const char *text);

struct settings;
struct trigger_config;

/* Read the file, print every mistake to stderr. NULL: COMMAND_CONFIG. Caller
 * destroys. */
struct settings *command_load_settings(const char *path);

/* NULL: COMMAND_USAGE; stderr has said which triggers there are. */
const struct trigger_config *
command_find_trigger(const char *name, const struct settings *settings,
                     const char *trigger);

/* The default of -c: $POLLARD_CONFIG, or pollard.yaml. */
const char *command_default_config(void);

#endif
