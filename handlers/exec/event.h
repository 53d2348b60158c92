/*
 * event: cut a batch's event JSON into events of one record each, byte for
 * byte, without reading more of it than where strings and braces end.
 */
#ifndef EXEC_EVENT_H
#define EXEC_EVENT_H

#include <stdbool.h>
#include <stddef.h>

struct event {
    const char *at, *end; // what has not been cut yet
};

/* json is {"Records":[...]}, as pollard writes it. False: it is not. */
bool event_open(struct event *event, const char *json, size_t size);

/* The next record as {"Records":[record]}. Caller frees. NULL: no more. */
char *event_next(struct event *event, size_t *size);

#endif
