/*
 * sqs_query: the messages of a ReceiveMessage answer in the Query protocol's
 * XML (wire.md section 1.8).
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SQS_QUERY_H
#define POLLARD_SQS_QUERY_H

#include <stdbool.h>

struct buffer;
struct error;
struct sqs_collect;

/* The body is replaced by its decoded text, which the messages are slices of.
 */
bool sqs_query_read(struct sqs_collect *collect, struct buffer *body,
                    struct error *err);

#endif
