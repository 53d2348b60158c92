#include "base/error.h"
#include "local/input.h"
#include "local/queue.h"
#include "local/server.h"
#include "local/services.h"
#include "local/stream.h"

#define ADVANCE_LIMIT_MS (400LL * 24 * 60 * 60 * 1000)

struct admin_input {
    struct vector faults; // texts
    struct input_int advance_ms, seed;
};

static const struct input_field admin_fields[] = {
    {"faults", NULL, INPUT_TEXTS, offsetof(struct admin_input, faults), NULL},
    {"seed", NULL, INPUT_INT, offsetof(struct admin_input, seed), NULL},
    {"advance_ms", NULL, INPUT_INT, offsetof(struct admin_input, advance_ms),
     NULL},
};
static const struct input_fields admin_input_fields =
    INPUT_FIELDS(admin_fields, struct admin_input);

static enum step get_faults(struct request *request)
{
    const struct list *faults = &request->server->faults.list;
    struct writer *writer = &request->writer;

    writer_list(writer, "faults");
    for (struct list *link = faults->next; link != faults; link = link->next) {
        const struct fault *fault = LIST_ITEM(link, struct fault, link);

        writer_item(writer, NULL);
        writer_text(writer, "fault", bytes_of(fault->spec));
        writer_int(writer, "matches", fault->matches);
        writer_int(writer, "hits", fault->hits);
        writer_item_end(writer, NULL);
    }
    writer_list_end(writer);
    return STEP_REPLY;
}

// They are added all or none, so they are joined before they are read.
static enum step add_faults(struct request *request)
{
    const struct admin_input *in = request->input;
    struct faults *faults = &request->server->faults;
    const struct bytes *specs = in->faults.items;
    struct error err = {0};
    const char *all = "";

    for (size_t i = 0; i < in->faults.count; i++)
        all =
            arena_printf(&request->arena, "%s;%.*s", all, BYTES_ARGS(specs[i]));
    if (!faults_add(faults, bytes_of(all), &err))
        return request_fail(request, API_VALIDATION, "%s", err.message);
    if (in->seed.given)
        faults->random.state = (uint64_t)in->seed.value;
    return get_faults(request);
}

static enum step clear_faults(struct request *request)
{
    faults_clear(&request->server->faults);
    return get_faults(request);
}

static enum step get_clock(struct request *request)
{
    writer_int(&request->writer, "now_ms", request->server->now_ms);
    return STEP_REPLY;
}

// Never back: records are in the order of their times.
static enum step advance_clock(struct request *request)
{
    const struct input_int *ms =
        &((const struct admin_input *)request->input)->advance_ms;

    if (!ms->given || ms->value < 0 || ms->value > ADVANCE_LIMIT_MS)
        return request_fail(request, API_VALIDATION,
                            "advance_ms must be between 0 and %lld",
                            ADVANCE_LIMIT_MS);
    server_advance(request->server, ms->value);
    return get_clock(request);
}

static void write_queue(struct writer *writer, const struct queue *queue)
{
    writer_named(writer, NULL, bytes_of(queue->name));
    writer_int(writer, "sent", (int64_t)queue->sent);
    writer_int(writer, "received", (int64_t)queue->received);
    writer_int(writer, "deleted", (int64_t)queue->deleted);
    writer_int(writer, "visible", (int64_t)queue->counts[MESSAGE_READY]);
    writer_int(writer, "delayed", (int64_t)queue->counts[MESSAGE_DELAYED]);
    writer_int(writer, "in_flight", (int64_t)queue->counts[MESSAGE_IN_FLIGHT]);
    writer_int(writer, "waiting", (int64_t)queue->waiting);
    writer_named_end(writer, NULL);
}

static void write_queues(struct request *request)
{
    const struct map *queues = &request->server->queues;

    writer_map(&request->writer, "queues");
    for (size_t i = 0; i < queues->size; i++)
        for (struct map_node *node = queues->buckets[i]; node;
             node = node->next) {
            struct queue *queue = LIST_ITEM(node, struct queue, node);

            queue_expire(queue, request->server->now_ms);
            write_queue(&request->writer, queue);
        }
    writer_map_end(&request->writer);
}

static void write_streams(struct request *request)
{
    const struct map *streams = &request->server->streams;
    struct writer *writer = &request->writer;

    writer_map(writer, "streams");
    for (size_t i = 0; i < streams->size; i++)
        for (struct map_node *node = streams->buckets[i]; node;
             node = node->next) {
            struct stream *stream = LIST_ITEM(node, struct stream, node);

            writer_named(writer, NULL, bytes_of(stream->name));
            writer_int(writer, "put", (int64_t)stream->put);
            writer_int(writer, "got", (int64_t)stream->got);
            writer_int(writer, "open_shards", stream_open_count(stream));
            writer_named_end(writer, NULL);
        }
    writer_map_end(writer);
}

static enum step get_stats(struct request *request)
{
    write_queues(request);
    write_streams(request);
    return STEP_REPLY;
}

static struct bytes no_resource(const struct request *request)
{
    (void)request;
    return (struct bytes){0};
}

static const struct operation operations[] = {
    {"GET stats", get_stats},    {"GET faults", get_faults},
    {"POST faults", add_faults}, {"DELETE faults", clear_faults},
    {"GET clock", get_clock},    {"POST clock", advance_clock},
};

const struct service serve_admin_service = {
    .json_type = "application/json",
    .error_prefix = "",
    .operations = operations,
    .count = sizeof(operations) / sizeof(operations[0]),
    .input = &admin_input_fields,
    .resource = no_resource,
};
