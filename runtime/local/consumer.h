/*
 * consumer: the registered consumers of a stream, for enhanced fan-out.
 *
 * Threads: the server thread only.
 */
#ifndef POLLARD_LOCAL_CONSUMER_H
#define POLLARD_LOCAL_CONSUMER_H

#include <stdint.h>

#include "base/bytes.h"
#include "local/list.h"

#define CONSUMERS_LIMIT 20 // of a stream, as in AWS

struct consumer {
    struct list link;
    uint32_t id;
    char *name; // owned
    int64_t created_ms;
};

struct consumers {
    struct list list; // oldest first; owned
    size_t count;
};

void consumers_init(struct consumers *consumers);
void consumers_finish(struct consumers *consumers);

struct consumer *consumers_add(struct consumers *consumers, struct bytes name,
                               uint32_t id, int64_t now_ms);
void consumers_remove(struct consumers *consumers, struct consumer *consumer);

/* NULL when there is none. */
struct consumer *consumers_find(const struct consumers *consumers,
                                struct bytes name);
struct consumer *consumers_find_id(const struct consumers *consumers,
                                   uint32_t id);

#endif
