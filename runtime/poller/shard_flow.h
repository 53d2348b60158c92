/*
 * shard_flow: a shard's way through the pipeline. Its records are worked off in
 * lanes (shard_lane), chosen by their keys, and accounted for in a ledger,
 * which has the checkpoint.
 *
 * What becomes of a batch (lambda-esm.md sections 1.2, 3.3 and 7):
 *
 * - It is done up to its lowest failed record. The rest, if there is any, is
 *   tried again as a fresh batch: getting on gives a fresh budget of attempts.
 * - Failed whole, it is split in two when that is asked for, the first half
 *   first, and each half is as often tried as the whole was before this
 *   failure: the one that led to the split is free. A record that fails for
 *   good is thus alone when its attempts begin to count.
 * - Otherwise one attempt is used up; with the last, the batch is discarded.
 *   What never ran has used up none.
 * - Records that are too old are cut off the front and discarded, before the
 *   first attempt and while a lane waits for the next; what is younger goes on
 *   with the attempts it had. A window does not stay open until its first
 *   record is too old.
 *
 * What waits is bounded over all lanes, not for each: a lane that is stuck
 * takes room as its records come, and the others go on with the rest, until all
 * of it is the stuck one's. Then nothing is read until it gets on.
 *
 * Threads: the poller's. Pure.
 */
#ifndef POLLARD_SHARD_FLOW_H
#define POLLARD_SHARD_FLOW_H

struct flow;
struct pipeline_options;

/* The pipeline's, which fills in what flow.h says. */
struct flow *shard_flow_create(const struct pipeline_options *options);

#endif
