#include "source/sqs_visibility.h"

#include "record/record.h"
#include "test.h"

static struct visibility_case {
    const char *name;
    int64_t configured_s, needed_s, own_s; // in
    int64_t asked_s, hidden_s;             // out
} cases[] = {
    {"the queue's own, no window", -1, 0, 60, -1, 60},
    {"no window, and a timeout that would not fit", 5, 0, 60, 5, 5},
    {"the queue does not tell", -1, 0, -1, -1, 30},
    {"configured", 120, 0, 60, 120, 120},
    {"a window that fits the queue's own", -1, 60, 60, -1, 60},
    {"a window that does not", -1, 61, 60, 91, 91},
    {"a window that fits what is configured", 120, 100, 60, 120, 120},
    {"a window that does not, as Lambda would", 90, 100, 600, 130, 130},
    {"not known: SQS's default counts", -1, 31, -1, 61, 61},
    {"at most 12 hours", -1, 43180, 60, 43200, 43200},
    {"0 is a visibility timeout", 0, 0, 60, 0, 0},
};

static void test_visibility(void **state)
{
    const struct visibility_case *c = *state;
    const struct sqs_visibility visibility = {.configured_s = c->configured_s,
                                              .needed_s = c->needed_s};

    assert_int_equal(sqs_visibility_asked_s(&visibility, c->own_s), c->asked_s);
    assert_int_equal(sqs_visibility_s(&visibility, c->own_s), c->hidden_s);
}

static struct short_case {
    const char *name;
    struct sqs_visibility visibility;
    int64_t own_s;
    bool is_short;
} short_cases[] = {
    {"as long as the timeout", {-1, 0, 30}, 30, false},
    {"a second less", {-1, 0, 31}, 30, true},
    {"a heartbeat", {-1, 0, 0}, 1, false},
    {"the queue does not tell: SQS's default", {-1, 0, 31}, -1, true},
    {"what is configured counts", {60, 0, 60}, 30, false},
    {"with a window it is asked for", {-1, 35, 31}, 30, false},
};

static void test_short(void **state)
{
    const struct short_case *c = *state;

    assert_int_equal(sqs_visibility_is_short(&c->visibility, c->own_s),
                     c->is_short);
}

static struct delay_case {
    const char *name;
    int64_t delay_ms, age_ms;
    int64_t delay_s;
} delays[] = {
    {"none", 0, 0, 0},
    {"whole seconds", 5000, 0, 5},
    {"up to the next", 5001, 0, 6},
    {"a moment is a second", 1, 0, 1},
    {"12 hours are never reached", 43200000, 0, 43199},
    {"they count from the receive", 43200000, 40000000, 3199},
    {"nothing is left of them", 5000, 43200000, 0},
    {"they are long over", 5000, 90000000, 0},
};

static void test_delay(void **state)
{
    const struct delay_case *c = *state;
    const struct record record = {.received_ms = 1000};

    assert_int_equal(
        sqs_visibility_delay_s(&record, c->delay_ms, 1000 + c->age_ms),
        c->delay_s);
}

int main(void)
{
    return run_table("visibility", cases, test_visibility) |
           run_table("short", short_cases, test_short) |
           run_table("delay", delays, test_delay);
}
