/*
 * lines: a command's output on its way into pollard's log, line by line, and
 * not without end: what one command says beyond 64 KiB is counted, not logged.
 */
#ifndef EXEC_LINES_H
#define EXEC_LINES_H

#include <pollard/handler.h>

#define LINES_LONGEST 2048        // a longer line is logged in pieces
#define LINES_LIMIT (64u * 1024u) // bytes of one stream of one command

struct lines {
    const struct pollard_host *host;
    int level;              // POLLARD_LOG_
    size_t logged, dropped; // bytes
    size_t size;            // of the line so far
    char line[LINES_LONGEST + 1];
};

void lines_init(struct lines *lines, const struct pollard_host *host,
                int level);
void lines_add(struct lines *lines, const char *data, size_t size);

/* The end of the output: the last line may have no newline. */
void lines_end(struct lines *lines);

#endif
