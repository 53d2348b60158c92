/*
 * race: the first handler of the demo (config/quickstart.yaml). It reads race
 * requests from a queue, runs each race, and emits the result into a stream,
 * with the league as partition key, so that a league's results stay in order.
 *
 *     {"race": "r-01", "title": "Night on the Wheel", "league": "pine",
 *      "laps": 3, "hamsters": ["Pip", "Biscuit"], "fails": 2}
 *
 * The same race ends the same way however often it is run. For show, a request
 * with `fails: N` fails the first N times, and a `poisonous` one always.
 */
#include <pollard/handler.h>

#include <jansson.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LAPS 100

struct request {
    const char *race, *title, *league;
    json_t *hamsters; // borrowed, like the texts
    int laps, fails, poisonous;
};

struct course { // the instance
    const struct pollard_host *host;
};

struct runner {
    const char *hamster;
    int milliseconds;
};

__attribute__((format(printf, 2, 3))) static void
warn(const struct pollard_host *host, const char *format, ...)
{
    char message[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    host->log(POLLARD_LOG_WARN, message);
}

// FNV-1a: where the luck of a hamster in a race begins.
static uint64_t mix(uint64_t luck, const char *text)
{
    for (; *text; text++)
        luck = (luck ^ (unsigned char)*text) * 0x100000001b3u;
    return luck;
}

// splitmix64.
static uint64_t draw(uint64_t *luck)
{
    uint64_t z = (*luck += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Some laps take longer: there are sunflower seeds on the track.
static int run_laps(const struct request *request, const char *hamster)
{
    uint64_t luck = mix(mix(0xcbf29ce484222325u, request->race), hamster);
    int milliseconds = 0;

    for (int lap = 0; lap < request->laps; lap++) {
        milliseconds += 8000 + (int)(draw(&luck) % 3000);
        if (draw(&luck) % 8 == 0)
            milliseconds += 2500;
    }
    return milliseconds;
}

static int compare(const void *a, const void *b)
{
    const struct runner *left = a, *right = b;

    return left->milliseconds - right->milliseconds;
}

/* The hamsters in the order they came in. Caller frees. */
static struct runner *run_race(const struct request *request)
{
    size_t count = json_array_size(request->hamsters);
    struct runner *runners = calloc(count, sizeof(*runners));

    if (!runners)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        runners[i].hamster =
            json_string_value(json_array_get(request->hamsters, i));
        runners[i].milliseconds = run_laps(request, runners[i].hamster);
    }
    qsort(runners, count, sizeof(*runners), compare);
    return runners;
}

/* The result as JSON. Caller frees. */
static char *write_result(const struct request *request,
                          const struct runner *runners)
{
    json_auto_t *result =
        json_pack("{s:s, s:s, s:s, s:i, s:[]}", "race", request->race, "title",
                  request->title, "league", request->league, "laps",
                  request->laps, "results");
    json_t *results = json_object_get(result, "results");

    for (size_t i = 0; i < json_array_size(request->hamsters); i++)
        (void)json_array_append_new(
            results, json_pack("{s:s, s:i}", "hamster", runners[i].hamster,
                               "milliseconds", runners[i].milliseconds));
    return json_dumps(result, JSON_COMPACT);
}

static bool hamsters_can_run(const struct request *request)
{
    size_t index;
    json_t *hamster;

    if (!json_array_size(request->hamsters) || request->laps < 1 ||
        request->laps > MOST_LAPS)
        return false;
    json_array_foreach(request->hamsters, index, hamster)
    {
        if (!json_is_string(hamster))
            return false;
    }
    return true;
}

static bool read_request(json_t *json, struct request *request)
{
    *request = (struct request){.laps = 3};
    return json_unpack(json, "{s:s, s:s, s:s, s:o, s?i, s?i, s?b}", "race",
                       &request->race, "title", &request->title, "league",
                       &request->league, "hamsters", &request->hamsters, "laps",
                       &request->laps, "fails", &request->fails, "poisonous",
                       &request->poisonous) == 0 &&
           hamsters_can_run(request);
}

static bool emit_result(const struct pollard_host *host,
                        const struct pollard_batch *batch,
                        const struct request *request)
{
    struct runner *runners = run_race(request);
    char *result = runners ? write_result(request, runners) : NULL;
    bool emitted =
        result && !host->emit(batch, result, strlen(result), request->league,
                              strlen(request->league));

    free(result);
    free(runners);
    if (!emitted)
        warn(host,
             "%s: the result cannot be emitted: has the trigger a "
             "destination_config.on_success?",
             request->title);
    return emitted;
}

static bool hold_race(const struct pollard_host *host,
                      const struct pollard_batch *batch, size_t index)
{
    const struct pollard_record *record = batch->records[index];
    json_auto_t *json = json_loadb(record->data, record->data_size, 0, NULL);
    struct request request;

    if (!read_request(json, &request)) {
        warn(host, "not a race: %.*s",
             (int)(record->data_size < 80 ? record->data_size : 80),
             (const char *)record->data);
        return false;
    }
    if (request.poisonous || record->receive_count <= (uint32_t)request.fails) {
        warn(host, "%s: a false start (attempt %u)", request.title,
             record->receive_count);
        return false;
    }
    return emit_result(host, batch, &request);
}

static int handle(void *instance, const struct pollard_batch *batch)
{
    const struct course *course = instance;

    for (size_t i = 0; i < batch->count; i++)
        if (!hold_race(course->host, batch, i))
            (void)course->host->fail_record(batch, i);
    return 0;
}

static void *create(const struct pollard_host *host, const char *settings_json,
                    char *reason, size_t reason_size)
{
    struct course *course = calloc(1, sizeof(*course));

    (void)settings_json;
    (void)reason;
    (void)reason_size;
    if (course)
        course->host = host;
    return course;
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
        .name = "race",
        .create = create,
        .handle = handle,
        .destroy = destroy,
    };

    (void)host;
    return &handler;
}
