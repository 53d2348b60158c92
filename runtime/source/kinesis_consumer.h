/*
 * kinesis_consumer: finds the consumer of enhanced fan-out, and registers it
 * when asked to. For the stream keeper's lister and the command line.
 */
#ifndef POLLARD_KINESIS_CONSUMER_H
#define POLLARD_KINESIS_CONSUMER_H

#include <stdbool.h>

struct aws_client;
struct error;

struct kinesis_consumer { // which one; all borrowed
    const char *name;
    const char *arn;        // exactly this one; NULL: whichever has the name
    const char *stream_arn; // of its stream
    bool registers;         // where there is none of that name
};

/* Its ARN, once it is ACTIVE; owned by the caller. NULL: ERROR_NOT_FOUND, there
 * is none; ERROR_TRANSIENT, it is being made, or goes away. Blocks. */
char *kinesis_find_consumer(struct aws_client *client,
                            const struct kinesis_consumer *consumer,
                            const bool *stop, struct error *err);

#endif
