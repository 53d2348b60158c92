/*
 * mem: allocation that never fails. Running out of memory ends the process: a
 * pollard that dies loses nothing. Sizes chosen by others never come here
 * unchecked; they go through a struct buffer with a limit.
 */
#ifndef POLLARD_MEM_H
#define POLLARD_MEM_H

#include <stddef.h>

/* Zeroed memory. Caller frees. */
void *mem_calloc(size_t count, size_t size);

/* As realloc(3); new bytes are not zeroed. Caller frees. */
void *mem_realloc(void *memory, size_t count, size_t size);

/* A copy of text; NULL gives NULL. Caller frees. */
char *mem_strdup(const char *text);

/* A terminated copy of size bytes. Caller frees. */
char *mem_strndup(const char *text, size_t size);

/* printf into fresh memory. Caller frees. */
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Overwrite, then free. For secrets. NULL is fine. */
void mem_wipe_free(void *memory, size_t size);
void mem_wipe_text(char *text);

/* For a pointer that never leaves its function. */
void mem_auto_free(void *pointer_to_pointer);
#define AUTO_FREE __attribute__((cleanup(mem_auto_free)))

#endif
