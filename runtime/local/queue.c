#include "local/queue.h"

#include <stdlib.h>

#include "base/mem.h"

struct queue *queue_create(struct bytes name, uint32_t id,
                           const struct queue_settings *settings,
                           struct timers *timers, int64_t now_ms)
{
    struct queue *queue = mem_calloc(1, sizeof(*queue));

    queue->name = mem_strndup(name.data, name.size);
    queue->id = id;
    queue->settings = *settings;
    queue->timers = timers;
    queue->created_ms = queue->modified_ms = now_ms;
    list_init(&queue->attributes);
    list_init(&queue->tags);
    list_init(&queue->ready);
    list_init(&queue->age);
    list_init(&queue->waiters);
    list_init(&queue->woken);
    fifo_init(&queue->fifo, now_ms);
    return queue;
}

static void destroy_pairs(struct list *pairs)
{
    struct list *link;

    while ((link = list_first(pairs))) {
        struct queue_pair *pair = LIST_ITEM(link, struct queue_pair, link);

        list_remove(link);
        free(pair->name);
        free(pair->value);
        free(pair);
    }
}

static void drop_all(struct queue *queue)
{
    struct list *link;

    while ((link = list_first(&queue->age)))
        queue_delete(queue, LIST_ITEM(link, struct message, age));
}

// Those already woken find out when they run.
static void end_waits(struct queue *queue)
{
    struct list *link;

    while ((link = list_first(&queue->woken)))
        queue_waiter_leave(LIST_ITEM(link, struct waiter, link));
    while ((link = list_first(&queue->waiters))) {
        struct waiter *waiter = LIST_ITEM(link, struct waiter, link);

        queue_waiter_leave(waiter);
        waiter->wake(waiter);
    }
}

void queue_destroy(struct queue *queue)
{
    if (!queue)
        return;
    end_waits(queue);
    drop_all(queue);
    fifo_finish(&queue->fifo);
    destroy_pairs(&queue->attributes);
    destroy_pairs(&queue->tags);
    free(queue->settings.redrive_policy);
    free(queue->settings.dead_letter);
    free(queue->slots);
    free(queue->free_slots);
    free(queue->name);
    free(queue);
}

static void grow_slots(struct queue *queue)
{
    queue->slot_capacity = queue->slot_capacity ? queue->slot_capacity * 2 : 64;
    queue->slots = mem_realloc(queue->slots, queue->slot_capacity,
                               sizeof(struct message *));
    queue->free_slots = mem_realloc(queue->free_slots, queue->slot_capacity,
                                    sizeof(*queue->free_slots));
}

static void take_slot(struct queue *queue, struct message *message)
{
    if (queue->free_count) {
        message->slot = queue->free_slots[--queue->free_count];
    } else {
        if (queue->slot_count == queue->slot_capacity)
            grow_slots(queue);
        message->slot = queue->slot_count++;
    }
    queue->slots[message->slot] = message;
}

// It comes in as delayed; what it is besides is its first change of state.
static void enter(struct queue *queue, struct message *message, int64_t now_ms,
                  int64_t delay_ms)
{
    message->queue = queue;
    take_slot(queue, message);
    list_push_back(&queue->age, &message->age);
    message->state = MESSAGE_DELAYED;
    queue->counts[MESSAGE_DELAYED]++;
    if (queue->settings.fifo)
        fifo_add(queue, message);
    if (delay_ms > 0)
        timers_set(queue->timers, &message->timer, now_ms + delay_ms);
    else
        queue_set_state(queue, message, MESSAGE_READY);
}

static void leave(struct queue *queue, struct message *message)
{
    timers_cancel(queue->timers, &message->timer);
    queue->counts[message->state]--;
    if (queue->settings.fifo)
        fifo_remove(queue, message);
    list_remove(&message->place);
    list_remove(&message->age);
    queue->slots[message->slot] = NULL;
    queue->free_slots[queue->free_count++] = message->slot;
    message->queue = NULL;
}

void queue_send(struct queue *queue, struct message *message, int64_t now_ms,
                int64_t delay_ms)
{
    queue->sent++;
    enter(queue, message, now_ms, delay_ms);
}

void queue_set_state(struct queue *queue, struct message *message,
                     enum message_state state)
{
    enum message_state before = message->state;

    queue->counts[before]--;
    queue->counts[state]++;
    message->state = state;
    if (queue->settings.fifo)
        fifo_state_changed(queue, message, before);
    else if (before == MESSAGE_READY)
        list_remove(&message->place);
    else if (state == MESSAGE_READY)
        list_push_back(&queue->ready, &message->place);
    if (state == MESSAGE_READY)
        queue_wake(queue);
}

void queue_take(struct queue *queue, struct message *message, int64_t now_ms,
                int64_t visibility_ms)
{
    message->receipt++;
    message->receives++;
    message->failures++;
    message->received_ms = now_ms;
    if (!message->first_received_ms)
        message->first_received_ms = now_ms;
    queue->received++;
    queue_set_state(queue, message, MESSAGE_IN_FLIGHT);
    timers_set(queue->timers, &message->timer, now_ms + visibility_ms);
}

bool queue_redrive(struct queue *queue, struct message *message,
                   const struct queue_receive *options, int64_t now_ms)
{
    if (!options->dead_letter || options->dead_letter == queue ||
        message->failures < queue->settings.failure_limit)
        return false;
    leave(queue, message);
    free(message->dead_letter_source);
    message->dead_letter_source = mem_strdup(options->arn);
    message->failures = 0;
    enter(options->dead_letter, message, now_ms, 0);
    return true;
}

size_t queue_receive(struct queue *queue, const struct queue_receive *options,
                     int64_t now_ms,
                     struct message *messages[QUEUE_RECEIVE_LIMIT])
{
    size_t count = 0;
    struct list *link;

    if (queue->settings.fifo)
        return fifo_receive(queue, options, now_ms, messages);
    while (count < options->wanted && (link = list_first(&queue->ready))) {
        struct message *message = LIST_ITEM(link, struct message, place);

        if (queue_redrive(queue, message, options, now_ms))
            continue;
        queue_take(queue, message, now_ms, options->visibility_ms);
        messages[count++] = message;
    }
    return count;
}

struct receipt queue_receipt(const struct message *message)
{
    return (struct receipt){.queue = message->queue->id,
                            .slot = message->slot,
                            .number = message->receipt,
                            .serial = message->serial};
}

enum receipt_state queue_check(const struct queue *queue,
                               const struct receipt *receipt,
                               struct message **message)
{
    struct message *found =
        receipt->slot < queue->slot_count ? queue->slots[receipt->slot] : NULL;

    if (!found || found->serial != receipt->serial) {
        *message = NULL;
        return RECEIPT_GONE;
    }
    *message = found;
    if (receipt->number != found->receipt)
        return RECEIPT_OLD;
    return found->state == MESSAGE_IN_FLIGHT ? RECEIPT_GOOD : RECEIPT_EXPIRED;
}

void queue_delete(struct queue *queue, struct message *message)
{
    leave(queue, message);
    message_destroy(message);
}

static void set_ready(struct queue *queue, struct message *message)
{
    timers_cancel(queue->timers, &message->timer);
    queue_set_state(queue, message, MESSAGE_READY);
}

void queue_hide(struct queue *queue, struct message *message, int64_t now_ms,
                int64_t visibility_ms)
{
    if (visibility_ms > 0)
        timers_set(queue->timers, &message->timer, now_ms + visibility_ms);
    else
        set_ready(queue, message);
}

void queue_unreceive(struct queue *queue, struct message *message)
{
    message->receives--;
    message->failures--;
    queue->received--;
    set_ready(queue, message);
    if (queue->settings.fifo)
        return;
    list_remove(&message->place);
    list_push_front(&queue->ready, &message->place);
}

void queue_message_due(struct message *message)
{
    queue_set_state(message->queue, message, MESSAGE_READY);
}

void queue_expire(struct queue *queue, int64_t now_ms)
{
    struct list *link;

    while ((link = list_first(&queue->age))) {
        struct message *message = LIST_ITEM(link, struct message, age);

        if (message->sent_ms > now_ms - queue->settings.retention_ms)
            return;
        queue_delete(queue, message);
    }
}

void queue_purge(struct queue *queue)
{
    drop_all(queue);
}

void queue_wait(struct queue *queue, struct waiter *waiter)
{
    waiter->queue = queue;
    waiter->woken = false;
    queue->waiting++;
    list_push_back(&queue->waiters, &waiter->link);
}

void queue_waiter_leave(struct waiter *waiter)
{
    struct queue *queue = waiter->queue;

    if (!queue)
        return;
    list_remove(&waiter->link);
    queue->waiting--;
    waiter->queue = NULL;
    if (!waiter->woken)
        return;
    queue->woken_count--;
    queue->promised -= waiter->wanted;
}

// A group goes to one receiver, a message of a standard queue to any.
static bool has_unpromised(const struct queue *queue)
{
    if (queue->settings.fifo)
        return queue->fifo.ready_count > queue->woken_count;
    return queue->counts[MESSAGE_READY] > queue->promised;
}

void queue_wake(struct queue *queue)
{
    struct list *link;

    while (has_unpromised(queue) && (link = list_first(&queue->waiters))) {
        struct waiter *waiter = LIST_ITEM(link, struct waiter, link);

        list_remove(link);
        list_push_back(&queue->woken, link);
        waiter->woken = true;
        queue->woken_count++;
        queue->promised += waiter->wanted;
        waiter->wake(waiter);
    }
}
