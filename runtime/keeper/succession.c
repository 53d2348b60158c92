#include "keeper/succession.h"

#include "keeper/lineage.h"

enum succession_state succession_state_of(const struct stream_shards *shards,
                                          const struct lease_rows *rows)
{
    if (!rows->count)
        return SUCCESSION_UNTOUCHED;
    if (!shards->is_final)
        return SUCCESSION_BEGUN;
    for (size_t i = 0; i < rows->count; i++)
        if (rows->list[i].state == LEASE_OPEN)
            return SUCCESSION_BEGUN;
    for (size_t i = 0; i < shards->count; i++)
        if (!lineage_has_row(rows, shards->list[i].id))
            return SUCCESSION_BEGUN;
    return SUCCESSION_FINISHED;
}

size_t succession_choose(const enum succession_state *states, size_t count)
{
    size_t newest = count - 1;

    for (size_t i = 0; i < count; i++)
        if (states[i] == SUCCESSION_BEGUN)
            return i;
    for (size_t i = count; i--;)
        if (states[i] == SUCCESSION_FINISHED)
            return i < newest ? i + 1 : i;
    return newest;
}

bool succession_takes_over(const enum succession_state *states, size_t chosen)
{
    for (size_t i = 0; i < chosen; i++)
        if (states[i] != SUCCESSION_UNTOUCHED)
            return true;
    return false;
}
