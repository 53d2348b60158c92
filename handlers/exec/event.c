#include "event.h"

#include <stdlib.h>
#include <string.h>

static const char head[] = "{\"Records\":[";
static const char tail[] = "]}";

#define HEAD (sizeof(head) - 1)
#define TAIL (sizeof(tail) - 1)

bool event_open(struct event *event, const char *json, size_t size)
{
    if (size < HEAD + TAIL || memcmp(json, head, HEAD) != 0)
        return false;
    event->at = json + HEAD;
    event->end = json + size - TAIL;
    return true;
}

// The closing quote of the string that opens at `at`.
static const char *string_end(const char *at, const char *end)
{
    while (++at < end && *at != '"')
        if (*at == '\\')
            at++;
    return at;
}

// Behind the object that opens at `at`.
static const char *object_end(const char *at, const char *end)
{
    size_t depth = 0;

    for (; at < end; at++) {
        if (*at == '"')
            at = string_end(at, end);
        else if (*at == '{')
            depth++;
        else if (*at == '}' && --depth == 0)
            return at + 1;
    }
    return end;
}

char *event_next(struct event *event, size_t *size)
{
    const char *stop;
    size_t record;
    char *one;

    if (event->at >= event->end)
        return NULL;
    stop = object_end(event->at, event->end);
    record = (size_t)(stop - event->at);
    one = malloc(HEAD + record + TAIL);
    if (!one)
        return NULL;
    memcpy(one, head, HEAD);
    memcpy(one + HEAD, event->at, record);
    memcpy(one + HEAD + record, tail, TAIL);
    *size = HEAD + record + TAIL;
    event->at = stop + (stop < event->end); // over the comma
    return one;
}
