#include "keeper/succession.h"

#include "test.h"

// Oldest first; '-': untouched, 'b': begun, 'f': finished.
static struct choice_case {
    const char *name, *streams;
    size_t chosen;
    bool takes_over;
} choice_cases[] = {
    {"the only one", "-", 0, false},
    {"the only one goes on", "b", 0, false},
    {"the only one is over", "f", 0, false},
    {"the first time the newest", "---", 2, false},
    {"what was begun is read to its end", "b-", 0, false},
    {"then the next", "f-", 1, true},
    {"not the one after it", "f--", 1, true},
    {"the oldest that was begun", "fbb", 1, true},
    {"nothing older than what was begun", "-b", 1, false},
    {"nothing older than what is finished", "-f", 1, false},
    {"the next one behind it", "-f-", 2, true},
    {"a successor goes on", "fb", 1, true},
    {"all is read", "ff", 1, true},
};

static void test_choice(void **state)
{
    const struct choice_case *c = *state;
    enum succession_state states[8];
    size_t count = strlen(c->streams), chosen;

    for (size_t i = 0; i < count; i++)
        states[i] = c->streams[i] == '-'   ? SUCCESSION_UNTOUCHED
                    : c->streams[i] == 'b' ? SUCCESSION_BEGUN
                                           : SUCCESSION_FINISHED;
    chosen = succession_choose(states, count);
    assert_int_equal(chosen, c->chosen);
    assert_int_equal(succession_takes_over(states, chosen), c->takes_over);
}

// Shards "a" and "b"; their rows by state, '-': none, 'o': open, 'e': ended,
// 'l': lost.
static struct state_case {
    const char *name, *rows;
    bool is_final;
    enum succession_state state;
} state_cases[] = {
    {"no rows", "--", true, SUCCESSION_UNTOUCHED},
    {"one is open", "eo", true, SUCCESSION_BEGUN},
    {"one has no row yet", "e-", true, SUCCESSION_BEGUN},
    {"all have ended", "ee", true, SUCCESSION_FINISHED},
    {"a lost one is over as well", "el", true, SUCCESSION_FINISHED},
    {"more may follow", "ee", false, SUCCESSION_BEGUN},
};

static void test_state(void **state)
{
    const struct state_case *c = *state;
    char names[][2] = {"a", "b"};
    struct stream_shard list[] = {{.id = names[0]}, {.id = names[1]}};
    struct stream_shards shards = {
        .list = list, .count = 2, .is_final = c->is_final};
    struct lease_row row[2] = {{0}};
    struct lease_rows rows = {.list = row};

    for (size_t i = 0; i < 2; i++)
        if (c->rows[i] != '-')
            row[rows.count++] =
                (struct lease_row){.shard = names[i],
                                   .state = c->rows[i] == 'o'   ? LEASE_OPEN
                                            : c->rows[i] == 'e' ? LEASE_ENDED
                                                                : LEASE_LOST};
    assert_int_equal(succession_state_of(&shards, &rows), c->state);
}

int main(void)
{
    return run_table("choice", choice_cases, test_choice) +
           run_table("state", state_cases, test_state);
}
