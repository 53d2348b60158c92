#include "cli/send_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "base/error.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/send_target.h"
#include "source/source_config.h"

#define ATTEMPTS 5
#define PAUSE_BASE_MS 250
#define PAUSE_MAXIMUM_MS 5000
#define ITEMS_MOST 500
#define COMPLAINTS 20 // single ones; then they are only counted

// One run from the first line to the last.
struct run {
    const struct send_target_ops *ops;
    struct send_target *target; // owned
    struct buffer text;         // of the batch being filled
    size_t ends[ITEMS_MOST];    // of each item in the text
    struct send_item items[ITEMS_MOST];
    size_t count;
    size_t line;
    size_t accepted, refused, left;
};

static void complain(size_t line, const char *why)
{
    (void)fprintf(stderr, "pollard send: line %zu: %s\n", line, why);
}

// ---- a batch ---------------------------------------------------------------

static void cut_items(struct run *run)
{
    size_t start = 0;

    for (size_t i = 0; i < run->count; i++) {
        run->items[i].data =
            (struct bytes){run->text.data + start, run->ends[i] - start};
        start = run->ends[i];
        if (run->ops->check)
            run->ops->check(&run->items[i]);
    }
}

static size_t collect_waiting(struct run *run, struct send_item **waiting)
{
    size_t count = 0;

    for (size_t i = 0; i < run->count; i++)
        if (run->items[i].state == SEND_WAITING)
            waiting[count++] = &run->items[i];
    return count;
}

static bool send_waiting(struct run *run, struct error *err)
{
    struct send_item *waiting[ITEMS_MOST];
    struct send_target *target = run->target;
    size_t count = collect_waiting(run, waiting);

    for (unsigned attempt = 0; count && attempt < ATTEMPTS; attempt++) {
        if (attempt)
            aws_client_wait(target->client, random_full_jitter_ms(
                                                &target->random, PAUSE_BASE_MS,
                                                PAUSE_MAXIMUM_MS, attempt));
        if (!run->ops->send(target, waiting, count, err))
            return false;
        count = collect_waiting(run, waiting);
    }
    return true;
}

static void count_item(struct run *run, const struct send_item *item)
{
    if (item->state == SEND_ACCEPTED) {
        run->accepted++;
        return;
    }
    if (item->state == SEND_REFUSED)
        run->refused++;
    else
        run->left++;
    if (run->refused + run->left <= COMPLAINTS)
        complain(item->line, item->why[0] ? item->why : "was not sent");
}

static bool flush(struct run *run, struct error *err)
{
    bool ok;

    cut_items(run);
    ok = send_waiting(run, err);
    for (size_t i = 0; i < run->count; i++)
        count_item(run, &run->items[i]);
    run->count = 0;
    buffer_clear(&run->text);
    return ok;
}

static bool add(struct run *run, struct bytes data, struct error *err)
{
    bool is_full = run->count == run->ops->items ||
                   run->text.size + data.size > run->ops->bytes;

    if (run->count && is_full && !flush(run, err))
        return false;
    buffer_append_bytes(&run->text, data);
    run->ends[run->count] = run->text.size;
    run->items[run->count++] = (struct send_item){.line = run->line};
    return true;
}

// ---- the input -------------------------------------------------------------

// Up to the next line's end, or the file's when end is EOF. False when there is
// no more. Whoever reads asks buffer_ok().
static bool read_up_to(FILE *file, int end, struct buffer *piece)
{
    int c = getc_unlocked(file);

    if (c == EOF)
        return false;
    for (; c != EOF && c != end; c = getc_unlocked(file))
        buffer_append_char(piece, (char)c);
    return true;
}

static bool send_pieces(struct run *run, FILE *file, int end,
                        struct buffer *piece, struct error *err)
{
    while (read_up_to(file, end, piece)) {
        run->line++;
        if (!buffer_ok(piece))
            return error_set(err, ERROR_INVALID,
                             "line %zu: a %s is %zu bytes at the most",
                             run->line, run->ops->one, run->ops->item_bytes);
        if (piece->size && !add(run, buffer_bytes(piece), err))
            return false;
        buffer_clear(piece);
    }
    return !ferror(file) ||
           error_set(err, ERROR_INVALID, "cannot read: %s", strerror(errno));
}

static bool send_file(struct run *run, FILE *file, bool whole,
                      struct error *err)
{
    struct buffer piece;
    struct error later;
    bool ok;

    buffer_init(&piece, run->ops->item_bytes);
    ok = send_pieces(run, file, whole ? EOF : '\n', &piece, err);
    buffer_finish(&piece);
    // What was read before a mistake still goes.
    if (run->count && !flush(run, ok ? err : &later))
        return false;
    return ok;
}

static int status_of(enum error_code code)
{
    switch (code) {
    case ERROR_THROTTLED:
    case ERROR_TRANSIENT:
    case ERROR_STOPPED:
        return COMMAND_TEMPORARY;
    case ERROR_INVALID:
        return COMMAND_DATA;
    case ERROR_DENIED:
    case ERROR_NOT_FOUND:
    case ERROR_LOST:
        return COMMAND_UNAVAILABLE;
    case ERROR_NONE:
        break;
    }
    return COMMAND_INTERNAL;
}

static int report(const struct run *run, const struct error *err)
{
    size_t failed = run->refused + run->left;

    if (failed > COMPLAINTS)
        (void)fprintf(stderr, "pollard send: and %zu more lines\n",
                      failed - COMPLAINTS);
    (void)printf("sent %zu %s to %s\n", run->accepted,
                 run->accepted == 1 ? run->ops->one : run->ops->noun,
                 run->target->source->name);
    if (err->code != ERROR_NONE) {
        (void)fprintf(stderr, "pollard send: %s\n", err->message);
        return status_of(err->code);
    }
    if (run->refused)
        return COMMAND_DATA;
    return run->left ? COMMAND_TEMPORARY : COMMAND_OK;
}

int send_run(struct send_target *target, FILE *file, bool whole)
{
    struct run *run = mem_calloc(1, sizeof(*run));
    struct error err = {0};
    int status;

    run->ops = target->ops;
    run->target = target;
    buffer_init(&run->text, target->ops->bytes + target->ops->item_bytes);
    if (target->ops->open(target, &err))
        (void)send_file(run, file, whole, &err);
    target->ops->close(target);
    status = report(run, &err);
    buffer_finish(&run->text);
    free(run);
    return status;
}
