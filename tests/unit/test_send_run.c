#include "cli/send_run.h"

#include <stdio.h>

#include "aws/client.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/send_target.h"
#include "source/source_config.h"
#include "test.h"

// ---- a target that takes what its script says ------------------------------

static struct {
    const char *script;    // of each item in turn: + accepted, - refused,
                           // ? to be sent again, ! all calls from here on fail
    char taken[4096];      // data of accepted items, each with a bar behind
    size_t calls, largest; // calls, and items of the largest
    int pauses;
    bool opened, closed, fails_to_open;
} fake;

void __wrap_aws_client_wait(struct aws_client *client, int64_t timeout_ms);
void __wrap_aws_client_wait(struct aws_client *client, int64_t timeout_ms)
{
    (void)client;
    assert_in_range(timeout_ms, 0, 5000);
    fake.pauses++;
}

static bool fake_open(struct send_target *target, struct error *err)
{
    (void)target;
    fake.opened = true;
    return !fake.fails_to_open ||
           error_set(err, ERROR_NOT_FOUND, "queue orders does not exist");
}

static void accept(struct send_item *item)
{
    size_t used = strlen(fake.taken);

    item->state = SEND_ACCEPTED;
    (void)snprintf(fake.taken + used, sizeof(fake.taken) - used, "%.*s|",
                   BYTES_ARGS(item->data));
}

static void treat(struct send_item *item)
{
    char verdict = *fake.script ? *fake.script++ : '+';

    if (verdict == '+')
        accept(item);
    else if (verdict == '-')
        item->state = SEND_REFUSED;
    (void)snprintf(item->why, sizeof(item->why), "Code%c: text", verdict);
}

static bool fake_send(struct send_target *target,
                      struct send_item *const *items, size_t count,
                      struct error *err)
{
    (void)target;
    fake.calls++;
    if (count > fake.largest)
        fake.largest = count;
    if (*fake.script == '!')
        return error_set(err, ERROR_TRANSIENT, "SendMessageBatch: no answer");
    for (size_t i = 0; i < count; i++)
        treat(items[i]);
    return true;
}

static void fake_check(struct send_item *item)
{
    if (memchr(item->data.data, '\xff', item->data.size))
        item->state = SEND_REFUSED;
}

static void fake_close(struct send_target *target)
{
    (void)target;
    fake.closed = true;
}

static const struct send_target_ops fake_ops = {
    .noun = "messages",
    .one = "message",
    .size = sizeof(struct send_target),
    .items = 3,
    .bytes = 10,
    .item_bytes = 12,
    .open = fake_open,
    .check = fake_check,
    .send = fake_send,
    .close = fake_close,
};

static int run(const char *script, const char *input, bool whole)
{
    struct source_config source = {.name = (char[]){"orders"}};
    struct send_target target = {.ops = &fake_ops, .source = &source};
    AUTO_FREE char *copy = mem_strdup(input);
    FILE *file =
        *input ? fmemopen(copy, strlen(copy), "r") : fopen("/dev/null", "re");
    int status;

    memset(&fake, 0, sizeof(fake));
    fake.script = script;
    status = send_run(&target, file, whole);
    (void)fclose(file);
    assert_true(fake.opened && fake.closed);
    return status;
}

static struct run_case {
    const char *name, *script, *input;
    bool whole;
    int status;
    const char *taken;
    size_t calls;
    int pauses;
} cases[] = {
    {"a line is a message", "", "a\nb\n", false, 0, "a|b|", 1, 0},
    {"the last line needs no end", "", "a\nb", false, 0, "a|b|", 1, 0},
    {"empty lines are passed over", "", "\n\na\n\n", false, 0, "a|", 1, 0},
    {"nothing", "", "", false, 0, "", 0, 0},
    {"as many as a call takes", "", "a\nb\nc\nd\n", false, 0, "a|b|c|d|", 2, 0},
    {"as much as a call takes", "", "aaaaaa\nbbbbbb\n", false, 0,
     "aaaaaa|bbbbbb|", 2, 0},
    {"one larger than a call's usual goes alone", "", "a\nbbbbbbbbbbbb\nc\n",
     false, 0, "a|bbbbbbbbbbbb|c|", 3, 0},
    {"whole", "", "a\n\nb\n", true, 0, "a\n\nb\n|", 1, 0},
    {"what was not accepted is sent again", "+?+?+", "a\nb\nc\n", false, 0,
     "a|c|b|", 3, 2},
    {"five times", "+?????+", "a\nb\n", false, COMMAND_TEMPORARY, "a|", 5, 4},
    {"what is refused is not", "+-+", "a\nb\nc\n", false, COMMAND_DATA, "a|c|",
     1, 0},
    {"what cannot be sent is not", "", "a\n\xff\nc\n", false, COMMAND_DATA,
     "a|c|", 1, 0},
    {"a call that fails ends it", "+++!", "a\nb\nc\nd\ne\nf\ng\n", false,
     COMMAND_TEMPORARY, "a|b|c|", 2, 0},
    {"too long a line ends it, after those before", "", "a\nbbbbbbbbbbbbb\nc\n",
     false, COMMAND_DATA, "a|", 1, 0},
};

static void test_run(void **state)
{
    const struct run_case *c = *state;

    assert_int_equal(run(c->script, c->input, c->whole), c->status);
    assert_string_equal(fake.taken, c->taken);
    assert_int_equal(fake.calls, c->calls);
    assert_int_equal(fake.pauses, c->pauses);
    assert_true(fake.largest <= 3);
}

static void test_a_target_that_is_missing_is_said(void **state)
{
    struct source_config source = {.name = (char[]){"orders"}};
    struct send_target target = {.ops = &fake_ops, .source = &source};
    FILE *file = fopen("/dev/null", "re");

    (void)state;
    memset(&fake, 0, sizeof(fake));
    fake.fails_to_open = true;
    assert_int_equal(send_run(&target, file, false), COMMAND_UNAVAILABLE);
    assert_true(fake.closed);
    (void)fclose(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_target_that_is_missing_is_said),
    };

    return run_table("run", cases, test_run) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
