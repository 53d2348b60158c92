/*
 * problems: every mistake of a configuration, so that a user mends them in one
 * go. Each has file:line:column, the key, what is allowed and what was found.
 *
 * Threads: one thread.
 */
#ifndef POLLARD_PROBLEMS_H
#define POLLARD_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct problem {
    char *file;       // owned
    int line, column; // 0: the file as a whole
    char *text;       // owned; "batch_size: 20000 is not allowed: 1 to 10000"
};

struct problems {
    struct problem *list; // owned; in the file's order
    size_t count;
    size_t dropped; // beyond the first 100
    size_t added;   // calls of problems_add, for "did that go well?"
};

void problems_init(struct problems *problems);
void problems_finish(struct problems *problems);

/* Sorted in by line and column; one that is there already is not added again.
 * Control characters become '?'. Returns false, so that a failing path is one
 * statement. */
bool problems_add(struct problems *problems, const char *file, int line,
                  int column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* One line each: file:line:column: text. In the file's order. */
void problems_print(const struct problems *problems, FILE *out);

#endif
