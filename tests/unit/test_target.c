#include "destination/target.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "destination/object_name.h"
#include "destination/on_failure.h"
#include "test.h"

#define QUEUE "arn:aws:sqs:us-east-1:111122223333:failed"
#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// What on_failure takes, and the rule that is broken otherwise.
static struct check_case {
    const char *name, *destination;
    const char *why; // NULL: taken
} checks[] = {
    {"a queue", QUEUE, NULL},
    {"a topic", "arn:aws:sns:eu-west-1:111122223333:failed", NULL},
    {"a topic of another partition",
     "arn:aws-cn:sns:cn-north-1:111122223333:failed", NULL},
    {"a bucket", "arn:aws:s3:::my-failed.reports", NULL},
    {"a bucket in GovCloud", "arn:aws-us-gov:s3:::failed", NULL},
    {"a folder", "file:///var/lib/pollard/failed/", NULL},
    {"a folder without the slash", "file:///var/lib/pollard/failed", NULL},
    {"a URL", "https://example.com/failed", NULL},
    {"http to loopback", "http://127.0.0.1:8080/failed", NULL},
    {"http to loopback by name", "http://localhost:8080/", NULL},
    {"http to loopback of version 6", "http://[::1]:8080/", NULL},

    {"empty", "", "is no destination"},
    {"too long", "https://example.com/" LONG LONG LONG LONG LONG LONG,
     "350 characters at the most"},
    {"a FIFO queue", QUEUE ".fifo", "FIFO queue"},
    {"a FIFO topic", "arn:aws:sns:eu-west-1:111122223333:failed.fifo",
     "FIFO topic"},
    {"a stream", "arn:aws:kinesis:us-east-1:111122223333:stream/s",
     "takes no reports"},
    {"a function", "arn:aws:lambda:us-east-1:111122223333:function:f",
     "is no destination"},
    {"a Kafka topic", "kafka://failed", "Kafka sources only"},
    {"a subscription", "arn:aws:sns:eu-west-1:111122223333:failed:1234",
     "is no name of a topic"},
    {"a topic without account", "arn:aws:sns:eu-west-1::failed", "is no topic"},
    {"a queue without region", "arn:aws:sqs::111122223333:failed",
     "lacks its region"},
    {"a bucket with a region", "arn:aws:s3:eu-west-1::failed", "is no bucket"},
    {"a bucket with a key", "arn:aws:s3:::failed/prefix",
     "is no name of a bucket"},
    {"a bucket in capitals", "arn:aws:s3:::Failed", "is no name of a bucket"},
    {"a bucket of two letters", "arn:aws:s3:::ab", "is no name of a bucket"},
    {"half an ARN", "arn:aws:sqs", "is no ARN"},
    {"a path", "/var/failed", "is no destination"},
    {"a relative path", "file:failed", "is not absolute"},
    {"a relative path behind slashes", "file://failed", "is not absolute"},
    {"the root", "file:///", "is no path of a folder"},
    {"a path that climbs", "file:///var/../etc/", "is no path of a folder"},
    {"a path that stays", "file:///var/./failed", "is no path of a folder"},
    {"slashes repeated", "file:///var//failed", "is no path of a folder"},
    {"percent-encoding", "file:///var/my%20reports",
     "without percent-encoding"},
    {"http across the network", "http://example.com/failed", "unencrypted"},
    {"http to what looks like loopback", "http://127.0.0.1.example.com/",
     "unencrypted"},
    {"a URL with credentials", "https://user:secret@example.com/failed",
     "without user, password"},
    {"a URL with a query", "https://example.com/failed?token=secret",
     "without user, password"},
    {"a URL without a host", "https://", "is no URL"},
    {"another scheme", "ftp://example.com/", "is no destination"},
};

static void test_check(void **state)
{
    const struct check_case *c = *state;
    struct error err = {0};

    if (!c->why) {
        assert_ok(on_failure_check(c->destination, &err), &err);
        return;
    }
    assert_fails(on_failure_check(c->destination, &err), &err, ERROR_INVALID);
    assert_contains(err.message, c->why);
    assert_null(strstr(err.message, "secret"));
}

static void test_a_folder_must_be_ours(void **state)
{
    char *folder = test_folder_create();
    AUTO_FREE char *missing = mem_printf("%s/missing", folder);
    AUTO_FREE char *file = mem_printf("%s/file", folder);
    struct error err = {0};
    FILE *out;

    (void)state;
    assert_ok(target_check_folder(folder, &err), &err);
    assert_ok(target_check_folder(missing, &err), &err);
    assert_fails(target_check_folder("/tmp", &err), &err, ERROR_INVALID);
    assert_contains(err.message, "everybody may write to folder /tmp");
    out = fopen(file, "w");
    assert_non_null(out);
    assert_int_equal(fclose(out), 0);
    assert_fails(target_check_folder(file, &err), &err, ERROR_INVALID);
    assert_contains(err.message, "is no folder");
    test_folder_remove(folder);
}

static const char *named(struct buffer *out, const char *shard)
{
    buffer_clear(out);
    object_name_report(out, "8b2e", shard, 1763829332717, "uuid");
    return buffer_text(out);
}

static void test_a_report_is_named_as_lambda_names_it(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 1024);
    assert_string_equal(named(&out, "shardId-000000000000"),
                        "aws/lambda/8b2e/shardId-000000000000/2025/11/22/"
                        "2025-11-22T16.35.32-uuid");
    assert_string_equal(
        named(&out, "shardId-00000001414562045508-2bac9cd2"),
        "aws/lambda/8b2e/shardId-00000001414562045508-2bac9cd2/2025/11/22/"
        "2025-11-22T16.35.32-uuid");
    buffer_finish(&out);
}

static void test_no_shard_leaves_the_folder(void **state)
{
    struct buffer out;

    (void)state;
    buffer_init(&out, 1024);
    assert_contains(named(&out, "../../etc"), "aws/lambda/8b2e/_._.._etc/2025");
    assert_contains(named(&out, ".."), "aws/lambda/8b2e/_./2025");
    assert_contains(named(&out, ".hidden"), "aws/lambda/8b2e/_hidden/2025");
    assert_contains(named(&out, ""), "aws/lambda/8b2e/_/2025");
    assert_contains(named(&out, "a\nb c"), "aws/lambda/8b2e/a_b_c/2025");
    buffer_finish(&out);
}

static void test_a_trigger_has_one_uuid(void **state)
{
    char one[UUID_SIZE], again[UUID_SIZE], other[UUID_SIZE];

    (void)state;
    on_failure_uuid("clicks", one);
    on_failure_uuid("clicks", again);
    on_failure_uuid("orders", other);
    // It is in the names of what was stored: it must never change.
    assert_string_equal(one, "f6ceb384-49b7-8309-a8ad-af416dd1468a");
    assert_string_equal(one, again);
    assert_string_not_equal(one, other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_folder_must_be_ours),
        cmocka_unit_test(test_a_report_is_named_as_lambda_names_it),
        cmocka_unit_test(test_no_shard_leaves_the_folder),
        cmocka_unit_test(test_a_trigger_has_one_uuid),
    };

    return run_table("check", checks, test_check) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
