#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "keeper/leases_inner.h"
#include "keeper/membership.h"
#include "keeper/succession.h"

static bool read_state(struct leases *leases,
                       const struct stream_listed *listed,
                       enum succession_state *state)
{
    struct lease_rows rows = {0};
    struct error err = {0};
    enum store_result result =
        store_lease_list(leases_store(leases), listed->identity, &rows, &err);

    if (!leases_have_read(leases, result, &err))
        return false;
    *state = succession_state_of(&listed->shards, &rows);
    lease_rows_finish(&rows);
    return true;
}

// False: the store did not answer.
static bool choose(struct leases *leases, const struct stream_listing *listing,
                   size_t *chosen, bool *takes_over)
{
    enum succession_state states[STREAM_LISTING_LIMIT] = {0};

    *chosen = 0;
    *takes_over = false;
    if (listing->count == 1)
        return true;
    if (!membership_is_joined(leases->membership))
        return false;
    for (size_t i = 0; i < listing->count; i++)
        if (!read_state(leases, &listing->list[i], &states[i]))
            return false;
    *chosen = succession_choose(states, listing->count);
    *takes_over = succession_takes_over(states, *chosen);
    return true;
}

bool leases_follow(struct leases *leases, const struct stream_listing *listing,
                   size_t *chosen)
{
    const struct stream_listed *listed;
    bool takes_over;

    if (!choose(leases, listing, chosen, &takes_over))
        return false;
    listed = &listing->list[*chosen];
    if (takes_over ||
        (leases->stream && strcmp(leases->stream, listed->identity) != 0))
        leases->start = (struct lineage_start){"TRIM_HORIZON", 0};
    leases_set_stream(leases, listed->identity);
    return leases_listed(leases, &listed->shards);
}
