#include "local/consumer.h"

#include <stdlib.h>

#include "base/mem.h"

void consumers_init(struct consumers *consumers)
{
    list_init(&consumers->list);
    consumers->count = 0;
}

void consumers_finish(struct consumers *consumers)
{
    struct list *link;

    while ((link = list_first(&consumers->list)))
        consumers_remove(consumers, LIST_ITEM(link, struct consumer, link));
}

struct consumer *consumers_add(struct consumers *consumers, struct bytes name,
                               uint32_t id, int64_t now_ms)
{
    struct consumer *consumer = mem_calloc(1, sizeof(*consumer));

    consumer->name = mem_strndup(name.data, name.size);
    consumer->id = id;
    consumer->created_ms = now_ms;
    list_push_back(&consumers->list, &consumer->link);
    consumers->count++;
    return consumer;
}

void consumers_remove(struct consumers *consumers, struct consumer *consumer)
{
    list_remove(&consumer->link);
    consumers->count--;
    free(consumer->name);
    free(consumer);
}

struct consumer *consumers_find(const struct consumers *consumers,
                                struct bytes name)
{
    const struct list *head = &consumers->list;

    for (struct list *link = head->next; link != head; link = link->next) {
        struct consumer *consumer = LIST_ITEM(link, struct consumer, link);

        if (bytes_equal(bytes_of(consumer->name), name))
            return consumer;
    }
    return NULL;
}

struct consumer *consumers_find_id(const struct consumers *consumers,
                                   uint32_t id)
{
    const struct list *head = &consumers->list;

    for (struct list *link = head->next; link != head; link = link->next) {
        struct consumer *consumer = LIST_ITEM(link, struct consumer, link);

        if (consumer->id == id)
            return consumer;
    }
    return NULL;
}
