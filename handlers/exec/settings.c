#include "settings.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct complaint {
    char *text;
    size_t size;
};

__attribute__((format(printf, 2, 3))) static bool
complain(const struct complaint *complaint, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(complaint->text, complaint->size, format, args);
    va_end(args);
    return false;
}

static bool read_duration(const char *text, int64_t *ms,
                          const struct complaint *complaint)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *unit;
    long long count;

    errno = 0;
    count = strtoll(text, &unit, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(unit, units[i].unit) != 0)
            continue;
        if (errno || count <= 0 || count > 24 * 3600000LL / units[i].ms)
            break;
        *ms = count * units[i].ms;
        return true;
    }
    return complain(complaint,
                    "timeout: \"%s\" is not a time from 1ms to 24h, like "
                    "500ms, 10s or 5m",
                    text);
}

static bool is_executable(const char *folder, size_t size, const char *name)
{
    char path[4096];

    if (snprintf(path, sizeof(path), "%.*s/%s", (int)size, folder, name) >=
        (int)sizeof(path))
        return false;
    return access(path, X_OK) == 0;
}

// As execvp will look for it, so that a misspelt command shows at the start.
static bool command_exists(const char *name)
{
    const char *path = getenv("PATH");

    if (strchr(name, '/'))
        return access(name, X_OK) == 0;
    if (!path)
        path = "/bin:/usr/bin";
    for (;;) {
        size_t size = strcspn(path, ":");

        if (is_executable(size ? path : ".", size ? size : 1, name))
            return true;
        if (!path[size])
            return false;
        path += size + 1;
    }
}

static bool read_list(struct settings *settings, const json_t *list,
                      const struct complaint *complaint)
{
    size_t index;
    json_t *word;

    settings->argv = calloc(json_array_size(list) + 1, sizeof(char *));
    if (!settings->argv)
        return complain(complaint, "out of memory");
    json_array_foreach(list, index, word)
    {
        if (!json_is_string(word))
            return complain(complaint,
                            "command: word %zu is not text (quote numbers)",
                            index + 1);
        settings->argv[index] = strdup(json_string_value(word));
    }
    if (!settings->argv[0])
        return complain(complaint, "command: the list is empty");
    if (!command_exists(settings->argv[0]))
        return complain(complaint, "command: no executable \"%s\"",
                        settings->argv[0]);
    return true;
}

static bool read_command(struct settings *settings, json_t *command,
                         const struct complaint *complaint)
{
    json_auto_t *shell = NULL;

    if (json_is_array(command))
        return read_list(settings, command, complaint);
    if (!json_is_string(command))
        return complain(complaint,
                        "command: a list of words, or a line for the shell");
    shell = json_pack("[s, s, O]", "/bin/sh", "-c", command);
    return read_list(settings, shell, complaint);
}

bool settings_read(struct settings *settings, const char *json, char *reason,
                   size_t reason_size)
{
    const struct complaint complaint = {reason, reason_size};
    json_auto_t *root = json_loads(json, 0, NULL);
    const char *per = "batch", *timeout = NULL;
    json_t *command = NULL;
    json_error_t error;

    *settings = (struct settings){.timeout_ms = INT64_MAX};
    if (json_unpack_ex(root, &error, JSON_STRICT, "{s:o, s?s, s?s}", "command",
                       &command, "per", &per, "timeout", &timeout))
        return complain(&complaint,
                        "settings are command, per (batch or record) and "
                        "timeout: %s",
                        error.text);
    settings->per_record = !strcmp(per, "record");
    if (!settings->per_record && strcmp(per, "batch") != 0)
        return complain(&complaint, "per: \"%s\" is neither batch nor record",
                        per);
    if (timeout && !read_duration(timeout, &settings->timeout_ms, &complaint))
        return false;
    return read_command(settings, command, &complaint);
}

void settings_release(struct settings *settings)
{
    for (char **word = settings->argv; word && *word; word++)
        free(*word);
    free(settings->argv);
}
