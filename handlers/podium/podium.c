/*
 * podium: a handler of the demo (config/quickstart.yaml). It reads race results
 * from a stream and prints who stands on the podium. Reading the same stream as
 * `standings`, it has a checkpoint of its own.
 */
#include <pollard/handler.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define PLACES 3

struct podium {
    const struct pollard_host *host;
};

static void print_place(FILE *out, size_t place, json_t *result)
{
    const char *hamster = "?";
    int milliseconds = 0;

    (void)json_unpack(result, "{s:s, s:i}", "hamster", &hamster, "milliseconds",
                      &milliseconds);
    (void)fprintf(out, "    %zu. %-12s %3d.%03d s\n", place + 1, hamster,
                  milliseconds / 1000, milliseconds % 1000);
}

static int print_race(FILE *out, const struct pollard_record *record)
{
    json_auto_t *json = json_loadb(record->data, record->data_size, 0, NULL);
    const char *title, *league;
    json_t *results;
    int laps;

    if (json_unpack(json, "{s:s, s:s, s:i, s:o}", "title", &title, "league",
                    &league, "laps", &laps, "results", &results))
        return -1;
    (void)fprintf(out, "\n  %s   (%s league, %d lap%s, %zu hamsters)\n", title,
                  league, laps, laps == 1 ? "" : "s", json_array_size(results));
    for (size_t i = 0; i < PLACES && i < json_array_size(results); i++)
        print_place(out, i, json_array_get(results, i));
    return 0;
}

static int handle(void *instance, const struct pollard_batch *batch)
{
    const struct podium *podium = instance;

    flockfile(stdout);
    for (size_t i = 0; i < batch->count; i++)
        // A result that nobody can read would block its shard for ever.
        if (print_race(stdout, batch->records[i]))
            podium->host->log(POLLARD_LOG_WARN, "not a race result; skipped");
    (void)fflush(stdout);
    funlockfile(stdout);
    return 0;
}

static void *create(const struct pollard_host *host, const char *settings_json,
                    char *reason, size_t reason_size)
{
    struct podium *podium = calloc(1, sizeof(*podium));

    (void)settings_json;
    (void)reason;
    (void)reason_size;
    if (podium)
        podium->host = host;
    return podium;
}

static void destroy(void *instance)
{
    free(instance);
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "podium",
        .create = create,
        .handle = handle,
        .destroy = destroy,
    };

    (void)host;
    return &handler;
}
