/*
 * credentials_process: from a program's standard output: a profile's
 * `credential_process` (wire.md section 7.2). The command line is split as a
 * shell would, but no shell runs.
 */
#ifndef POLLARD_CREDENTIALS_PROCESS_H
#define POLLARD_CREDENTIALS_PROCESS_H

#include <stdbool.h>

struct credentials_provider;
struct error;

/* NULL: the command is empty or has an open quote. */
struct credentials_provider *credentials_process_create(const char *command,
                                                        struct error *err);

/* Words by white space, quotes and backslashes. A NULL ends them; caller frees
 * with credentials_process_free_words. NULL: an open quote. */
char **credentials_process_split(const char *command);
void credentials_process_free_words(char **words);

#endif
