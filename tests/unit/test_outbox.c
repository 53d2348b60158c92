#include "destination/outbox.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "destination/destination.h"
#include "record/emission.h"
#include "test.h"

/*
 * Each row is a story in words that run from left to right. Emissions are
 * letters; capitals and small letters of a kind share a key (A and a).
 *
 *   add:abc      a delivery of three     take:ab     the next call
 *   take:-       no call is due          ok:a        was accepted
 *   fail:b       goes again later        halve:ab    the call was refused whole
 *   done:3       that delivery of three  done:-      none is complete
 *   +99          99 ms pass              away        withdraw the latest
 *   due          there is a deadline     never_due
 */
static struct outbox_case {
    const char *name;
    struct outbox_limits limits;
    const char *story;
} cases[] = {
    {"a delivery is complete with its last parcel",
     {.parcels = 10, .bytes = 1000},
     "add:abc take:abc done:- ok:a ok:c done:- ok:b done:3 done:-"},
    {"an empty delivery is complete at once",
     {.parcels = 10, .bytes = 1000},
     "add: done:0"},
    {"calls are cut by count",
     {.parcels = 2, .bytes = 1000},
     "add:abcde take:ab take:cd take:e take:-"},
    {"calls are cut by bytes, 8 each",
     {.parcels = 10, .bytes = 20},
     "add:abc take:ab take:c"},
    {"one alone always fits",
     {.parcels = 10, .bytes = 1},
     "add:ab take:a take:b"},
    {"deliveries share calls and end apart",
     {.parcels = 10, .bytes = 1000},
     "add:abc add:de take:abcde ok:d ok:e done:2 ok:a ok:b ok:c done:3"},
    {"only the failed goes again, later",
     {.parcels = 10, .bytes = 1000},
     "add:abc take:abc ok:a fail:b ok:c take:- due +1000 take:b ok:b done:3 "
     "never_due"},
    {"the failed goes before what came after it",
     {.parcels = 2, .bytes = 1000},
     "add:abcd take:ab fail:a fail:b +1000 take:ab take:cd"},
    {"what is not due holds nobody back",
     {.parcels = 10, .bytes = 1000},
     "add:ab take:ab fail:a fail:b add:cd take:cd +1000 take:ab"},
    {"by key: it holds back its own key",
     {.parcels = 10, .bytes = 1000, .by_key = true},
     "add:ab take:ab ok:b fail:a add:cAb take:cb take:- +1000 take:aA"},
    {"refused whole: halved until the guilty is alone",
     {.parcels = 4, .bytes = 1000},
     "add:abcde take:abcd halve:abcd take:ab ok:a ok:b take:cd halve:cd "
     "take:c take:d ok:d fail:c take:e ok:e +1000 take:c ok:c done:5"},
    {"withdrawn: forgotten",
     {.parcels = 10, .bytes = 1000},
     "add:ab take:ab ok:a fail:b away +1000 take:- never_due done:-"},
    {"withdrawn when complete: not reported",
     {.parcels = 10, .bytes = 1000},
     "add:a take:a ok:a away done:- add:bc take:bc ok:b ok:c done:2"},
};

struct world {
    struct outbox outbox;
    struct delivery deliveries[8];
    struct emission emissions[64];
    char letters[64];
    size_t delivery_count, emission_count;
    struct parcel *taken[OUTBOX_MOST]; // and not yet judged
    size_t taken_count;
    int64_t now_ms;
};

static void add(struct world *world, const char *letters)
{
    struct delivery *delivery = &world->deliveries[world->delivery_count++];
    struct emission *before = NULL;

    for (; *letters; letters++, delivery->count++) {
        size_t i = world->emission_count++;
        struct emission *emission = &world->emissions[i];
        static const char keys[] = "abcdefghijklmnopqrstuvwxyz";

        world->letters[i] = *letters;
        emission->key = (struct bytes){&keys[(*letters | 0x20) - 'a'], 1};
        emission->data = (struct bytes){"1234567", 7};
        if (before)
            before->next = emission;
        else
            delivery->emissions = emission;
        before = emission;
    }
    (void)outbox_add(&world->outbox, delivery);
}

static char letter_of(const struct world *world, const struct parcel *parcel)
{
    return world->letters[parcel->emission - world->emissions];
}

static void expect_take(struct world *world, const char *letters)
{
    struct parcel *parcels[OUTBOX_MOST];
    size_t count = outbox_take(&world->outbox, world->now_ms, parcels);
    char got[64] = "-";

    for (size_t i = 0; i < count; i++) {
        got[i] = letter_of(world, parcels[i]);
        got[i + 1] = '\0';
        world->taken[world->taken_count++] = parcels[i];
    }
    assert_string_equal(got, letters);
}

static struct parcel *taken(struct world *world, char letter)
{
    for (size_t i = 0; i < world->taken_count; i++) {
        struct parcel *parcel = world->taken[i];

        if (letter_of(world, parcel) != letter)
            continue;
        world->taken[i] = world->taken[--world->taken_count];
        return parcel;
    }
    fail_msg("%c is not out", letter);
    return NULL;
}

static void expect_done(struct world *world, const char *count)
{
    const struct delivery *delivery = outbox_next(&world->outbox);
    char got[16] = "-";

    if (delivery)
        (void)snprintf(got, sizeof(got), "%zu", delivery->count);
    assert_string_equal(got, count);
}

static void halve(struct world *world, const char *letters)
{
    for (size_t i = 0; letters[i]; i++)
        outbox_halve(&world->outbox, taken(world, letters[i]),
                     strlen(letters) / 2);
}

static bool is(const char *word, const char *verb)
{
    return !strncmp(word, verb, strlen(verb));
}

static void tell(struct world *world, const char *word)
{
    int64_t due_ms = outbox_deadline_ms(&world->outbox);

    if (is(word, "add:"))
        add(world, word + 4);
    else if (is(word, "take:"))
        expect_take(world, word + 5);
    else if (is(word, "ok:"))
        outbox_accepted(&world->outbox, taken(world, word[3]));
    else if (is(word, "fail:"))
        outbox_failed(&world->outbox, taken(world, word[5]), 1000, 1000,
                      world->now_ms);
    else if (is(word, "halve:"))
        halve(world, word + 6);
    else if (is(word, "done:"))
        expect_done(world, word + 5);
    else if (is(word, "away"))
        outbox_withdraw(&world->outbox,
                        &world->deliveries[world->delivery_count - 1]);
    else if (is(word, "due"))
        assert_in_range(due_ms, world->now_ms, world->now_ms + 1000);
    else if (is(word, "never_due"))
        assert_true(due_ms == CLOCK_NEVER);
    else if (is(word, "+"))
        world->now_ms += strtol(word + 1, NULL, 10);
    else
        fail_msg("unknown word \"%s\"", word);
}

static void test_story(void **state)
{
    const struct outbox_case *c = *state;
    struct world *world = mem_calloc(1, sizeof(*world));
    char words[512], *at = words, *word;

    (void)snprintf(words, sizeof(words), "%s", c->story);
    world->now_ms = 5000;
    outbox_init(&world->outbox, &c->limits, 3);
    while ((word = strsep(&at, " ")))
        tell(world, word);
    outbox_finish(&world->outbox);
    free(world);
}

/* However many wait behind one that failed, few are looked at; all go at last,
 * in their order. */
static void test_looks_only_so_far_for_what_is_not_held_back(void **state)
{
    enum { COUNT = OUTBOX_LOOK_MOST + 100 };
    struct emission *emissions = mem_calloc(COUNT, sizeof(*emissions));
    struct delivery delivery = {.emissions = emissions, .count = COUNT};
    struct parcel *parcels[OUTBOX_MOST];
    struct outbox outbox;
    size_t count, sent = 0;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        emissions[i].key = i + 1 < COUNT ? BYTES("a") : BYTES("b");
        emissions[i].next = i + 1 < COUNT ? &emissions[i + 1] : NULL;
    }
    outbox_init(
        &outbox,
        &(struct outbox_limits){.parcels = 1, .bytes = 1000, .by_key = true},
        7);
    (void)outbox_add(&outbox, &delivery);
    assert_int_equal(outbox_take(&outbox, 0, parcels), 1);
    outbox_failed(&outbox, parcels[0], 1000, 1000, 0);
    assert_true(parcels[0]->due_ms > 0);                   // by this seed
    assert_int_equal(outbox_take(&outbox, 0, parcels), 0); // "b" is too far
    assert_true(outbox_deadline_ms(&outbox) <= 1000);
    while ((count = outbox_take(&outbox, 1000, parcels))) {
        assert_int_equal(parcels[0]->index, sent++);
        outbox_accepted(&outbox, parcels[0]);
    }
    assert_int_equal(sent, COUNT);
    assert_ptr_equal(outbox_next(&outbox), &delivery);
    outbox_finish(&outbox);
    free(emissions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_looks_only_so_far_for_what_is_not_held_back),
    };

    return run_table("outbox", cases, test_story) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
