/*
 * serve_kinesis: the operations of Kinesis Data Streams, in JSON 1.1 and CBOR
 * 1.1 alike, on the streams of stream.h. serve_kinesis.c has the tables; each
 * serve_kinesis_*.c a family of operations.
 *
 * Threads: the server thread only.
 */
#ifndef POLLARD_LOCAL_SERVE_KINESIS_H
#define POLLARD_LOCAL_SERVE_KINESIS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "local/request.h"
#include "local/input.h"
#include "local/stream.h"

#define KINESIS_PAGE_LIMIT 10000
#define KINESIS_PAGE_BYTES (10u << 20)

struct kinesis_record {
    struct bytes data, key, hash_key; // hash_key: ExplicitHashKey
};

struct kinesis_filter {
    struct bytes type, shard;
    struct input_int time;
};

struct kinesis_mode {
    struct bytes mode;
};

struct kinesis_start { // of an iterator, or a subscription
    struct bytes type, sequence;
    struct input_int time;
};

struct kinesis_input {
    struct bytes name, arn;
    struct kinesis_record record; // of PutRecord
    struct vector records;        // struct kinesis_record
    struct bytes shard, iterator;
    struct kinesis_start start;
    struct input_int limit, max_results;
    struct bytes consumer, consumer_arn;
    struct bytes next_token, after_shard, after_stream;
    struct kinesis_filter filter;
    struct kinesis_mode mode;
    struct input_int shard_count, target_count, hours, record_kib;
    struct bytes scaling_type;
    struct bytes split_shard, split_key, merge_shard, merge_adjacent;
    struct vector tags; // pairs
};

static inline struct kinesis_input *
serve_kinesis_input(const struct request *request)
{
    return request->input;
}

/* The stream that is named by name or ARN; NULL: it failed. */
struct stream *serve_kinesis_stream(struct request *request);

/* A shard of it; NULL: it failed. */
struct shard *serve_kinesis_shard(struct request *request,
                                  const struct stream *stream, struct bytes id);

const char *serve_kinesis_arn(struct request *request,
                              const struct stream *stream);

/* Fails with ValidationException unless it is given and in range. */
bool serve_kinesis_check_range(struct request *request, const char *name,
                               const struct input_int *value, int64_t least,
                               int64_t most);

/* "HashKeyRange":{"StartingHashKey":..,"EndingHashKey":..} */
void serve_kinesis_write_range(struct request *request,
                               const struct shard *shard);

/* A shard as the lists show it. */
void serve_kinesis_write_shard(struct request *request,
                               const struct shard *shard);

/* The name of the stream that the request's iterator is of; empty: none. */
struct bytes serve_kinesis_resource_of_iterator(const struct request *request);

/* Fails with ValidationException unless it may be a stream's or consumer's
 * name; `what` names the parameter. */
bool serve_kinesis_check_name(struct request *request, const char *what,
                              struct bytes name);

/* False: it failed. */
bool serve_kinesis_find_position(struct request *request,
                                 const struct shard *shard,
                                 const struct kinesis_start *start,
                                 uint64_t *position);

/* The members of a SubscribeToShardEvent with so many records from a position.
 * True: this was the shard's end. */
bool serve_kinesis_write_event(struct request *request,
                               const struct stream *stream,
                               const struct shard *shard, uint64_t position,
                               size_t count);

/* Something happened to a stream that its subscriptions may tell of. */
void serve_kinesis_wake(struct server *server, uint32_t stream);

/* Operations. */
enum step serve_kinesis_create_stream(struct request *request);
enum step serve_kinesis_delete_stream(struct request *request);
enum step serve_kinesis_describe_stream(struct request *request);
enum step serve_kinesis_describe_stream_summary(struct request *request);
enum step serve_kinesis_list_streams(struct request *request);
enum step serve_kinesis_list_shards(struct request *request);
enum step serve_kinesis_get_shard_iterator(struct request *request);
enum step serve_kinesis_get_records(struct request *request);
enum step serve_kinesis_register_consumer(struct request *request);
enum step serve_kinesis_deregister_consumer(struct request *request);
enum step serve_kinesis_describe_consumer(struct request *request);
enum step serve_kinesis_list_consumers(struct request *request);
enum step serve_kinesis_subscribe(struct request *request);
enum step serve_kinesis_put_record(struct request *request);
enum step serve_kinesis_put_records(struct request *request);
enum step serve_kinesis_split_shard(struct request *request);
enum step serve_kinesis_merge_shards(struct request *request);
enum step serve_kinesis_update_shard_count(struct request *request);
enum step serve_kinesis_increase_retention(struct request *request);
enum step serve_kinesis_decrease_retention(struct request *request);
enum step serve_kinesis_update_record_size(struct request *request);

#endif
