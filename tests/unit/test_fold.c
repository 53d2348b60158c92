#include "filter/fold.h"

#include "test.h"

#define A_UML "\xc3\xa4" // and its capital
#define A_UML_UP "\xc3\x84"
#define DE "\xd0\xb4"
#define DE_UP "\xd0\x94"
#define SHARP_S "\xc3\x9f"

static struct fold_case {
    const char *name, *pattern, *text;
    bool equals, begins, ends;
} cases[] = {
    {"the same", "ann", "ann", true, true, true},
    {"in capitals", "ann", "ANN", true, true, true},
    {"the pattern in capitals", "ANN", "ann", true, true, true},
    {"mixed", "aNn", "AnN", true, true, true},
    {"another letter", "ann", "anm", false, false, false},
    {"at the start", "ann", "ANNE", false, true, false},
    {"at the end", "ann", "jOaNn", false, false, true},
    {"shorter", "ann", "an", false, false, false},
    {"nothing of nothing", "", "", true, true, true},
    {"nothing of something", "", "x", false, true, true},
    {"something of nothing", "x", "", false, false, false},
    {"what is no letter", "[a]", "{A}", false, false, false},
    {"two bytes", "b" A_UML "r", "B" A_UML_UP "R", true, true, true},
    {"two bytes at the end", A_UML, "x" A_UML_UP, false, false, true},
    {"of another script", DE_UP DE, DE DE_UP, true, true, true},
    {"no case beyond letters", "\xf0\x9f\x90\xb9", "\xf0\x9f\x90\xb9", true,
     true, true},
    {"half of a character", A_UML, "\xc3", false, false, false},
    {"a letter whose capital form is two", SHARP_S, "SS", true, true, true},
    {"that, within", "stra" SHARP_S "e", "STRASSEN", false, true, false},
    {"but not two small ones", SHARP_S, "ss", false, false, false},
    {"nor two for the one", "ss", SHARP_S, false, false, false},
    {"half of the two", SHARP_S, "S", false, false, false},
    {"forms of one letter are two texts", A_UML, "a\xcc\x88", false, false,
     false},
    // Its small form is one byte, its own are three.
    {"forms of different size", "\xe2\x84\xaa", "k", true, true, true},
    {"and the other way they are not known", "k", "\xe2\x84\xaa", false, false,
     false},
    {"bytes that are no UTF-8", "a", "\xff", false, false, false},
};

static void test_fold(void **state)
{
    const struct fold_case *c = *state;
    struct fold fold;

    fold_init(&fold, bytes_of(c->pattern));
    assert_int_equal(fold_equals(&fold, bytes_of(c->text)), c->equals);
    assert_int_equal(fold_begins(&fold, bytes_of(c->text)), c->begins);
    assert_int_equal(fold_ends(&fold, bytes_of(c->text)), c->ends);
    fold_finish(&fold);
}

int main(void)
{
    return run_table("fold", cases, test_fold);
}
