/*
 * case_message: a record of a conformance case as a message of its queue or
 * shard: its id, data and key, and when it arrives.
 *
 * Threads: one.
 */
#ifndef POLLARD_TEST_CASE_MESSAGE_H
#define POLLARD_TEST_CASE_MESSAGE_H

#include <jansson.h>

struct case_message;
struct case_world;

/* The next of the world's messages, which has room for it. */
void case_message_add(struct case_world *world, const json_t *spec);

void case_message_finish(struct case_message *message);

#endif
