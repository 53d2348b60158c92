#include "poller/order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "poller/batch.h"
#include "poller/key_hash.h"

#define ORDER_FIRST_BUCKETS 16

struct order_group {
    struct order_group *next; // in its bucket
    uint64_t hash;
    size_t inside;             // in line, held or running
    size_t running;            // of those, in `batch`
    const struct batch *batch; // borrowed; NULL: none runs
    bool is_broken;            // one of the batch may come again
    bool has_failed;           // one of the batch does
    bool goes_back;            // what stands in line
    struct record_list held;   // owned
    size_t held_bytes;         // of those
    size_t key_size;
    char key[];
};

void order_init(struct order *order, size_t concurrency, bool by_group,
                uint64_t seed)
{
    *order = (struct order){
        .concurrency = concurrency, .by_group = by_group, .seed = seed};
}

void order_finish(struct order *order)
{
    assert(!order->group_count);
    free(order->buckets);
}

static struct order_group **bucket_of(const struct order *order, uint64_t hash)
{
    return &order->buckets[hash & (order->bucket_count - 1)];
}

static struct order_group *find(const struct order *order,
                                const struct record *record)
{
    uint64_t hash = key_hash(order->seed, record->key);
    struct order_group *group = *bucket_of(order, hash);

    while (group && (group->hash != hash ||
                     !bytes_equal((struct bytes){group->key, group->key_size},
                                  record->key)))
        group = group->next;
    return group;
}

static void grow(struct order *order)
{
    size_t old_count = order->bucket_count;
    struct order_group **old = order->buckets;

    order->bucket_count = old_count ? old_count * 2 : ORDER_FIRST_BUCKETS;
    order->buckets = mem_calloc(order->bucket_count, sizeof(*order->buckets));
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct order_group *group = old[i];
            struct order_group **bucket = bucket_of(order, group->hash);

            old[i] = group->next;
            group->next = *bucket;
            *bucket = group;
        }
    }
    free(old);
}

static struct order_group *add(struct order *order, const struct record *record)
{
    struct order_group *group;
    struct order_group **bucket;

    if (order->group_count >= order->bucket_count)
        grow(order);
    group = mem_calloc(1, sizeof(*group) + record->key.size);
    group->hash = key_hash(order->seed, record->key);
    group->key_size = record->key.size;
    memcpy(group->key, record->key.data, record->key.size);
    bucket = bucket_of(order, group->hash);
    group->next = *bucket;
    *bucket = group;
    order->group_count++;
    return group;
}

static void remove_group(struct order *order, struct order_group *group)
{
    struct order_group **at = bucket_of(order, group->hash);

    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    order->group_count--;
    free(group);
}

/* Records without a group, and all on a queue that has none, are free. */
static bool has_group(const struct order *order, const struct record *record)
{
    return order->by_group && record->key.size;
}

void order_enter(struct order *order, struct record *record)
{
    struct order_group *group;

    if (!has_group(order, record))
        return;
    group = order->group_count ? find(order, record) : NULL;
    if (!group)
        group = add(order, record);
    group->inside++;
}

size_t order_free(const struct order *order)
{
    return order->running < order->concurrency
               ? order->concurrency - order->running
               : 0;
}

/* One less inside. What goes back does so until none is left in line. */
static void leave(struct order *order, struct order_group *group)
{
    group->inside--;
    if (group->inside == group->running)
        group->goes_back = false;
    if (!group->inside)
        remove_group(order, group);
}

static void hold(struct order *order, struct order_group *group,
                 struct record *record)
{
    record_list_add(&group->held, record);
    group->held_bytes += record->event_size;
    order->held++;
    order->held_bytes += record->event_size;
}

enum order_place order_place(struct order *order, struct batch *batch,
                             struct record *record)
{
    struct order_group *group;

    if (has_group(order, record)) {
        group = find(order, record);
        if (group->goes_back) {
            leave(order, group);
            return ORDER_BACK;
        }
        if (group->batch && group->batch != batch) {
            hold(order, group, record);
            return ORDER_HOLD;
        }
        group->batch = batch;
        group->running++;
    }
    batch_add(batch, record);
    return ORDER_START;
}

void order_batch_started(struct order *order)
{
    order->running++;
}

void order_batch_over(struct order *order)
{
    order->running--;
}

/* Move what is held of a group to the end of a list. */
static void let_go(struct order *order, struct order_group *group,
                   struct record_list *to)
{
    struct record *record;

    order->held -= group->held.count;
    order->held_bytes -= group->held_bytes;
    group->held_bytes = 0;
    while ((record = record_list_take(&group->held)))
        record_list_add(to, record);
}

static void give_back_held(struct order *order, struct order_group *group,
                           struct record_list *back)
{
    group->inside -= group->held.count;
    let_go(order, group, back);
}

/* All of a group that has not started goes back: what is held now, what stands
 * in line when its turn comes. */
static void give_back_rest(struct order *order, struct order_group *group,
                           struct record_list *back)
{
    give_back_held(order, group, back);
    group->goes_back = true;
}

static void group_batch_over(struct order *order, struct order_group *group,
                             struct record_list *line, struct record_list *back)
{
    if (group->is_broken)
        give_back_rest(order, group, back);
    else
        let_go(order, group, line);
    group->is_broken = group->has_failed = false;
    group->batch = NULL;
}

bool order_has_failed(const struct order *order, const struct record *record)
{
    return has_group(order, record) && find(order, record)->has_failed;
}

void order_record_over(struct order *order, const struct record *record,
                       enum order_over over, struct record_list *line,
                       struct record_list *back)
{
    struct order_group *group;

    if (!has_group(order, record))
        return;
    group = find(order, record);
    group->is_broken |= over != ORDER_DONE;
    group->has_failed |= over == ORDER_FAILED;
    if (--group->running == 0)
        group_batch_over(order, group, line, back);
    leave(order, group);
}

void order_give_back(struct order *order, const struct record *record,
                     struct record_list *back)
{
    struct order_group *group;

    if (!has_group(order, record))
        return;
    group = find(order, record);
    give_back_rest(order, group, back);
    leave(order, group);
}

void order_give_back_all(struct order *order, struct record_list *back)
{
    for (size_t i = 0; i < order->bucket_count && order->held; i++)
        for (struct order_group *g = order->buckets[i]; g; g = g->next)
            give_back_held(order, g, back);
}
