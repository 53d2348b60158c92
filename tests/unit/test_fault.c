#include "local/fault.h"

#include "test.h"

static struct parse_case {
    const char *name, *specs;
    const char *wrong; // part of the message; NULL: it is good
    unsigned count;
} parse_cases[] = {
    {"one", "ReceiveMessage:error=ServiceUnavailable:rate=0.1", NULL, 1},
    {"several",
     "*:latency=50; GetRecords@clicks:expired_iterator\n*@q:drop=after", NULL,
     3},
    {"nothing", " ; ", NULL, 0},
    {"every option", "*:error=X:rate=1:after=2:times=3:status=503", NULL, 1},
    {"no action", "ReceiveMessage", "no action; a fault is", 0},
    {"unknown action", "ReceiveMessage:explode",
     "unknown action \"explode\"; there are: error, error_in_200, latency", 0},
    {"no operation", ":drop", "no operation", 0},
    {"error without a code", "*:error", "needs an error code", 0},
    {"latency without a number", "*:latency=soon", "needs milliseconds", 0},
    {"negative latency", "*:latency=-1", "needs milliseconds", 0},
    {"drop at an odd time", "*:drop=maybe", "before or after", 0},
    {"a value too many", "*:html=1", "takes no value", 0},
    {"rate over one", "*:html:rate=2", "between 0 and 1", 0},
    {"rate of words", "*:html:rate=often", "between 0 and 1", 0},
    {"unknown option", "*:html:color=1", "unknown option \"color\"", 0},
    {"status out of range", "*:html:status=99", "unknown option", 0},
    {"the second is wrong: none is added", "*:html *:nothing", "\"*:nothing\"",
     0},
};

static unsigned count_of(const struct faults *faults)
{
    unsigned count = 0;

    for (struct list *link = faults->list.next; link != &faults->list;
         link = link->next)
        count++;
    return count;
}

static void test_parse(void **state)
{
    const struct parse_case *c = *state;
    struct faults faults;
    struct error err = {0};

    faults_init(&faults, 1);
    if (c->wrong) {
        assert_fails(faults_add(&faults, bytes_of(c->specs), &err), &err,
                     ERROR_INVALID);
        assert_contains(err.message, c->wrong);
    } else {
        assert_ok(faults_add(&faults, bytes_of(c->specs), &err), &err);
    }
    assert_int_equal(count_of(&faults), c->count);
    faults_finish(&faults);
}

static unsigned strikes(struct faults *faults, unsigned calls)
{
    unsigned hits = 0;

    for (unsigned i = 0; i < calls; i++)
        hits += faults_strike(faults, FAULT_ERROR, BYTES("ReceiveMessage"),
                              BYTES("orders")) != NULL;
    return hits;
}

static struct strike_case {
    const char *name, *spec;
    unsigned least, most; // of 1000
} strike_cases[] = {
    {"always", "*:error=X", 1000, 1000},
    {"never", "*:error=X:rate=0", 0, 0},
    {"a tenth", "*:error=X:rate=0.1", 70, 130},
    {"three times", "*:error=X:times=3", 3, 3},
    {"after ten", "*:error=X:after=10", 990, 990},
    {"the second only", "*:error=X:after=1:times=1", 1, 1},
    {"its operation", "Receive*:error=X", 1000, 1000},
    {"another operation", "SendMessage:error=X", 0, 0},
    {"its queue", "*@orders:error=X", 1000, 1000},
    {"another queue", "*@other:error=X", 0, 0},
    {"another action", "*:html", 0, 0},
};

static void test_strike(void **state)
{
    const struct strike_case *c = *state;
    struct faults faults;
    struct error err = {0};
    unsigned hits;

    faults_init(&faults, 42);
    assert_ok(faults_add(&faults, bytes_of(c->spec), &err), &err);
    hits = strikes(&faults, 1000);
    assert_in_range(hits, c->least, c->most);
    faults_finish(&faults);
}

static void test_same_seed_same_faults(void **state)
{
    struct faults a, b;
    struct error err = {0};

    (void)state;
    faults_init(&a, 7);
    faults_init(&b, 7);
    assert_ok(faults_add(&a, BYTES("*:error=X:rate=0.5"), &err), &err);
    assert_ok(faults_add(&b, BYTES("*:error=X:rate=0.5"), &err), &err);
    for (int i = 0; i < 100; i++)
        assert_int_equal(strikes(&a, 1), strikes(&b, 1));
    faults_finish(&a);
    faults_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL) +
           run_table("parse", parse_cases, test_parse) +
           run_table("strike", strike_cases, test_strike);
}
