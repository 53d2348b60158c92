/*
 * summing: adds up the numbers in a tumbling window's records. Its state is
 * {"count":N,"sum":N}; the final call of a window writes both down, one line
 * "trigger<TAB>shard<TAB>start of the window<TAB>count<TAB>sum", in one
 * write(2).
 *
 * settings: path (required); delay_ms, slept in each call.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <pollard/handler.h>

struct summing {
    const struct pollard_host *host;
    int fd, delay_ms;
};

static void *summing_create(const struct pollard_host *host,
                            const char *settings_json, char *reason,
                            size_t reason_size)
{
    json_t *settings = json_loads(settings_json, 0, NULL);
    const char *path = json_string_value(json_object_get(settings, "path"));
    struct summing *summing = calloc(1, sizeof(*summing));

    if (!summing)
        abort();
    summing->host = host;
    summing->delay_ms =
        (int)json_integer_value(json_object_get(settings, "delay_ms"));
    summing->fd =
        path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;
    json_decref(settings);
    if (summing->fd >= 0)
        return summing;
    (void)snprintf(reason, reason_size, "settings.path cannot be opened");
    free(summing);
    return NULL;
}

static json_int_t member(const json_t *state, const char *name)
{
    return json_integer_value(json_object_get(state, name));
}

static json_int_t number_of(const struct pollard_record *record)
{
    char text[32] = "";

    if (record->data_size < sizeof(text))
        memcpy(text, record->data, record->data_size);
    return strtoll(text, NULL, 10);
}

static int write_line(const struct summing *summing,
                      const struct pollard_batch *batch, json_int_t count,
                      json_int_t sum)
{
    char line[512];
    int size = snprintf(line, sizeof(line),
                        "%s\t%s\t%" PRId64 "\t%" JSON_INTEGER_FORMAT
                        "\t%" JSON_INTEGER_FORMAT "\n",
                        batch->trigger, batch->shard, batch->window->start_ms,
                        count, sum);

    return write(summing->fd, line, (size_t)size) != size;
}

static int summing_handle(void *instance, const struct pollard_batch *batch)
{
    const struct summing *summing = instance;
    json_int_t count, sum;
    json_t *state;
    char text[128];
    int size;

    if (!batch->window)
        return 1;
    if (summing->delay_ms)
        (void)usleep((useconds_t)summing->delay_ms * 1000);
    state =
        json_loadb(batch->window->state, batch->window->state_size, 0, NULL);
    count = member(state, "count") + (json_int_t)batch->count;
    sum = member(state, "sum");
    json_decref(state);
    for (size_t i = 0; i < batch->count; i++)
        sum += number_of(batch->records[i]);
    if (batch->window->is_final && write_line(summing, batch, count, sum))
        return 1;
    size = snprintf(text, sizeof(text),
                    "{\"count\":%" JSON_INTEGER_FORMAT
                    ",\"sum\":%" JSON_INTEGER_FORMAT "}",
                    count, sum);
    return summing->host->set_state(batch, text, (size_t)size);
}

static void summing_destroy(void *instance)
{
    struct summing *summing = instance;

    (void)close(summing->fd);
    free(summing);
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "summing",
        .create = summing_create,
        .handle = summing_handle,
        .destroy = summing_destroy,
    };

    (void)host;
    return &handler;
}
