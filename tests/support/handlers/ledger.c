/*
 * ledger: writes down every record it is given, for tests that count: one line
 * a record, "trigger<TAB>shard<TAB>id<TAB>key<TAB>data". Each line is one
 * write(2) to a file opened for appending, so that a kill leaves whole lines.
 *
 * settings: path (required); delay_ms, slept in each batch; delay_once: true,
 * to sleep only in those whose first record is new; fail, a text: records whose
 * data holds it fail until they were received `fail_times` (2) times;
 * flaky_percent: so many of the calls break off at a record picked at random,
 * half of them with an error, half with that record and those behind it marked;
 * emit: true, to emit each record's data under its key.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <pollard/handler.h>

struct ledger {
    const struct pollard_host *host;
    int fd;
    int delay_ms, fail_times, flaky_percent;
    unsigned seed;
    bool delay_once, emit;
    char fail[64];
};

static void *ledger_create(const struct pollard_host *host,
                           const char *settings_json, char *reason,
                           size_t reason_size)
{
    json_t *settings = json_loads(settings_json, 0, NULL);
    const char *path = json_string_value(json_object_get(settings, "path"));
    const char *text = json_string_value(json_object_get(settings, "fail"));
    struct ledger *ledger = calloc(1, sizeof(*ledger));

    if (!ledger || !path) {
        (void)snprintf(reason, reason_size, "settings.path is missing");
        free(ledger);
        json_decref(settings);
        return NULL;
    }
    ledger->host = host;
    ledger->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ledger->delay_ms =
        (int)json_integer_value(json_object_get(settings, "delay_ms"));
    ledger->delay_once = json_is_true(json_object_get(settings, "delay_once"));
    ledger->fail_times =
        (int)json_integer_value(json_object_get(settings, "fail_times"));
    ledger->flaky_percent =
        (int)json_integer_value(json_object_get(settings, "flaky_percent"));
    ledger->seed = (unsigned)getpid() ^ (unsigned)(uintptr_t)ledger;
    ledger->emit = json_is_true(json_object_get(settings, "emit"));
    if (!ledger->fail_times)
        ledger->fail_times = 2;
    (void)snprintf(ledger->fail, sizeof(ledger->fail), "%s", text ? text : "");
    if (ledger->fd < 0)
        (void)snprintf(reason, reason_size, "cannot open %s", path);
    json_decref(settings);
    if (ledger->fd >= 0)
        return ledger;
    free(ledger);
    return NULL;
}

static bool is_repeated(const struct pollard_batch *batch)
{
    return batch->count && batch->records[0]->receive_count > 1;
}

static bool should_fail(const struct ledger *ledger,
                        const struct pollard_record *record)
{
    return ledger->fail[0] &&
           record->receive_count <= (uint32_t)ledger->fail_times &&
           memmem(record->data, record->data_size, ledger->fail,
                  strlen(ledger->fail));
}

static bool write_line(const struct ledger *ledger,
                       const struct pollard_batch *batch,
                       const struct pollard_record *record)
{
    char line[1024];
    int shown = record->data_size < 200 ? (int)record->data_size : 200;
    int size = snprintf(line, sizeof(line), "%s\t%s\t%.*s\t%.*s\t%.*s\n",
                        batch->trigger, batch->shard ? batch->shard : "-",
                        (int)record->id_size, record->id, (int)record->key_size,
                        record->key, shown, (const char *)record->data);

    return write(ledger->fd, line, (size_t)size) == size;
}

// Where this call breaks off; count: it does not.
static size_t break_of(struct ledger *ledger, size_t count)
{
    if (!count || rand_r(&ledger->seed) % 100 >= ledger->flaky_percent)
        return count;
    return (size_t)rand_r(&ledger->seed) % count;
}

static int break_off(struct ledger *ledger, const struct pollard_batch *batch,
                     size_t at)
{
    if (rand_r(&ledger->seed) % 2)
        return 1;
    for (size_t i = at; i < batch->count; i++)
        (void)ledger->host->fail_record(batch, i);
    return 0;
}

static int ledger_handle(void *instance, const struct pollard_batch *batch)
{
    struct ledger *ledger = instance;
    size_t end = break_of(ledger, batch->count);

    if (ledger->delay_ms && !(ledger->delay_once && is_repeated(batch)))
        (void)usleep((useconds_t)ledger->delay_ms * 1000);
    for (size_t i = 0; i < end; i++) {
        const struct pollard_record *record = batch->records[i];

        if (should_fail(ledger, record)) {
            (void)ledger->host->fail_record(batch, i);
            continue;
        }
        if (!write_line(ledger, batch, record))
            return 1;
        if (ledger->emit &&
            ledger->host->emit(batch, record->data, record->data_size,
                               record->key, record->key_size))
            return 1;
    }
    return end < batch->count ? break_off(ledger, batch, end) : 0;
}

static void ledger_destroy(void *instance)
{
    struct ledger *ledger = instance;

    (void)close(ledger->fd);
    free(ledger);
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "ledger",
        .create = ledger_create,
        .handle = ledger_handle,
        .destroy = ledger_destroy,
    };

    (void)host;
    return &handler;
}
