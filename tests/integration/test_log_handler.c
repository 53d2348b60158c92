#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "invoker.h"
#include "printed.h"
#include "test.h"

#define LOG BUILD "/handlers/log.so"

static struct print_case {
    const char *name, *settings;
    enum record_kind kind;
    const char *data, *key;
    uint32_t receive_count;
    const char *line;
} print_cases[] = {
    {"a message", NULL, RECORD_SQS, "{\"a\":1}", NULL, 1,
     "races id {\"a\":1}\n"},
    {"a stream record with its key", NULL, RECORD_KINESIS, "click", "user 7", 1,
     "races id key=user 7 click\n"},
    {"a message that came back", NULL, RECORD_SQS, "again", NULL, 3,
     "races id receive=3 again\n"},
    {"what would break the line", NULL, RECORD_SQS, "a\nb\x1b[2J\\", NULL, 1,
     "races id a\\x0ab\\x1b[2J\\\\\n"},
    {"UTF-8", NULL, RECORD_SQS, "\xf0\x9f\x90\xb9", NULL, 1,
     "races id \xf0\x9f\x90\xb9\n"},
    {"settings", "{\"prefix\":\"> \",\"max_bytes\":3}", RECORD_SQS, "abcdef",
     NULL, 1, "> races id abc... (6 bytes)\n"},
};

static void test_print(void **state)
{
    const struct print_case *c = *state;
    const char *const texts[] = {c->data, NULL};
    struct printed printed;
    struct invoker invoker;
    struct error err = {0};
    struct shipment *shipment;
    AUTO_FREE char *text = NULL;

    assert_ok(invoker_init(&invoker, LOG, c->settings, 1, clock_system(), &err),
              &err);
    shipment = shipment_create(&invoker, c->kind, texts);
    shipment->record[0].receive_count = c->receive_count;
    shipment->record[0].key = bytes_of(c->key);
    printed_begin(&printed);
    shipment_run(&invoker, shipment);
    text = printed_end(&printed);
    assert_string_equal(text, c->line);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

static struct refused_case {
    const char *name, *settings, *reason;
} refused_cases[] = {
    {"an unknown setting", "{\"prefx\":\"x\"}", "prefx"},
    {"a wrong type", "{\"prefix\":1}", "Expected string"},
    {"a negative limit", "{\"max_bytes\":-1}", "max_bytes is negative"},
};

static void test_refused(void **state)
{
    const struct refused_case *c = *state;
    struct invoker invoker;
    struct error err = {0};

    assert_fails(
        invoker_init(&invoker, LOG, c->settings, 1, clock_system(), &err), &err,
        ERROR_INVALID);
    assert_contains(err.message, c->reason);
    invoker_finish(&invoker);
}

static void test_a_full_disk_fails_the_batch(void **state)
{
    static const char *const texts[] = {"anything", NULL};
    struct invoker invoker;
    struct error err = {0};
    struct shipment *shipment;
    int saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    assert_ok(invoker_init(&invoker, LOG, NULL, 1, clock_system(), &err), &err);
    shipment = shipment_create(&invoker, RECORD_SQS, texts);
    (void)fflush(stdout);
    (void)dup2(full, STDOUT_FILENO);
    shipment_run(&invoker, shipment);
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
    (void)close(full);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_FAILED);
    assert_string_equal(shipment->invocation.outcome.reason,
                        "write to standard output: No space left on device");
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_disk_fails_the_batch),
    };

    return run_table("log prints", print_cases, test_print) +
           run_table("log refuses", refused_cases, test_refused) +
           cmocka_run_group_tests_name("log handler", tests, NULL, NULL);
}
