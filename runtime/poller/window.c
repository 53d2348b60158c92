#include "poller/window.h"

#include "base/clock.h"
#include "poller/batch.h"
#include "record/event.h"

// How long a record counts as just received: time enough for a busy loop to
// start it, short beside any visibility timeout.
#define WINDOW_FRESH_MS 1000

void window_init(struct window *window, const struct window_options *options)
{
    *window = (struct window){.options = *options};
}

static bool fits(const struct window *window, size_t count, size_t bytes,
                 const struct record *record)
{
    if (count == 0) // one that is too large for any batch goes alone
        return true;
    return count < window->options.batch_size &&
           EVENT_FRAME + bytes + record->event_size <=
               window->options.payload_limit;
}

/* Extend the front over what fits. Each record enters it once on its way
 * through the line, so the cost is that of the records. */
static void grow_front(struct window *window)
{
    struct record *record =
        window->front_last ? window->front_last->next : window->waiting.first;

    while (record &&
           fits(window, window->front_count, window->front_bytes, record)) {
        window->front_count++;
        window->front_bytes += record->event_size;
        window->front_last = record;
        record = record->next;
    }
    window->front_is_full =
        record || window->front_count >= window->options.batch_size ||
        EVENT_FRAME + window->front_bytes >= window->options.payload_limit;
}

static void measure_front(struct window *window)
{
    window->front_count = 0;
    window->front_bytes = 0;
    window->front_last = NULL;
    grow_front(window);
}

/* The window that the first in line falls into. Those in which nothing came are
 * over; the one we are in started a whole number of lengths after the last that
 * opened. */
static void open_window(struct window *window, int64_t now_ms)
{
    int64_t length = window->options.length_ms;

    window->opened_ms = window->has_reopened ? window->reopened_ms : now_ms;
    if (length > 0 && now_ms > window->opened_ms)
        window->opened_ms += (now_ms - window->opened_ms) / length * length;
}

void window_add(struct window *window, struct record *record, int64_t now_ms)
{
    if (!window->waiting.count)
        open_window(window, now_ms);
    record_list_add(&window->waiting, record);
    window->bytes += record->event_size;
    if (!window->front_is_full)
        grow_front(window);
}

void window_put_back(struct window *window, struct record_list *list)
{
    if (!list->first)
        return;
    for (struct record *record = list->first; record; record = record->next)
        window->bytes += record->event_size;
    list->last->next = window->waiting.first;
    if (!window->waiting.last)
        window->waiting.last = list->last;
    window->waiting.first = list->first;
    window->waiting.count += list->count;
    *list = (struct record_list){0};
    if (!window->options.reopens)
        window->opened_ms = window->waiting.first->received_ms;
    measure_front(window);
}

void window_reopen(struct window *window, int64_t now_ms)
{
    window->has_reopened = true;
    window->reopened_ms = now_ms;
    if (window->options.reopens)
        window->opened_ms = now_ms;
}

int64_t window_closes_ms(const struct window *window)
{
    const struct record *first = window->waiting.first;

    if (!first)
        return CLOCK_NEVER;
    if (window->front_is_full || window->options.length_ms == 0)
        return window->opened_ms;
    return clock_earlier(window->opened_ms + window->options.length_ms,
                         first->visible_ms - window->options.needs_ms);
}

bool window_is_due(const struct window *window, int64_t now_ms)
{
    return window->waiting.count && window_closes_ms(window) <= now_ms;
}

bool window_fits(const struct window *window, const struct batch *batch)
{
    const struct record *first = window->waiting.first;

    return first && fits(window, batch->count, batch->event_bytes, first);
}

struct record *window_take(struct window *window)
{
    struct record *record = record_list_take(&window->waiting);

    if (!record)
        return NULL;
    window->bytes -= record->event_size;
    if (window->waiting.first && !window->options.reopens)
        window->opened_ms = window->waiting.first->received_ms;
    window->front_count--;
    window->front_bytes -= record->event_size;
    if (!window->front_count)
        window->front_last = NULL;
    grow_front(window);
    return record;
}

static int64_t stale_ms(const struct window *window,
                        const struct record *record)
{
    int64_t fresh_ms = record->received_ms + WINDOW_FRESH_MS;
    int64_t last_start_ms = record->visible_ms - window->options.needs_ms;

    if (record->visible_ms == CLOCK_NEVER)
        return CLOCK_NEVER;
    return 1 + (fresh_ms > last_start_ms ? fresh_ms : last_start_ms);
}

bool window_is_stale(const struct window *window, const struct record *record,
                     int64_t now_ms)
{
    return now_ms >= stale_ms(window, record);
}

int64_t window_stale_ms(const struct window *window)
{
    const struct record *first = window->waiting.first;

    return first ? stale_ms(window, first) : CLOCK_NEVER;
}
