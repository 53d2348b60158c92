/*
 * reference: the configuration's documents, written from the same tables that
 * read it: docs/triggers.md for people, a JSON Schema for editors.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_REFERENCE_H
#define POLLARD_REFERENCE_H

#include <stdio.h>

/* docs/triggers.md. */
void reference_write_markdown(FILE *out);

/* JSON Schema, draft 2020-12, with both spellings of every key. */
void reference_write_json_schema(FILE *out);

#endif
