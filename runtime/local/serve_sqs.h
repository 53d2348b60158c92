/*
 * serve_sqs: the operations of SQS, in JSON 1.0 and Query/XML alike, on the
 * queues of queue.h. serve_sqs.c has the tables; each serve_sqs_*.c a family of
 * operations.
 *
 * Threads: the server thread only.
 */
#ifndef POLLARD_LOCAL_SERVE_SQS_H
#define POLLARD_LOCAL_SERVE_SQS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "local/api_error.h"
#include "local/request.h"
#include "local/input.h"
#include "local/queue.h"

#define SQS_BATCH_LIMIT 10
#define SQS_SIZE_LIMIT (1 << 20) // of a message, and of a batch

/* A user's or system attribute as it came. */
struct sqs_attribute {
    struct bytes name; // first: see INPUT_NAMED
    struct bytes type, text, binary;
};

/* A message, or a receipt: the fields of a single request as well as those of a
 * batch's entry. */
struct sqs_entry {
    struct bytes id, receipt, body, dedup_id, group_id;
    struct input_int delay_s, visibility_s;
    struct vector attributes, system_attributes; // struct sqs_attribute
};

struct sqs_input {
    struct sqs_entry entry; // of a single request
    struct vector entries;  // struct sqs_entry
    struct bytes queue_url, queue_name, prefix, next_token, attempt_id;
    struct input_int wanted, wait_s, page;
    struct vector attribute_names, system_names, message_names; // texts
    struct vector attributes, tags;                             // pairs
    struct vector tag_keys;                                     // texts
};

/* Why an entry, or a whole request, is refused. Zeroed: it is not. */
struct sqs_problem {
    bool is;
    enum api_error error;
    const char *text; // in the request's arena, or static
};

/* Returns false, as the last statement of a check. */
bool serve_sqs_problem(struct request *request, struct sqs_problem *problem,
                       enum api_error error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

enum step serve_sqs_refuse(struct request *request,
                           const struct sqs_problem *problem);

static inline struct sqs_input *serve_sqs_input(const struct request *request)
{
    return request->input;
}

/* The queue of QueueUrl, cleared of what is too old; NULL: it failed. */
struct queue *serve_sqs_queue(struct request *request);

/* Name and ARN, in the arena. */
const char *serve_sqs_arn(struct request *request, const struct queue *queue);
const char *serve_sqs_url(struct request *request, const struct queue *queue);

/* The dead-letter queue to which this one's messages go, or NULL. */
struct queue *serve_sqs_dead_letter(const struct request *request,
                                    const struct queue *queue);

/*
 * Batches: the frame around single entries.
 */
struct sqs_batch {
    const char *element; // what XML calls a result
    /* Do one entry; what it writes are the result's members after Id. False:
     * the problem says why. */
    bool (*run)(struct request *request, struct queue *queue,
                const struct sqs_entry *entry, struct sqs_problem *problem);
};

enum step serve_sqs_run_batch(struct request *request,
                              const struct sqs_batch *batch);

/* The same for a request that is one entry. */
enum step serve_sqs_run_single(struct request *request,
                               const struct sqs_batch *batch);

/* In sqs_attributes.c. Apply attributes to settings; `creating` allows those
 * that cannot be changed later. */
bool serve_sqs_set_attributes(struct request *request,
                              const struct vector *pairs, bool creating,
                              struct queue_settings *settings,
                              struct list *kept, struct sqs_problem *problem);

/* The value of a queue's attribute, in the arena; NULL: it has none. */
const char *serve_sqs_attribute_value(struct request *request,
                                      const struct queue *queue,
                                      struct bytes name);

/* Set or replace in a list of struct queue_pair. */
void serve_sqs_pair_set(struct list *pairs, struct bytes name,
                        struct bytes value);
struct queue_pair *serve_sqs_pair_find(const struct list *pairs,
                                       struct bytes name);
void serve_sqs_pair_destroy(struct queue_pair *pair);

/* Operations. */
enum step serve_sqs_create_queue(struct request *request);
enum step serve_sqs_get_queue_url(struct request *request);
enum step serve_sqs_list_queues(struct request *request);
enum step serve_sqs_list_dead_letter_sources(struct request *request);
enum step serve_sqs_delete_queue(struct request *request);
enum step serve_sqs_purge_queue(struct request *request);
enum step serve_sqs_get_queue_attributes(struct request *request);
enum step serve_sqs_set_queue_attributes(struct request *request);
enum step serve_sqs_tag_queue(struct request *request);
enum step serve_sqs_untag_queue(struct request *request);
enum step serve_sqs_list_queue_tags(struct request *request);
enum step serve_sqs_send_message(struct request *request);
enum step serve_sqs_send_message_batch(struct request *request);
enum step serve_sqs_receive_message(struct request *request);
enum step serve_sqs_delete_message(struct request *request);
enum step serve_sqs_delete_message_batch(struct request *request);
enum step serve_sqs_change_visibility(struct request *request);
enum step serve_sqs_change_visibility_batch(struct request *request);

#endif
