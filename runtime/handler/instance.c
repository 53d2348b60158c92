#include "handler/instance.h"

#include "base/error.h"
#include "handler/host.h"
#include "handler/load.h"

void *instance_create(const struct library *library, const char *settings,
                      const struct log *log, struct error *err)
{
    char reason[256] = "";
    const struct log *before = host_log_as(log);
    void *instance =
        library->table.create(&host_table, settings, reason, sizeof(reason));

    host_log_as(before);
    reason[sizeof(reason) - 1] = '\0';
    if (!instance)
        error_set(err, ERROR_INVALID, "handler %s: create() failed: %s",
                  library->table.name,
                  reason[0] ? reason : "it gave no reason");
    return instance;
}

void instance_destroy(const struct library *library, void *instance,
                      const struct log *log)
{
    const struct log *before;

    if (!instance)
        return;
    before = host_log_as(log);
    library->table.destroy(instance);
    host_log_as(before);
}
