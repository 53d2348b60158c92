/*
 * local: the embedded development server: SQS and Kinesis in memory, on
 * loopback only, over HTTP (libmicrohttpd). `pollard local` runs it alone,
 * `pollard run --local` beside the worker, and the tests use it with faults on
 * request. It is a server others can use: boto3, the AWS CLI and the SDKs.
 *
 * Threads: start and stop are the caller's; the server has its own threads.
 */
#ifndef POLLARD_LOCAL_H
#define POLLARD_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct local;
struct log;

struct local_options {
    uint16_t port;         // 0: any free one
    const char *address;   // "127.0.0.1" or "::1"; others are refused
    const char *region;    // NULL: us-east-1
    const char *account;   // NULL: 000000000000
    const char *faults;    // NULL, or as `--fault` takes it; see docs/local.md
    uint64_t seed;         // of the faults; 0: random
    const struct log *log; // copied
};

struct local *local_start(const struct local_options *options,
                          struct error *err);

/* The port it listens on. */
uint16_t local_port(const struct local *local);

/* Create what a trigger names, unless it exists. A name that ends in .fifo
 * makes a FIFO queue. */
bool local_create_queue(struct local *local, const char *name,
                        struct error *err);
bool local_create_stream(struct local *local, const char *name, unsigned shards,
                         struct error *err);

/* A queue with attributes as CreateQueue takes them, unless it exists. */
struct local_attribute {
    const char *name, *value;
};
bool local_create_queue_with(struct local *local, const char *name,
                             const struct local_attribute *attributes,
                             size_t count, struct error *err);

/* Ends open connections, joins its threads, logs which queues still held
 * messages, frees everything. NULL is fine. */
void local_stop(struct local *local);

#endif
