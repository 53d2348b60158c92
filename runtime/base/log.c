#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_write.h"

// A component's fields are kept as name\x1fvalue\x1e, whatever the format.
#define FIELD_SPLIT '\x1f'
#define FIELD_END '\x1e'

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_child(struct log *log, const struct log *parent, const char *name,
               const char *value)
{
    size_t used = strlen(parent->fields);

    *log = *parent;
    (void)snprintf(log->fields + used, sizeof(log->fields) - used, "%s%c%s%c",
                   name, FIELD_SPLIT, value, FIELD_END);
    log->fields[sizeof(log->fields) - 1] = '\0';
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

        bare = c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
    }
    if (bare)
        buffer_append_bytes(line, value);
    else
        json_put_string(line, value);
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
        json_put_string(line, value);
    else
        put_text_value(line, value);
}

static void put_component(struct buffer *line, enum log_format format,
                          const char *fields)
{
    while (*fields) {
        const char *split = strchr(fields, FIELD_SPLIT);
        const char *end = split ? strchr(split, FIELD_END) : NULL;

        if (!end)
            return; // truncated in log_child
        put_field(line, format,
                  (struct bytes){fields, (size_t)(split - fields)},
                  (struct bytes){split + 1, (size_t)(end - split - 1)}, false);
        fields = end + 1;
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
    buffer_init(&line, 16 * 1024);
    put_head(&line, format, level, event);
    put_component(&line, format, log->fields);
    put_fields(&line, format, fields);
    if (!buffer_ok(&line)) {
        buffer_clear(&line);
        put_head(&line, format, level, event);
        put_field(&line, format, BYTES("cut"), BYTES("line over 16 KiB"),
                  false);
    }
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
