#include "source/kinesis_shards.h"

#include <stdio.h>

#include "aws/client.h"
#include "base/mem.h"
#include "source/kinesis.h"
#include "test.h"

#define CORPUS "tests/fuzz/corpus/kinesis_shards/"

// ---- a client that follows a script ----------------------------------------

struct step {
    const char *operation, *body; // what must be asked
    const char *answer;           // JSON; NULL: a refusal
    const char *code;
    enum error_code error;
};

static struct {
    const struct step *steps;
    size_t count, done;
    const bool *stop;
} script;

static void check_request(const struct step *step, struct aws_request *request)
{
    assert_string_equal(request->operation, step->operation);
    assert_int_equal(request->protocol, AWS_JSON_11);
    assert_int_equal(request->service, AWS_KINESIS);
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
    if (script.done > script.count)
        fail_msg("%s is asked after the end of the script", request->operation);
    assert_ptr_equal(stop, script.stop);
    check_request(step, request);
    *reply = (struct aws_reply){.ok = step->answer != NULL};
    buffer_init(&reply->body, 1 << 20);
    if (step->answer) {
        buffer_append_text(&reply->body, step->answer);
        return true;
    }
    (void)snprintf(reply->code, sizeof(reply->code), "%s", step->code);
    return error_set(&reply->error, step->error, "%s http://there: %s",
                     step->operation, step->code);
}

void __wrap_aws_reply_finish(struct aws_reply *reply);
void __wrap_aws_reply_finish(struct aws_reply *reply)
{
    buffer_finish(&reply->body);
}

static void follow(const struct step *steps, size_t count)
{
    static const bool go_on;

    script.steps = steps;
    script.count = count;
    script.done = 0;
    script.stop = &go_on;
}

#define FOLLOW(steps_) follow((steps_), sizeof(steps_) / sizeof((steps_)[0]))

static bool list(struct stream_shards *shards, struct error *err)
{
    return kinesis_list_shards(NULL, "clicks", script.stop, shards, err);
}

static bool describe(struct kinesis_summary *summary, struct error *err)
{
    return kinesis_describe(NULL, "clicks", script.stop, summary, err);
}

#define LIST_FIRST                                                   \
    .operation = "ListShards", .body = "{\"StreamName\":\"clicks\"," \
                                       "\"MaxResults\":10000}"
#define LIST_NEXT(token) \
    .operation = "ListShards", .body = "{\"NextToken\":\"" token "\"}"

// ---- listing ---------------------------------------------------------------

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

// What each server said after one shard was split in two.
static struct recorded_case {
    const char *name;
    const char *first_child_end;
} recorded_cases[] = {
    {"kinesis-mock.json", "170141183460469231731687303715884105727"},
    {"kinesalite.json", "170141183460469231731687303715884105727"},
    {"moto.json", "170141183460469231731687303715884105727"},
};

static void assert_is_split(const struct stream_shards *shards)
{
    assert_int_equal(shards->count, 3);
    assert_string_equal(shards->list[0].id, "shardId-000000000000");
    assert_true(shards->list[0].closed);
    assert_null(shards->list[0].parent);
    assert_string_equal(shards->list[0].starting_hash_key, "0");
    for (int i = 1; i < 3; i++) {
        assert_false(shards->list[i].closed);
        assert_string_equal(shards->list[i].parent, "shardId-000000000000");
        assert_null(shards->list[i].adjacent_parent);
    }
    assert_ptr_equal(stream_shards_find(shards, "shardId-000000000002"),
                     &shards->list[2]);
    assert_null(stream_shards_find(shards, "shardId-000000000003"));
}

static void test_recorded(void **state)
{
    const struct recorded_case *c = *state;
    AUTO_FREE char *answer = load(c->name);
    const struct step steps[] = {{LIST_FIRST, .answer = answer}};
    struct stream_shards shards = {0};
    struct error err = {0};

    FOLLOW(steps);
    assert_ok(list(&shards, &err), &err);
    assert_is_split(&shards);
    assert_string_equal(shards.list[1].ending_hash_key, c->first_child_end);
    stream_shards_finish(&shards);
    assert_int_equal(shards.count, 0);
}

static void test_pages_are_put_together(void **state)
{
    const struct step steps[] = {
        {LIST_FIRST, .answer = "{\"Shards\":[{\"ShardId\":\"a\"},"
                               "{\"ShardId\":\"b\"}],\"NextToken\":\"t1\"}"},
        {LIST_NEXT("t1"), .answer = "{\"Shards\":[],\"NextToken\":\"t2\"}"},
        {LIST_NEXT("t2"),
         .answer = "{\"Shards\":[{\"ShardId\":\"c\",\"ParentShardId\":\"a\","
                   "\"AdjacentParentShardId\":\"b\"}],\"NextToken\":null}"},
    };
    struct stream_shards shards = {0};
    struct error err = {0};

    (void)state;
    FOLLOW(steps);
    assert_ok(list(&shards, &err), &err);
    assert_int_equal(script.done, 3);
    assert_int_equal(shards.count, 3);
    assert_string_equal(shards.list[2].id, "c");
    assert_string_equal(shards.list[2].parent, "a");
    assert_string_equal(shards.list[2].adjacent_parent, "b");
    stream_shards_finish(&shards);
}

static void test_an_expired_token_starts_over(void **state)
{
    const struct step steps[] = {
        {LIST_FIRST, .answer = "{\"Shards\":[{\"ShardId\":\"a\"}],"
                               "\"NextToken\":\"t1\"}"},
        {LIST_NEXT("t1"), .code = "ExpiredNextTokenException",
         .error = ERROR_INVALID},
        {LIST_FIRST, .answer = "{\"Shards\":[{\"ShardId\":\"a\"}],"
                               "\"NextToken\":\"t2\"}"},
        {LIST_NEXT("t2"), .answer = "{\"Shards\":[{\"ShardId\":\"b\"}]}"},
    };
    struct stream_shards shards = {0};
    struct error err = {0};

    (void)state;
    FOLLOW(steps);
    assert_ok(list(&shards, &err), &err);
    assert_int_equal(shards.count, 2);
    assert_string_equal(shards.list[1].id, "b");
    stream_shards_finish(&shards);
}

static void test_tokens_that_keep_expiring_are_an_error(void **state)
{
    struct step steps[8];
    struct stream_shards shards = {0};
    struct error err = {0};

    (void)state;
    for (int i = 0; i < 8; i += 2) {
        steps[i] = (struct step){LIST_FIRST, .answer = "{\"Shards\":[],"
                                                       "\"NextToken\":\"t\"}"};
        steps[i + 1] =
            (struct step){LIST_NEXT("t"), .code = "ExpiredNextTokenException",
                          .error = ERROR_INVALID};
    }
    FOLLOW(steps);
    assert_fails(list(&shards, &err), &err, ERROR_INVALID);
    assert_int_equal(script.done, 8);
    assert_contains(err.message, "ExpiredNextTokenException");
}

static struct failure_case {
    const char *name;
    struct step step;
    enum error_code error;
    const char *message;
} failure_cases[] = {
    {"no such stream",
     {LIST_FIRST, .code = "ResourceNotFoundException",
      .error = ERROR_NOT_FOUND},
     ERROR_NOT_FOUND,
     "stream clicks: ListShards http://there: ResourceNotFoundException"},
    {"throttled for too long",
     {LIST_FIRST, .code = "LimitExceededException", .error = ERROR_THROTTLED},
     ERROR_THROTTLED,
     "LimitExceededException"},
    {"stopped",
     {LIST_FIRST, .code = "", .error = ERROR_STOPPED},
     ERROR_STOPPED,
     ""},
    {"nothing", {LIST_FIRST, .answer = ""}, ERROR_TRANSIENT, "no JSON"},
    {"half",
     {LIST_FIRST, .answer = "{\"Shards\":["},
     ERROR_TRANSIENT,
     "no JSON"},
    {"an empty object",
     {LIST_FIRST, .answer = "{}"},
     ERROR_TRANSIENT,
     "stream clicks: ListShards: no Shards"},
    {"shards that are none",
     {LIST_FIRST, .answer = "{\"Shards\":[1]}"},
     ERROR_TRANSIENT,
     "a shard without ShardId"},
    {"a shard without id",
     {LIST_FIRST, .answer = "{\"Shards\":[{}]}"},
     ERROR_TRANSIENT,
     "a shard without ShardId"},
};

static void test_failure(void **state)
{
    const struct failure_case *c = *state;
    struct stream_shards shards = {0};
    struct error err = {0};

    follow(&c->step, 1);
    assert_fails(list(&shards, &err), &err, c->error);
    assert_contains(err.message, c->message);
    assert_null(shards.list);
}

static void test_shards_are_limited(void **state)
{
    struct buffer answer;
    struct stream_shards shards = {0};
    struct error err = {0};
    char *next = NULL;

    (void)state;
    buffer_init(&answer, 1 << 20);
    buffer_append_text(&answer, "{\"Shards\":[{\"ShardId\":\"a\"}");
    for (int i = 1; i < STREAM_SHARDS_LIMIT; i++)
        buffer_append_text(&answer, ",{\"ShardId\":\"a\"}");
    buffer_append_text(&answer, "]}");
    assert_ok(kinesis_shards_parse(buffer_bytes(&answer), &shards, &next, &err),
              &err);
    assert_int_equal(shards.count, STREAM_SHARDS_LIMIT);
    assert_fails(
        kinesis_shards_parse(BYTES("{\"Shards\":[{\"ShardId\":\"b\"}]}"),
                             &shards, &next, &err),
        &err, ERROR_INVALID);
    assert_contains(err.message, "more than 10000 shards");
    stream_shards_finish(&shards);
    buffer_finish(&answer);
}

static void test_pages_without_end_are_an_error(void **state)
{
    static struct step steps[1000];
    struct stream_shards shards = {0};
    struct error err = {0};

    (void)state;
    steps[0] = (struct step){LIST_FIRST, .answer = "{\"Shards\":[],"
                                                   "\"NextToken\":\"t\"}"};
    for (int i = 1; i < 1000; i++)
        steps[i] =
            (struct step){LIST_NEXT("t"), .answer = "{\"Shards\":[],"
                                                    "\"NextToken\":\"t\"}"};
    FOLLOW(steps);
    assert_fails(list(&shards, &err), &err, ERROR_INVALID);
    assert_contains(err.message, "more than 1000 pages");
}

// ---- describing ------------------------------------------------------------

#define SUMMARY                                                      \
    .operation = "DescribeStreamSummary", .body = "{\"StreamName\":" \
                                                  "\"clicks\"}"
#define STREAM \
    .operation = "DescribeStream", .body = "{\"StreamName\":\"clicks\"}"

static void test_a_summary_is_read(void **state)
{
    const struct step steps[] = {
        {SUMMARY, .answer =
                      "{\"StreamDescriptionSummary\":{\"ConsumerCount\":0,"
                      "\"KeyId\":null,\"OpenShardCount\":2,"
                      "\"RetentionPeriodHours\":48,\"StreamARN\":\"arn:s\","
                      "\"StreamStatus\":\"UPDATING\"}}"},
    };
    struct kinesis_summary summary = {0};
    struct error err = {0};

    (void)state;
    FOLLOW(steps);
    assert_ok(describe(&summary, &err), &err);
    assert_string_equal(summary.arn, "arn:s");
    assert_int_equal(summary.status, KINESIS_UPDATING);
    assert_int_equal(summary.open_shards, 2);
    assert_int_equal(summary.retention_hours, 48);
    kinesis_summary_finish(&summary);
}

static void test_without_summaries_the_stream_is_described(void **state)
{
    const struct step steps[] = {
        {SUMMARY, .code = "UnknownOperationException", .error = ERROR_INVALID},
        {STREAM,
         .answer = "{\"StreamDescription\":{\"StreamARN\":\"arn:s\","
                   "\"StreamStatus\":\"ACTIVE\",\"RetentionPeriodHours\":24,"
                   "\"HasMoreShards\":true,\"Shards\":[{\"ShardId\":\"a\","
                   "\"SequenceNumberRange\":{\"EndingSequenceNumber\":\"9\"}},"
                   "{\"ShardId\":\"b\"}]}}"},
        {.operation = "DescribeStream",
         .body = "{\"StreamName\":\"clicks\","
                 "\"ExclusiveStartShardId\":\"b\"}",
         .answer =
             "{\"StreamDescription\":{\"StreamARN\":\"arn:s\","
             "\"StreamStatus\":\"ACTIVE\",\"RetentionPeriodHours\":24,"
             "\"HasMoreShards\":false,\"Shards\":[{\"ShardId\":\"c\"}]}}"},
    };
    struct kinesis_summary summary = {0};
    struct error err = {0};

    (void)state;
    FOLLOW(steps);
    assert_ok(describe(&summary, &err), &err);
    assert_int_equal(script.done, 3);
    assert_string_equal(summary.arn, "arn:s");
    assert_int_equal(summary.status, KINESIS_ACTIVE);
    assert_int_equal(summary.open_shards, 2);
    kinesis_summary_finish(&summary);
}

static void test_a_stream_that_is_missing_is_said(void **state)
{
    const struct step steps[] = {
        {SUMMARY, .code = "ResourceNotFoundException",
         .error = ERROR_NOT_FOUND},
    };
    struct kinesis_summary summary = {0};
    struct error err = {0};

    (void)state;
    FOLLOW(steps);
    assert_fails(describe(&summary, &err), &err, ERROR_NOT_FOUND);
    assert_contains(err.message, "stream clicks: DescribeStreamSummary");
    assert_null(summary.arn);
}

static void test_a_status_of_no_known_name_is_an_error(void **state)
{
    const struct step steps[] = {
        {SUMMARY, .answer = "{\"StreamDescriptionSummary\":{"
                            "\"StreamStatus\":\"SLEEPING\"}}"},
    };
    struct kinesis_summary summary = {0};
    struct error err = {0};

    (void)state;
    FOLLOW(steps);
    assert_fails(describe(&summary, &err), &err, ERROR_TRANSIENT);
    assert_contains(err.message, "'SLEEPING'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_are_put_together),
        cmocka_unit_test(test_an_expired_token_starts_over),
        cmocka_unit_test(test_tokens_that_keep_expiring_are_an_error),
        cmocka_unit_test(test_shards_are_limited),
        cmocka_unit_test(test_pages_without_end_are_an_error),
        cmocka_unit_test(test_a_summary_is_read),
        cmocka_unit_test(test_without_summaries_the_stream_is_described),
        cmocka_unit_test(test_a_stream_that_is_missing_is_said),
        cmocka_unit_test(test_a_status_of_no_known_name_is_an_error),
    };
    int failed = run_table("recorded", recorded_cases, test_recorded);

    failed += run_table("failure", failure_cases, test_failure);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
