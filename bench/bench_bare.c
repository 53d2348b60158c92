/*
 * bench_bare: the least a consumer on libcurl can do, to compare pollard with:
 * receive, find the receipt handles by text search, delete; or GetRecords until
 * the shard is read; or SubscribeToShard until so many bytes came, their
 * checksums counted or not. Nothing is parsed, verified, batched or handled.
 *
 *     bench_bare sqs ENDPOINT QUEUE_URL COUNT CONNECTIONS
 *     bench_bare kinesis ENDPOINT STREAM SHARD BYTES
 *     bench_bare fanout ENDPOINT SHARD sum|skip BYTES
 *
 * Prints: seconds of wall clock, seconds of CPU, messages or bytes.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <curl/curl.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/mem.h"

#define BODY_LIMIT (32u * 1024 * 1024)

struct loop {
    CURL *easy;
    struct curl_slist *receive_headers, *delete_headers;
    struct buffer request, answer;
    bool deleting;
    size_t batch;
};

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static size_t take(char *data, size_t size, size_t count, void *context)
{
    struct buffer *answer = context;

    (void)size;
    buffer_append(answer, data, count);
    return buffer_ok(answer) ? count : 0;
}

static struct curl_slist *headers(const char *target, const char *type)
{
    struct curl_slist *list = NULL;
    char line[256];

    (void)snprintf(line, sizeof(line), "X-Amz-Target: %s", target);
    list = curl_slist_append(list, line);
    (void)snprintf(line, sizeof(line), "Content-Type: %s", type);
    list = curl_slist_append(list, line);
    list = curl_slist_append(list, "X-Amz-Date: 20260101T000000Z");
    list = curl_slist_append(list, "Expect:");
    return curl_slist_append(
        list, "Authorization: AWS4-HMAC-SHA256 "
              "Credential=bench/20260101/us-east-1/sqs/aws4_request, "
              "SignedHeaders=host;x-amz-date, Signature=00");
}

static CURL *make_easy(const char *endpoint, struct buffer *answer)
{
    CURL *easy = curl_easy_init();

    curl_easy_setopt(easy, CURLOPT_URL, endpoint);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 512L * 1024);
    return easy;
}

static void post(CURL *easy, struct curl_slist *list,
                 const struct buffer *request)
{
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->data);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)request->size);
}

static void send_receive(struct loop *loop, const char *queue)
{
    buffer_clear(&loop->request);
    buffer_clear(&loop->answer);
    buffer_printf(&loop->request,
                  "{\"QueueUrl\":\"%s\",\"MaxNumberOfMessages\":10,"
                  "\"WaitTimeSeconds\":1,\"AttributeNames\":[\"All\"],"
                  "\"MessageAttributeNames\":[\"All\"]}",
                  queue);
    loop->deleting = false;
    post(loop->easy, loop->receive_headers, &loop->request);
}

// False when the answer held no message.
static bool send_delete(struct loop *loop, const char *queue)
{
    static const char name[] = "\"ReceiptHandle\":\"";
    const char *at = buffer_text(&loop->answer);

    buffer_clear(&loop->request);
    buffer_printf(&loop->request, "{\"QueueUrl\":\"%s\",\"Entries\":[", queue);
    for (loop->batch = 0; (at = strstr(at, name)); loop->batch++) {
        const char *end = strchr(at += sizeof(name) - 1, '"');

        buffer_printf(&loop->request,
                      "%s{\"Id\":\"%zu\",\"ReceiptHandle\":\"%.*s\"}",
                      loop->batch ? "," : "", loop->batch, (int)(end - at), at);
    }
    buffer_append_text(&loop->request, "]}");
    buffer_clear(&loop->answer);
    loop->deleting = true;
    post(loop->easy, loop->delete_headers, &loop->request);
    return loop->batch > 0;
}

static void advance(struct loop *loop, const char *queue, size_t *deleted)
{
    if (loop->deleting) {
        *deleted += loop->batch;
        send_receive(loop, queue);
    } else if (!send_delete(loop, queue)) {
        send_receive(loop, queue);
    }
}

static size_t drain_queue(const char *endpoint, const char *queue, size_t count,
                          size_t connections)
{
    struct loop *loops = mem_calloc(connections, sizeof(*loops));
    CURLM *multi = curl_multi_init();
    size_t deleted = 0;
    int running;

    for (size_t i = 0; i < connections; i++) {
        buffer_init(&loops[i].request, BODY_LIMIT);
        buffer_init(&loops[i].answer, BODY_LIMIT);
        loops[i].receive_headers =
            headers("AmazonSQS.ReceiveMessage", "application/x-amz-json-1.0");
        loops[i].delete_headers = headers("AmazonSQS.DeleteMessageBatch",
                                          "application/x-amz-json-1.0");
        loops[i].easy = make_easy(endpoint, &loops[i].answer);
        curl_easy_setopt(loops[i].easy, CURLOPT_PRIVATE, &loops[i]);
        send_receive(&loops[i], queue);
        curl_multi_add_handle(multi, loops[i].easy);
    }
    while (deleted < count) {
        CURLMsg *message;
        int left;

        curl_multi_perform(multi, &running);
        while ((message = curl_multi_info_read(multi, &left))) {
            struct loop *loop;

            if (message->msg != CURLMSG_DONE)
                continue;
            if (message->data.result) {
                (void)fprintf(stderr, "%s\n",
                              curl_easy_strerror(message->data.result));
                exit(1);
            }
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &loop);
            curl_multi_remove_handle(multi, loop->easy);
            advance(loop, queue, &deleted);
            curl_multi_add_handle(multi, loop->easy);
        }
        if (deleted < count)
            curl_multi_poll(multi, NULL, 0, 100, NULL);
    }
    return deleted;
}

static void call(CURL *easy, const char *operation, struct buffer *request,
                 struct buffer *answer)
{
    char target[128];
    struct curl_slist *list;

    (void)snprintf(target, sizeof(target), "Kinesis_20131202.%s", operation);
    list = headers(target, "application/x-amz-json-1.1");
    buffer_clear(answer);
    post(easy, list, request);
    if (curl_easy_perform(easy)) {
        (void)fprintf(stderr, "%s failed\n", operation);
        exit(1);
    }
    curl_slist_free_all(list);
}

static char *find_text(struct buffer *answer, const char *name)
{
    char *at = memmem(answer->data, answer->size, name, strlen(name));
    char *end;

    if (!at)
        return NULL;
    at += strlen(name);
    end = strchr(at, '"');
    return end ? mem_strndup(at, (size_t)(end - at)) : NULL;
}

// In CBOR, as pollard reads: the iterator is the text after its key.
static char *find_cbor_iterator(const struct buffer *answer)
{
    static const char name[] = "NextShardIterator";
    const unsigned char *at =
        memmem(answer->data, answer->size, name, sizeof(name) - 1);
    size_t size;

    if (!at)
        return NULL;
    at += sizeof(name) - 1;
    if ((*at & 0xe0) != 0x60)
        return NULL;
    size = *at & 0x1f;
    at++;
    if (size == 24)
        size = *at++;
    else if (size == 25) {
        size = (size_t)at[0] << 8 | at[1];
        at += 2;
    }
    return mem_strndup((const char *)at, size);
}

static void build_get(struct buffer *request, const char *iterator)
{
    size_t size = strlen(iterator);
    unsigned char head[3] = {0x79, (unsigned char)(size >> 8),
                             (unsigned char)size};

    // {"ShardIterator": <text>}
    buffer_clear(request);
    buffer_append(request, "\xa1\x6dShardIterator", 15);
    buffer_append(request, head, 3);
    buffer_append_text(request, iterator);
}

// The clocks start after the first page, as they do for pollard.
static size_t drain_shard(const char *endpoint, const char *stream,
                          const char *shard, size_t bytes, double *wall,
                          double *cpu)
{
    struct buffer request, answer;
    struct curl_slist *list =
        headers("Kinesis_20131202.GetRecords", "application/x-amz-cbor-1.1");
    size_t got = 0, skipped = 0;
    char *iterator;
    CURL *easy;

    buffer_init(&request, BODY_LIMIT);
    buffer_init(&answer, BODY_LIMIT);
    easy = make_easy(endpoint, &answer);
    buffer_printf(&request,
                  "{\"StreamName\":\"%s\",\"ShardId\":\"%s\","
                  "\"ShardIteratorType\":\"TRIM_HORIZON\"}",
                  stream, shard);
    call(easy, "GetShardIterator", &request, &answer);
    iterator = find_text(&answer, "\"ShardIterator\":\"");
    while (iterator && got < bytes) {
        build_get(&request, iterator);
        free(iterator);
        buffer_clear(&answer);
        post(easy, list, &request);
        if (curl_easy_perform(easy))
            exit(1);
        got += answer.size;
        iterator = find_cbor_iterator(&answer);
        if (!skipped) {
            skipped = got;
            *wall = seconds();
            *cpu = cpu_seconds();
        }
    }
    return got - skipped;
}

struct pushed {
    size_t got, wanted, skipped;
    bool sums;
    uLong sum;
    double wall, cpu; // when the first bytes came
};

// When all came the transfer is ended: the server would not.
static size_t take_pushed(char *data, size_t size, size_t count, void *context)
{
    struct pushed *pushed = context;

    (void)size;
    if (!pushed->got) {
        pushed->wall = seconds();
        pushed->cpu = cpu_seconds();
        pushed->skipped = count;
    }
    pushed->got += count;
    if (pushed->sums)
        pushed->sum = crc32_z(pushed->sum, (const Bytef *)data, count);
    return pushed->got < pushed->wanted ? count : 0;
}

static size_t subscribe(const char *endpoint, const char *shard,
                        struct pushed *pushed)
{
    struct buffer request;
    CURL *easy;

    buffer_init(&request, BODY_LIMIT);
    buffer_printf(&request,
                  "{\"ConsumerARN\":\"bench\",\"ShardId\":\"%s\","
                  "\"StartingPosition\":{\"Type\":\"TRIM_HORIZON\"}}",
                  shard);
    easy = make_easy(endpoint, NULL);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_pushed);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, pushed);
    post(easy,
         headers("Kinesis_20131202.SubscribeToShard",
                 "application/x-amz-json-1.1"),
         &request);
    if (curl_easy_perform(easy) != CURLE_WRITE_ERROR)
        exit(1);
    return pushed->got - pushed->skipped;
}

int main(int argc, char **argv)
{
    struct pushed pushed = {0};
    double wall, cpu;
    size_t done;

    if (argc != 6) {
        (void)fprintf(stderr, "see the head of bench_bare.c\n");
        return 64;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    wall = seconds();
    cpu = cpu_seconds();
    if (!strcmp(argv[1], "sqs"))
        done = drain_queue(argv[2], argv[3], (size_t)atol(argv[4]),
                           (size_t)atol(argv[5]));
    else if (!strcmp(argv[1], "kinesis"))
        done = drain_shard(argv[2], argv[3], argv[4], (size_t)atol(argv[5]),
                           &wall, &cpu);
    else {
        pushed.sums = !strcmp(argv[4], "sum");
        pushed.wanted = (size_t)atol(argv[5]);
        done = subscribe(argv[2], argv[3], &pushed);
        wall = pushed.wall;
        cpu = pushed.cpu;
    }
    (void)printf("%.6f %.6f %zu\n", seconds() - wall, cpu_seconds() - cpu,
                 done);
    return 0;
}
