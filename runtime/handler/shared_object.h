/*
 * shared_object: is this file a whole shared object for this machine? dlopen
 * says little about files that are not, and maps a cut-off one to crash later.
 *
 * Threads: pure functions on a descriptor.
 */
#ifndef POLLARD_SHARED_OBJECT_H
#define POLLARD_SHARED_OBJECT_H

#include <stdbool.h>

struct error;

/* Reads the ELF header and the program headers of an open file. ERROR_INVALID
 * with one sentence that says what the file is instead. */
bool shared_object_check(int fd, struct error *err);

#endif
