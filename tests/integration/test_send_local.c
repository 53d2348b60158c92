#include "cli/send.h"

#include <getopt.h>
#include <stdio.h>

#include "aws/aws_config.h"
#include "aws/client.h"
#include "aws/session.h"
#include "aws_environment.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/command.h"
#include "local/local.h"
#include "printed.h"
#include "source/kinesis.h"
#include "source/source.h"
#include "source/sqs.h"
#include "test.h"
#include "text_file.h"

#define PATIENCE_MS 20000

// As main has them.
const struct command commands[] = {{"send", send_main, "", ""}, {0}};

static struct {
    struct local *server;
    struct aws_config aws;
    struct log log;
    struct aws_session *session;
    struct aws_client *client;
    char *folder, *config, *input;
} world;

static void start_server(const char *faults)
{
    struct error err = {0};

    world.server = local_start(&(struct local_options){.address = "127.0.0.1",
                                                       .faults = faults,
                                                       .seed = 5,
                                                       .log = &world.log},
                               &err);
    assert_ok(world.server, &err);
    assert_ok(local_create_queue(world.server, "orders", &err), &err);
    assert_ok(local_create_queue(world.server, "steps.fifo", &err), &err);
    assert_ok(local_create_stream(world.server, "clicks", 2, &err), &err);
}

static void start_client(void)
{
    struct error err = {0};

    world.session = aws_session_create(
        &(struct aws_session_options){
            .config = &world.aws, .clock = clock_system(), .log = &world.log},
        &err);
    assert_ok(world.session, &err);
    world.client =
        aws_client_create(&(struct aws_client_options){.session = world.session,
                                                       .clock = clock_system(),
                                                       .log = &world.log,
                                                       .seed = 5});
}

static void write_config(void)
{
    char *text = mem_printf(
        "version: 1\n"
        "aws: {region: us-east-1, endpoint_url: \"%s\"}\n"
        "handlers: {log: {library: ./log.so, isolation: thread}}\n"
        "triggers:\n"
        "  orders: {source: {sqs: {queue: orders}}, handler: log}\n"
        "  steps: {source: {sqs: {queue: steps.fifo}}, handler: log}\n"
        "  nobody: {source: {sqs: {queue: nobody}}, handler: log}\n"
        "  clicks: {source: {kinesis: {stream: clicks}}, handler: log,\n"
        "           starting_position: TRIM_HORIZON}\n",
        world.aws.endpoint_url);

    free(text_file_write(world.folder, "log.so", ""));
    world.config = text_file_write(world.folder, "pollard.yaml", text);
    free(text);
}

static void start(const char *faults)
{
    memset(&world, 0, sizeof(world));
    aws_environment_clear();
    world.folder = test_folder_create();
    start_server(faults);
    world.aws.endpoint_url =
        mem_printf("http://127.0.0.1:%d", local_port(world.server));
    start_client();
    write_config();
}

static void end(void)
{
    aws_client_destroy(world.client);
    aws_session_destroy(world.session);
    local_stop(world.server);
    test_folder_remove(world.folder);
    free(world.config);
    free(world.input);
    free(world.aws.endpoint_url);
}

// pollard send -c CONFIG <arguments> INPUT, where INPUT is a file with `text`.
static int send_text(char **printed, const char *text, const char *arguments)
{
    char line[200],
        *argv[20] = {(char[]){"send"}, (char[]){"-c"}, world.config};
    struct printed output;
    int argc = 3, status;

    free(world.input);
    world.input = text_file_write(world.folder, "input", text);
    (void)snprintf(line, sizeof(line), "%s", arguments);
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc++] = world.input;
    optind = 0; // starts over
    printed_begin(&output);
    status = send_main(argc, argv);
    *printed = printed_end(&output);
    return status;
}

static void expect_send(const char *text, const char *arguments, int status,
                        const char *says)
{
    char *printed;

    assert_int_equal(send_text(&printed, text, arguments), status);
    assert_string_equal(printed, says);
    free(printed);
}

// Read so many records from a source, as their data with a bar behind each.
static char *receive(struct source *source, size_t count)
{
    int64_t deadline_ms = clock_now_ms(clock_system()) + PATIENCE_MS, now_ms;
    struct buffer all;
    struct record *record;
    struct aws_reply reply;

    buffer_init(&all, 1 << 20);
    while (count) {
        now_ms = clock_now_ms(clock_system());
        assert_true(now_ms < deadline_ms);
        while ((record = source_next(source))) {
            buffer_append_bytes(&all, record->data);
            buffer_printf(&all, "/%.*s|", BYTES_ARGS(record->key));
            source_settle(source, record, SOURCE_DONE, -1, now_ms);
            count--;
        }
        source_poll(source, count, now_ms);
        aws_client_wait(world.client, clock_until_ms(source_deadline_ms(source),
                                                     now_ms, 1000));
        while (aws_client_next(world.client, &reply)) {
            source_reply(source, &reply, clock_now_ms(clock_system()));
            aws_reply_finish(&reply);
        }
    }
    aws_client_cancel(world.client, source);
    return buffer_detach(&all);
}

static struct source *open_shard(const char *shard)
{
    return kinesis_open(
        &(struct kinesis_options){.session = world.session,
                                  .client = world.client,
                                  .clock = clock_system(),
                                  .log = &world.log,
                                  .stream = "clicks",
                                  .shard = shard,
                                  .start = {.position = STREAM_TRIM_HORIZON},
                                  .idle_ms = 20,
                                  .seed = 5});
}

static struct source *open_queue(const char *name)
{
    return sqs_open(&(struct sqs_options){.session = world.session,
                                          .client = world.client,
                                          .clock = clock_system(),
                                          .log = &world.log,
                                          .queue = name,
                                          .minimum_receives = 1,
                                          .maximum_receives = 1,
                                          .visibility_timeout_ms = -1,
                                          .wait_ms = 1000,
                                          .seed = 5});
}

static void expect_source(struct source *source, size_t count, const char *all)
{
    struct aws_reply reply;
    char *got = receive(source, count);

    assert_string_equal(got, all);
    free(got);
    source_stop(source);
    while (aws_client_next(world.client, &reply)) {
        source_reply(source, &reply, clock_now_ms(clock_system()));
        aws_reply_finish(&reply);
    }
    source_close(source);
}

static void test_lines_become_messages(void **state)
{
    (void)state;
    start(NULL);
    expect_send("one\n\ntwo\n", "steps --group g", COMMAND_OK,
                "sent 2 messages to steps.fifo\n");
    expect_source(open_queue("steps.fifo"), 2, "one/g|two/g|");
    end();
}

static void test_the_whole_becomes_one(void **state)
{
    (void)state;
    start(NULL);
    expect_send("one\n\ntwo\n", "--whole orders", COMMAND_OK,
                "sent 1 message to orders\n");
    expect_source(open_queue("orders"), 1, "one\n\ntwo\n/|");
    end();
}

static void test_a_key_chooses_the_shard(void **state)
{
    (void)state;
    start(NULL);
    expect_send("one\ntwo\nthree\n", "--key hamster clicks", COMMAND_OK,
                "sent 3 records to clicks\n");
    // The MD5 of "hamster" begins with 0xb0: the second half.
    expect_source(open_shard("shardId-000000000001"), 3,
                  "one/hamster|two/hamster|three/hamster|");
    end();
}

static void test_what_is_refused_for_now_is_sent_again(void **state)
{
    (void)state;
    start("SendMessageBatch:partial=InternalFailure:rate=0.5:times=20;"
          "PutRecords:partial=ProvisionedThroughputExceededException:times=2");
    expect_send("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n", "orders", COMMAND_OK,
                "sent 11 messages to orders\n");
    expect_send("a\nb\nc\n", "clicks", COMMAND_OK,
                "sent 3 records to clicks\n");
    end();
}

static struct usage_case {
    const char *name, *text, *arguments;
    int status;
    const char *says;
} usage_cases[] = {
    {"no such trigger", "a\n", "unknown", COMMAND_USAGE, ""},
    {"no such queue", "a\n", "nobody", COMMAND_UNAVAILABLE,
     "sent 0 messages to nobody\n"},
    {"a FIFO queue needs a group", "a\n", "steps", COMMAND_USAGE, ""},
    {"a queue has no key", "a\n", "--key k orders", COMMAND_USAGE, ""},
    {"a stream has no group", "a\n", "--group g clicks", COMMAND_USAGE, ""},
    {"a stream has no delay", "a\n", "--delay 1 clicks", COMMAND_USAGE, ""},
    {"a delay is a number", "a\n", "--delay x orders", COMMAND_USAGE, ""},
    {"an option that is none", "a\n", "--fast orders", COMMAND_USAGE, ""},
    {"too many words", "a\n", "orders clicks", COMMAND_USAGE, ""},
    {"a line that is no text", "a\n\xff\nb\n", "orders", COMMAND_DATA,
     "sent 2 messages to orders\n"},
    {"nothing", "", "orders", COMMAND_OK, "sent 0 messages to orders\n"},
};

static void test_usage(void **state)
{
    const struct usage_case *c = *state;

    start(NULL);
    expect_send(c->text, c->arguments, c->status, c->says);
    end();
}

static void test_a_server_that_is_gone_is_said(void **state)
{
    (void)state;
    start(NULL);
    local_stop(world.server);
    world.server = NULL;
    expect_send("a\n", "clicks", COMMAND_TEMPORARY,
                "sent 0 records to clicks\n");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_become_messages),
        cmocka_unit_test(test_the_whole_becomes_one),
        cmocka_unit_test(test_a_key_chooses_the_shard),
        cmocka_unit_test(test_what_is_refused_for_now_is_sent_again),
        cmocka_unit_test(test_a_server_that_is_gone_is_said),
    };

    return run_table("usage", usage_cases, test_usage) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
