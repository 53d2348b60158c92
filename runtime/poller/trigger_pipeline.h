/*
 * trigger_pipeline: what a trigger's settings are to its pipeline.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_TRIGGER_PIPELINE_H
#define POLLARD_TRIGGER_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pipeline_options;
struct trigger_config;

/* All options but the filter and the window to go on with, which are the
 * caller's. */
void trigger_pipeline_options(const struct trigger_config *trigger,
                              bool is_shard, uint64_t seed,
                              struct pipeline_options *options);

/* Records that no filter matches go to a destination, `on_filtered`. */
bool trigger_moves_filtered(const struct trigger_config *trigger);

/* How long a queue's message must stay hidden, for its window is open and its
 * batch runs. 0: there is no window. */
int64_t trigger_needed_visibility_ms(const struct trigger_config *trigger);

/* Batches of a queue at once. */
size_t trigger_concurrency(const struct trigger_config *trigger);

#endif
