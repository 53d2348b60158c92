/*
 * local_stage: the embedded server with a queue and a stream on it, a session
 * and a client to fill and inspect them, and the `ledger` handler whose lines
 * are counted: what integration tests of pollers and keepers stand on.
 */
#ifndef POLLARD_LOCAL_STAGE_H
#define POLLARD_LOCAL_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/aws_config.h"
#include "base/log.h"
#include "handler/handler_config.h"

#define LOCAL_STAGE_WAIT_MS 60000 // for what must happen

struct aws_client;
struct aws_session;
struct handler;
struct local;

struct local_stage {
    struct local *local; // owned
    struct aws_config aws_config;
    struct aws_session *session; // owned
    struct aws_client *client;   // owned; the test's thread's
    struct log_sink sink;        // into a memory file
    struct log log;
    char *folder; // owned
    char *ledger; // owned; a path
    struct handler_config handler_config;
    struct handler *handler; // owned; NULL until opened
};

/* faults: as local_options has them; NULL: none. */
void local_stage_init(struct local_stage *stage, const char *faults);
void local_stage_finish(struct local_stage *stage);

/* The ledger, with more settings as JSON members ("\"delay_ms\":5"), or "". */
void local_stage_open_handler(struct local_stage *stage, const char *settings,
                              int64_t concurrency);

void local_stage_create_queue(struct local_stage *stage, const char *queue);
void local_stage_create_stream(struct local_stage *stage, const char *stream,
                               unsigned shards);

/* Messages "<prefix>0", "<prefix>1", ...; group: of a FIFO queue, or NULL. */
void local_stage_send(struct local_stage *stage, const char *queue,
                      const char *prefix, size_t count, const char *group);
/* Records alike, all with this partition key. */
void local_stage_put(struct local_stage *stage, const char *stream,
                     const char *prefix, size_t count, const char *key);

/* What the queue says it has, visible and hidden. */
void local_stage_count(struct local_stage *stage, const char *queue,
                       size_t *visible, size_t *hidden);

/* Any call, with its JSON body; fails the test when it fails. Returns the
 * answer; caller frees. */
char *local_stage_call(struct local_stage *stage, const char *operation,
                       const char *json);

/* Lines in the ledger whose data begins with this; distinct ones, each once. */
size_t local_stage_handled(const struct local_stage *stage, const char *prefix);
size_t local_stage_handled_once(const struct local_stage *stage,
                                const char *prefix);

/* Lines of the ledger in their order, terminated by NULL; one allocation that
 * the caller frees. */
char **local_stage_lines(const struct local_stage *stage);

/* Nap until so many distinct ones were handled; fails the test when it takes
 * too long. */
void local_stage_wait_handled(const struct local_stage *stage,
                              const char *prefix, size_t count);

/* A nap within a bounded wait: fails the test once deadline_ms has passed. */
void local_stage_nap(int64_t deadline_ms);
int64_t local_stage_deadline_ms(void);

#endif
