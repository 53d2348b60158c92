/*
 * filter_record: one record of an event of Lambda's as its source would have
 * given it, so that a filter can be tried on it. Written by hand such a record
 * is rarely whole: what it lacks is not there, but the data must be.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_FILTER_RECORD_H
#define POLLARD_FILTER_RECORD_H

#include <stdbool.h>

#include "record/record.h"

struct error;

struct filter_record {
    struct record record; // slices of `text`
    struct record_origin origin;
    char *text;                                          // owned
    char *arn, *region, *shard, *identity;               // owned; the origin's
    struct record_attribute *attributes;                 // owned
    struct record_message_attribute *message_attributes; // owned
};

/* Of a JSON object. ERROR_INVALID with the byte of the mistake. The caller
 * finishes it in any case. */
bool filter_record_read(struct filter_record *record, enum record_kind kind,
                        struct bytes text, size_t *offset, struct error *err);

/* The data alone: a message's body, what a Kinesis record holds, DynamoDB's
 * `dynamodb` object. */
void filter_record_of_data(struct filter_record *record, enum record_kind kind,
                           struct bytes data);

void filter_record_finish(struct filter_record *record);

/* By its eventSource. False when it has none, or another one. */
bool filter_record_kind(struct bytes text, enum record_kind *kind);

/* Has an event what only a record of these sources has, whatever it says? */
bool filter_record_seems_one(struct bytes text);

/* "sqs", "kinesis" or "dynamodb". */
const char *filter_record_kind_name(enum record_kind kind);

#endif
