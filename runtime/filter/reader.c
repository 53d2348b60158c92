#include "filter/reader.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/utf8.h"

#define SHOWN 60  // bytes of what was found
#define PLACE 100 // and of the place

// So many bytes of it, and no half a character.
static int cut(struct bytes text, size_t most)
{
    if (text.size > most)
        text.size = most;
    return (int)utf8_valid_size(text);
}

bool reader_refuse(struct reader *reader, size_t offset, const char *format,
                   ...)
{
    struct bytes message;
    char text[400];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    *reader->offset = offset;
    (void)error_set(reader->err, ERROR_INVALID, "%.*s%s%s",
                    cut(buffer_bytes(&reader->place), PLACE),
                    buffer_text(&reader->place), reader->place.size ? ": " : "",
                    text);
    message = bytes_of(reader->err->message);
    reader->err->message[utf8_valid_size(message)] = 0;
    return false;
}

bool reader_refuse_json(struct reader *reader)
{
    size_t offset = json_read_offset(&reader->in);

    return reader_refuse(reader, offset, "not JSON at character %zu: %s",
                         offset + 1,
                         reader->in.error ? reader->in.error : "not a value");
}

size_t reader_here(struct reader *reader)
{
    (void)json_read_peek(&reader->in); // passes white space
    return json_read_offset(&reader->in);
}

struct bytes reader_since(const struct reader *reader, size_t offset)
{
    return (struct bytes){reader->source + offset,
                          json_read_offset(&reader->in) - offset};
}

bool reader_refuse_value(struct reader *reader, const char *allowed)
{
    size_t at = reader_here(reader);
    struct bytes found;

    if (!json_read_skip(&reader->in))
        return reader_refuse_json(reader);
    found = reader_since(reader, at);
    return reader_refuse(reader, at, "%.*s%s is not allowed: %s",
                         cut(found, SHOWN), found.data,
                         found.size > SHOWN ? "..." : "", allowed);
}

bool reader_string(struct reader *reader, struct bytes *text,
                   const char *allowed)
{
    if (json_read_peek(&reader->in) != JSON_READ_STRING)
        return reader_refuse_value(reader, allowed);
    return json_read_string(&reader->in, text) || reader_refuse_json(reader);
}

bool reader_number(struct reader *reader, struct bytes *text)
{
    if (json_read_peek(&reader->in) != JSON_READ_NUMBER)
        return reader_refuse_value(reader, "a number");
    return json_read_number(&reader->in, text) || reader_refuse_json(reader);
}

size_t reader_enter_key(struct reader *reader, struct bytes key)
{
    size_t before = reader->place.size;

    if (before)
        buffer_append_char(&reader->place, '.');
    buffer_append_bytes(&reader->place, key);
    return before;
}

size_t reader_enter_item(struct reader *reader, size_t index)
{
    size_t before = reader->place.size;

    buffer_printf(&reader->place, "[%zu]", index);
    return before;
}

void reader_leave(struct reader *reader, size_t before)
{
    reader->place.size = before;
}
