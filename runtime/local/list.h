/*
 * list: circular doubly linked lists whose links live in their items. A link
 * that is in no list points at itself, so removing it again is harmless.
 *
 * Threads: plain data of their owner.
 */
#ifndef POLLARD_LOCAL_LIST_H
#define POLLARD_LOCAL_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

/* The item that holds this link. */
#define LIST_ITEM(link_, type_, member_) \
    ((type_ *)(void *)((char *)(link_)-offsetof(type_, member_)))

static inline void list_init(struct list *list)
{
    list->next = list->prev = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_insert_after(struct list *place, struct list *link)
{
    link->prev = place;
    link->next = place->next;
    place->next->prev = link;
    place->next = link;
}

static inline void list_push_front(struct list *list, struct list *link)
{
    list_insert_after(list, link);
}

static inline void list_push_back(struct list *list, struct list *link)
{
    list_insert_after(list->prev, link);
}

static inline void list_remove(struct list *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    list_init(link);
}

/* The first link, or NULL. */
static inline struct list *list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->next;
}

#endif
