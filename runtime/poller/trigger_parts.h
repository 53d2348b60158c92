/*
 * trigger_parts: what a poller has from its trigger's settings beside its
 * source: the filter, and where results and what is given up go.
 *
 * Threads: the poller's creator opens, the poller's loop owns them.
 */
#ifndef POLLARD_TRIGGER_PARTS_H
#define POLLARD_TRIGGER_PARTS_H

#include <stdbool.h>
#include <stdint.h>

struct aws_client;
struct aws_session;
struct clock;
struct error;
struct log;
struct trigger_config;

struct trigger_parts {              // each NULL: the trigger has none
    struct filter *filter;          // owned
    struct destination *on_success; // owned
    struct on_failure *on_failure;  // owned
    struct on_failure *on_filtered; // owned
};

struct trigger_parts_options {
    const struct trigger_config *trigger; // borrowed
    struct aws_session *session;          // borrowed
    struct aws_client *client;            // borrowed; the poller's
    const struct clock *clock;
    const struct log *log; // borrowed
    uint64_t seed;
};

/* What was opened is there on failure, too: the loop frees it. */
bool trigger_parts_open(struct trigger_parts *parts,
                        const struct trigger_parts_options *options,
                        struct error *err);

/* End the calls they have under way; their replies are still to be routed. */
void trigger_parts_cancel(const struct trigger_parts *parts,
                          struct aws_client *client);

#endif
