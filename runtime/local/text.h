/*
 * text: what a string contains, looked up eight bytes at a time, and UUIDs.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_LOCAL_TEXT_H
#define POLLARD_LOCAL_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define TEXT_UUID_SIZE 36

/* True when JSON needs no escapes for it and it is ASCII without controls. */
bool text_is_plain(struct bytes text);

/* True for well-formed UTF-8 of XML 1.0's characters: tab, line feed, carriage
 * return, #x20-#xD7FF, #xE000-#xFFFD, #x10000-#x10FFFF. */
bool text_is_legal(struct bytes text);

/* As json_put_string, but quick about what needs no escapes. */
void text_put_json(struct buffer *buffer, struct bytes text);

/* A version 4 UUID of these bits, and a terminator. */
void text_uuid(uint64_t high, uint64_t low, char uuid[TEXT_UUID_SIZE + 1]);

/* A whole decimal number, perhaps negative. False for anything else. */
bool text_to_int(struct bytes text, int64_t *number);

/* True when the text matches a pattern in which `*` stands for anything. */
bool text_matches(struct bytes pattern, struct bytes text);

#endif
