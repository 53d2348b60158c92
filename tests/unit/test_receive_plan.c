#include "source/receive_plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/random.h"
#include "test.h"

/*
 * Each row is a story in words that run from left to right.
 *
 *   room:25      so many records could run       ask:10,10,5   receives go out
 *   ask:-        none goes out                   got:10/7      7 of 10 came
 *   fail:10      a receive for 10 failed         target:3      there should be
 *   +20          20 ms pass                      due:20        held until then
 *   never_due    nothing by time
 */
static struct plan_case {
    const char *name;
    size_t minimum, maximum;
    const char *story;
} cases[] = {
    {"idle: one receive is parked, and stays the only one", 1, 10,
     "room:100 ask:10 ask:- got:10/0 target:1 ask:10 ask:- never_due"},
    {"idle: the minimum is always there", 3, 10,
     "room:100 ask:10,10,10 got:10/0 ask:10 target:3"},
    {"never more than the room in all", 10, 10, "room:25 ask:10,10,5 ask:-"},
    {"no room, no receive", 1, 10, "room:0 ask:- never_due"},
    {"room that is asked for is not asked for again", 2, 10,
     "room:10 ask:10 ask:- room:12 ask:- due:20 +20 ask:2 ask:-"},
    {"a full answer: one more", 1, 10,
     "room:100 ask:10 got:10/10 target:2 ask:10,10"},
    {"more than half full: one more", 1, 10,
     "room:100 ask:10 got:10/6 target:2"},
    {"a trickle is left to one receive", 1, 10,
     "room:100 ask:10 got:10/1 target:1 ask:10 got:10/5 target:1"},
    {"grows to the maximum and no further", 1, 3,
     "room:100 ask:10 got:10/10 ask:10,10 got:10/10 ask:10,10 got:10/10 "
     "target:3 ask:10 got:10/10 target:3"},
    {"does not grow where room is the limit", 1, 10,
     "room:10 ask:10 got:10/10 target:2 ask:10 got:10/10 target:2"},
    {"each empty answer: one less", 1, 10,
     "room:100 ask:10 got:10/10 ask:10,10 got:10/10 ask:10,10 target:3 "
     "got:10/0 target:2 got:10/0 target:1 got:10/0 target:1"},
    {"a round of meagre answers: one less", 1, 10,
     "room:100 ask:10 got:10/10 ask:10,10 target:2 got:10/1 target:2 "
     "got:10/1 target:1"},
    {"a failure: back to the minimum", 1, 10,
     "room:100 ask:10 got:10/10 ask:10,10 got:10/10 ask:10,10 target:3 "
     "fail:10 target:1 ask:- got:10/0 got:10/0 ask:10"},
    {"slots that come free one by one are gathered", 1, 10,
     "room:10 ask:10 got:10/10 room:1 ask:- due:20 +10 room:4 ask:- due:10 "
     "room:5 ask:5 never_due"},
    {"a slow handler's free slots do not wait for ever", 1, 10,
     "room:10 ask:10 got:10/10 room:3 ask:- +20 ask:3 never_due"},
    {"a small trigger asks for what it can run", 1, 10,
     "room:1 ask:1 got:1/1 room:0 ask:- room:1 ask:1"},
    {"held room that is gone again is forgotten", 1, 10,
     "room:10 ask:10 got:10/10 room:3 ask:- due:20 room:0 ask:- never_due"},
};

struct story {
    struct receive_plan plan;
    size_t room;
    int64_t now_ms;
};

static void expect_asks(struct story *story, const char *asks)
{
    if (*asks == '-') {
        assert_int_equal(
            receive_plan_ask(&story->plan, story->room, story->now_ms), 0);
        return;
    }
    for (char *end; *asks; asks = *end ? end + 1 : end)
        assert_int_equal(
            receive_plan_ask(&story->plan, story->room, story->now_ms),
            strtoul(asks, &end, 10));
}

static void tell(struct story *story, const char *word)
{
    int64_t due = receive_plan_deadline_ms(&story->plan);
    unsigned asked, brought;
    int number;

    if (sscanf(word, "got:%u/%u", &asked, &brought) == 2)
        receive_plan_answered(&story->plan, asked, brought);
    else if (sscanf(word, "fail:%u", &asked) == 1)
        receive_plan_failed(&story->plan, asked);
    else if (sscanf(word, "room:%d", &number) == 1)
        story->room = (size_t)number;
    else if (sscanf(word, "target:%d", &number) == 1)
        assert_int_equal(story->plan.target, number);
    else if (sscanf(word, "due:%d", &number) == 1)
        assert_int_equal(due - story->now_ms, number);
    else if (!strcmp(word, "never_due"))
        assert_true(due == CLOCK_NEVER);
    else if (!strncmp(word, "ask:", 4))
        expect_asks(story, word + 4);
    else if (sscanf(word, "+%d", &number) == 1)
        story->now_ms += number;
    else
        fail_msg("unknown word \"%s\"", word);
}

static void test_story(void **state)
{
    const struct plan_case *c = *state;
    struct story story = {.now_ms = 1000};
    char words[512], *at = words, *word;

    (void)snprintf(words, sizeof(words), "%s", c->story);
    receive_plan_init(&story.plan, c->minimum, c->maximum);
    while ((word = strsep(&at, " ")))
        tell(&story, word);
}

static void check(const struct receive_plan *plan)
{
    assert_in_range(plan->target, plan->minimum, plan->maximum);
    assert_true(plan->in_flight <= plan->maximum);
    assert_true(plan->asked >= plan->in_flight);
    assert_true(plan->asked <= plan->in_flight * RECEIVE_PLAN_MOST);
}

static void test_a_million_random_steps(void **state)
{
    struct random random = {.state = 7};
    struct receive_plan plan;
    size_t asks[16], flying = 0, room = 0;
    int64_t now_ms = 0;

    (void)state;
    receive_plan_init(&plan, 2, 16);
    for (int step = 0; step < 1000000; step++) {
        size_t ask, before = plan.asked;

        now_ms += (int64_t)random_below(&random, 8);
        if (random_below(&random, 4) == 0)
            room = random_below(&random, 200);
        ask = receive_plan_ask(&plan, room, now_ms);
        if (ask) {
            assert_true(before + ask <= room);
            assert_true(flying < 16);
            asks[flying++] = ask;
        }
        if (flying && random_below(&random, 3) == 0) {
            size_t one = random_below(&random, flying);

            if (random_below(&random, 20))
                receive_plan_answered(&plan, asks[one],
                                      random_below(&random, asks[one] + 1));
            else
                receive_plan_failed(&plan, asks[one]);
            asks[one] = asks[--flying];
        }
        check(&plan);
        assert_int_equal(plan.in_flight, flying);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_million_random_steps),
    };

    return run_table("receive_plan", cases, test_story) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
