#include <stdlib.h>

#include "local/server.h"
#include "local/serve_sqs.h"
#include "local/token.h"

#define PAGE_LIMIT 1000

static const struct queue_settings defaults = {
    .visibility_ms = 30000,
    .retention_ms = (int64_t)4 * 24 * 60 * 60 * 1000,
    .size_limit = SQS_SIZE_LIMIT,
};

static bool has_fifo_ending(struct bytes name)
{
    return name.size > 5 && memcmp(name.data + name.size - 5, ".fifo", 5) == 0;
}

static bool check_name(struct request *request, struct bytes name,
                       struct sqs_problem *problem)
{
    size_t end = has_fifo_ending(name) ? name.size - 5 : name.size;
    bool good = name.size >= 1 && name.size <= 80;

    for (size_t i = 0; good && i < end; i++) {
        char c = name.data[i];

        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               (c >= '0' && c <= '9') || c == '-' || c == '_';
    }
    return good ||
           serve_sqs_problem(request, problem, API_INVALID_PARAMETER,
                             "Can only include alphanumeric characters, "
                             "hyphens, or underscores. 1 to 80 in length");
}

// What was asked for must be what the queue has.
static bool check_same(struct request *request, const struct queue *queue,
                       struct sqs_problem *problem)
{
    const struct vector *list = &serve_sqs_input(request)->attributes;
    const struct input_pair *pairs = list->items;

    for (size_t i = 0; i < list->count; i++) {
        const char *value =
            serve_sqs_attribute_value(request, queue, pairs[i].name);

        if (!value || !bytes_equal(bytes_of(value), pairs[i].value))
            return serve_sqs_problem(
                request, problem, API_QUEUE_NAME_EXISTS,
                "A queue already exists with the same name and "
                "a different value for attribute %.*s",
                BYTES_ARGS(pairs[i].name));
    }
    return true;
}

static bool check_fifo(struct request *request, struct bytes name, bool fifo,
                       struct sqs_problem *problem)
{
    if (has_fifo_ending(name) == fifo)
        return true;
    return serve_sqs_problem(
        request, problem, API_INVALID_PARAMETER, "%s",
        fifo ? "The name of a FIFO queue can only include "
               "alphanumeric characters, hyphens, or "
               "underscores, must end with .fifo suffix and be "
               "1 to 80 in length."
             : "The name of a queue that is not FIFO cannot end "
               "with .fifo");
}

static void set_tags(struct request *request, struct queue *queue)
{
    const struct vector *list = &serve_sqs_input(request)->tags;
    const struct input_pair *tags = list->items;

    for (size_t i = 0; i < list->count; i++)
        serve_sqs_pair_set(&queue->tags, tags[i].name, tags[i].value);
}

static struct queue *create(struct request *request, struct bytes name,
                            struct sqs_problem *problem)
{
    struct server *server = request->server;
    struct queue *queue = queue_create(name, ++server->last_id, &defaults,
                                       &server->timers, server->now_ms);

    if (!serve_sqs_set_attributes(
            request, &serve_sqs_input(request)->attributes, true,
            &queue->settings, &queue->attributes, problem) ||
        !check_fifo(request, name, queue->settings.fifo, problem)) {
        queue_destroy(queue);
        return NULL;
    }
    set_tags(request, queue);
    server_add_queue(server, queue);
    return queue;
}

enum step serve_sqs_create_queue(struct request *request)
{
    struct bytes name = serve_sqs_input(request)->queue_name;
    struct sqs_problem problem = {0};
    struct queue *queue;

    if (!name.data)
        return request_fail(
            request, API_MISSING_PARAMETER,
            "The request must contain the parameter QueueName.");
    if (!check_name(request, name, &problem))
        return serve_sqs_refuse(request, &problem);
    queue = server_queue(request->server, name);
    if (queue && !check_same(request, queue, &problem))
        return serve_sqs_refuse(request, &problem);
    if (!queue)
        queue = create(request, name, &problem);
    if (!queue)
        return serve_sqs_refuse(request, &problem);
    writer_text(&request->writer, "QueueUrl",
                bytes_of(serve_sqs_url(request, queue)));
    return STEP_REPLY;
}

enum step serve_sqs_get_queue_url(struct request *request)
{
    struct bytes name = serve_sqs_input(request)->queue_name;
    const struct queue *queue;

    if (!name.data)
        return request_fail(
            request, API_MISSING_PARAMETER,
            "The request must contain the parameter QueueName.");
    queue = server_queue(request->server, name);
    if (!queue)
        return request_fail(request, API_QUEUE_DOES_NOT_EXIST,
                            "The specified queue does not exist.");
    writer_text(&request->writer, "QueueUrl",
                bytes_of(serve_sqs_url(request, queue)));
    return STEP_REPLY;
}

enum step serve_sqs_delete_queue(struct request *request)
{
    struct queue *queue = serve_sqs_queue(request);

    if (!queue)
        return STEP_REPLY;
    server_remove_queue(request->server, queue);
    return STEP_REPLY;
}

enum step serve_sqs_purge_queue(struct request *request)
{
    struct queue *queue = serve_sqs_queue(request);

    if (queue)
        queue_purge(queue);
    return STEP_REPLY;
}

static bool starts_with(struct bytes text, struct bytes start)
{
    return text.size >= start.size &&
           (!start.size || memcmp(text.data, start.data, start.size) == 0);
}

static bool is_listed_by_prefix(const struct request *request,
                                const struct queue *queue)
{
    return starts_with(bytes_of(queue->name), serve_sqs_input(request)->prefix);
}

static bool is_source(const struct request *request, const struct queue *queue)
{
    const char *dead_letter = queue->settings.dead_letter;

    return dead_letter && bytes_equal(bytes_of(dead_letter), request->resource);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct queue *const *)a)->name,
                  (*(struct queue *const *)b)->name);
}

// All that are to be listed, sorted by name: the token of a page is the last
// name on it.
static void collect(struct request *request, struct bytes after,
                    bool (*is_listed)(const struct request *request,
                                      const struct queue *queue),
                    struct vector *found)
{
    const struct map *queues = &request->server->queues;
    const char *name = arena_copy(&request->arena, after);

    for (size_t i = 0; i < queues->size; i++)
        for (struct map_node *node = queues->buckets[i]; node;
             node = node->next) {
            struct queue *queue = LIST_ITEM(node, struct queue, node);

            if (is_listed(request, queue) && strcmp(queue->name, name) > 0)
                *(struct queue **)vector_add(found, &request->arena,
                                             sizeof(struct queue *)) = queue;
        }
    if (found->count)
        qsort(found->items, found->count, sizeof(struct queue *), by_name);
}

static void write_token(struct request *request, const struct queue *last)
{
    char text[TOKEN_TEXT_LIMIT];

    (void)token_write(request->server->secret, TOKEN_NAME, bytes_of(last->name),
                      text);
    writer_text(&request->writer, "NextToken", bytes_of(text));
}

static enum step write_list(struct request *request, const char *name,
                            bool (*is_listed)(const struct request *request,
                                              const struct queue *queue))
{
    const struct sqs_input *in = serve_sqs_input(request);
    size_t page = in->page.given ? (size_t)in->page.value : PAGE_LIMIT;
    struct vector found = {0};
    struct queue **queues;
    char after[TOKEN_DATA_LIMIT];
    size_t after_size = 0;

    if (in->page.given && (in->page.value < 1 || in->page.value > PAGE_LIMIT))
        return request_fail(request, API_INVALID_PARAMETER,
                            "Value for parameter MaxResults is invalid. "
                            "Reason: MaxResults must be an integer between 1 "
                            "and 1000.");
    if (in->next_token.size && !token_read(request->server->secret, TOKEN_NAME,
                                           in->next_token, after, &after_size))
        return request_fail(request, API_INVALID_PARAMETER,
                            "Invalid or expired next token.");
    collect(request, (struct bytes){after, after_size}, is_listed, &found);
    queues = found.items;
    if (found.count)
        writer_list(&request->writer, name);
    for (size_t i = 0; i < found.count && i < page; i++)
        writer_item_text(&request->writer, "QueueUrl",
                         bytes_of(serve_sqs_url(request, queues[i])));
    if (found.count)
        writer_list_end(&request->writer);
    if (found.count > page && in->page.given)
        write_token(request, queues[page - 1]);
    return STEP_REPLY;
}

enum step serve_sqs_list_queues(struct request *request)
{
    return write_list(request, "QueueUrls", is_listed_by_prefix);
}

// The member's name begins with a lower-case letter, in AWS too.
enum step serve_sqs_list_dead_letter_sources(struct request *request)
{
    if (!serve_sqs_queue(request))
        return STEP_REPLY;
    return write_list(request, "queueUrls", is_source);
}

enum step serve_sqs_tag_queue(struct request *request)
{
    struct queue *queue = serve_sqs_queue(request);

    if (queue)
        set_tags(request, queue);
    return STEP_REPLY;
}

enum step serve_sqs_untag_queue(struct request *request)
{
    const struct vector *list = &serve_sqs_input(request)->tag_keys;
    const struct bytes *keys = list->items;
    struct queue *queue = serve_sqs_queue(request);

    if (!queue)
        return STEP_REPLY;
    for (size_t i = 0; i < list->count; i++) {
        struct queue_pair *pair = serve_sqs_pair_find(&queue->tags, keys[i]);

        if (pair)
            serve_sqs_pair_destroy(pair);
    }
    return STEP_REPLY;
}

enum step serve_sqs_list_queue_tags(struct request *request)
{
    const struct queue *queue = serve_sqs_queue(request);
    struct list *link;

    if (!queue)
        return STEP_REPLY;
    if (list_is_empty(&queue->tags))
        return STEP_REPLY;
    writer_map(&request->writer, "Tags");
    for (link = queue->tags.next; link != &queue->tags; link = link->next) {
        const struct queue_pair *pair =
            LIST_ITEM(link, struct queue_pair, link);

        writer_pair(&request->writer, "Tag", bytes_of(pair->name),
                    bytes_of(pair->value));
    }
    writer_map_end(&request->writer);
    return STEP_REPLY;
}
