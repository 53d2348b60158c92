/*
 * id_index: which records of a batch have this id: so that a list of ids is
 * matched in time that grows with the list, not with list times batch.
 *
 * An id may stand for several records: SQS can deliver a message twice into one
 * batch, and the parts of an aggregated Kinesis record share their number.
 *
 * Threads: none; its owner's.
 */
#ifndef POLLARD_ID_INDEX_H
#define POLLARD_ID_INDEX_H

#include <stddef.h>

#include "base/bytes.h"

struct batch;

#define ID_INDEX_NONE SIZE_MAX

struct id_index {
    const struct batch *batch; // borrowed
    size_t *slots;             // owned; the first record of an id, open
                               // addressing
    size_t *same;              // owned; by record: the next with its id
    size_t slot_count;         // a power of two; 0: not built yet
};

/* Builds nothing before the first look-up: most responses name no id. */
void id_index_init(struct id_index *index, const struct batch *batch);
void id_index_finish(struct id_index *index);

/* The first record with this id. ID_INDEX_NONE: there is none. */
size_t id_index_find(struct id_index *index, struct bytes id);

/* The one part of an aggregated record that "ID:N" names (record_full_id).
 * ID_INDEX_NONE: there is none. */
size_t id_index_find_part(struct id_index *index, struct bytes full_id);

/* The next record with the id of this one; told once, so that a list that
 * repeats an id is not walked through its records again and again. */
size_t id_index_take_next(struct id_index *index, size_t record);

#endif
