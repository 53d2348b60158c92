/*
 * bench_fanout_server: a Kinesis of one stream, which knows just enough for a
 * consumer of enhanced fan-out, and pushes as fast as it is read. All frames
 * are made beforehand: what a subscription costs here is send().
 *
 *     bench_fanout_server SHARDS MEGABYTES RECORD_BYTES EVENT_RECORDS
 *
 * Each shard has so many (decimal) megabytes of records. Prints its port and
 * what a whole subscription has in bytes, then serves until it is ended.
 * HTTP/1.1, one thread a connection.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <zlib.h>

#include "base/bytes.h"
#include "base/codec.h"
#include "base/mem.h"

#define FRAMES_LIMIT ((size_t)2 << 30)
#define REQUEST_LIMIT (64u * 1024)
#define NUMBER_PREFIX "4960000000000000000000000000000000000000"
#define STREAM_ARN "arn:aws:kinesis:us-east-1:123456789012:stream/bench"

static struct {
    long shards, records, record_bytes, event_records;
    struct buffer frames; // as chunks of HTTP/1.1
    size_t *starts;       // of each event's, and the end
    size_t count;
    size_t bytes; // of the events, without the chunks' own
} stock;

static void put_number(struct buffer *out, uint32_t number)
{
    const unsigned char bytes[] = {
        (unsigned char)(number >> 24), (unsigned char)(number >> 16),
        (unsigned char)(number >> 8), (unsigned char)number};

    buffer_append(out, bytes, sizeof(bytes));
}

static void put_header(struct buffer *out, const char *name, const char *value)
{
    const size_t size = strlen(value);

    buffer_append_char(out, (char)strlen(name));
    buffer_append_text(out, name);
    buffer_append_char(out, 7); // a string
    buffer_append_char(out, (char)(size >> 8));
    buffer_append_char(out, (char)size);
    buffer_append_text(out, value);
}

static uint32_t checksum(const char *data, size_t size)
{
    return (uint32_t)crc32_z(0, (const Bytef *)data, size);
}

// A chunk with one message in it (wire.md section 2.6); returns its size.
static size_t put_frame(struct buffer *out, const char *type,
                        const struct buffer *payload)
{
    struct buffer headers;
    size_t start, size;

    buffer_init(&headers, 1024);
    put_header(&headers, ":message-type", "event");
    put_header(&headers, ":event-type", type);
    put_header(&headers, ":content-type", "application/json");
    size = 16 + headers.size + payload->size;
    buffer_printf(out, "%zx\r\n", size);
    start = out->size;
    put_number(out, (uint32_t)size);
    put_number(out, (uint32_t)headers.size);
    put_number(out, checksum(out->data + start, 8));
    buffer_append_bytes(out, buffer_bytes(&headers));
    buffer_append_bytes(out, buffer_bytes(payload));
    put_number(out, checksum(out->data + start, out->size - start));
    buffer_append_text(out, "\r\n");
    buffer_finish(&headers);
    return size;
}

static void put_event(struct buffer *payload, long first, long count,
                      const char *data)
{
    buffer_clear(payload);
    buffer_append_text(payload, "{\"Records\":[");
    for (long i = first; i < first + count; i++)
        buffer_printf(payload,
                      "%s{\"SequenceNumber\":\"" NUMBER_PREFIX "%016ld\","
                      "\"ApproximateArrivalTimestamp\":1795369143.801,"
                      "\"Data\":\"%s\",\"PartitionKey\":\"key-%ld\"}",
                      i > first ? "," : "", i, data, i % 500);
    buffer_printf(payload,
                  "],\"ContinuationSequenceNumber\":\"" NUMBER_PREFIX
                  "%016ld\",\"MillisBehindLatest\":%d}",
                  first + count - 1, first + count < stock.records);
}

static char *make_data(void)
{
    const size_t size = (size_t)stock.record_bytes;
    char *raw = mem_calloc(size, 1), *text = mem_calloc(2 * size + 8, 1);

    memset(raw, 'x', size);
    (void)codec_base64_encode((struct bytes){raw, size}, text);
    free(raw);
    return text;
}

static void make_frames(void)
{
    struct buffer payload;
    char *data = make_data();

    buffer_init(&payload, FRAMES_LIMIT);
    buffer_init(&stock.frames, FRAMES_LIMIT);
    stock.starts = mem_calloc((size_t)(stock.records / stock.event_records + 2),
                              sizeof(size_t));
    for (long i = 0; i < stock.records; i += stock.event_records) {
        const long left = stock.records - i;

        put_event(&payload, i,
                  left < stock.event_records ? left : stock.event_records,
                  data);
        stock.starts[stock.count++] = stock.frames.size;
        stock.bytes +=
            put_frame(&stock.frames, "SubscribeToShardEvent", &payload);
    }
    stock.starts[stock.count] = stock.frames.size;
    buffer_finish(&payload);
    free(data);
    if (!buffer_ok(&stock.frames))
        exit(1);
}

static bool send_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        data += sent;
        size -= (size_t)sent;
    }
    return true;
}

// The first event after the position that was asked for.
static size_t first_event(const char *request)
{
    static const char name[] = "\"SequenceNumber\":\"" NUMBER_PREFIX;
    const char *at = strstr(request, name);

    return at ? (size_t)((strtol(at + sizeof(name) - 1, NULL, 10) + 1) /
                         stock.event_records)
              : 0;
}

// It is left open when all was said.
static bool push(int fd, const char *request)
{
    size_t start = stock.starts[first_event(request)];
    struct buffer head, nothing;
    bool ok;

    buffer_init(&head, 4096);
    buffer_init(&nothing, 2);
    buffer_append_text(&nothing, "{}");
    buffer_append_text(
        &head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
               "Content-Type: application/vnd.amazon.eventstream\r\n\r\n");
    (void)put_frame(&head, "initial-response", &nothing);
    ok = send_all(fd, head.data, head.size) &&
         send_all(fd, stock.frames.data + start, stock.frames.size - start);
    buffer_finish(&head);
    buffer_finish(&nothing);
    return ok;
}

static void put_shards(struct buffer *body)
{
    buffer_append_text(body, "{\"Shards\":[");
    for (long i = 0; i < stock.shards; i++)
        buffer_printf(body,
                      "%s{\"ShardId\":\"shardId-%012ld\",\"HashKeyRange\":{"
                      "\"StartingHashKey\":\"%ld\",\"EndingHashKey\":\"%ld\"},"
                      "\"SequenceNumberRange\":{\"StartingSequenceNumber\":"
                      "\"" NUMBER_PREFIX "%016d\"}}",
                      i ? "," : "", i, 10 * i, 10 * i + 9, 0);
    buffer_append_text(body, "]}");
}

static bool answer(int fd, const char *request)
{
    struct buffer body, out;
    bool ok;

    if (strstr(request, ".SubscribeToShard"))
        return push(fd, request);
    buffer_init(&body, 16u << 20);
    buffer_init(&out, 16u << 20);
    if (strstr(request, ".ListShards"))
        put_shards(&body);
    else if (strstr(request, ".DescribeStreamConsumer"))
        buffer_append_text(
            &body, "{\"ConsumerDescription\":{\"ConsumerName\":\"bench\","
                   "\"ConsumerStatus\":\"ACTIVE\",\"ConsumerARN\":\"" STREAM_ARN
                   "/consumer/bench:1\"}}");
    else
        buffer_printf(&body,
                      "{\"StreamDescriptionSummary\":{\"StreamName\":\"bench\","
                      "\"StreamARN\":\"" STREAM_ARN "\",\"StreamStatus\":"
                      "\"ACTIVE\",\"RetentionPeriodHours\":24,"
                      "\"StreamCreationTimestamp\":1795369143,"
                      "\"OpenShardCount\":%ld}}",
                      stock.shards);
    buffer_printf(&out,
                  "HTTP/1.1 200 OK\r\nContent-Type: "
                  "application/x-amz-json-1.1\r\nContent-Length: %zu\r\n\r\n",
                  body.size);
    buffer_append_bytes(&out, buffer_bytes(&body));
    ok = send_all(fd, out.data, out.size);
    buffer_finish(&body);
    buffer_finish(&out);
    return ok;
}

// Requests are small, and pollard's and curl's end with their body's brace.
static void *serve(void *context)
{
    int fd = (int)(intptr_t)context;
    struct buffer in;
    char *room;
    ssize_t more;

    buffer_init(&in, REQUEST_LIMIT);
    while ((room = buffer_reserve(&in, 16384)) &&
           (more = recv(fd, room, 16384, 0)) > 0) {
        in.size += (size_t)more;
        if (!strstr(buffer_text(&in), "\r\n\r\n{") ||
            in.data[in.size - 1] != '}')
            continue;
        if (!answer(fd, buffer_text(&in)))
            break;
        buffer_clear(&in);
    }
    buffer_finish(&in);
    (void)close(fd);
    return NULL;
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(listener, (struct sockaddr *)&address, size) ||
        listen(listener, 1024) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        exit(1);
    (void)printf("%d %zu\n", ntohs(address.sin_port), stock.bytes);
    (void)fflush(stdout);
    return listener;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int listener, fd, on = 1;

    if (argc != 5) {
        (void)fprintf(stderr, "see the head of bench_fanout_server.c\n");
        return 64;
    }
    stock.shards = atol(argv[1]);
    stock.record_bytes = atol(argv[3]);
    stock.event_records = atol(argv[4]);
    stock.records = atol(argv[2]) * 1000000 / stock.record_bytes;
    make_frames();
    listener = listen_on_loopback();
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd))
            return 1;
        (void)pthread_detach(thread);
    }
    return 0;
}
