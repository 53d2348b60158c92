#include "environment.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_OWN 5

static size_t inherited_count(void)
{
    size_t count = 0;

    while (environ && environ[count])
        count++;
    return count;
}

__attribute__((format(printf, 2, 3))) static void
add(struct environment *environment, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(&environment->variables[environment->own], format, args) < 0)
        abort();
    va_end(args);
    environment->own++;
}

static bool is_ours(const struct environment *environment, const char *variable)
{
    size_t name_size = strcspn(variable, "=") + 1;

    for (size_t i = 0; i < environment->own; i++)
        if (!strncmp(environment->variables[i], variable, name_size))
            return true;
    return false;
}

void environment_init(struct environment *environment,
                      const struct pollard_batch *batch, size_t count,
                      int64_t remaining_ms)
{
    size_t used;

    environment->own = 0;
    environment->variables =
        calloc(MOST_OWN + inherited_count() + 1, sizeof(char *));
    if (!environment->variables)
        abort(); // as pollard does when there is no memory
    add(environment, "POLLARD_TRIGGER=%s", batch->trigger);
    add(environment, "POLLARD_SOURCE_ARN=%s", batch->source_arn);
    add(environment, "POLLARD_BATCH_SIZE=%zu", count);
    add(environment, "POLLARD_REMAINING_MS=%lld", (long long)remaining_ms);
    if (batch->shard)
        add(environment, "POLLARD_SHARD=%s", batch->shard);
    used = environment->own;
    for (char **one = environ; one && *one; one++)
        if (!is_ours(environment, *one))
            environment->variables[used++] = *one;
}

void environment_finish(struct environment *environment)
{
    for (size_t i = 0; i < environment->own; i++)
        free(environment->variables[i]);
    free(environment->variables);
}
