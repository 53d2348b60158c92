#include "poller/ledger.h"

#include <stdio.h>

#include "base/random.h"
#include "records.h"
#include "test.h"

/*
 * Words from left to right; records are digits.
 *
 *   +12   they arrive     .3  one that needs no handling arrives
 *   -2    it is handled   x2  it leaves unhandled
 *   =2    the checkpoint moved to it        =  it did not move
 */
static struct ledger_case {
    const char *name, *story;
} cases[] = {
    {"nothing yet", "= +12 ="},
    {"in order", "+123 -1 =1 = -2 -3 =3 ="},
    {"out of order waits for the gap", "+123 -2 = -3 = -1 =3"},
    {"two gaps", "+12345 -2 -4 = -1 =2 -5 = -3 =5"},
    {"handled backwards", "+123456 -6 -5 -4 -3 -2 = -1 =6"},
    {"a run that grows at both ends", "+12345 -3 -4 -2 = -1 =4 -5 =5"},
    {"what needs no handling moves it at once", ".1 =1 .2 .3 =3"},
    {"but not past what does", "+1 .2 .3 = -1 =3 +4 .5 -4 =5"},
    {"between others", "+1 .2 +3 .4 -3 = -1 =4"},
    {"what left is a wall", "+1234 -3 x2 -4 = -1 =1 = +5 -5 ="},
    {"the first to leave stops it for good", "+123 x1 -2 -3 = .4 ="},
    {"leaving behind what is handled", "+123 -2 x3 -1 =2 ="},
    {"all leave, from the back", "+123 x3 x2 x1 ="},
    {"a wall moves back with what stands before it", "+1234 x4 -3 -1 =1 -2 =3"},
    {"two walls: the first counts", "+12345 x4 x2 -3 -5 -1 =1 ="},
};

struct stage {
    struct ledger ledger;
    struct record *records[10];
};

static void arrive(struct stage *stage, const char *digits)
{
    for (; *digits; digits++) {
        struct record *record =
            record_make(&(struct record_spec){.id = (char[]){*digits, 0}});

        stage->records[*digits - '0'] = record;
        ledger_enter(&stage->ledger, record);
    }
}

static void pass(struct stage *stage, const char *digits)
{
    struct record *record =
        record_make(&(struct record_spec){.id = (char[]){*digits, 0}});

    ledger_pass(&stage->ledger, record);
    record_release(record);
}

static struct record *take(struct stage *stage, char digit)
{
    struct record *record = stage->records[digit - '0'];

    stage->records[digit - '0'] = NULL;
    return record;
}

static void expect(struct stage *stage, const char *digit)
{
    struct bytes sequence;
    bool moved = ledger_checkpoint(&stage->ledger, &sequence);

    assert_int_equal(moved, *digit != 0);
    if (moved)
        assert_true(bytes_equal(sequence, bytes_of(digit)));
}

static void tell(struct stage *stage, const char *word)
{
    struct record *record;

    switch (*word) {
    case '+':
        arrive(stage, word + 1);
        break;
    case '.':
        pass(stage, word + 1);
        break;
    case '=':
        expect(stage, word + 1);
        break;
    default: // its memory is gone at once
        record = take(stage, word[1]);
        (*word == '-' ? ledger_done : ledger_leave)(&stage->ledger, record);
        record_release(record);
        break;
    }
}

static void test_story(void **state)
{
    const struct ledger_case *c = *state;
    struct stage stage = {0};
    char text[80], *rest = text;

    ledger_init(&stage.ledger);
    assert_true(snprintf(text, sizeof(text), "%s", c->story) < 80);
    for (char *word; (word = strsep(&rest, " "));)
        tell(&stage, word);
    for (char digit = '0'; digit <= '9'; digit++)
        if (stage.records[digit - '0'])
            tell(&stage, (char[]){'-', digit, 0});
    ledger_finish(&stage.ledger);
}

static struct record *make_sub(const char *id, uint32_t sub, bool is_last)
{
    return record_make(
        &(struct record_spec){.id = id, .sub = sub, .is_last_sub = is_last});
}

static void done(struct ledger *ledger, struct record *record)
{
    ledger_done(ledger, record);
    record_release(record);
}

static void assert_at(struct ledger *ledger, const char *text)
{
    struct bytes sequence;

    assert_true(ledger_checkpoint(ledger, &sequence));
    assert_int_equal(sequence.size, strlen(text));
    assert_memory_equal(sequence.data, text, sequence.size);
}

/* The last of an aggregated record's parts stands for the whole. */
static void test_parts_of_a_record(void **state)
{
    struct record *first = make_sub("77", 1, false);
    struct record *second = make_sub("77", 2, false);
    struct record *third = make_sub("77", 3, true);
    struct ledger ledger;

    (void)state;
    ledger_init(&ledger);
    ledger_enter(&ledger, first);
    ledger_enter(&ledger, second);
    ledger_enter(&ledger, third);
    done(&ledger, first);
    assert_at(&ledger, "77:1");
    done(&ledger, third);
    done(&ledger, second);
    assert_at(&ledger, "77");
    first = make_sub("78", 4294967295u, false);
    ledger_pass(&ledger, first);
    record_release(first);
    assert_at(&ledger, "78:4294967295");
    ledger_finish(&ledger);
}

/* Sequence numbers are as long as a server likes. */
static void test_long_and_short_sequences(void **state)
{
    char texts[8][2000];
    struct record *records[8];
    struct ledger ledger;

    (void)state;
    ledger_init(&ledger);
    for (size_t i = 0; i < 8; i++) {
        memset(texts[i], '0' + (char)i, sizeof(texts[i]));
        texts[i][i % 2 ? 1 : sizeof(texts[i]) - 1] = 0;
        records[i] = record_make(&(struct record_spec){.id = texts[i]});
        ledger_enter(&ledger, records[i]);
    }
    for (size_t i = 7; i > 0; i--)
        done(&ledger, records[i]);
    done(&ledger, records[0]);
    assert_at(&ledger, texts[7]);
    ledger_finish(&ledger);
}

#define MANY 1000

/* In any order the checkpoint is where a look at each record finds it. */
static void test_any_order(void **state)
{
    struct random chance = {.state = 11};
    struct record *records[MANY];
    bool handled[MANY] = {false};
    struct ledger ledger;
    size_t prefix = 0;

    (void)state;
    ledger_init(&ledger);
    for (size_t i = 0; i < MANY; i++) {
        char id[24];

        (void)snprintf(id, sizeof(id), "%zu", i);
        records[i] = record_make(&(struct record_spec){.id = id});
        ledger_enter(&ledger, records[i]);
    }
    for (size_t left = MANY; left > 0; left--) {
        size_t i = random_below(&chance, MANY);
        size_t before = prefix;
        char text[24];

        while (handled[i])
            i = (i + 1) % MANY;
        handled[i] = true;
        done(&ledger, records[i]);
        while (prefix < MANY && handled[prefix])
            prefix++;
        (void)snprintf(text, sizeof(text), "%zu", prefix - 1);
        if (prefix > before)
            assert_at(&ledger, text);
        else
            assert_false(ledger_checkpoint(&ledger, &(struct bytes){0}));
    }
    assert_int_equal(ledger.count, 0);
    ledger_finish(&ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_of_a_record),
        cmocka_unit_test(test_long_and_short_sequences),
        cmocka_unit_test(test_any_order),
    };
    int failed = run_table("ledger", cases, test_story);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
