#include "local/fifo.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "local/queue.h"

struct group {
    struct map_node node;
    struct list messages; // in the order of sending, whatever their state
    struct list link;     // in fifo.ready
    unsigned in_flight;
    bool ready;
    char id[];
};

struct fifo_attempt {
    struct map_node node;
    struct list age;
    int64_t made_ms;
    size_t count;
    struct receipt receipts[QUEUE_RECEIVE_LIMIT];
    int64_t due_ms[QUEUE_RECEIVE_LIMIT]; // when their visibility was to end
    char id[];
};

// AWS's numbers have 20 digits, which is more than 64 bits hold.
void fifo_next_sequence(struct fifo *fifo, char sequence[21])
{
    (void)snprintf(sequence, 21, "18%018llu",
                   (unsigned long long)fifo->sequence % 1000000000000000000u);
    fifo->sequence += 256;
}

void fifo_init(struct fifo *fifo, int64_t now_ms)
{
    *fifo = (struct fifo){.sequence = (uint64_t)now_ms * 256000};
    list_init(&fifo->ready);
    list_init(&fifo->sent_age);
    list_init(&fifo->attempt_age);
}

static void forget_sent(struct fifo *fifo, struct fifo_sent *sent)
{
    map_remove(&fifo->sent, &sent->node);
    list_remove(&sent->age);
    free(sent);
}

static void forget_attempt(struct fifo *fifo, struct fifo_attempt *attempt)
{
    map_remove(&fifo->attempts, &attempt->node);
    list_remove(&attempt->age);
    free(attempt);
}

static void forget_until(struct fifo *fifo, int64_t until_ms)
{
    struct list *link;

    while ((link = list_first(&fifo->sent_age))) {
        struct fifo_sent *sent = LIST_ITEM(link, struct fifo_sent, age);

        if (sent->sent_ms > until_ms)
            break;
        forget_sent(fifo, sent);
    }
    while ((link = list_first(&fifo->attempt_age))) {
        struct fifo_attempt *attempt =
            LIST_ITEM(link, struct fifo_attempt, age);

        if (attempt->made_ms > until_ms)
            break;
        forget_attempt(fifo, attempt);
    }
}

// The groups went with their last messages.
void fifo_finish(struct fifo *fifo)
{
    forget_until(fifo, INT64_MAX);
    map_finish(&fifo->groups);
    map_finish(&fifo->sent);
    map_finish(&fifo->attempts);
}

// A group's id may hold any byte but NUL, so that the pair is unambiguous.
static char *sent_key(const struct queue *queue, struct bytes group,
                      struct bytes dedup_id)
{
    if (!queue->settings.dedup_per_group)
        group.size = 0;
    return mem_printf("%.*s\n%.*s", BYTES_ARGS(group), BYTES_ARGS(dedup_id));
}

const struct fifo_sent *fifo_find_sent(struct queue *queue, struct bytes group,
                                       struct bytes dedup_id, int64_t now_ms)
{
    AUTO_FREE char *key = sent_key(queue, group, dedup_id);
    struct map_node *node;

    forget_until(&queue->fifo, now_ms - FIFO_REMEMBERED_MS);
    node = map_find(&queue->fifo.sent, bytes_of(key));
    return node ? LIST_ITEM(node, struct fifo_sent, node) : NULL;
}

void fifo_remember_sent(struct queue *queue, const struct message *message,
                        int64_t now_ms)
{
    AUTO_FREE char *key = sent_key(queue, message->group_id, message->dedup_id);
    size_t size = strlen(key);
    struct fifo_sent *sent = mem_calloc(1, sizeof(*sent) + size + 1);

    memcpy(sent->key, key, size);
    memcpy(sent->id, message->id, sizeof(sent->id));
    memcpy(sent->sequence, message->sequence, sizeof(sent->sequence));
    sent->sent_ms = now_ms;
    map_add(&queue->fifo.sent, &sent->node, (struct bytes){sent->key, size});
    list_push_back(&queue->fifo.sent_age, &sent->age);
}

static struct group *group_for(struct fifo *fifo, struct bytes id)
{
    struct map_node *node = map_find(&fifo->groups, id);
    struct group *group;

    if (node)
        return LIST_ITEM(node, struct group, node);
    group = mem_calloc(1, sizeof(*group) + id.size + 1);
    if (id.size)
        memcpy(group->id, id.data, id.size);
    list_init(&group->messages);
    list_init(&group->link);
    map_add(&fifo->groups, &group->node, (struct bytes){group->id, id.size});
    return group;
}

void fifo_add(struct queue *queue, struct message *message)
{
    message->group = group_for(&queue->fifo, message->group_id);
    list_push_back(&message->group->messages, &message->place);
}

static bool can_receive(const struct group *group)
{
    struct list *first = list_first(&group->messages);

    return first && !group->in_flight &&
           LIST_ITEM(first, struct message, place)->state == MESSAGE_READY;
}

static void refresh(struct fifo *fifo, struct group *group)
{
    bool ready = can_receive(group);

    if (ready == group->ready)
        return;
    group->ready = ready;
    if (ready) {
        list_push_back(&fifo->ready, &group->link);
        fifo->ready_count++;
    } else {
        list_remove(&group->link);
        fifo->ready_count--;
    }
}

void fifo_state_changed(struct queue *queue, struct message *message,
                        enum message_state before)
{
    struct group *group = message->group;

    group->in_flight += message->state == MESSAGE_IN_FLIGHT;
    group->in_flight -= before == MESSAGE_IN_FLIGHT;
    refresh(&queue->fifo, group);
}

void fifo_remove(struct queue *queue, struct message *message)
{
    struct group *group = message->group;

    group->in_flight -= message->state == MESSAGE_IN_FLIGHT;
    list_remove(&message->place);
    message->group = NULL;
    refresh(&queue->fifo, group);
    if (list_is_empty(&group->messages)) {
        map_remove(&queue->fifo.groups, &group->node);
        free(group);
        return;
    }
    queue_wake(queue);
}

// Several of one group, in their order. Redriving its last message ends the
// group, hence `last`.
static size_t receive_group(struct queue *queue, struct group *group,
                            const struct queue_receive *options, int64_t now_ms,
                            size_t room, struct message **messages)
{
    struct list *link = group->messages.next;
    size_t count = 0;
    bool last = false;

    while (!last && count < room) {
        struct message *message = LIST_ITEM(link, struct message, place);

        if (message->state != MESSAGE_READY)
            break;
        last = link->next == &group->messages;
        link = link->next;
        if (queue_redrive(queue, message, options, now_ms))
            continue;
        queue_take(queue, message, now_ms, options->visibility_ms);
        messages[count++] = message;
    }
    return count;
}

size_t fifo_receive(struct queue *queue, const struct queue_receive *options,
                    int64_t now_ms, struct message **messages)
{
    size_t count = 0;
    struct list *link;

    if (queue->counts[MESSAGE_IN_FLIGHT] >= QUEUE_IN_FLIGHT_LIMIT)
        return 0;
    while (count < options->wanted && (link = list_first(&queue->fifo.ready)))
        count +=
            receive_group(queue, LIST_ITEM(link, struct group, link), options,
                          now_ms, options->wanted - count, messages + count);
    return count;
}

static struct fifo_attempt *find_attempt(struct queue *queue, struct bytes id,
                                         int64_t now_ms)
{
    struct map_node *node;

    forget_until(&queue->fifo, now_ms - FIFO_REMEMBERED_MS);
    node = map_find(&queue->fifo.attempts, id);
    return node ? LIST_ITEM(node, struct fifo_attempt, node) : NULL;
}

static bool attempt_holds(const struct queue *queue,
                          const struct fifo_attempt *attempt,
                          struct message **messages)
{
    for (size_t i = 0; i < attempt->count; i++)
        if (queue_check(queue, &attempt->receipts[i], &messages[i]) !=
                RECEIPT_GOOD ||
            messages[i]->timer.due_ms != attempt->due_ms[i])
            return false;
    return true;
}

size_t fifo_repeat(struct queue *queue, struct bytes attempt_id, int64_t now_ms,
                   int64_t visibility_ms, struct message **messages)
{
    struct fifo_attempt *attempt = find_attempt(queue, attempt_id, now_ms);

    if (!attempt)
        return 0;
    if (!attempt_holds(queue, attempt, messages)) {
        forget_attempt(&queue->fifo, attempt);
        return 0;
    }
    for (size_t i = 0; i < attempt->count; i++) {
        timers_set(queue->timers, &messages[i]->timer, now_ms + visibility_ms);
        attempt->due_ms[i] = messages[i]->timer.due_ms;
    }
    return attempt->count;
}

void fifo_remember_attempt(struct queue *queue, struct bytes attempt_id,
                           int64_t now_ms, struct message *const *messages,
                           size_t count)
{
    struct fifo_attempt *attempt = find_attempt(queue, attempt_id, now_ms);

    if (attempt)
        forget_attempt(&queue->fifo, attempt);
    attempt = mem_calloc(1, sizeof(*attempt) + attempt_id.size + 1);
    memcpy(attempt->id, attempt_id.data, attempt_id.size);
    attempt->made_ms = now_ms;
    attempt->count = count;
    for (size_t i = 0; i < count; i++) {
        attempt->receipts[i] = queue_receipt(messages[i]);
        attempt->due_ms[i] = messages[i]->timer.due_ms;
    }
    map_add(&queue->fifo.attempts, &attempt->node,
            (struct bytes){attempt->id, attempt_id.size});
    list_push_back(&queue->fifo.attempt_age, &attempt->age);
}
