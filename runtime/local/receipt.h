/*
 * receipt: the text of a receipt handle.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_LOCAL_RECEIPT_H
#define POLLARD_LOCAL_RECEIPT_H

#include "local/queue.h"
#include "local/token.h"

/* Returns the characters written. */
size_t receipt_write(uint64_t key, const struct receipt *receipt,
                     char text[TOKEN_TEXT_LIMIT]);

/* False: no handle of this server's. */
bool receipt_read(uint64_t key, struct bytes text, struct receipt *receipt);

#endif
