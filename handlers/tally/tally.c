/*
 * tally: counts a stream's records by their keys, a tumbling window at a time,
 * and prints the counts when the window ends, one line each: the trigger, the
 * shard, when the window began, key and count.
 *
 *     handler: {library: /usr/local/lib/pollard/handlers/tally.so}
 *     tumbling_window_in_seconds: 60
 *
 * What it knows of a window is in the window's state, {"KEY": COUNT, ...},
 * which pollard keeps with the checkpoint: a restart, or another worker, counts
 * on, and no record counts twice.
 */
#include <pollard/handler.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BAD (-1)

struct tally {
    const struct pollard_host *host;
};

static void *create_tally(const struct pollard_host *host,
                          const char *settings_json, char *reason,
                          size_t reason_size)
{
    json_auto_t *settings = json_loads(settings_json, 0, NULL);
    struct tally *tally;

    if (json_object_size(settings)) {
        (void)snprintf(reason, reason_size, "tally has no settings");
        return NULL;
    }
    tally = calloc(1, sizeof(*tally));
    if (tally)
        tally->host = host;
    return tally;
}

// A key that is no UTF-8 has no place in JSON: those count together.
static int count_record(json_t *counts, const struct pollard_record *record)
{
    json_auto_t *key = json_stringn(record->key, record->key_size);
    const char *name = key ? json_string_value(key) : "?";
    json_t *count = json_object_get(counts, name);

    return json_object_set_new(counts, name,
                               json_integer(json_integer_value(count) + 1));
}

static int count_records(json_t *counts, const struct pollard_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (count_record(counts, batch->records[i]))
            return BAD;
    return 0;
}

static int print_counts(json_t *counts, const struct pollard_batch *batch)
{
    time_t start = (time_t)(batch->window->start_ms / 1000);
    char when[32];
    struct tm parts;
    const char *key;
    json_t *count;
    int failed;

    (void)strftime(when, sizeof(when), "%FT%TZ", gmtime_r(&start, &parts));
    flockfile(stdout); // other instances print too
    json_object_foreach(counts, key, count)
    {
        json_auto_t *text = json_string(key);
        char *shown = json_dumps(text, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

        (void)printf("%s %s %s %s %" JSON_INTEGER_FORMAT "\n", batch->trigger,
                     batch->shard, when, shown ? shown : "?",
                     json_integer_value(count));
        free(shown);
    }
    failed = fflush(stdout) || ferror(stdout);
    clearerr(stdout);
    funlockfile(stdout);
    return failed ? BAD : 0;
}

static int keep(const struct tally *tally, const json_t *counts,
                const struct pollard_batch *batch)
{
    size_t size = json_dumpb(counts, NULL, 0, JSON_COMPACT);
    char *text = malloc(size);
    int result = BAD;

    if (text && json_dumpb(counts, text, size, JSON_COMPACT) == size)
        result = tally->host->set_state(batch, text, size);
    free(text);
    return result;
}

static int tally_batch(void *instance, const struct pollard_batch *batch)
{
    const struct tally *tally = instance;
    json_auto_t *counts = NULL;

    if (!batch->window) {
        tally->host->fail_reason(batch, "tally needs a trigger with "
                                        "tumbling_window_in_seconds");
        return BAD;
    }
    counts =
        json_loadb(batch->window->state, batch->window->state_size, 0, NULL);
    if (!json_is_object(counts) || count_records(counts, batch) ||
        (batch->window->is_final && print_counts(counts, batch)))
        return BAD;
    return keep(tally, counts, batch);
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "tally",
        .create = create_tally,
        .handle = tally_batch,
        .destroy = free,
    };

    // Older ones know no windows.
    return POLLARD_HAS(host, struct pollard_host, set_state) ? &handler : NULL;
}
