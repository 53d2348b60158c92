/*
 * bench_client: what one call of the AWS client costs its thread: headers,
 * signature, libcurl and system calls, against a responder that answers a
 * canned ReceiveMessage of ten messages. The responder is a thread of its own;
 * only the caller's CPU time counts.
 *
 *     bench_client [calls] [in flight]
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aws/aws_config.h"
#include "aws/client.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define ANSWER_BODY 14000 // ten messages of 1 KiB

struct responder {
    int listener;
    char url[64];
    char *answer;
    size_t answer_size;
};

static void *answer_all(void *context)
{
    const struct responder *responder = context;
    char request[16384];
    int fd = accept(responder->listener, NULL, NULL);

    // Requests are small: one receive each.
    while (recv(fd, request, sizeof(request), 0) > 0)
        if (send(fd, responder->answer, responder->answer_size, MSG_NOSIGNAL) <
            0)
            break;
    (void)close(fd);
    return NULL;
}

static void listen_on_loopback(struct responder *responder)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    responder->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(responder->listener, (struct sockaddr *)&address, size) ||
        listen(responder->listener, 64) ||
        getsockname(responder->listener, (struct sockaddr *)&address, &size))
        exit(1);
    (void)snprintf(responder->url, sizeof(responder->url),
                   "http://127.0.0.1:%d", ntohs(address.sin_port));
}

static void write_answer(struct responder *responder)
{
    char *body = mem_calloc(ANSWER_BODY + 1, 1);

    memset(body, 'x', ANSWER_BODY);
    memcpy(body, "{\"Messages\":\"", 13);
    memcpy(body + ANSWER_BODY - 2, "\"}", 2);
    responder->answer =
        mem_printf("HTTP/1.1 200 OK\r\n"
                   "x-amzn-RequestId: 0123456789abcdef\r\n"
                   "Date: Sun, 22 Nov 2026 15:00:00 GMT\r\n"
                   "Content-Type: application/x-amz-json-1.0\r\n"
                   "Content-Length: %d\r\n\r\n%s",
                   ANSWER_BODY, body);
    responder->answer_size = strlen(responder->answer);
    free(body);
}

static void send_one(struct aws_client *client)
{
    static const char body[] =
        "{\"QueueUrl\":\"http://127.0.0.1:9324/000000000000/q\","
        "\"MaxNumberOfMessages\":10,\"WaitTimeSeconds\":20,"
        "\"AttributeNames\":[\"All\"],\"MessageAttributeNames\":[\"All\"],"
        "\"MessageSystemAttributeNames\":[\"All\"]}";
    struct aws_request request = {.service = AWS_SQS,
                                  .protocol = AWS_JSON_10,
                                  .operation = "ReceiveMessage"};

    buffer_init(&request.body, 4096);
    buffer_append(&request.body, body, sizeof(body) - 1);
    aws_client_send(client, &request);
}

static long run(struct aws_client *client, long calls, long in_flight)
{
    struct aws_reply reply;
    long sent = 0, failed = 0;

    for (; sent < in_flight; sent++)
        send_one(client);
    for (long done = 0; done < calls;) {
        aws_client_wait(client, 1000);
        while (aws_client_next(client, &reply)) {
            failed += !reply.ok;
            aws_reply_finish(&reply);
            done++;
            if (sent < calls) {
                send_one(client);
                sent++;
            }
        }
    }
    return failed;
}

static double microseconds(struct timeval time)
{
    return (double)time.tv_sec * 1e6 + (double)time.tv_usec;
}

int main(int argc, char **argv)
{
    long calls = argc > 1 ? atol(argv[1]) : 100000;
    long in_flight = argc > 2 ? atol(argv[2]) : 1;
    struct responder responder;
    pthread_t threads[64];
    struct aws_config config = {.endpoint_url = responder.url};
    const struct log log = {0};
    struct error err;
    struct rusage before, after;

    listen_on_loopback(&responder);
    write_answer(&responder);
    for (long i = 0; i < in_flight && i < 64; i++)
        pthread_create(&threads[i], NULL, answer_all, &responder);

    struct aws_session *session = aws_session_create(
        &(struct aws_session_options){
            .config = &config, .clock = clock_system(), .log = &log},
        &err);
    if (!session) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    struct aws_client *client = aws_client_create(&(struct aws_client_options){
        .session = session, .clock = clock_system(), .log = &log, .seed = 1});

    long failed = run(client, 1000, in_flight); // connections and keys
    getrusage(RUSAGE_THREAD, &before);
    failed += run(client, calls, in_flight);
    getrusage(RUSAGE_THREAD, &after);
    printf("calls %ld in flight %ld failed %ld: user %.1f us, system %.1f us a "
           "call\n",
           calls, in_flight, failed,
           (microseconds(after.ru_utime) - microseconds(before.ru_utime)) /
               (double)calls,
           (microseconds(after.ru_stime) - microseconds(before.ru_stime)) /
               (double)calls);
    aws_client_destroy(client);
    aws_session_destroy(session);
    return 0;
}
