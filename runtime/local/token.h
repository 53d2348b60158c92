/*
 * token: what clients hand back unread: receipt handles, shard iterators,
 * paging tokens. A kind, some bytes, and a keyed check, as base64: garbage and
 * tokens of another server or kind are told apart from real ones.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_LOCAL_TOKEN_H
#define POLLARD_LOCAL_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define TOKEN_DATA_LIMIT 128
#define TOKEN_TEXT_LIMIT 192 // with the terminator

enum token_kind {
    TOKEN_RECEIPT = 'r',
    TOKEN_ITERATOR = 'i',
    TOKEN_SHARDS = 's',
    TOKEN_NAME = 'n',
};

/* At most TOKEN_DATA_LIMIT bytes. Returns the characters written; a terminator
 * follows. */
size_t token_write(uint64_t key, enum token_kind kind, struct bytes data,
                   char text[TOKEN_TEXT_LIMIT]);

/* False unless it is a token of this kind and key. */
bool token_read(uint64_t key, enum token_kind kind, struct bytes text,
                char data[TOKEN_DATA_LIMIT], size_t *size);

#endif
