/*
 * invoker: what a poller is to a handler, for tests: opens one, lends it
 * batches, waits for them to come back, and reads what was logged.
 */
#ifndef POLLARD_INVOKER_H
#define POLLARD_INVOKER_H

#include "base/log.h"
#include "base/mailbox.h"
#include "handler/handler.h"
#include "handler/handler_config.h"
#include "handlers/script.h"
#include "record/record.h"

#define INVOKER_TIMEOUT_MS 60000 // of a batch, unless the test says otherwise

struct invoker {
    struct handler *handler; // owned
    struct handler_config config;
    struct log_sink sink; // into a memory file
    struct log log;
    struct mailbox inbox;
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    bool mail_is_there; // guarded by lock
};

/* settings: JSON, or NULL. False and err when handler_open says so; finish it
 * all the same. */
bool invoker_init(struct invoker *invoker, const char *library,
                  const char *settings, int64_t concurrency,
                  const struct clock *clock, struct error *err);

/* Stops, joins (10 s at the most) and closes. */
void invoker_finish(struct invoker *invoker);

/* The next invocations that came back, waited for (10 s at the most). */
struct invocation *invoker_wait(struct invoker *invoker);

/* What was logged up to now. Caller frees. */
char *invoker_logged(const struct invoker *invoker);

/* A batch with its records. */
struct shipment {
    struct invocation invocation; // first
    struct record *records[10];
    struct record record[10];
    const struct script *script; // pointed at by the first record's data
};

/* One record a text, from an SQS queue named `queue`, or from a shard of a
 * stream. NULL ends the texts. */
struct shipment *shipment_create(struct invoker *invoker, enum record_kind kind,
                                 const char *const *texts);

/* `count` records for fixture `script`, which runs it. */
struct shipment *shipment_of_script(struct invoker *invoker,
                                    const struct script *script, size_t count);
void shipment_destroy(struct shipment *shipment);

/* Start it and wait for it, when nothing else is under way. */
void shipment_run(struct invoker *invoker, struct shipment *shipment);

#endif
