#include "lines.h"

#include <stdio.h>
#include <string.h>

void lines_init(struct lines *lines, const struct pollard_host *host, int level)
{
    lines->host = host;
    lines->level = level;
    lines->logged = lines->dropped = lines->size = 0;
}

static void flush(struct lines *lines)
{
    if (lines->size && lines->line[lines->size - 1] == '\r')
        lines->size--;
    lines->line[lines->size] = '\0';
    if (lines->size)
        lines->host->log(lines->level, lines->line);
    lines->size = 0;
}

static void add_char(struct lines *lines, char c)
{
    if (c == '\n' || lines->size == LINES_LONGEST)
        flush(lines);
    if (c != '\n')
        lines->line[lines->size++] = c ? c : ' '; // a NUL would end the text
}

void lines_add(struct lines *lines, const char *data, size_t size)
{
    size_t room = LINES_LIMIT - lines->logged;

    if (size > room) {
        lines->dropped += size - room;
        size = room;
    }
    lines->logged += size;
    for (size_t i = 0; i < size; i++)
        add_char(lines, data[i]);
}

void lines_end(struct lines *lines)
{
    char message[80];

    flush(lines);
    if (!lines->dropped)
        return;
    (void)snprintf(message, sizeof(message), "%zu more bytes were not logged",
                   lines->dropped);
    lines->host->log(lines->level, message);
}
