/*
 * resource: what a user may name as a source or a destination: an SQS queue, a
 * Kinesis stream or a DynamoDB stream, by ARN or by name; and the URLs that
 * servers are named by.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_RESOURCE_H
#define POLLARD_RESOURCE_H

#include <stdbool.h>

#include "aws/session.h"
#include "base/bytes.h"

/* The queue or stream that an ARN names; name is a slice of text, for a
 * DynamoDB stream its table's. ERROR_INVALID says what is wrong, or which
 * service is not implemented. */
bool resource_from_arn(const char *text, enum aws_service *service,
                       struct bytes *name, struct error *err);

/* A consumer of a stream (enhanced fan-out):
 * arn:aws:kinesis:REGION:ACCOUNT:stream/STREAM/consumer/NAME:CREATION. */
bool resource_is_consumer_arn(const char *text);

/* Its stream and its name, as slices of text. */
bool resource_from_consumer_arn(const char *text, struct bytes *stream,
                                struct bytes *name, struct error *err);

/* 1 to 128 letters, digits, '-', '_' and '.'. */
bool resource_is_consumer_name(struct bytes name);

/* 1 to 80 letters, digits, '-' and '_', and perhaps ".fifo". */
bool resource_is_queue_name(struct bytes name);

/* 1 to 128 letters, digits, '-', '_' and '.'. */
bool resource_is_stream_name(struct bytes name);

/* 3 to 255 letters, digits, '-', '_' and '.'. */
bool resource_is_table_name(struct bytes name);

bool resource_is_fifo(struct bytes queue);

/* An http or https URL with a host, without user, query or fragment. */
bool resource_check_url(const char *url, struct error *err);

#endif
