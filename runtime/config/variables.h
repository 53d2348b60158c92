/*
 * variables: `${NAME}` and `${NAME:-default}` in a value are replaced from the
 * environment, `$$` stands for a dollar, and any other dollar for itself. As in
 * a shell, the default also stands in for a variable that is set but empty.
 *
 * Threads: reads the environment; nobody may change it meanwhile.
 */
#ifndef POLLARD_VARIABLES_H
#define POLLARD_VARIABLES_H

#include <stdbool.h>

struct buffer;
struct error;

/* Append text, replaced, to out. On ERROR_INVALID (unset without default,
 * malformed) *at points into text, where the mistake begins. */
bool variables_replace(const char *text, struct buffer *out, const char **at,
                       struct error *err);

#endif
