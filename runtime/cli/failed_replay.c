#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/failed_emit.h"
#include "cli/failed_inner.h"
#include "handler/handler.h"
#include "poller/batch.h"
#include "poller/response.h"
#include "poller/trigger_config.h"
#include "record/event_read.h"

#define GRACE_MS 5000 // beyond the handler's timeout

struct replay {
    const struct trigger_config *trigger;
    bool dry_run;
    struct log log;
    int woken; // an eventfd, owned
    struct mailbox mailbox;
    struct handler *handler;  // owned; NULL on a dry run
    struct failed_emit *emit; // owned; NULL: no on_success
    struct invocation invocation;
    size_t done, failed, bad;
};

static void wake(void *context)
{
    const struct replay *replay = context;
    uint64_t one = 1;

    if (write(replay->woken, &one, sizeof(one)) < 0)
        abort(); // only when its descriptor is none
}

// A handler that does not come back cannot be taken away from: the process goes
// with it.
static void give_up(const struct replay *replay, const char *path)
{
    (void)fflush(stdout);
    (void)fprintf(stderr,
                  "pollard failed: %s: the handler still runs %lld ms after "
                  "its timeout of %lld ms; ended\n",
                  path, (long long)GRACE_MS,
                  (long long)replay->trigger->handler.timeout_ms);
    _exit(COMMAND_TEMPORARY);
}

static void run(struct replay *replay, const char *path,
                const struct event_read *event)
{
    const struct clock *clock = clock_system();
    int64_t deadline_ms =
        clock_now_ms(clock) + replay->trigger->handler.timeout_ms + GRACE_MS;
    struct pollfd fd = {.fd = replay->woken, .events = POLLIN};
    uint64_t count;

    replay->invocation =
        (struct invocation){.records = event->records,
                            .count = event->count,
                            .trigger = replay->trigger->name,
                            .reply_to = &replay->mailbox,
                            .timeout_ms = replay->trigger->handler.timeout_ms,
                            .window = event->has_window ? &event->window : NULL,
                            .may_emit = replay->emit != NULL};
    handler_start(replay->handler, &replay->invocation);
    while (!mailbox_take(&replay->mailbox)) {
        int64_t left_ms =
            clock_until_ms(deadline_ms, clock_now_ms(clock), 60000);

        if (!left_ms)
            give_up(replay, path);
        if (poll(&fd, 1, (int)left_ms) > 0 &&
            read(replay->woken, &count, sizeof(count)) < 0)
            continue;
    }
}

static bool judge(struct replay *replay, const struct event_read *event,
                  struct error *err)
{
    const struct outcome *outcome = &replay->invocation.outcome;
    const struct response_rules rules = {
        .reads_response = replay->trigger->reports_batch_item_failures,
        .wants_state = event->has_window};
    struct event_window window = event->window;
    struct batch batch = {.records = event->records,
                          .count = event->count,
                          .window = event->has_window ? &window : NULL};
    struct response_verdict verdict;
    bool ok;

    response_read(outcome, &batch, &rules, &verdict);
    ok = !verdict.all_failed && !verdict.failed_count && !verdict.is_unstarted;
    if (verdict.all_failed || verdict.is_unstarted)
        error_set(err, ERROR_TRANSIENT, "%s%s%s",
                  outcome->kind == OUTCOME_TIMED_OUT ? "timed out"
                                                     : "the handler failed",
                  *outcome->reason || *verdict.why ? ": " : "",
                  *outcome->reason ? outcome->reason : verdict.why);
    else if (!ok)
        error_set(err, ERROR_TRANSIENT, "%zu of %zu records failed",
                  verdict.failed_count, event->count);
    response_verdict_finish(&verdict);
    return ok;
}

// As a poller: done is what succeeded and whose results were accepted.
static bool run_and_settle(struct replay *replay, const char *path,
                           const struct event_read *event, struct error *err)
{
    struct outcome *outcome = &replay->invocation.outcome;
    bool ok;

    run(replay, path, event);
    ok =
        judge(replay, event, err) &&
        (!outcome->emission_count ||
         failed_emit(replay->emit, outcome, event->records, event->count, err));
    outcome_finish(outcome);
    return ok;
}

static bool read_event(const char *path, struct event_read *event,
                       struct error *err)
{
    struct failure_read read;
    struct buffer payload;
    AUTO_FREE char *shard = NULL;
    bool ok = false;

    *event = (struct event_read){0};
    if (failed_open(path, &read, err) && !read.payload.size) {
        error_set(err, ERROR_INVALID,
                  "it has no payload: the records are in the stream alone, "
                  "from %.*s to %.*s",
                  BYTES_ARGS(read.first), BYTES_ARGS(read.last));
    } else if (read.payload.size) {
        shard = mem_strndup(read.shard.size ? read.shard.data : "",
                            read.shard.size);
        buffer_init(&payload, read.payload.size);
        buffer_append_bytes(&payload, read.payload);
        ok = event_read(event, &payload, shard, err);
    }
    failure_read_finish(&read);
    return ok;
}

static void say(FILE *out, const char *what, const char *path,
                const char *format, ...) __attribute__((format(printf, 4, 5)));
static void say(FILE *out, const char *what, const char *path,
                const char *format, ...)
{
    va_list args;

    (void)fputs(what, out);
    command_print(out, path);
    va_start(args, format);
    (void)vfprintf(out, format, args);
    va_end(args);
    (void)fputc('\n', out);
}

// What was handled is gone; a crash before that hands it over again.
static bool forget(const char *path, struct error *err)
{
    return !unlink(path) ||
           error_set(err, ERROR_TRANSIENT,
                     "handled, but it cannot be deleted: %s", strerror(errno));
}

static void replay_one(struct replay *replay, const char *path)
{
    struct event_read event;
    struct error err = {0};

    if (!read_event(path, &event, &err)) {
        say(stderr, "pollard failed: ", path, ": %s", err.message);
        replay->bad++;
    } else if (replay->dry_run) {
        say(stdout, "would replay ", path, ": %zu record%s", event.count,
            event.count == 1 ? "" : "s");
        replay->done++;
    } else if (run_and_settle(replay, path, &event, &err) &&
               forget(path, &err)) {
        say(stdout, "replayed ", path, ": %zu record%s", event.count,
            event.count == 1 ? "" : "s");
        replay->done++;
    } else {
        say(stderr, "pollard failed: ", path, ": %s; it stays", err.message);
        replay->failed++;
    }
    event_read_finish(&event);
}

static bool open_handler(struct replay *replay,
                         const struct failed_arguments *arguments,
                         struct error *err)
{
    const char *on_success =
        replay->trigger->destination_config.on_success.destination;

    if (on_success) {
        replay->emit = failed_emit_open(arguments->settings, replay->trigger,
                                        &replay->log, err);
        if (!replay->emit)
            return false;
    }
    replay->handler = handler_open(
        &(struct handler_options){.config = &replay->trigger->handler,
                                  .trigger = replay->trigger->name,
                                  .concurrency = 1,
                                  .clock = clock_system(),
                                  .log = &replay->log},
        err);
    return replay->handler != NULL;
}

static void close_handler(struct replay *replay)
{
    if (replay->handler) {
        handler_stop(replay->handler);
        if (!handler_join(replay->handler,
                          clock_now_ms(clock_system()) + GRACE_MS))
            _exit(COMMAND_TEMPORARY);
        handler_close(replay->handler);
    }
    failed_emit_close(replay->emit);
}

static int finish(const struct replay *replay, const struct failed_list *list)
{
    if (!list->count && !list->bad)
        (void)fputs("pollard failed: no reports\n", stderr);
    if (replay->failed)
        return COMMAND_TEMPORARY;
    return replay->bad || list->bad ? COMMAND_DATA : COMMAND_OK;
}

static int replay_all(struct replay *replay, const struct failed_list *list,
                      const struct failed_arguments *arguments)
{
    struct error err = {0};
    int status;

    if (list->count && !replay->dry_run &&
        !open_handler(replay, arguments, &err)) {
        (void)fprintf(stderr, "pollard failed: %s\n", err.message);
        close_handler(replay);
        return COMMAND_UNAVAILABLE;
    }
    for (size_t i = 0; i < list->count; i++)
        replay_one(replay, list->entries[i].path);
    status = finish(replay, list);
    close_handler(replay);
    return status;
}

int failed_do_replay(const struct failed_arguments *arguments)
{
    struct log_sink sink = {.fd = STDERR_FILENO,
                            .level = LOG_LEVEL_INFO,
                            .format = LOG_FORMAT_TEXT};
    struct replay replay = {.trigger = arguments->trigger,
                            .dry_run = arguments->dry_run,
                            .log = {.sink = &sink},
                            .woken = eventfd(0, EFD_CLOEXEC)};
    struct failed_list list;
    int status = failed_list_read(&list, arguments);

    mailbox_init(&replay.mailbox, wake, &replay);
    if (status == COMMAND_OK)
        status = replay_all(&replay, &list, arguments);
    mailbox_finish(&replay.mailbox);
    (void)close(replay.woken);
    failed_list_finish(&list);
    return status;
}
