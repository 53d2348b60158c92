#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "invoker.h"
#include "test.h"

#define EXEC BUILD "/handlers/exec.so"

static struct shipment *run_exec(struct invoker *invoker, const char *settings,
                                 enum record_kind kind,
                                 const char *const *texts, int64_t timeout_ms)
{
    struct shipment *shipment;
    struct error err = {0};

    assert_ok(invoker_init(invoker, EXEC, settings, 1, clock_system(), &err),
              &err);
    shipment = shipment_create(invoker, kind, texts);
    shipment->invocation.timeout_ms = timeout_ms;
    shipment_run(invoker, shipment);
    return shipment;
}

/* {"command": line, ...rest}. Caller frees. */
static char *settings_of(const char *line, const char *rest)
{
    json_t *command = json_string(line);
    AUTO_FREE char *quoted = json_dumps(command, JSON_ENCODE_ANY);

    json_decref(command);
    return mem_printf("{\"command\":%s%s}", quoted, rest ? rest : "");
}

static struct run_case {
    const char *name, *line, *rest;
    enum outcome_kind kind;
    const char *reason, *logged; // parts; NULL: not asked
} run_cases[] = {
    {"success", "exit 0", NULL, OUTCOME_DONE, NULL, NULL},
    {"failure", "exit 3", NULL, OUTCOME_FAILED, "/bin/sh exited with 3", NULL},
    {"try again", "exit 75", NULL, OUTCOME_FAILED, "exited with 75 (try again)",
     NULL},
    {"a command that is not there", "/nowhere/command", NULL, OUTCOME_FAILED,
     "exited with 127 (not found)", "warn  handler.log"},
    {"a crash", "kill -SEGV $$", NULL, OUTCOME_FAILED,
     "was ended by signal 11 (Segmentation fault)", NULL},
    {"its own timeout", "exec sleep 60", ",\"timeout\":\"100ms\"",
     OUTCOME_FAILED, "was killed after 100 ms", NULL},
    {"a timeout that is deaf to TERM", "trap '' TERM; sleep 60 & wait",
     ",\"timeout\":\"100ms\"", OUTCOME_FAILED, "was killed after 100 ms", NULL},
    {"output is logged by lines", "echo one; echo two", NULL, OUTCOME_DONE,
     NULL, "info  handler.log trigger=races message=one\n"},
    {"the last line needs no newline", "printf 'no newline'", NULL,
     OUTCOME_DONE, NULL, "message=\"no newline\""},
    {"carriage returns are dropped", "printf 'dos\\r\\n'", NULL, OUTCOME_DONE,
     NULL, "message=dos\n"},
    {"complaints are warnings", "echo oh >&2", NULL, OUTCOME_DONE, NULL,
     "warn  handler.log trigger=races message=oh\n"},
    {"endless output does not hold it up", "yes", ",\"timeout\":\"300ms\"",
     OUTCOME_FAILED, "was killed", "more bytes were not logged"},
    {"much output is cut", "head -c 1000000 /dev/zero | tr '\\0' x", NULL,
     OUTCOME_DONE, NULL, "934464 more bytes were not logged"},
    {"the environment",
     "echo \"$POLLARD_TRIGGER $POLLARD_SOURCE_ARN $POLLARD_BATCH_SIZE "
     "${POLLARD_SHARD-none}\"; test $POLLARD_REMAINING_MS -gt 1000",
     NULL, OUTCOME_DONE, NULL,
     "message=\"races arn:aws:sqs:us-east-1:000000000000:queue 2 none\""},
    {"the event can be read twice",
     "test $(cat /dev/stdin /dev/stdin | grep -o messageId | wc -l) = 4", NULL,
     OUTCOME_DONE, NULL, NULL},
    {"the event cannot be written to", "echo x >/dev/stdin", NULL,
     OUTCOME_FAILED, NULL, NULL},
    {"no signal is blocked", "grep -q '^SigBlk:.0*$' /proc/self/status", NULL,
     OUTCOME_DONE, NULL, NULL},
    {"no descriptor is inherited", "test ! -e /proc/self/fd/50", NULL,
     OUTCOME_DONE, NULL, NULL},
};

static void test_run(void **state)
{
    static const char *const texts[] = {"first", "second", NULL};
    const struct run_case *c = *state;
    AUTO_FREE char *settings = settings_of(c->line, c->rest);
    struct invoker invoker;
    struct shipment *shipment;
    AUTO_FREE char *logged = NULL;

    (void)dup2(STDERR_FILENO, 50);
    shipment =
        run_exec(&invoker, settings, RECORD_SQS, texts, INVOKER_TIMEOUT_MS);
    logged = invoker_logged(&invoker);
    if (shipment->invocation.outcome.kind != c->kind)
        fail_msg("outcome %d, %s, %s", shipment->invocation.outcome.kind,
                 shipment->invocation.outcome.reason, logged);
    if (c->reason)
        assert_contains(shipment->invocation.outcome.reason, c->reason);
    if (c->logged)
        assert_contains(logged, c->logged);
    // No zombie, no child.
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

static struct refused_case {
    const char *name, *settings, *reason;
} refused_cases[] = {
    {"no settings", NULL, "settings are command, per"},
    {"an unknown setting", "{\"command\":\"true\",\"commnad\":1}", "commnad"},
    {"a number as command", "{\"command\":5}", "command: a list of words"},
    {"an empty list", "{\"command\":[]}", "command: the list is empty"},
    {"a number in the list", "{\"command\":[\"sleep\", 5]}",
     "word 2 is not text"},
    {"no such command", "{\"command\":[\"no-such-command\"]}",
     "no executable \"no-such-command\""},
    {"no such path", "{\"command\":[\"/nowhere/command\"]}",
     "no executable \"/nowhere/command\""},
    {"a strange per", "{\"command\":\"true\",\"per\":\"shard\"}",
     "\"shard\" is neither batch nor record"},
    {"a timeout without a unit", "{\"command\":\"true\",\"timeout\":\"5\"}",
     "\"5\" is not a time"},
    {"a timeout of nothing", "{\"command\":\"true\",\"timeout\":\"0s\"}",
     "\"0s\" is not a time"},
    {"an endless timeout", "{\"command\":\"true\",\"timeout\":\"999h\"}",
     "\"999h\" is not a time"},
};

static void test_refused(void **state)
{
    const struct refused_case *c = *state;
    struct invoker invoker;
    struct error err = {0};

    assert_fails(
        invoker_init(&invoker, EXEC, c->settings, 1, clock_system(), &err),
        &err, ERROR_INVALID);
    assert_contains(err.message, c->reason);
    invoker_finish(&invoker);
}

/* The JSON that a command wrote to a file. Caller releases. */
static json_t *load(const char *folder, const char *name)
{
    AUTO_FREE char *path = mem_printf("%s/%s", folder, name);
    json_t *root = json_load_file(path, 0, NULL);

    assert_non_null(root);
    return root;
}

static void test_the_event_arrives_whole(void **state)
{
    char *folder = test_folder_create();
    AUTO_FREE char *line = mem_printf("cat >%s/event", folder);
    AUTO_FREE char *settings = settings_of(line, NULL);
    struct invoker invoker;
    size_t size = 4 * 1024 * 1024;
    AUTO_FREE char *text = mem_calloc(1, size + 1);
    const char *const texts[] = {"{\"a\": \"b}\"}", memset(text, 'x', size),
                                 NULL};
    struct shipment *shipment;
    json_t *event;

    (void)state;
    shipment =
        run_exec(&invoker, settings, RECORD_KINESIS, texts, INVOKER_TIMEOUT_MS);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    event = load(folder, "event");
    assert_int_equal(json_array_size(json_object_get(event, "Records")), 2);
    json_decref(event);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
    test_folder_remove(folder);
}

static void test_a_command_need_not_read_its_event(void **state)
{
    struct invoker invoker;
    size_t size = 4 * 1024 * 1024;
    AUTO_FREE char *text = mem_calloc(1, size + 1);
    const char *const texts[] = {memset(text, 'x', size), NULL};
    struct shipment *shipment;

    (void)state;
    shipment = run_exec(&invoker, "{\"command\":[\"true\"]}", RECORD_SQS, texts,
                        INVOKER_TIMEOUT_MS);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

static void test_records_fail_one_by_one(void **state)
{
    // Braces, quotes and backslashes, so that the cut must be right.
    static const char *const texts[] = {"good }]}", "bad \\\"},{", "good \"",
                                        "later", NULL};
    char *folder = test_folder_create();
    AUTO_FREE char *line =
        mem_printf("cat >%s/event.$$; test $POLLARD_BATCH_SIZE = 1 || exit 9;"
                   "grep -q '\"body\":\"later' %s/event.$$ && exit 75;"
                   "! grep -q '\"body\":\"bad' %s/event.$$",
                   folder, folder, folder);
    AUTO_FREE char *settings = settings_of(line, ",\"per\":\"record\"");
    AUTO_FREE char *logged = NULL;
    struct invoker invoker;
    struct shipment *shipment;
    const struct outcome *outcome;

    (void)state;
    shipment =
        run_exec(&invoker, settings, RECORD_SQS, texts, INVOKER_TIMEOUT_MS);
    outcome = &shipment->invocation.outcome;
    assert_int_equal(outcome->kind, OUTCOME_DONE);
    assert_int_equal(outcome->failed_count, 2);
    assert_false(outcome->failed[0]);
    assert_true(outcome->failed[1]);
    assert_false(outcome->failed[2]);
    assert_true(outcome->failed[3]);
    logged = invoker_logged(&invoker);
    assert_contains(logged, "warn  handler.log trigger=races message=\"record "
                            "id: /bin/sh exited with 1\"");
    assert_contains(logged, "info  handler.log trigger=races message=\"record "
                            "id: /bin/sh exited with 75 (try again)\"");
    shipment_destroy(shipment);
    invoker_finish(&invoker);
    test_folder_remove(folder);
}

static void test_records_done_before_the_deadline_stay_done(void **state)
{
    static const char *const texts[] = {"quick", "slow", "never", NULL};
    AUTO_FREE char *settings = settings_of(
        "if grep -q slow; then exec sleep 60; fi", ",\"per\":\"record\"");
    struct invoker invoker;
    struct shipment *shipment;
    const struct outcome *outcome;

    (void)state;
    shipment = run_exec(&invoker, settings, RECORD_SQS, texts, 3000);
    outcome = &shipment->invocation.outcome;
    assert_int_equal(outcome->kind, OUTCOME_DONE);
    assert_int_equal(outcome->failed_count, 2);
    assert_false(outcome->failed[0]);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

// Gone, or a zombie that nobody reaps where there is no init.
static bool is_gone(pid_t pid)
{
    AUTO_FREE char *path = mem_printf("/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    char state = 'Z';

    if (!file)
        return true;
    if (fscanf(file, "%*d %*s %c", &state) != 1)
        state = 'Z';
    (void)fclose(file);
    return state == 'Z';
}

static void test_the_deadline_ends_all_that_was_started(void **state)
{
    static const char *const texts[] = {"anything", NULL};
    char *folder = test_folder_create();
    AUTO_FREE char *line =
        mem_printf("sleep 300 & echo $! >%s/child; wait", folder);
    AUTO_FREE char *settings = settings_of(line, NULL);
    struct invoker invoker;
    struct shipment *shipment;
    int64_t deadline_ms;
    json_t *child;

    (void)state;
    shipment = run_exec(&invoker, settings, RECORD_SQS, texts, 500);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_TIMED_OUT);
    assert_contains(shipment->invocation.outcome.reason,
                    "/bin/sh was killed after ");
    {
        AUTO_FREE char *path = mem_printf("%s/child", folder);

        child = json_load_file(path, JSON_DECODE_ANY, NULL);
    }
    assert_true(json_is_integer(child));
    deadline_ms = clock_now_ms(clock_system()) + 10000;
    while (!is_gone((pid_t)json_integer_value(child))) {
        assert_true(clock_now_ms(clock_system()) < deadline_ms);
        (void)sched_yield();
    }
    json_decref(child);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
    test_folder_remove(folder);
}

static void test_a_stream_has_a_shard(void **state)
{
    static const char *const texts[] = {"click", NULL};
    AUTO_FREE char *settings =
        settings_of("test $POLLARD_SHARD = shardId-000000000000", NULL);
    struct invoker invoker;
    struct shipment *shipment;

    (void)state;
    shipment =
        run_exec(&invoker, settings, RECORD_KINESIS, texts, INVOKER_TIMEOUT_MS);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    shipment_destroy(shipment);
    invoker_finish(&invoker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_event_arrives_whole),
        cmocka_unit_test(test_a_command_need_not_read_its_event),
        cmocka_unit_test(test_records_fail_one_by_one),
        cmocka_unit_test(test_records_done_before_the_deadline_stay_done),
        cmocka_unit_test(test_the_deadline_ends_all_that_was_started),
        cmocka_unit_test(test_a_stream_has_a_shard),
    };
    sigset_t all;

    // As in pollard, where signals belong to main.
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, NULL);
    return run_table("exec runs", run_cases, test_run) +
           run_table("exec refuses", refused_cases, test_refused) +
           cmocka_run_group_tests_name("exec", tests, NULL, NULL);
}
