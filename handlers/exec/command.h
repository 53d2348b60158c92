/*
 * command: run one command to its end, or to its deadline.
 *
 * Its standard input is a sealed memory file: it can be read at any pace, or
 * not at all, or twice, and nobody gets a SIGPIPE for it. It leads a process
 * group of its own; when it is over, whatever is left of the group is killed.
 * It inherits no other descriptor and no blocked signal.
 */
#ifndef EXEC_COMMAND_H
#define EXEC_COMMAND_H

#include <pollard/handler.h>

#include <stdbool.h>

struct command {
    char *const *argv;
    char *const *environment;
    const char *input; // written as it is
    size_t input_size;
    int64_t timeout_ms;
    const struct pollard_host *host; // its output is logged here
};

#define COMMAND_TRY_AGAIN 75 // EX_TEMPFAIL of sysexits

struct command_end {
    bool done;        // it exited with 0
    bool try_again;   // it exited with COMMAND_TRY_AGAIN
    char reason[160]; // otherwise: how it ended, a sentence's end
};

/* Blocks. */
void command_run(const struct command *command, struct command_end *end);

#endif
