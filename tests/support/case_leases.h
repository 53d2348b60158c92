/*
 * case_leases: the leases of the one worker of a case's stream: which shard is
 * read when, from where, and what its checkpoint is; by the keeper's own leases
 * over a store, in virtual time.
 *
 * Threads: one.
 */
#ifndef POLLARD_TEST_CASE_LEASES_H
#define POLLARD_TEST_CASE_LEASES_H

#include <stdbool.h>
#include <stdint.h>

struct case_leases;
struct case_shard;
struct case_world;
struct pipeline_checkpoint;

struct case_leases *case_leases_create(const struct case_world *world);
/* NULL is fine. */
void case_leases_destroy(struct case_leases *leases);

/* A worker with the world's settings begins; it leaves. */
void case_leases_start(struct case_leases *leases, struct case_world *world);
void case_leases_stop(struct case_leases *leases, struct case_world *world);

/* Open and close readers as the leases say. True: something happened. */
bool case_leases_tend(struct case_leases *leases, struct case_world *world);

/* A shard's reader got on. */
void case_leases_checkpoint(struct case_leases *leases,
                            const struct case_shard *shard,
                            const struct pipeline_checkpoint *checkpoint);

int64_t case_leases_due_ms(const struct case_leases *leases);

/* Every shard of the case is handled, to its end where it has one. */
bool case_leases_are_through(const struct case_leases *leases,
                             const struct case_world *world);

#endif
