/*
 * shard_flow: a shard's way through the pipeline: one batch at a time, offered
 * again after a backoff until it is done; the checkpoint behind it.
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
