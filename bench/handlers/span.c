/*
 * span: counts records; once $SPAN_COUNT have come, writes the seconds since
 * the first batch after $SPAN_SKIP records, and the records between, to
 * $SPAN_FILE. $SPAN_SLEEP_US is what each batch takes, beside that.
 *
 * Instances count together: there may be several at once.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <pollard/handler.h>

static struct span {
    pthread_mutex_t lock;
    double first;
    size_t count, skipped, skip, wanted;
    unsigned sleep_us;
} span = {.lock = PTHREAD_MUTEX_INITIALIZER};

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static size_t number_of(const char *name)
{
    const char *text = getenv(name);

    return text ? (size_t)atol(text) : 0;
}

static void *span_create(const struct pollard_host *host, const char *settings,
                         char *reason, size_t reason_size)
{
    (void)host;
    (void)settings;
    if (!getenv("SPAN_COUNT") || !getenv("SPAN_FILE")) {
        (void)snprintf(reason, reason_size,
                       "SPAN_COUNT and SPAN_FILE are unset");
        return NULL;
    }
    pthread_mutex_lock(&span.lock);
    span.wanted = number_of("SPAN_COUNT");
    span.skip = number_of("SPAN_SKIP");
    span.sleep_us = (unsigned)number_of("SPAN_SLEEP_US");
    pthread_mutex_unlock(&span.lock);
    return &span;
}

// Lock held.
static int count(size_t records)
{
    FILE *file;

    if (span.count >= span.skip && span.first == 0) {
        span.first = seconds();
        span.skipped = span.count;
    }
    span.count += records;
    if (span.count < span.wanted)
        return 0;
    file = fopen(getenv("SPAN_FILE"), "we");
    if (!file)
        return 1;
    (void)fprintf(file, "%.6f %zu\n", seconds() - span.first,
                  span.count - span.skipped);
    return fclose(file);
}

static int span_handle(void *instance, const struct pollard_batch *batch)
{
    int rc;

    (void)instance;
    if (span.sleep_us)
        (void)usleep(span.sleep_us);
    pthread_mutex_lock(&span.lock);
    rc = count(batch->count);
    pthread_mutex_unlock(&span.lock);
    return rc;
}

static void span_destroy(void *instance)
{
    (void)instance;
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
