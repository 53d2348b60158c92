/*
 * queue_flow: a queue's way through the pipeline: up to `concurrency` batches
 * at once, in any order, of a FIFO group one; each record is settled by itself.
 *
 * Threads: the poller's. Pure.
 */
#ifndef POLLARD_QUEUE_FLOW_H
#define POLLARD_QUEUE_FLOW_H

struct flow;
struct pipeline_options;

/* The pipeline's, which fills in what flow.h says. */
struct flow *queue_flow_create(const struct pipeline_options *options);

#endif
