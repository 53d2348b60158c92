#include "local_stage.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "aws/client.h"
#include "aws/session.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "local/local.h"
#include "test.h"

#define SEND_MOST 10 // of one SendMessageBatch

static void open_session(struct local_stage *stage)
{
    struct error err = {0};

    (void)setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    stage->aws_config = (struct aws_config){
        .endpoint_url =
            mem_printf("http://127.0.0.1:%u", local_port(stage->local)),
        .region = mem_strdup("us-east-1"),
    };
    stage->session = aws_session_create(
        &(struct aws_session_options){
            .config = &stage->aws_config,
            .clock = clock_system(),
            .log = &stage->log,
        },
        &err);
    assert_ok(stage->session, &err);
    stage->client = aws_client_create(
        &(struct aws_client_options){.session = stage->session,
                                     .clock = clock_system(),
                                     .log = &stage->log,
                                     .seed = 7});
}

void local_stage_init(struct local_stage *stage, const char *faults)
{
    struct error err = {0};

    *stage = (struct local_stage){.folder = test_folder_create()};
    stage->ledger = mem_printf("%s/ledger", stage->folder);
    stage->sink = (struct log_sink){.fd = memfd_create("log", MFD_CLOEXEC),
                                    .level = LOG_LEVEL_INFO};
    stage->log.sink = &stage->sink;
    stage->local = local_start(&(struct local_options){.address = "127.0.0.1",
                                                       .faults = faults,
                                                       .seed = 7,
                                                       .log = &stage->log},
                               &err);
    assert_ok(stage->local, &err);
    open_session(stage);
}

static void close_handler(struct local_stage *stage)
{
    if (!stage->handler)
        return;
    handler_stop(stage->handler);
    assert_true(handler_join(stage->handler, local_stage_deadline_ms()));
    handler_close(stage->handler);
}

void local_stage_finish(struct local_stage *stage)
{
    close_handler(stage);
    free(stage->handler_config.library);
    json_decref(stage->handler_config.settings);
    aws_client_destroy(stage->client);
    aws_session_destroy(stage->session);
    local_stop(stage->local);
    free(stage->aws_config.endpoint_url);
    free(stage->aws_config.region);
    (void)close(stage->sink.fd);
    free(stage->ledger);
    test_folder_remove(stage->folder);
}

void local_stage_open_handler(struct local_stage *stage, const char *settings,
                              int64_t concurrency)
{
    struct error err = {0};
    char *text = mem_printf("{\"path\":\"%s\"%s%s}", stage->ledger,
                            settings[0] ? "," : "", settings);
    char *library = realpath(BUILD "/tests/handlers/ledger.so", NULL);

    assert_non_null(library);
    stage->handler_config = (struct handler_config){
        .library = library,
        .settings = json_loads(text, 0, NULL),
        .timeout_ms = 3000,
    };
    assert_non_null(stage->handler_config.settings);
    free(text);
    stage->handler =
        handler_open(&(struct handler_options){.config = &stage->handler_config,
                                               .trigger = "orders",
                                               .concurrency = concurrency,
                                               .clock = clock_system(),
                                               .log = &stage->log},
                     &err);
    assert_ok(stage->handler, &err);
}

void local_stage_create_queue(struct local_stage *stage, const char *queue)
{
    struct error err = {0};

    assert_ok(local_create_queue(stage->local, queue, &err), &err);
}

void local_stage_create_stream(struct local_stage *stage, const char *stream,
                               unsigned shards)
{
    struct error err = {0};

    assert_ok(local_create_stream(stage->local, stream, shards, &err), &err);
}

static bool is_kinesis(const char *operation)
{
    return strstr(operation, "Record") || strstr(operation, "Shard") ||
           strstr(operation, "Stream");
}

char *local_stage_call(struct local_stage *stage, const char *operation,
                       const char *json)
{
    struct aws_request request = {
        .service = is_kinesis(operation) ? AWS_KINESIS : AWS_SQS,
        .protocol = is_kinesis(operation) ? AWS_JSON_11 : AWS_JSON_10,
        .operation = operation,
        .max_attempts = 20,
    };
    struct aws_reply reply;
    char *answer;

    buffer_init(&request.body, 16 << 20);
    buffer_append_text(&request.body, json);
    if (!aws_client_call(stage->client, &request, NULL, &reply))
        fail_msg("%s", reply.error.message);
    answer = buffer_detach(&reply.body);
    aws_reply_finish(&reply);
    return answer;
}

static char *queue_url(const struct local_stage *stage, const char *queue)
{
    return mem_printf("%s/000000000000/%s", stage->aws_config.endpoint_url,
                      queue);
}

static void send_batch(struct local_stage *stage, const char *url,
                       const char *prefix, size_t first, size_t count,
                       const char *group)
{
    json_t *entries = json_array();
    json_t *request =
        json_pack("{s:s,s:o}", "QueueUrl", url, "Entries", entries);
    char *text;

    for (size_t i = first; i < first + count; i++) {
        char id[24], body[64];
        json_t *entry;

        (void)snprintf(id, sizeof(id), "%zu", i);
        (void)snprintf(body, sizeof(body), "%s%zu", prefix, i);
        entry = json_pack("{s:s,s:s}", "Id", id, "MessageBody", body);
        if (group) {
            json_object_set_new(entry, "MessageGroupId", json_string(group));
            json_object_set_new(entry, "MessageDeduplicationId",
                                json_string(body));
        }
        json_array_append_new(entries, entry);
    }
    text = json_dumps(request, JSON_COMPACT);
    free(local_stage_call(stage, "SendMessageBatch", text));
    free(text);
    json_decref(request);
}

void local_stage_send(struct local_stage *stage, const char *queue,
                      const char *prefix, size_t count, const char *group)
{
    char *url = queue_url(stage, queue);

    for (size_t i = 0; i < count; i += SEND_MOST)
        send_batch(stage, url, prefix, i,
                   count - i < SEND_MOST ? count - i : SEND_MOST, group);
    free(url);
}

void local_stage_put(struct local_stage *stage, const char *stream,
                     const char *prefix, size_t count, const char *key)
{
    json_t *records = json_array();
    json_t *request =
        json_pack("{s:s,s:o}", "StreamName", stream, "Records", records);
    char *text;

    assert_true(count <= 500);
    for (size_t i = 0; i < count; i++) {
        char data[64], base64[96];

        (void)snprintf(data, sizeof(data), "%s%zu", prefix, i);
        (void)codec_base64_encode(bytes_of(data), base64);
        json_array_append_new(records, json_pack("{s:s,s:s}", "Data", base64,
                                                 "PartitionKey", key));
    }
    text = json_dumps(request, JSON_COMPACT);
    free(local_stage_call(stage, "PutRecords", text));
    free(text);
    json_decref(request);
}

static size_t attribute(json_t *answer, const char *name)
{
    const char *text = json_string_value(
        json_object_get(json_object_get(answer, "Attributes"), name));

    assert_non_null(text);
    return strtoul(text, NULL, 10);
}

void local_stage_count(struct local_stage *stage, const char *queue,
                       size_t *visible, size_t *hidden)
{
    char *url = queue_url(stage, queue);
    char *request =
        mem_printf("{\"QueueUrl\":\"%s\",\"AttributeNames\":[\"All\"]}", url);
    char *text = local_stage_call(stage, "GetQueueAttributes", request);
    json_t *answer = json_loads(text, 0, NULL);

    assert_non_null(answer);
    *visible = attribute(answer, "ApproximateNumberOfMessages");
    *hidden = attribute(answer, "ApproximateNumberOfMessagesNotVisible");
    json_decref(answer);
    free(text);
    free(request);
    free(url);
}

/* The whole ledger. Caller frees. */
static char *read_ledger(const struct local_stage *stage)
{
    FILE *file = fopen(stage->ledger, "re");
    struct buffer text;

    buffer_init(&text, 64 << 20);
    while (file && !feof(file)) {
        char *room = buffer_reserve(&text, 65536);

        assert_non_null(room);
        text.size += fread(room, 1, 65536, file);
    }
    if (file)
        (void)fclose(file);
    return buffer_detach(&text);
}

char **local_stage_lines(const struct local_stage *stage)
{
    char *text = read_ledger(stage);
    size_t size = strlen(text), count = 0;
    char **lines, *rest;

    for (const char *at = text; (at = strchr(at, '\n')); at++)
        count++;
    lines = mem_calloc(1, (count + 1) * sizeof(*lines) + size + 1);
    rest = (char *)(lines + count + 1);
    memcpy(rest, text, size + 1);
    for (size_t i = 0; i < count; i++)
        lines[i] = strsep(&rest, "\n");
    free(text);
    return lines;
}

static const char *data_of(const char *line)
{
    return strrchr(line, '\t') + 1;
}

static int compare_data(const void *a, const void *b)
{
    return strcmp(data_of(*(char *const *)a), data_of(*(char *const *)b));
}

static size_t count_lines(const struct local_stage *stage, const char *prefix,
                          bool distinct)
{
    char **lines = local_stage_lines(stage);
    const char *previous = NULL;
    size_t count = 0, all = 0;

    while (lines[all])
        all++;
    qsort(lines, all, sizeof(*lines), compare_data);
    for (size_t i = 0; i < all; i++) {
        const char *data = data_of(lines[i]);

        if (strncmp(data, prefix, strlen(prefix)) != 0)
            continue;
        if (!distinct || !previous || strcmp(previous, data) != 0)
            count++;
        previous = data;
    }
    free(lines);
    return count;
}

size_t local_stage_handled(const struct local_stage *stage, const char *prefix)
{
    return count_lines(stage, prefix, false);
}

size_t local_stage_handled_once(const struct local_stage *stage,
                                const char *prefix)
{
    return count_lines(stage, prefix, true);
}

int64_t local_stage_deadline_ms(void)
{
    return clock_now_ms(clock_system()) + LOCAL_STAGE_WAIT_MS;
}

void local_stage_nap(int64_t deadline_ms)
{
    assert_true(clock_now_ms(clock_system()) < deadline_ms);
    (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

void local_stage_wait_handled(const struct local_stage *stage,
                              const char *prefix, size_t count)
{
    int64_t deadline_ms = local_stage_deadline_ms();

    while (local_stage_handled_once(stage, prefix) < count)
        local_stage_nap(deadline_ms);
}
