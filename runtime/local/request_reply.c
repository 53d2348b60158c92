#include "local/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "local/server.h"

// Large replies are kept too, since a drain asks for the same size again.
#define REPLY_KEEP_LIMIT (16u << 20)
#define REPLIES_KEPT 8

static struct reply *take_reply(struct server *server)
{
    struct list *link = list_first(&server->replies);
    struct reply *reply;

    if (link) {
        list_remove(link);
        server->reply_count--;
        return LIST_ITEM(link, struct reply, link);
    }
    reply = mem_calloc(1, sizeof(*reply));
    reply->server = server;
    list_init(&reply->link);
    buffer_init(&reply->buffer, REQUEST_REPLY_LIMIT);
    return reply;
}

void reply_release(struct reply *reply)
{
    if (!reply)
        return;
    buffer_clear(&reply->buffer);
    if (reply->buffer.capacity > REPLY_KEEP_LIMIT)
        buffer_finish(&reply->buffer);
    if (reply->server->reply_count == REPLIES_KEPT) {
        buffer_finish(&reply->buffer);
        free(reply);
        return;
    }
    list_push_front(&reply->server->replies, &reply->link);
    reply->server->reply_count++;
}

static void begin_xml(struct request *request)
{
    const char *name = request->operation->name;

    buffer_printf(request->writer.out,
                  "<?xml version=\"1.0\"?><%sResponse xmlns=\"%s\"><%sResult>",
                  name, request->service->xml_namespace, name);
}

static void end_xml(struct request *request)
{
    const char *name = request->operation->name;

    buffer_printf(request->writer.out,
                  "</%sResult><ResponseMetadata><RequestId>%s</RequestId>"
                  "</ResponseMetadata></%sResponse>",
                  name, request->request_id, name);
}

static enum writer_format format_of(enum protocol protocol)
{
    switch (protocol) {
    case PROTOCOL_CBOR:
        return WRITER_CBOR;
    case PROTOCOL_QUERY:
        return WRITER_XML;
    case PROTOCOL_JSON:
    case PROTOCOL_ADMIN:
        break;
    }
    return WRITER_JSON;
}

static const char *content_type_of(const struct request *request)
{
    switch (request->protocol) {
    case PROTOCOL_CBOR:
        return "application/x-amz-cbor-1.1";
    case PROTOCOL_QUERY:
        return "text/xml";
    case PROTOCOL_JSON:
        return request->service ? request->service->json_type
                                : "application/x-amz-json-1.0";
    case PROTOCOL_ADMIN:
        break;
    }
    return "application/json";
}

static void begin(struct request *request)
{
    if (!request->reply)
        request->reply = take_reply(request->server);
    buffer_clear(&request->reply->buffer);
    request->writer = (struct writer){.format = format_of(request->protocol),
                                      .out = &request->reply->buffer};
    request->status = 200;
    request->content_type = content_type_of(request);
}

void request_begin_result(struct request *request)
{
    begin(request);
    if (request->protocol == PROTOCOL_QUERY)
        begin_xml(request);
    else
        writer_open(&request->writer, NULL);
}

void request_end_result(struct request *request)
{
    struct buffer *out = request->writer.out;

    if (request->protocol == PROTOCOL_QUERY) {
        end_xml(request);
        return;
    }
    if (out->size == 1 && request->service->empty_bodies) {
        buffer_clear(out);
        return;
    }
    writer_close(&request->writer, NULL);
}

static void fail_xml(struct request *request, const struct api_error_info *info,
                     const char *message)
{
    struct writer *writer = &request->writer;
    const char *namespace = request->service
                                ? request->service->xml_namespace
                                : "http://queue.amazonaws.com/doc/2012-11-05/";

    buffer_printf(writer->out,
                  "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"%s\"><Error>",
                  namespace);
    writer_text(writer, "Type",
                bytes_of(info->receiver ? "Receiver" : "Sender"));
    writer_text(writer, "Code", bytes_of(info->query));
    writer_text(writer, "Message", bytes_of(message));
    buffer_printf(writer->out,
                  "<Detail/></Error><RequestId>%s</RequestId></ErrorResponse>",
                  request->request_id);
}

static void fail_object(struct request *request,
                        const struct api_error_info *info, const char *message)
{
    struct writer *writer = &request->writer;
    const char *prefix = request->service ? request->service->error_prefix : "";

    writer_open(writer, NULL);
    writer_text(
        writer, "__type",
        bytes_of(arena_printf(&request->arena, "%s%s", prefix, info->type)));
    writer_text(writer, "message", bytes_of(message));
    writer_close(writer, NULL);
}

enum step request_fail_with(struct request *request,
                            const struct api_error_info *info,
                            const char *message)
{
    bool xml = request->protocol == PROTOCOL_QUERY;

    begin(request);
    request->error_type = arena_copy(&request->arena, bytes_of(info->type));
    request->error_text = arena_copy(&request->arena, bytes_of(message));
    request->status = info->status;
    if (xml)
        fail_xml(request, info, message);
    else
        fail_object(request, info, message);
    if (!xml && request->service && request->service->query_header)
        request->query_error =
            arena_printf(&request->arena, "%s;%s", info->query,
                         info->receiver ? "Receiver" : "Sender");
    return STEP_REPLY;
}

enum step request_fail(struct request *request, enum api_error error,
                       const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return request_fail_with(request, api_error_info(error), message);
}
