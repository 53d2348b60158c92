/*
 * case_world: a case of tests/conformance in virtual time: a queue or a shard
 * that the case's records arrive in, a handler that does what the case says by
 * call, and the pipeline between them, set up from the case's settings as a
 * user would write them. What happened is left as JSON, in the case's own words
 * (tests/conformance/README.md).
 *
 * Threads: one.
 */
#ifndef POLLARD_TEST_CASE_WORLD_H
#define POLLARD_TEST_CASE_WORLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct pipeline;
struct settings;
struct settings_file;

#define CASE_START_MS 1000000            // monotonic
#define CASE_WALL_MS 1700000100000       // a whole quarter of an hour
#define CASE_UNTIL_MS (24 * 3600 * 1000) // nothing goes on for longer
#define CASE_RUNNING 64                  // calls at once, at the most

struct case_message {
    const char *name; // borrowed from the case
    const char *key;  // the same; "" is none
    char *id, *data;  // owned
    size_t data_size;
    char *creation;             // owned; DynamoDB: eventName
    int64_t arrives_ms, age_ms; // how old it is then
    enum { CASE_COMING, CASE_VISIBLE, CASE_HIDDEN, CASE_GONE } state;
    int64_t visible_ms;
    uint32_t receive_count;
};

struct case_call {
    struct batch *batch;
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

    struct case_message *messages; // owned; in order
    size_t count, next;            // a shard's: the next to be read
    struct pipeline *pipeline;
    struct case_call running[CASE_RUNNING];
    size_t running_count;
    int64_t now_ms;
    unsigned *used; // owned; how often each of the handler's results was

    // Owned; what happened, in order.
    json_t *invocations, *checkpoints, *reports, *again, *returned, *told;
};

/* The case's settings as a whole file; for refusals too. Caller frees. */
char *case_settings_text(const json_t *spec);

/* A problem with the settings fails the test. */
void case_world_init(struct case_world *world, const json_t *spec);
void case_world_finish(struct case_world *world);

/* Until nothing more happens, or the case's `until`. */
void case_world_run(struct case_world *world);

/* The message by its name; NULL: none. */
struct case_message *case_world_find(const struct case_world *world,
                                     const char *name);

#endif
