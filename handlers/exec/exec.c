/*
 * exec: runs a command for each batch, or for each record of it. The command
 * gets Lambda's event JSON on its standard input; its exit status says how it
 * went: 0 done, 75 try again, anything else failed. What it prints becomes log
 * lines. At the deadline it is killed, with all that it started. See
 * settings.h for the settings, docs/handlers.md for the rest.
 */
#include <pollard/handler.h>

#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "environment.h"
#include "event.h"
#include "settings.h"

// Of a batch's time, kept for coming back: what was done before the deadline
// stays done.
#define MARGIN_MS 100

struct runner {
    const struct pollard_host *host;
    struct settings settings;
};

static void *create_runner(const struct pollard_host *host,
                           const char *settings_json, char *reason,
                           size_t reason_size)
{
    struct runner *runner = calloc(1, sizeof(*runner));

    if (!runner)
        return NULL;
    runner->host = host;
    if (settings_read(&runner->settings, settings_json, reason, reason_size))
        return runner;
    settings_release(&runner->settings);
    free(runner);
    return NULL;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct event_text {
    const char *json;
    size_t size;
    size_t records;
};

static void run(const struct runner *runner, const struct pollard_batch *batch,
                const struct event_text *event, int64_t time_ms,
                struct command_end *end)
{
    int64_t timeout_ms = earlier(time_ms, runner->settings.timeout_ms);
    struct environment environment;

    environment_init(&environment, batch, event->records, timeout_ms);
    command_run(
        &(struct command){
            .argv = runner->settings.argv,
            .environment = environment.variables,
            .input = event->json,
            .input_size = event->size,
            .timeout_ms = timeout_ms,
            .host = runner->host,
        },
        end);
    environment_finish(&environment);
}

static int run_for_batch(const struct runner *runner,
                         const struct pollard_batch *batch,
                         const struct event_text *event)
{
    char reason[256];
    struct command_end end;

    run(runner, batch, event, runner->host->remaining_ms(batch), &end);
    if (end.done)
        return 0;
    (void)snprintf(reason, sizeof(reason), "%s %s", runner->settings.argv[0],
                   end.reason);
    runner->host->fail_reason(batch, reason);
    return -1;
}

static void fail_record(const struct runner *runner,
                        const struct pollard_batch *batch, size_t index,
                        const struct command_end *end)
{
    const struct pollard_record *record = batch->records[index];
    char message[512];

    (void)runner->host->fail_record(batch, index);
    (void)snprintf(message, sizeof(message), "record %.*s: %s %s",
                   (int)record->id_size, record->id, runner->settings.argv[0],
                   end->reason);
    runner->host->log(end->try_again ? POLLARD_LOG_INFO : POLLARD_LOG_WARN,
                      message);
}

static void run_for_record(const struct runner *runner,
                           const struct pollard_batch *batch, size_t index,
                           const struct event_text *event)
{
    struct command_end end = {.reason = "was not started: no time left"};
    int64_t time_ms = runner->host->remaining_ms(batch) - MARGIN_MS;

    if (time_ms > 0)
        run(runner, batch, event, time_ms, &end);
    if (!end.done)
        fail_record(runner, batch, index, &end);
}

static int run_for_records(const struct runner *runner,
                           const struct pollard_batch *batch,
                           const struct event_text *whole)
{
    struct event event;
    size_t size;

    if (!event_open(&event, whole->json, whole->size))
        return -1;
    for (size_t i = 0; i < batch->count; i++) {
        char *json = event_next(&event, &size);

        if (!json)
            return -1;
        run_for_record(
            runner, batch, i,
            &(struct event_text){.json = json, .size = size, .records = 1});
        free(json);
    }
    return 0;
}

static int handle_batch(void *instance, const struct pollard_batch *batch)
{
    const struct runner *runner = instance;
    struct event_text event = {.records = batch->count};

    if (runner->host->event_json(batch, &event.json, &event.size)) {
        runner->host->fail_reason(batch, "its event is over 6 MiB");
        return -1;
    }
    return runner->settings.per_record ? run_for_records(runner, batch, &event)
                                       : run_for_batch(runner, batch, &event);
}

static void destroy_runner(void *instance)
{
    struct runner *runner = instance;

    settings_release(&runner->settings);
    free(runner);
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "exec",
        .create = create_runner,
        .handle = handle_batch,
        .destroy = destroy_runner,
    };

    (void)host;
    return &handler;
}
