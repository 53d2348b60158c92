/*
 * order: who may run now. So many batches at once, a shard's one; and on a
 * first-in-first-out queue, of each message group one batch at a time: a record
 * whose group runs is held until that batch is over.
 *
 * When a record of a group goes back undone, so do those of its group that
 * arrived behind it and have not started: none may overtake it.
 *
 * Threads: the poller's. Pure.
 */
#ifndef POLLARD_ORDER_H
#define POLLARD_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/record.h"

struct batch;
struct order_group;

struct order {
    // Never changed after init.
    bool by_group;
    uint64_t seed; // of the hash: group names are chosen by others

    size_t concurrency; // may be changed any time
    size_t running;     // batches
    size_t held, held_bytes;

    // by_group: every group with a record inside. Chained; grows with them.
    struct order_group **buckets; // owned
    size_t bucket_count, group_count;
};

enum order_place {
    ORDER_START, // the record is in the batch
    ORDER_HOLD,  // kept here until its group's batch is over
    ORDER_BACK,  // an earlier one went back: so must this
};

void order_init(struct order *order, size_t concurrency, bool by_group,
                uint64_t seed);
/* Requires that no record is inside. */
void order_finish(struct order *order);

/* A record arrived and waits in line. */
void order_enter(struct order *order, struct record *record);

/* How many more batches may start. */
size_t order_free(const struct order *order);

/* The first in line wants to join this batch, which has room for it. */
enum order_place order_place(struct order *order, struct batch *batch,
                             struct record *record);

void order_batch_started(struct order *order);
void order_batch_over(struct order *order);

/* One before it in its batch, and of its group, is ORDER_FAILED. */
bool order_has_failed(const struct order *order, const struct record *record);

enum order_over {
    ORDER_DONE,
    ORDER_UNSURE, // done, but it may come again: none may overtake it
    ORDER_FAILED, // it comes again
};

/* One record of a batch is over, in the batch's order. With the last of its
 * group in the batch, those held come out: to `line`, or, when one of the group
 * may come again, to `back`. */
void order_record_over(struct order *order, const struct record *record,
                       enum order_over over, struct record_list *line,
                       struct record_list *back);

/* A record that waited in line goes back undone; what was held of its group
 * comes out to `back`. */
void order_give_back(struct order *order, const struct record *record,
                     struct record_list *back);

/* Everything held comes out to `back`: nothing more is to start. */
void order_give_back_all(struct order *order, struct record_list *back);

#endif
