/*
 * latency: each body is the sender's CLOCK_MONOTONIC in ns; prints the
 * microseconds from there to here, one line a message, to $LATENCY_FILE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <pollard/handler.h>

static void *latency_create(const struct pollard_host *host,
                            const char *settings, char *reason,
                            size_t reason_size)
{
    const char *path = getenv("LATENCY_FILE");
    FILE *file = path ? fopen(path, "ae") : NULL;

    (void)host;
    (void)settings;
    if (!file)
        (void)snprintf(reason, reason_size, "LATENCY_FILE cannot be opened");
    return file;
}

static int latency_handle(void *instance, const struct pollard_batch *batch)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    for (size_t i = 0; i < batch->count; i++) {
        char text[32] = {0};
        size_t size = batch->records[i]->data_size;
        long long sent;

        memcpy(text, batch->records[i]->data, size < 31 ? size : 31);
        sent = atoll(text);
        (void)fprintf(
            instance, "%lld\n",
            ((long long)now.tv_sec * 1000000000 + now.tv_nsec - sent) / 1000);
    }
    (void)fflush(instance);
    return 0;
}

static void latency_destroy(void *instance)
{
    (void)fclose(instance);
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "latency",
        .create = latency_create,
        .handle = latency_handle,
        .destroy = latency_destroy,
    };

    (void)host;
    return &handler;
}
