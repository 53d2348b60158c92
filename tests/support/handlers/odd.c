// Appends the whole data of every record to the file `path` of its settings.
// Its first `odd` batches it answers with whatever a broken handler might.
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <pollard/handler.h>

struct odd {
    const struct pollard_host *host;
    int fd;
};

static atomic_long odd_batches;

static void *odd_create(const struct pollard_host *host,
                        const char *settings_json, char *reason,
                        size_t reason_size)
{
    json_t *settings = json_loads(settings_json, 0, NULL);
    const char *path = json_string_value(json_object_get(settings, "path"));
    struct odd *odd = calloc(1, sizeof(*odd));

    odd->host = host;
    odd->fd =
        open(path ? path : "", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    atomic_store(&odd_batches,
                 json_integer_value(json_object_get(settings, "odd")));
    json_decref(settings);
    if (odd->fd >= 0)
        return odd;
    (void)snprintf(reason, reason_size, "settings.path cannot be opened");
    free(odd);
    return NULL;
}

static int misbehave(const struct odd *odd, const struct pollard_batch *batch)
{
    static char reason[1 << 16];
    const char *value;
    size_t size;

    memset(reason, '\xff', sizeof(reason) - 1);
    odd->host->log(99, reason);
    odd->host->log(-1, "two\nlines\x1b[31m");
    odd->host->fail_reason(batch, reason);
    (void)odd->host->respond(batch, "{\"batchItemFailures\": 7, \0", 26);
    if (odd->host->fail_record(batch, batch->count) != -1 ||
        odd->host->fail_record(batch, SIZE_MAX) != -1 ||
        odd->host->emit(batch, "x", 1, NULL, 0) != -1 ||
        odd->host->respond(batch, reason, SIZE_MAX) != -1 ||
        odd->host->attribute(batch, SIZE_MAX, "x", &value, &size) != -1)
        abort();
    return INT_MIN;
}

static int odd_handle(void *instance, const struct pollard_batch *batch)
{
    const struct odd *odd = instance;

    if (atomic_fetch_sub(&odd_batches, 1) > 0)
        return misbehave(odd, batch);
    for (size_t i = 0; i < batch->count; i++)
        if (write(odd->fd, batch->records[i]->data,
                  batch->records[i]->data_size) !=
            (ssize_t)batch->records[i]->data_size)
            return 1;
    return 0;
}

static void odd_destroy(void *instance)
{
    struct odd *odd = instance;

    (void)close(odd->fd);
    free(odd);
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "odd",
        .create = odd_create,
        .handle = odd_handle,
        .destroy = odd_destroy,
    };

    (void)host;
    return &handler;
}
