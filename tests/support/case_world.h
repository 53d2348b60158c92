/*
 * case_world: a case of tests/conformance in virtual time: a queue, or a stream
 * of shards, that the case's records arrive in, a handler that does what the
 * case says by call, and the pipeline between them, set up from the case's
 * settings as a user would write them. What happened is left as JSON, in the
 * case's own words (tests/conformance/README.md).
 *
 * Threads: one.
 */
#ifndef POLLARD_TEST_CASE_WORLD_H
#define POLLARD_TEST_CASE_WORLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "poller/counts.h"
#include "record/record.h"
#include "source/sqs_collect.h"

struct case_leases;
struct pipeline;
struct settings;
struct settings_file;
struct stream_start;

#define CASE_START_MS 1000000      // monotonic
#define CASE_WALL_MS 1700000100000 // a whole quarter of an hour
#define CASE_ARRIVES_MS \
    (CASE_WALL_MS - 900000)              // records' `arrives` counts
                                         // from here
#define CASE_UNTIL_MS (24 * 3600 * 1000) // nothing goes on for longer
#define CASE_RUNNING 64                  // calls at once, at the most
#define CASE_SHARDS 8

struct case_message {
    const json_t *spec; // borrowed
    const char *name;   // borrowed from the case
    const char *key;    // the same; "" is none
    char *id, *data;    // owned
    size_t data_size;
    size_t shard;                    // its index
    int life;                        // 2: it comes between two workers
    int64_t comes_ms, arrived_at_ms; // monotonic; what the server says, wall
    enum { CASE_COMING, CASE_VISIBLE, CASE_HIDDEN, CASE_GONE } state;
    int64_t visible_ms;
    uint32_t receive_count;
};

/* A shard; a queue is one, too. */
struct case_shard {
    const char *name, *parent; // borrowed from the case; NULL: none
    char id[64];
    struct record_origin origin;
    struct pipeline *pipeline;     // owned; NULL: nobody reads it
    bool closes;                   // nothing follows its records
    bool has_ended;                // its pipeline knows
    size_t next;                   // the message to be read next
    struct pipeline_counts counts; // of pipelines that are gone
};

struct case_call {
    struct batch *batch;
    struct case_shard *shard;
    const json_t *result; // borrowed from the case
    int64_t ends_ms;
};

struct case_world {
    const json_t *spec; // borrowed
    struct settings_file *file;
    struct settings *settings;
    struct filter *filter; // owned; NULL: none
    bool is_queue, is_fifo, has_destination;
    int64_t visibility_ms;
    int life; // 1, or 2 after a restart

    struct case_message *messages; // owned; in order
    size_t count;
    struct case_shard shards[CASE_SHARDS];
    size_t shard_count;
    struct case_leases *leases; // owned; NULL: there is one shard, read from
                                // the beginning
    struct case_call running[CASE_RUNNING];
    size_t running_count, most_running;
    int64_t now_ms;
    unsigned *used; // owned; how often each of the handler's results was
    struct sqs_collect collect;
    struct digest *digest; // owned

    // Owned; what happened, in order. The texts of events and of reports.
    json_t *invocations, *checkpoints, *reports, *again, *returned, *told;
    json_t *events, *documents;
    json_t *objects; // names of those in a bucket
};

/* A problem with the settings fails the test. */
void case_world_init(struct case_world *world, const json_t *spec);
void case_world_finish(struct case_world *world);

/* Until nothing more happens, or the case's `until`. */
void case_world_run(struct case_world *world);

/* Of all its pipelines. */
void case_world_counts(const struct case_world *world,
                       struct pipeline_counts *counts);

/* The message by its name; NULL: none. */
struct case_message *case_world_find(const struct case_world *world,
                                     const char *name);

/* By its id; there must be one. */
struct case_message *case_world_message(const struct case_world *world,
                                        struct bytes id);

/* The wall clock now. */
int64_t case_world_wall_ms(const struct case_world *world);

// ---- For case_leases ----

/* Begin to read a shard, with a tumbling window that goes on, or NULL. */
void case_world_open(struct case_world *world, struct case_shard *shard,
                     const struct stream_start *start, const char *window);
void case_world_close(struct case_world *world, struct case_shard *shard);

/* Its reader has handled all that the case puts into it in this life. */
bool case_world_is_through(const struct case_world *world,
                           const struct case_shard *shard);

#endif
