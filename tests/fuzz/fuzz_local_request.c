/*
 * fuzz_local_request: whatever comes as a request, the embedded server answers,
 * waits or closes, and its state stays whole. The input is requests, each after
 * the other: a byte for the protocol, one for the operation, two for the body's
 * size, and the body.
 */
#include "local/request.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "local/server.h"
#include "local/services.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUESTS 20

struct input {
    const uint8_t *at, *end;
};

static unsigned take(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

static void resume(struct request *request)
{
    (void)request;
}

static struct request *create(struct server *server)
{
    struct request *request = request_create(server);

    request->resume = resume;
    request->head.method = BYTES("POST");
    request->head.path = BYTES("/");
    request->head.host = BYTES("localhost");
    request->head.authorization = BYTES("Credential=a Signature=b");
    return request;
}

static void set_target(struct request *request, const struct service *service,
                       unsigned choice)
{
    request->head.target = bytes_of(
        arena_printf(&request->arena, "%s%s", service->target,
                     service->operations[choice % service->count].name));
}

static void set_head(struct request *request, unsigned protocol,
                     unsigned choice)
{
    switch (protocol % 5) {
    case 0:
        request->head.content_type = BYTES("application/x-amz-json-1.0");
        set_target(request, &serve_sqs_service, choice);
        break;
    case 1:
        request->head.content_type = BYTES("application/x-amz-json-1.1");
        set_target(request, &serve_kinesis_service, choice);
        break;
    case 2:
        request->head.content_type = BYTES("application/x-amz-cbor-1.1");
        set_target(request, &serve_kinesis_service, choice);
        break;
    case 3:
        buffer_printf(
            &request->body, "Action=%s&",
            serve_sqs_service.operations[choice % serve_sqs_service.count]
                .name);
        break;
    default:
        request->head.path =
            choice % 2 ? BYTES("/_pollard/faults") : BYTES("/_pollard/clock");
    }
}

static void run_text(struct server *server, struct bytes target,
                     const char *body)
{
    struct request *request = create(server);

    request->head.target = target;
    buffer_append_text(&request->body, body);
    (void)request_run(request);
    request_destroy(request);
}

// A stream is read until it has nothing to say, and after a while again.
static void read_stream(struct server *server, struct request *request)
{
    char bytes[1000];
    ssize_t size = 0;

    for (int i = 0; i < 3 && size >= 0; i++) {
        while ((size = request_read(request, bytes, sizeof(bytes))) > 0)
            ;
        server_advance(server, 5000);
    }
}

static void run_next(struct server *server, struct input *in)
{
    struct request *request = create(server);
    unsigned protocol = take(in), choice = take(in);
    size_t body = take(in) | take(in) << 8, left;
    enum step step;

    set_head(request, protocol, choice);
    left = (size_t)(in->end - in->at);
    if (body > left)
        body = left;
    buffer_append(&request->body, in->at, body);
    in->at += body;
    step = request_run(request);
    if (step == STEP_PARK) {
        server_advance(server, 20000);
        step = request_run(request);
    }
    if (step == STEP_STREAM)
        read_stream(server, request);
    request_undo(request);
    request_destroy(request);
}

// What is made at the start is called the same each time.
static int64_t fixed_ms(const struct clock *clock)
{
    (void)clock;
    return INT64_C(1795369143000);
}

static const struct clock fixed_clock = {fixed_ms, fixed_ms};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct server *server =
        server_create(&(struct server_options){.region = "us-east-1",
                                               .account = "000000000000",
                                               .seed = 1,
                                               .clock = &fixed_clock});
    struct input in = {data, data + size};

    run_text(server, BYTES("AmazonSQS.CreateQueue"), "{\"QueueName\":\"q\"}");
    run_text(server, BYTES("AmazonSQS.CreateQueue"),
             "{\"QueueName\":\"q.fifo\",\"Attributes\":{\"FifoQueue\":\"true\","
             "\"ContentBasedDeduplication\":\"true\"}}");
    run_text(server, BYTES("Kinesis_20131202.CreateStream"),
             "{\"StreamName\":\"s\",\"ShardCount\":2}");
    run_text(server, BYTES("Kinesis_20131202.RegisterStreamConsumer"),
             "{\"StreamARN\":\"arn:aws:kinesis:us-east-1:000000000000:stream/s"
             "\",\"ConsumerName\":\"c\"}");
    for (int i = 0; i < REQUESTS && in.at < in.end; i++)
        run_next(server, &in);
    server_destroy(server);
    return 0;
}
