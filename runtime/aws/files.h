/*
 * files: small files whole, with what they may hold wiped behind us.
 */
#ifndef POLLARD_FILES_H
#define POLLARD_FILES_H

#include <stdbool.h>

#include "base/bytes.h"

struct error;

/* Append the file's content. ERROR_NOT_FOUND: there is none; ERROR_INVALID: it
 * cannot be read, or is over the buffer's limit. */
bool files_read(const char *path, struct buffer *content, struct error *err);

/* A token on its own: the content without white space at its end. Caller
 * wipes. */
bool files_read_token(const char *path, char **token, struct error *err);

#endif
