#include "local/timers.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

// Four children a node: half the levels of a binary heap, same cache lines.
#define CHILDREN 4

void timers_finish(struct timers *timers)
{
    free(timers->slots);
    *timers = (struct timers){0};
}

static void put(struct timers *timers, size_t i, struct timer_slot slot)
{
    timers->slots[i] = slot;
    slot.timer->place = i + 1;
}

static void sift_up(struct timers *timers, size_t i, struct timer_slot slot)
{
    while (i > 0) {
        size_t parent = (i - 1) / CHILDREN;

        if (timers->slots[parent].due_ms <= slot.due_ms)
            break;
        put(timers, i, timers->slots[parent]);
        i = parent;
    }
    put(timers, i, slot);
}

static size_t earliest_child(const struct timers *timers, size_t i)
{
    size_t first = i * CHILDREN + 1, end = first + CHILDREN, best = first;

    if (end > timers->count)
        end = timers->count;
    for (size_t child = first + 1; child < end; child++)
        if (timers->slots[child].due_ms < timers->slots[best].due_ms)
            best = child;
    return best;
}

static void sift_down(struct timers *timers, size_t i, struct timer_slot slot)
{
    while (i * CHILDREN + 1 < timers->count) {
        size_t child = earliest_child(timers, i);

        if (timers->slots[child].due_ms >= slot.due_ms)
            break;
        put(timers, i, timers->slots[child]);
        i = child;
    }
    put(timers, i, slot);
}

static void sift(struct timers *timers, size_t i, struct timer_slot slot)
{
    if (i > 0 && timers->slots[(i - 1) / CHILDREN].due_ms > slot.due_ms)
        sift_up(timers, i, slot);
    else
        sift_down(timers, i, slot);
}

void timers_set(struct timers *timers, struct timer *timer, int64_t due_ms)
{
    struct timer_slot slot = {due_ms, timer};

    timer->due_ms = due_ms;
    if (timer->place) {
        sift(timers, timer->place - 1, slot);
        return;
    }
    if (timers->count == timers->capacity) {
        timers->capacity = timers->capacity ? timers->capacity * 2 : 64;
        timers->slots = mem_realloc(timers->slots, timers->capacity,
                                    sizeof(struct timer_slot));
    }
    sift_up(timers, timers->count++, slot);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    size_t i = timer->place - 1;
    struct timer_slot last;

    if (!timer->place)
        return;
    timer->place = 0;
    last = timers->slots[--timers->count];
    if (i < timers->count)
        sift(timers, i, last);
}

int64_t timers_next_ms(const struct timers *timers)
{
    return timers->count ? timers->slots[0].due_ms : CLOCK_NEVER;
}

struct timer *timers_take(struct timers *timers, int64_t now_ms)
{
    struct timer *timer;

    if (timers_next_ms(timers) > now_ms)
        return NULL;
    timer = timers->slots[0].timer;
    timers_cancel(timers, timer);
    return timer;
}
