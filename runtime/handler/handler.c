#include "handler/handler.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "handler/handler_config.h"
#include "handler/host.h"
#include "handler/instance.h"
#include "handler/load.h"
#include "handler/pool.h"

struct handler {
    struct pool *pool;
};

// As create() gets them. Caller frees.
static char *settings_text(const struct handler_config *config)
{
    char *text = NULL;

    if (config->settings)
        text = json_dumps(config->settings, JSON_COMPACT | JSON_ENCODE_ANY);
    return text ? text : mem_strdup("{}");
}

static struct pool *open_pool(const struct handler_options *options,
                              const struct log *log, struct error *err)
{
    const struct library *library =
        load_library(options->config->library, &host_table, err);
    AUTO_FREE char *settings = settings_text(options->config);

    if (!library)
        return NULL;
    return pool_create(
        &(struct pool_options){
            .library = library,
            .settings = settings,
            .name = options->trigger,
            .concurrency =
                options->concurrency > 0 ? (size_t)options->concurrency : 1,
            .clock = options->clock,
            .log = log,
        },
        err);
}

struct handler *handler_open(const struct handler_options *options,
                             struct error *err)
{
    struct handler *handler;
    struct pool *pool;
    struct log log;

    log_child(&log, options->log, "trigger", options->trigger);
    host_log_open(&log);
    pool = open_pool(options, &log, err);
    if (!pool) {
        host_log_close();
        return NULL;
    }
    handler = mem_calloc(1, sizeof(*handler));
    handler->pool = pool;
    return handler;
}

void handler_start(struct handler *handler, struct invocation *invocation)
{
    pool_start(handler->pool, invocation);
}

size_t handler_concurrency(const struct handler *handler)
{
    return pool_concurrency(handler->pool);
}

void handler_stop(struct handler *handler)
{
    pool_stop(handler->pool);
}

bool handler_join(struct handler *handler, int64_t deadline_ms)
{
    return pool_join(handler->pool, deadline_ms);
}

void handler_close(struct handler *handler)
{
    if (!handler)
        return;
    pool_destroy(handler->pool);
    host_log_close();
    free(handler);
}

bool handler_check(const struct handler_config *config, const struct log *log,
                   struct error *err)
{
    const struct library *library =
        load_library(config->library, &host_table, err);
    AUTO_FREE char *settings = settings_text(config);
    void *instance;

    if (!library)
        return false;
    instance = instance_create(library, settings, log, err);
    instance_destroy(library, instance, log);
    return instance != NULL;
}
