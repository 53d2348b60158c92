/*
 * span: counts records; once $SPAN_COUNT have come, writes the seconds since
 * the first batch after $SPAN_SKIP records, and the records between, to
 * $SPAN_FILE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <pollard/handler.h>

struct span {
    double first;
    size_t count, skipped, skip, wanted;
};

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *span_create(const struct pollard_host *host, const char *settings,
                         char *reason, size_t reason_size)
{
    struct span *span = calloc(1, sizeof(*span));
    const char *wanted = getenv("SPAN_COUNT"), *skip = getenv("SPAN_SKIP");

    (void)host;
    (void)settings;
    if (span && wanted && getenv("SPAN_FILE")) {
        span->wanted = (size_t)atol(wanted);
        span->skip = skip ? (size_t)atol(skip) : 0;
        return span;
    }
    (void)snprintf(reason, reason_size, "SPAN_COUNT and SPAN_FILE are unset");
    free(span);
    return NULL;
}

static int span_handle(void *instance, const struct pollard_batch *batch)
{
    struct span *span = instance;
    FILE *file;

    if (span->count >= span->skip && span->first == 0) {
        span->first = seconds();
        span->skipped = span->count;
    }
    span->count += batch->count;
    if (span->count < span->wanted)
        return 0;
    file = fopen(getenv("SPAN_FILE"), "we");
    if (!file)
        return 1;
    (void)fprintf(file, "%.6f %zu\n", seconds() - span->first,
                  span->count - span->skipped);
    return fclose(file);
}

static void span_destroy(void *instance)
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
        .name = "span",
        .create = span_create,
        .handle = span_handle,
        .destroy = span_destroy,
    };

    (void)host;
    return &handler;
}
