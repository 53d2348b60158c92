#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"

// A component's fields are kept as name\x1fvalue\x1e, whatever the format.
#define FIELD_SPLIT '\x1f'
#define FIELD_END '\x1e'

#define LINE_LIMIT ((size_t)16 * 1024)

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_child(struct log *log, const struct log *parent, const char *name,
               const char *value)
{
    size_t used = strlen(parent->fields), from;

    *log = *parent;
    from = used + strlen(name) + 1;
    (void)snprintf(log->fields + used, sizeof(log->fields) - used, "%s%c%s%c",
                   name, FIELD_SPLIT, value, FIELD_END);
    // Our own marks within the value would make fields of it.
    for (; from < sizeof(log->fields) && log->fields[from]; from++)
        if (log->fields[from + 1] && (log->fields[from] == FIELD_SPLIT ||
                                      log->fields[from] == FIELD_END))
            log->fields[from] = '?';
}

// Bytes of the UTF-8 character at `at` that may be shown; 0: none may. What
// steers a terminal (C1 controls, DEL) may not.
static size_t shown_size(const unsigned char *at, size_t left)
{
    size_t size = at[0] < 0x80   ? 1
                  : at[0] < 0xc2 ? 0
                  : at[0] < 0xe0 ? 2
                  : at[0] < 0xf0 ? 3
                  : at[0] < 0xf5 ? 4
                                 : 0;

    if (size > left || at[0] == 0x7f || (at[0] == 0xc2 && at[1] < 0xa0))
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

// With every byte that may not be shown as U+FFFD.
static void put_cleaned(struct buffer *line, struct bytes value)
{
    struct buffer clean;

    buffer_init(&clean, LINE_LIMIT);
    for (size_t i = 0, size; i < value.size; i += size ? size : 1) {
        size =
            shown_size((const unsigned char *)value.data + i, value.size - i);
        buffer_append(&clean, size ? value.data + i : "\xef\xbf\xbd",
                      size ? size : 3);
    }
    line->overflow = line->overflow || clean.overflow;
    json_put_string(line, buffer_bytes(&clean));
    buffer_finish(&clean);
}

// A string that a JSON reader and a terminal can take, whatever comes.
static void put_quoted(struct buffer *line, struct bytes value)
{
    size_t i = 0, size = 1;

    for (; size && i < value.size; i += size)
        size =
            shown_size((const unsigned char *)value.data + i, value.size - i);
    if (size)
        json_put_string(line, value);
    else
        put_cleaned(line, value);
}

void log_set_level(struct log_sink *sink, enum log_level level)
{
    __atomic_store_n(&sink->level, (int)level, __ATOMIC_RELAXED);
}

// Bare where it reads well, quoted like JSON where it would not.
static void put_text_value(struct buffer *line, struct bytes value)
{
    bool bare = value.size > 0;

    for (size_t i = 0; bare && i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];

        bare = c > ' ' && c != '"' && c != '=' && c != '\\' && c < 0x7f;
    }
    if (bare)
        buffer_append_bytes(line, value);
    else
        put_quoted(line, value);
}

static void put_field(struct buffer *line, enum log_format format,
                      struct bytes name, struct bytes value, bool number)
{
    if (format == LOG_FORMAT_JSON) {
        buffer_append_char(line, ',');
        json_put_string(line, name);
        buffer_append_char(line, ':');
    } else {
        buffer_append_char(line, ' ');
        buffer_append_bytes(line, name);
        buffer_append_char(line, '=');
    }
    if (number)
        buffer_append_bytes(line, value);
    else if (format == LOG_FORMAT_JSON)
        put_quoted(line, value);
    else
        put_text_value(line, value);
}

static void put_component(struct buffer *line, enum log_format format,
                          const char *fields)
{
    while (*fields) {
        const char *split = strchr(fields, FIELD_SPLIT);
        const char *end = split ? strchr(split, FIELD_END) : NULL;

        if (!split)
            return;
        if (!end) // cut off in log_child
            end = split + strlen(split);
        put_field(line, format,
                  (struct bytes){fields, (size_t)(split - fields)},
                  (struct bytes){split + 1, (size_t)(end - split - 1)}, false);
        fields = *end ? end + 1 : end;
    }
}

static void put_head(struct buffer *line, enum log_format format,
                     enum log_level level, const char *event)
{
    char now[25];

    clock_format_utc(clock_wall_ms(clock_system()), now);
    if (format == LOG_FORMAT_JSON)
        buffer_printf(line,
                      "{\"timestamp\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"",
                      now, level_names[level], event);
    else
        buffer_printf(line, "%.12s %-5s %s", now + 11, level_names[level],
                      event);
}

static void put_fields(struct buffer *line, enum log_format format,
                       const struct log_field *field)
{
    char digits[24];

    for (; field->type != LOG_FIELD_END; field++) {
        struct bytes value = field->bytes;

        if (field->type == LOG_FIELD_TEXT) {
            if (!field->text)
                continue;
            value = bytes_of(field->text);
        } else if (field->type == LOG_FIELD_INT) {
            (void)snprintf(digits, sizeof(digits), "%lld",
                           (long long)field->number);
            value = bytes_of(digits);
        }
        put_field(line, format, bytes_of(field->name), value,
                  field->type == LOG_FIELD_INT);
    }
}

void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields)
{
    enum log_format format = log->sink->format;
    struct buffer line;

    // Bounded: a line that would be longer is cut, and says so.
    buffer_init(&line, LINE_LIMIT);
    put_head(&line, format, level, event);
    put_component(&line, format, log->fields);
    put_fields(&line, format, fields);
    if (!buffer_ok(&line)) {
        buffer_clear(&line);
        put_head(&line, format, level, event);
        put_field(&line, format, BYTES("cut"), BYTES("line over 16 KiB"),
                  false);
    }
    line.limit += 2; // the end always fits
    buffer_append_text(&line, format == LOG_FORMAT_JSON ? "}\n" : "\n");
    // Nobody is left to tell when stderr is gone.
    (void)!write(log->sink->fd, line.data, line.size);
    buffer_finish(&line);
}

bool log_repeat_due(struct log_repeat *repeat, int64_t now_ms,
                    int64_t interval_ms)
{
    if (now_ms < repeat->next_ms) {
        repeat->suppressed++;
        return false;
    }
    repeat->next_ms = now_ms + interval_ms;
    return true;
}
