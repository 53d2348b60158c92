/*
 * log: one event, one line. The event is a stable dotted name an alert can
 * match; fields are typed, so nothing from outside can forge a line. A child
 * carries the fields of its component (`trigger=orders shard=...`).
 *
 *     log_warn(&poller->log, "lease.lost", LOG_INT("epoch", epoch),
 *              LOG_ERROR(&err));
 *
 * text:  12:00:01.123 warn  lease.lost trigger=orders epoch=3 error="..."
 * json:  {"timestamp":"...","level":"warn","event":"lease.lost",...}
 *
 * Never secrets; record payloads only where `log.payloads` allows.
 *
 * Threads: the sink is immutable but for its level and writes a line with one
 * write(2); a struct log is a value that its component owns.
 */
#ifndef POLLARD_LOG_H
#define POLLARD_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_sink {
    int fd; // borrowed
    enum log_format format;
    int level;     // enum log_level; atomic, as a reload changes it
    bool payloads; // `log.payloads`: record bodies may be written
};

enum log_field_type {
    LOG_FIELD_END,
    LOG_FIELD_TEXT,
    LOG_FIELD_BYTES,
    LOG_FIELD_INT
};

struct log_field {
    const char *name;
    enum log_field_type type;
    const char *text; // borrowed for the call; NULL is left out
    struct bytes bytes;
    int64_t number;
};

#define LOG_STR(name_, text_) \
    ((struct log_field){      \
        .name = (name_), .type = LOG_FIELD_TEXT, .text = (text_)})
#define LOG_BYTES(name_, bytes_) \
    ((struct log_field){         \
        .name = (name_), .type = LOG_FIELD_BYTES, .bytes = (bytes_)})
#define LOG_INT(name_, number_) \
    ((struct log_field){        \
        .name = (name_), .type = LOG_FIELD_INT, .number = (int64_t)(number_)})
#define LOG_ERROR(err_) LOG_STR("error", (err_)->message)

struct log {
    const struct log_sink *sink; // borrowed; NULL: silent
    char fields[192]; // rendered " name=value" pairs of the component
};

/* A component's logger: the parent's fields, then these (text only). */
void log_child(struct log *log, const struct log *parent, const char *name,
               const char *value);

/* Any thread. */
void log_set_level(struct log_sink *sink, enum log_level level);

void log_write(const struct log *log, enum log_level level, const char *event,
               const struct log_field *fields);

static inline bool log_enabled(const struct log *log, enum log_level level)
{
    return log->sink &&
           (int)level >= __atomic_load_n(&log->sink->level, __ATOMIC_RELAXED);
}

// The entry in front stands in for no fields at all.
#define LOG_AT(log_, level_, event_, ...)                                 \
    do {                                                                  \
        if (log_enabled((log_), (level_)))                                \
            log_write(                                                    \
                (log_), (level_), (event_),                               \
                &(const struct log_field[]){{0}, ##__VA_ARGS__, {0}}[1]); \
    } while (0)
#define log_debug(log_, ...) LOG_AT(log_, LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(log_, ...) LOG_AT(log_, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(log_, ...) LOG_AT(log_, LOG_LEVEL_WARN, __VA_ARGS__)
#define log_error(log_, ...) LOG_AT(log_, LOG_LEVEL_ERROR, __VA_ARGS__)

/* Says a repeating thing once per interval. False: suppressed, and counted in
 * `suppressed`, which the next permitted line should show and reset. */
struct log_repeat {
    int64_t next_ms;
    int64_t suppressed;
};
bool log_repeat_due(struct log_repeat *repeat, int64_t now_ms,
                    int64_t interval_ms);

#endif
