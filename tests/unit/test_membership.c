#include "keeper/membership.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#include "sim_clock.h"
#include "test.h"

struct stage {
    struct sim_clock clock;
    int ends[2]; // of the pipe that the log is written to
    struct log_sink sink;
    struct log log;
    struct membership *membership;
};

static int set_up(void **state)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));

    sim_clock_init(&stage->clock);
    assert_int_equal(pipe(stage->ends), 0);
    stage->sink = (struct log_sink){.fd = stage->ends[1],
                                    .format = LOG_FORMAT_TEXT,
                                    .level = LOG_LEVEL_INFO};
    stage->log.sink = &stage->sink;
    stage->membership = membership_create(
        &(struct membership_options){.path = "/nowhere/state.db",
                                     .application = "pollard/clicks",
                                     .name = "worker",
                                     .duration_ms = 10000,
                                     .heartbeat_ms = 3000,
                                     .clock = &stage->clock.clock,
                                     .log = &stage->log});
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;

    membership_destroy(stage->membership);
    (void)close(stage->ends[0]);
    (void)close(stage->ends[1]);
    test_free(stage);
    return 0;
}

static void note(struct stage *stage, enum store_result result)
{
    const struct error err = {ERROR_TRANSIENT, "disk is full"};

    assert_int_equal(membership_note(stage->membership, result, &err), result);
    assert_int_equal(membership_is_failing(stage->membership),
                     result == STORE_UNAVAILABLE);
}

// How often the log names this since the last look. The line that is written
// here keeps the pipe from being empty.
static void assert_told(struct stage *stage, size_t failing, size_t recovered)
{
    char text[4096];
    ssize_t size;
    size_t found[2] = {0};

    log_info(&stage->log, "look");
    size = read(stage->ends[0], text, sizeof(text) - 1);
    assert_true(size > 0);
    text[size] = '\0';
    for (const char *at = text; (at = strstr(at, "store.failing")); at++)
        found[0]++;
    for (const char *at = text; (at = strstr(at, "store.recovered")); at++)
        found[1]++;
    assert_int_equal(found[0], failing);
    assert_int_equal(found[1], recovered);
}

static void test_failing_and_recovered_are_told_once(void **state)
{
    struct stage *stage = *state;

    note(stage, STORE_OK);
    assert_told(stage, 0, 0);
    for (int i = 0; i < 5; i++)
        note(stage, STORE_UNAVAILABLE);
    assert_told(stage, 1, 0);
    note(stage, STORE_OK);
    note(stage, STORE_OK);
    assert_told(stage, 0, 1);
}

// As on a full disk, where a small write still finds room.
static void test_one_that_cannot_decide_does_not_fill_the_log(void **state)
{
    struct stage *stage = *state;

    for (int i = 0; i < 50; i++) {
        note(stage, STORE_UNAVAILABLE);
        note(stage, STORE_OK);
        sim_clock_advance(&stage->clock, 1000);
    }
    assert_told(stage, 1, 1);
    sim_clock_advance(&stage->clock, 10000);
    note(stage, STORE_UNAVAILABLE);
    assert_told(stage, 1, 0);
    note(stage, STORE_OK);
    assert_told(stage, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_failing_and_recovered_are_told_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_one_that_cannot_decide_does_not_fill_the_log, set_up,
            tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
