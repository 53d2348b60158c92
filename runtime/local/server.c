#include "local/server.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "local/request.h"
#include "local/queue.h"
#include "local/stream.h"
#include "local/text.h"

struct server *server_create(const struct server_options *options)
{
    struct server *server = mem_calloc(1, sizeof(*server));

    server->region = mem_strdup(options->region);
    server->account = mem_strdup(options->account);
    server->clock = options->clock;
    if (options->log)
        server->log = *options->log;
    server->random.state = options->seed;
    server->secret = random_next(&server->random);
    faults_init(&server->faults, random_next(&server->random));
    server->offset_ms =
        clock_wall_ms(server->clock) - clock_now_ms(server->clock);
    server->digest = digest_create();
    list_init(&server->requests);
    list_init(&server->subscriptions);
    list_init(&server->replies);
    server_update_now(server);
    return server;
}

static void destroy_queues(struct server *server)
{
    struct map *queues = &server->queues;

    for (size_t i = 0; i < queues->size; i++)
        while (queues->buckets[i])
            server_remove_queue(
                server, LIST_ITEM(queues->buckets[i], struct queue, node));
    map_finish(queues);
}

static void destroy_streams(struct server *server)
{
    struct map *streams = &server->streams;

    for (size_t i = 0; i < streams->size; i++)
        while (streams->buckets[i])
            server_remove_stream(
                server, LIST_ITEM(streams->buckets[i], struct stream, node));
    map_finish(streams);
    map_finish(&server->streams_by_id);
}

static void destroy_replies(struct list *replies)
{
    struct list *link;

    while ((link = list_first(replies))) {
        struct reply *reply = LIST_ITEM(link, struct reply, link);

        list_remove(link);
        buffer_finish(&reply->buffer);
        free(reply);
    }
}

void server_destroy(struct server *server)
{
    if (!server)
        return;
    assert(list_is_empty(&server->requests));
    destroy_queues(server);
    destroy_streams(server);
    destroy_replies(&server->replies);
    faults_finish(&server->faults);
    timers_finish(&server->timers);
    digest_destroy(server->digest);
    free(server->region);
    free(server->account);
    free(server);
}

void server_update_now(struct server *server)
{
    server->now_ms = clock_now_ms(server->clock) + server->offset_ms;
}

void server_advance(struct server *server, int64_t ms)
{
    server->offset_ms += ms;
    server_update_now(server);
    server_run_timers(server);
}

void server_run_timers(struct server *server)
{
    struct timer *timer;

    while ((timer = timers_take(&server->timers, server->now_ms))) {
        switch (timer->kind) {
        case TIMER_MESSAGE:
            queue_message_due(LIST_ITEM(timer, struct message, timer));
            break;
        case TIMER_REQUEST:
            request_due(timer);
            break;
        }
    }
}

int64_t server_idle_ms(struct server *server, int64_t limit_ms)
{
    server_update_now(server);
    return clock_until_ms(timers_next_ms(&server->timers), server->now_ms,
                          limit_ms);
}

void server_uuid(struct server *server, char uuid[37])
{
    uint64_t high = random_next(&server->random);

    text_uuid(high, random_next(&server->random), uuid);
}

struct queue *server_queue(const struct server *server, struct bytes name)
{
    struct map_node *node = map_find(&server->queues, name);

    return node ? LIST_ITEM(node, struct queue, node) : NULL;
}

struct stream *server_stream(const struct server *server, struct bytes name)
{
    struct map_node *node = map_find(&server->streams, name);

    return node ? LIST_ITEM(node, struct stream, node) : NULL;
}

static struct bytes id_key(const uint32_t *id)
{
    return (struct bytes){(const char *)id, sizeof(*id)};
}

struct stream *server_stream_by_id(const struct server *server, uint32_t id)
{
    struct map_node *node = map_find(&server->streams_by_id, id_key(&id));

    return node ? LIST_ITEM(node, struct stream, id_node) : NULL;
}

void server_add_queue(struct server *server, struct queue *queue)
{
    map_add(&server->queues, &queue->node, bytes_of(queue->name));
}

void server_remove_queue(struct server *server, struct queue *queue)
{
    map_remove(&server->queues, &queue->node);
    queue_destroy(queue);
}

void server_add_stream(struct server *server, struct stream *stream)
{
    map_add(&server->streams, &stream->node, bytes_of(stream->name));
    map_add(&server->streams_by_id, &stream->id_node, id_key(&stream->id));
}

void server_remove_stream(struct server *server, struct stream *stream)
{
    map_remove(&server->streams, &stream->node);
    map_remove(&server->streams_by_id, &stream->id_node);
    stream_destroy(stream);
}
