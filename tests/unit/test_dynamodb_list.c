#include "source/dynamodb.h"

#include <stdio.h>

#include "aws/client.h"
#include "base/mem.h"
#include "source/dynamodb_shards.h"
#include "source/source_config.h"
#include "source/stream_list.h"
#include "test.h"

#define CORPUS "tests/fuzz/corpus/dynamodb_shards/"

// ---- a client that follows a script ----------------------------------------

struct step {
    const char *operation, *body; // what must be asked
    const char *answer;           // JSON; NULL: a refusal
    enum error_code error;
};

static struct {
    const struct step *steps;
    size_t count, done;
} script;

static void check_request(const struct step *step, struct aws_request *request)
{
    assert_string_equal(request->operation, step->operation);
    assert_int_equal(request->protocol, AWS_JSON_10);
    assert_int_equal(request->service, AWS_DYNAMODB_STREAMS);
    assert_string_equal(buffer_text(&request->body), step->body);
    buffer_finish(&request->body);
}

bool __wrap_aws_client_call(struct aws_client *client,
                            struct aws_request *request, const bool *stop,
                            struct aws_reply *reply);
bool __wrap_aws_client_call(struct aws_client *client,
                            struct aws_request *request, const bool *stop,
                            struct aws_reply *reply)
{
    const struct step *step = &script.steps[script.done++];

    (void)client;
    (void)stop;
    if (script.done > script.count)
        fail_msg("%s is asked after the end of the script", request->operation);
    check_request(step, request);
    *reply = (struct aws_reply){.ok = step->answer != NULL};
    buffer_init(&reply->body, 1 << 20);
    if (step->answer) {
        buffer_append_text(&reply->body, step->answer);
        return true;
    }
    return error_set(&reply->error, step->error, "%s http://there: refused",
                     step->operation);
}

void __wrap_aws_reply_finish(struct aws_reply *reply);
void __wrap_aws_reply_finish(struct aws_reply *reply)
{
    buffer_finish(&reply->body);
}

static void follow(const struct step *steps, size_t count)
{
    script.steps = steps;
    script.count = count;
    script.done = 0;
}

#define FOLLOW(steps_) follow((steps_), sizeof(steps_) / sizeof((steps_)[0]))

#define ARN(label_) \
    "arn:aws:dynamodb:r:123456789012:table/orders/stream/" label_

static bool list_table(struct stream_listing *listing, struct error *err)
{
    char table[] = "orders";
    struct source_config source = {
        .type = SOURCE_TYPE_DYNAMODB, .dynamodb.table = table, .name = table};

    return stream_list(NULL, &source, NULL, listing, err);
}

static bool list_arn(struct stream_listing *listing, struct error *err)
{
    char arn[] = ARN("b"), table[] = "orders";
    struct source_config source = {.type = SOURCE_TYPE_DYNAMODB,
                                   .dynamodb.stream_arn = arn,
                                   .name = table};

    return stream_list(NULL, &source, NULL, listing, err);
}

#define STREAM(label_)                                             \
    "{\"StreamArn\":\"" ARN(label_) "\",\"TableName\":\"orders\"," \
                                    "\"StreamLabel\":\"" label_ "\"}"
#define STREAMS(list_) "{\"Streams\":[" list_ "]}"
#define LIST .operation = "ListStreams", .body = "{\"TableName\":\"orders\"}"
#define DESCRIBE(label_) \
    .operation = "DescribeStream", .body = "{\"StreamArn\":\"" ARN(label_) "\"}"
#define STATUS(status_, shards_)                                           \
    "{\"StreamDescription\":{\"StreamStatus\":\"" status_ "\",\"Shards\":" \
    "[" shards_ "]}}"

// ---- one stream ------------------------------------------------------------

static void test_all_pages_of_shards_are_read(void **state)
{
    static const struct step steps[] = {
        {DESCRIBE("b"),
         .answer = "{\"StreamDescription\":{\"StreamStatus\":\"ENABLED\","
                   "\"Shards\":[{\"ShardId\":\"s1\",\"ParentShardId\":\"s0\","
                   "\"SequenceNumberRange\":{\"StartingSequenceNumber\":\"1\","
                   "\"EndingSequenceNumber\":\"2\"}}],"
                   "\"LastEvaluatedShardId\":\"s1\"}}"},
        {.operation = "DescribeStream",
         .body =
             "{\"StreamArn\":\"" ARN("b") "\","
                                          "\"ExclusiveStartShardId\":\"s1\"}",
         .answer = STATUS("ENABLED", "{\"ShardId\":\"s2\",\"ParentShardId\":"
                                     "\"s1\",\"SequenceNumberRange\":{}}")}};
    struct stream_listing listing;
    struct error err = {0};

    (void)state;
    FOLLOW(steps);
    assert_ok(list_arn(&listing, &err), &err);
    assert_int_equal(script.done, 2);
    assert_int_equal(listing.count, 1);
    assert_string_equal(listing.list[0].identity, ARN("b"));
    assert_int_equal(listing.list[0].shards.count, 2);
    assert_false(listing.list[0].shards.is_final);
    assert_true(listing.list[0].shards.lists_gone);
    assert_string_equal(listing.list[0].shards.list[0].parent, "s0");
    assert_true(listing.list[0].shards.list[0].closed);
    assert_string_equal(listing.list[0].shards.list[1].parent, "s1");
    assert_false(listing.list[0].shards.list[1].closed);
    stream_listing_finish(&listing);
}

static struct status_case {
    const char *name, *answer;
    bool is_final;
} status_cases[] = {
    {"enabling", STATUS("ENABLING", ""), false},
    {"enabled", STATUS("ENABLED", ""), false},
    {"disabling", STATUS("DISABLING", ""), false},
    {"disabled", STATUS("DISABLED", ""), true},
};

static void test_status(void **state)
{
    const struct status_case *c = *state;
    const struct step steps[] = {{DESCRIBE("b"), .answer = c->answer}};
    struct stream_listing listing;
    struct error err = {0};

    FOLLOW(steps);
    assert_ok(list_arn(&listing, &err), &err);
    assert_int_equal(listing.list[0].shards.is_final, c->is_final);
    stream_listing_finish(&listing);
}

static struct bad_case {
    const char *name;
    struct step step;
    enum error_code error;
    const char *part;
} bad_cases[] = {
    {"no such stream",
     {DESCRIBE("b"), .error = ERROR_NOT_FOUND},
     ERROR_NOT_FOUND,
     "stream " ARN("b") ": DescribeStream"},
    {"no JSON",
     {DESCRIBE("b"), .answer = "<html>"},
     ERROR_TRANSIENT,
     "no JSON"},
    {"no status",
     {DESCRIBE("b"), .answer = "{}"},
     ERROR_TRANSIENT,
     "no StreamStatus"},
    {"no shards",
     {DESCRIBE("b"),
      .answer = "{\"StreamDescription\":{\"StreamStatus\":\"ENABLED\"}}"},
     ERROR_TRANSIENT,
     "no Shards"},
    {"a shard without id",
     {DESCRIBE("b"), .answer = STATUS("ENABLED", "{}")},
     ERROR_TRANSIENT,
     "a shard without ShardId"},
};

static void test_bad(void **state)
{
    const struct bad_case *c = *state;
    struct stream_listing listing;
    struct error err = {0};

    follow(&c->step, 1);
    assert_fails(list_arn(&listing, &err), &err, c->error);
    assert_contains(err.message, c->part);
    assert_null(listing.list);
}

// ---- a table's streams -----------------------------------------------------

static void test_a_tables_streams_come_oldest_first(void **state)
{
    static const struct step steps[] = {
        {LIST, .answer = "{\"Streams\":[" STREAM("c") "," STREAM(
                   "a") "],"
                        "\"LastEvaluatedStreamArn\":\"" ARN("a") "\"}"},
        {.operation = "ListStreams",
         .body = "{\"TableName\":\"orders\",\"ExclusiveStartStreamArn\":"
                 "\"" ARN("a") "\"}",
         .answer = STREAMS(STREAM("b") ",{\"StreamArn\":\"x\",\"TableName\":"
                                       "\"other\",\"StreamLabel\":\"z\"}")},
        {DESCRIBE("a"), .answer = STATUS("DISABLED", "")},
        {DESCRIBE("b"), .error = ERROR_NOT_FOUND}, // gone meanwhile
        {DESCRIBE("c"), .answer = STATUS("ENABLED", "{\"ShardId\":\"s\"}")}};
    struct stream_listing listing;
    struct error err = {0};

    (void)state;
    FOLLOW(steps);
    assert_ok(list_table(&listing, &err), &err);
    assert_int_equal(err.code, ERROR_NONE);
    assert_int_equal(script.done, 5);
    assert_int_equal(listing.count, 2);
    assert_string_equal(listing.list[0].identity, ARN("a"));
    assert_true(listing.list[0].shards.is_final);
    assert_string_equal(listing.list[1].identity, ARN("c"));
    assert_int_equal(listing.list[1].shards.count, 1);
    stream_listing_finish(&listing);
}

static void test_a_table_without_stream_is_waited_for(void **state)
{
    static const struct step steps[] = {{LIST, .answer = STREAMS("")}};
    struct stream_listing listing;
    struct error err = {0};

    (void)state;
    FOLLOW(steps);
    assert_fails(list_table(&listing, &err), &err, ERROR_NOT_FOUND);
    assert_string_equal(err.message, "table orders: it has no stream");
}

static void test_one_stream_that_cannot_be_read_fails_the_listing(void **state)
{
    static const struct step steps[] = {
        {LIST, .answer = STREAMS(STREAM("a") "," STREAM("b"))},
        {DESCRIBE("a"), .answer = STATUS("DISABLED", "")},
        {DESCRIBE("b"), .error = ERROR_THROTTLED}};
    struct stream_listing listing;
    struct error err = {0};

    (void)state;
    FOLLOW(steps);
    assert_fails(list_table(&listing, &err), &err, ERROR_THROTTLED);
    assert_contains(err.message, "table orders: stream ");
    assert_null(listing.list);
}

static void test_the_newest_hundred_are_kept(void **state)
{
    struct dynamodb_streams streams = {.count = 0};
    struct error err = {0};
    char *last = NULL;

    (void)state;
    for (int i = 0; i < DYNAMODB_STREAMS_LIMIT + 3; i++) {
        char *body = mem_printf("{\"Streams\":[{\"StreamArn\":\"a%03d\","
                                "\"TableName\":\"t\",\"StreamLabel\":\"%03d\"}"
                                "]}",
                                i, i);

        assert_ok(
            dynamodb_streams_parse(bytes_of(body), "t", &streams, &last, &err),
            &err);
        assert_null(last);
        free(body);
    }
    assert_int_equal(streams.count, DYNAMODB_STREAMS_LIMIT);
    assert_string_equal(streams.list[0].label, "003");
    assert_string_equal(streams.list[99].arn, "a102");
    dynamodb_streams_finish(&streams);
}

// ---- what servers said -----------------------------------------------------

static struct recorded_case {
    const char *name;
    bool is_closed;
} recorded_cases[] = {
    {"dynamodb-local-shards.json", false},
    {"dynamodb-local-shards-disabled.json", true},
    {"moto-shards.json", false},
};

static char *load(const char *name)
{
    char *path = mem_printf(CORPUS "%s", name), *text = mem_calloc(1, 65536);
    FILE *file = fopen(path, "re");

    if (!file)
        fail_msg("%s is missing", path);
    text[fread(text, 1, 65535, file)] = '\0';
    (void)fclose(file);
    free(path);
    return text;
}

static void test_recorded(void **state)
{
    const struct recorded_case *c = *state;
    struct stream_shards shards = {0};
    char *text = load(c->name), *last = NULL;
    struct error err = {0};

    assert_ok(dynamodb_shards_parse(bytes_of(text), &shards, &last, &err),
              &err);
    assert_null(last);
    assert_int_equal(shards.count, 1);
    assert_int_equal(shards.is_final, c->is_closed);
    assert_int_equal(shards.list[0].closed, c->is_closed);
    assert_null(shards.list[0].parent);
    stream_shards_finish(&shards);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_pages_of_shards_are_read),
        cmocka_unit_test(test_a_tables_streams_come_oldest_first),
        cmocka_unit_test(test_a_table_without_stream_is_waited_for),
        cmocka_unit_test(test_one_stream_that_cannot_be_read_fails_the_listing),
        cmocka_unit_test(test_the_newest_hundred_are_kept),
    };

    return run_table("status", status_cases, test_status) +
           run_table("bad", bad_cases, test_bad) +
           run_table("recorded", recorded_cases, test_recorded) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
