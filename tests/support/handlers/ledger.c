/*
 * ledger: writes down every record it is given, for tests that count: one line
 * a record, "trigger<TAB>shard<TAB>id<TAB>key<TAB>data". Each line is one
 * write(2) to a file opened for appending, so that a kill leaves whole lines.
 *
 * settings: path (required)
 *   delay_ms: slept in each batch; delay_once: true: only in those whose first
 *   record is new
 *   fail: records whose data holds this text fail until they were received
 *   fail_times (2) times; of a stream always or, where fail_times is given,
 *   until they were tried as often in this process
 *   in_order: true: what comes behind a failed record of the same key is left
 *   out, and not reported
 *   throw: a batch with a record that holds this text fails whole, before
 *   anything is written
 *   flaky_percent: so many of the calls break off at a record picked at random,
 *   half of them with an error, half with that record and those behind it
 * marked emit: true: each record's data is emitted under its key response: a
 * file whose bytes are the response while it is there
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
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
    bool delay_once, emit, in_order, counts_tries;
    char *response; // owned
    char fail[64], throw[64];
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
    ledger->in_order = json_is_true(json_object_get(settings, "in_order"));
    ledger->emit = json_is_true(json_object_get(settings, "emit"));
    (void)snprintf(ledger->fail, sizeof(ledger->fail), "%s", text ? text : "");
    text = json_string_value(json_object_get(settings, "throw"));
    (void)snprintf(ledger->throw, sizeof(ledger->throw), "%s",
                   text ? text : "");
    text = json_string_value(json_object_get(settings, "response"));
    ledger->response = text ? strdup(text) : NULL;
    ledger->counts_tries = ledger->fail_times > 0;
    if (!ledger->fail_times)
        ledger->fail_times = 2;
    if (ledger->fd < 0)
        (void)snprintf(reason, reason_size, "cannot open %s", path);
    json_decref(settings);
    if (ledger->fd >= 0)
        return ledger;
    free(ledger->response);
    free(ledger);
    return NULL;
}

static bool is_repeated(const struct pollard_batch *batch)
{
    return batch->count && batch->records[0]->receive_count > 1;
}

static bool holds(const struct pollard_record *record, const char *text)
{
    return *text && memmem(record->data, record->data_size, text, strlen(text));
}

static bool should_throw(const struct ledger *ledger,
                         const struct pollard_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (holds(batch->records[i], ledger->throw))
            return true;
    return false;
}

// A stream does not count. Two records that share a place fail less often.
static uint32_t count_try(const struct pollard_record *record)
{
    static atomic_uint tries[65536];
    uint32_t place = 0;

    for (size_t i = 0; i < record->id_size; i++)
        place = place * 31 + (unsigned char)record->id[i];
    return atomic_fetch_add(&tries[place % 65536], 1) + 1;
}

static bool should_fail(const struct ledger *ledger,
                        const struct pollard_batch *batch,
                        const struct pollard_record *record)
{
    uint32_t tries;

    if (!holds(record, ledger->fail))
        return false;
    if (batch->shard && !ledger->counts_tries)
        return true;
    tries = batch->shard ? count_try(record) : record->receive_count;
    return tries <= (uint32_t)ledger->fail_times;
}

// Has one of its key failed before it?
static bool is_behind(const struct pollard_batch *batch, size_t index,
                      const bool *failed)
{
    const struct pollard_record *record = batch->records[index];

    for (size_t i = 0; i < index; i++)
        if (failed[i] && batch->records[i]->key_size == record->key_size &&
            !memcmp(batch->records[i]->key, record->key, record->key_size))
            return true;
    return false;
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

static void respond(const struct ledger *ledger,
                    const struct pollard_batch *batch)
{
    FILE *file = ledger->response ? fopen(ledger->response, "rbe") : NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *copy;
    int c;

    if (!file)
        return;
    copy = open_memstream(&text, &size);
    while (copy && (c = getc_unlocked(file)) != EOF)
        (void)putc_unlocked(c, copy);
    if (copy && !fclose(copy))
        (void)ledger->host->respond(batch, text, size);
    free(text);
    (void)fclose(file);
}

static int handle_record(const struct ledger *ledger,
                         const struct pollard_batch *batch,
                         const struct pollard_record *record)
{
    if (!write_line(ledger, batch, record))
        return 1;
    return ledger->emit &&
           ledger->host->emit(batch, record->data, record->data_size,
                              record->key, record->key_size);
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

static int handle_records(struct ledger *ledger,
                          const struct pollard_batch *batch, bool *failed)
{
    size_t end = break_of(ledger, batch->count);

    for (size_t i = 0; i < end; i++) {
        if (ledger->in_order && is_behind(batch, i, failed))
            continue;
        failed[i] = should_fail(ledger, batch, batch->records[i]);
        if (failed[i])
            (void)ledger->host->fail_record(batch, i);
        else if (handle_record(ledger, batch, batch->records[i]))
            return 1;
    }
    return end < batch->count ? break_off(ledger, batch, end) : 0;
}

static int ledger_handle(void *instance, const struct pollard_batch *batch)
{
    struct ledger *ledger = instance;
    bool *failed;
    int result;

    if (ledger->delay_ms && !(ledger->delay_once && is_repeated(batch)))
        (void)usleep((useconds_t)ledger->delay_ms * 1000);
    if (should_throw(ledger, batch))
        return 1;
    failed = calloc(batch->count + 1, sizeof(*failed));
    result = failed ? handle_records(ledger, batch, failed) : 1;
    free(failed);
    respond(ledger, batch);
    return result;
}

static void ledger_destroy(void *instance)
{
    struct ledger *ledger = instance;

    (void)close(ledger->fd);
    free(ledger->response);
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
