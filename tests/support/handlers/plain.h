/*
 * plain: a handler for which every batch is done, for fixtures that differ in
 * their table alone.
 */
#ifndef POLLARD_PLAIN_H
#define POLLARD_PLAIN_H

#include <pollard/handler.h>

static inline void *plain_create(const struct pollard_host *host,
                                 const char *settings_json, char *reason,
                                 size_t reason_size)
{
    static char state;

    (void)host;
    (void)settings_json;
    (void)reason;
    (void)reason_size;
    return &state;
}

static inline int plain_handle(void *instance,
                               const struct pollard_batch *batch)
{
    (void)instance;
    (void)batch;
    return 0;
}

static inline void plain_destroy(void *instance)
{
    (void)instance;
}

#endif
