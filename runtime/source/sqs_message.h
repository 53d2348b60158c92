/*
 * sqs_message: from the answer of ReceiveMessage to records. JSON is decoded in
 * place, Query's XML by sqs_query; either way a record is slices of the one
 * piece of memory that its chunk owns.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_SQS_MESSAGE_H
#define POLLARD_SQS_MESSAGE_H

#include <stdbool.h>

#include "aws/client.h"
#include "source/sqs_collect.h"

struct error;

/* Takes the body over, whatever comes of it. Records and refused messages are
 * added to the lists; no messages are a success. An answer cut short or of
 * another kind is ERROR_TRANSIENT: its messages come again after their
 * visibility timeout. */
bool sqs_message_read(struct sqs_collect *collect, enum aws_protocol protocol,
                      const struct sqs_arrival *arrival, struct buffer *body,
                      struct record_list *records, struct record_list *refused,
                      struct error *err);

#endif
