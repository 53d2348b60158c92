/*
 * command_line: what a subcommand was told, read by a table of its options that
 * stands beside the struct they fill. `--help` (`-h`) is every subcommand's.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_COMMAND_LINE_H
#define POLLARD_COMMAND_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command_option_kind {
    COMMAND_OPTION_FLAG,   // a bool; it takes no value
    COMMAND_OPTION_TEXT,   // a const char *, of argv
    COMMAND_OPTION_NUMBER, // an int64_t, in base 10
};

struct command_option {
    const char *name; // behind "--"; NULL ends the table
    char letter;      // behind "-"; 0: it has none
    enum command_option_kind kind;
    size_t offset;  // of its member in the struct that is filled
    const char *is; // for a number: what it is, as in "--delay is <...>"
};

/* A row knows its member's type; a mismatch does not compile. */
#define COMMAND_OPTION(kind_, c_type, owner, member) \
    .kind = (kind_),                                 \
    .offset = offsetof(owner, member) +              \
              0 * sizeof(_Generic(((owner *)0)->member, c_type : 1))
#define COMMAND_FLAG(owner, member) \
    COMMAND_OPTION(COMMAND_OPTION_FLAG, bool, owner, member)
#define COMMAND_TEXT(owner, member) \
    COMMAND_OPTION(COMMAND_OPTION_TEXT, const char *, owner, member)
#define COMMAND_NUMBER(owner, member) \
    COMMAND_OPTION(COMMAND_OPTION_NUMBER, int64_t, owner, member)

/* What is left when the options are taken away. */
struct command_words {
    char **list; // within argv, which may have been reordered
    size_t count;
};

/* Fill `into`, and words with at most words_most of them. Returns COMMAND_OK,
 * or COMMAND_USAGE with the reason on stderr; ends the process after --help.
 * name: the subcommand's. argv[0] is not looked at. */
int command_line_read(const char *name, int argc, char **argv,
                      const struct command_option *options, void *into,
                      size_t words_most, struct command_words *words);

#endif
