/*
 * bench_parse: what it costs to make records of a ReceiveMessage answer of ten
 * 1 KiB messages, by the reader in place and by two document trees: jansson,
 * and yajl's (if libyajl.so.2 is installed). Each round copies the answer into
 * fresh memory, as the network does, and reads every member that a record has.
 *
 * usage: bench_parse [ROUNDS]      us a message, medians of five runs
 */
#include <dlfcn.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/json_write.h"
#include "source/sqs_digest.h"
#include "source/sqs_message.h"

#define MESSAGES 10
#define RUNS 5

struct task {
    struct bytes answer;
    struct sqs_collect collect;
    size_t seen; // bytes, so that nothing is optimised away
};

static const struct record_origin origin = {
    .kind = RECORD_SQS, .arn = "arn:aws:sqs:r:1:q", .region = "r"};

static struct buffer copy_of(struct bytes answer)
{
    struct buffer copy;

    buffer_init(&copy, answer.size);
    buffer_append_bytes(&copy, answer);
    return copy;
}

static void read_in_place(struct task *task)
{
    const struct sqs_arrival arrival = {.origin = &origin};
    struct record_list records = {0}, refused = {0};
    struct buffer body = copy_of(task->answer);
    struct record *record;
    struct error err;

    if (!sqs_message_read(&task->collect, AWS_JSON_10, &arrival, &body,
                          &records, &refused, &err) ||
        records.count != MESSAGES)
        abort();
    while ((record = record_list_take(&records))) {
        task->seen += record->data.size;
        record_release(record);
    }
}

// Of every variant alike: the body's digest is compared.
static void check_body(struct task *task, const char *body, size_t size,
                       const char *md5)
{
    char text[SQS_DIGEST_TEXT];

    if (!sqs_digest_body(task->collect.digest, (struct bytes){body, size},
                         text) ||
        strcmp(text, md5) != 0)
        abort();
    task->seen += size;
}

static const char *text_of(const json_t *message, const char *name)
{
    return json_string_value(json_object_get(message, name));
}

static void read_by_jansson(struct task *task)
{
    struct buffer body = copy_of(task->answer);
    json_t *root = json_loadb(body.data, body.size, 0, NULL), *message, *value;
    const char *name;
    size_t i;

    json_array_foreach(json_object_get(root, "Messages"), i, message)
    {
        const json_t *text = json_object_get(message, "Body");

        task->seen += strlen(text_of(message, "MessageId")) +
                      strlen(text_of(message, "ReceiptHandle"));
        json_object_foreach(json_object_get(message, "Attributes"), name, value)
            task->seen += json_string_length(value);
        check_body(task, json_string_value(text), json_string_length(text),
                   text_of(message, "MD5OfBody"));
    }
    json_decref(root);
    buffer_finish(&body);
}

// What is used of yajl's tree, as its yajl_tree.h declares it.
struct yajl_value {
    int type;
    union {
        char *string;
        struct {
            const char **keys;
            struct yajl_value **values;
            size_t count;
        } object;
        struct {
            struct yajl_value **values;
            size_t count;
        } array;
    } of;
};

static struct yajl_value *(*yajl_parse)(const char *text, char *error,
                                        size_t error_size);
static void (*yajl_free)(struct yajl_value *value);

static const struct yajl_value *yajl_get(const struct yajl_value *object,
                                         const char *name)
{
    for (size_t i = 0; i < object->of.object.count; i++)
        if (!strcmp(object->of.object.keys[i], name))
            return object->of.object.values[i];
    abort();
}

static const char *yajl_text(const struct yajl_value *object, const char *name)
{
    return yajl_get(object, name)->of.string;
}

static void read_by_yajl(struct task *task)
{
    struct buffer body = copy_of(task->answer);
    char error[64];
    struct yajl_value *root =
        yajl_parse(buffer_text(&body), error, sizeof(error));
    const struct yajl_value *messages = yajl_get(root, "Messages");

    for (size_t i = 0; i < messages->of.array.count; i++) {
        const struct yajl_value *message = messages->of.array.values[i];
        const struct yajl_value *all = yajl_get(message, "Attributes");
        const char *text = yajl_text(message, "Body");

        task->seen += strlen(yajl_text(message, "MessageId")) +
                      strlen(yajl_text(message, "ReceiptHandle"));
        for (size_t j = 0; j < all->of.object.count; j++)
            task->seen += strlen(all->of.object.values[j]->of.string);
        check_body(task, text, strlen(text), yajl_text(message, "MD5OfBody"));
    }
    yajl_free(root);
    buffer_finish(&body);
}

static void digest_only(struct task *task)
{
    char text[SQS_DIGEST_TEXT];
    struct buffer body = copy_of(task->answer);

    for (size_t i = 0; i < MESSAGES; i++)
        (void)sqs_digest_body(task->collect.digest,
                              (struct bytes){body.data + i * 1024, 1024}, text);
    task->seen += (size_t)text[0];
    buffer_finish(&body);
}

// A message as AWS sends it; `unit` is repeated to 1 KiB.
static void write_message(struct buffer *out, struct digest *digest,
                          const char *unit)
{
    char body[1025] = "", md5[SQS_DIGEST_TEXT];

    while (strlen(body) + strlen(unit) <= 1024)
        (void)strcat(body, unit);
    (void)sqs_digest_body(digest, bytes_of(body), md5);
    buffer_printf(out,
                  "{\"MessageId\":\"19dd0b57-b21e-4ac1-bd88-01bbb068cb78\","
                  "\"ReceiptHandle\":\"");
    for (int i = 0; i < 30; i++)
        buffer_append_text(out, "AQEBzWwaftRI");
    buffer_printf(out, "\",\"MD5OfBody\":\"%s\",\"Body\":", md5);
    json_put_string(out, bytes_of(body));
    buffer_append_text(
        out, ",\"Attributes\":{\"SenderId\":\"AIDAIENQZJOLO23YVJ4VO\","
             "\"ApproximateFirstReceiveTimestamp\":\"1545082649185\","
             "\"ApproximateReceiveCount\":\"1\","
             "\"SentTimestamp\":\"1545082649183\"}}");
}

static double cpu_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static double measure(struct task *task, void (*round)(struct task *task),
                      int rounds)
{
    double runs[RUNS];

    for (int run = 0; run < RUNS; run++) {
        double start = cpu_us();

        for (int i = 0; i < rounds; i++)
            round(task);
        runs[run] = (cpu_us() - start) / rounds / MESSAGES;
    }
    qsort(runs, RUNS, sizeof(runs[0]), compare);
    return runs[RUNS / 2];
}

static bool find_yajl(void)
{
    void *library = dlopen("libyajl.so.2", RTLD_NOW);

    if (!library)
        return false;
    *(void **)&yajl_parse = dlsym(library, "yajl_tree_parse");
    *(void **)&yajl_free = dlsym(library, "yajl_tree_free");
    return yajl_parse && yajl_free;
}

static void report(const char *content, const char *unit, int rounds)
{
    struct task task = {0};
    struct buffer answer;

    sqs_collect_init(&task.collect);
    buffer_init(&answer, 1024 * 1024);
    buffer_append_text(&answer, "{\"Messages\":[");
    for (int i = 0; i < MESSAGES; i++) {
        buffer_append_text(&answer, i ? "," : "");
        write_message(&answer, task.collect.digest, unit);
    }
    buffer_append_text(&answer, "]}");
    task.answer = buffer_bytes(&answer);
    printf("%s: %.2f in place", content, measure(&task, read_in_place, rounds));
    printf(", %.2f jansson", measure(&task, read_by_jansson, rounds));
    if (find_yajl())
        printf(", %.2f yajl", measure(&task, read_by_yajl, rounds));
    printf(" (of which %.2f MD5)\n", measure(&task, digest_only, rounds));
    buffer_finish(&answer);
    sqs_collect_finish(&task.collect);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 5000;

    printf("us a message, answers of ten 1 KiB messages\n");
    report("plain text ", "x", rounds);
    report("JSON inside", "{\"order\":17,\"name\":\"pollard\"}", rounds);
    report("lines      ", "a line of a log file, 40 characters ...\n", rounds);
    return 0;
}
