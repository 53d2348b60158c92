#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "invoker.h"
#include "sim_clock.h"
#include "test.h"

#define SCRIPT BUILD "/tests/handlers/script.so"
#define FAILS BUILD "/tests/handlers/create_fails.so"

// A handler waits in it until the test opens it.
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t inside;  // guarded by lock
    bool open;      // guarded by lock
    char order[16]; // guarded by lock; what went in, in order
    struct script script;
};

static int wait_in_gate(const struct pollard_host *host,
                        const struct pollard_batch *batch, void *context)
{
    struct gate *gate = context;

    (void)host;
    pthread_mutex_lock(&gate->lock);
    gate->order[gate->inside++] = (char)('0' + batch->count);
    pthread_cond_broadcast(&gate->changed);
    while (!gate->open)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
    return 0;
}

static void gate_init(struct gate *gate)
{
    *gate = (struct gate){.script = {wait_in_gate, gate}};
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

static void gate_finish(struct gate *gate)
{
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

static void gate_wait_inside(struct gate *gate, size_t count)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 10;
    pthread_mutex_lock(&gate->lock);
    while (gate->inside < count && rc == 0)
        rc = pthread_cond_timedwait(&gate->changed, &gate->lock, &until);
    pthread_mutex_unlock(&gate->lock);
    assert_int_equal(rc, 0);
}

static void gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

static atomic_int threads_refused; // so many pthread_create still fail

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *), void *argument)
{
    if (threads_refused > 0) {
        threads_refused--;
        return EAGAIN;
    }
    return __real_pthread_create(thread, attributes, run, argument);
}

struct fixture {
    struct sim_clock sim;
    struct invoker invoker;
    struct gate gate;
};

static struct fixture *fixture_create(const char *settings, int64_t concurrency)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    struct error err = {0};

    sim_clock_init(&f->sim);
    gate_init(&f->gate);
    assert_ok(invoker_init(&f->invoker, SCRIPT, settings, concurrency,
                           &f->sim.clock, &err),
              &err);
    return f;
}

static void fixture_destroy(struct fixture *f)
{
    invoker_finish(&f->invoker);
    gate_finish(&f->gate);
    free(f);
}

/* A batch of `count` records that waits in the gate, started. */
static struct shipment *send_into_gate(struct fixture *f, size_t count)
{
    struct shipment *shipment =
        shipment_of_script(&f->invoker, &f->gate.script, count);

    handler_start(f->invoker.handler, &shipment->invocation);
    return shipment;
}

/* Wait for `count` invocations; each must end like this. */
static void expect_back(struct fixture *f, size_t count, enum outcome_kind kind)
{
    while (count) {
        struct invocation *one = invoker_wait(&f->invoker);

        for (; one; one = (struct invocation *)one->mail.next, count--)
            assert_int_equal(one->outcome.kind, kind);
    }
}

static size_t count_of(const char *text, const char *part)
{
    size_t count = 0;

    while ((text = strstr(text, part))) {
        text += strlen(part);
        count++;
    }
    return count;
}

static size_t logged(const struct fixture *f, const char *part)
{
    AUTO_FREE char *text = invoker_logged(&f->invoker);

    return count_of(text, part);
}

static void test_one_after_the_other_needs_one_instance(void **state)
{
    struct fixture *f = fixture_create(NULL, 4);

    (void)state;
    gate_open(&f->gate);
    for (int i = 0; i < 15; i++) {
        struct shipment *shipment = send_into_gate(f, 1);

        expect_back(f, 1, OUTCOME_DONE);
        shipment_destroy(shipment);
    }
    assert_int_equal(logged(f, "instance created"), 1);
    fixture_destroy(f);
}

static void test_as_many_at_once_as_concurrency_says(void **state)
{
    struct fixture *f = fixture_create(NULL, 3);
    struct shipment *shipments[5];

    (void)state;
    for (size_t i = 0; i < 5; i++)
        shipments[i] = send_into_gate(f, 1 + i);
    gate_wait_inside(&f->gate, 3);
    assert_int_equal(logged(f, "instance created"), 3);
    assert_int_equal(handler_concurrency(f->invoker.handler), 3);
    gate_open(&f->gate);
    expect_back(f, 5, OUTCOME_DONE);
    assert_int_equal(logged(f, "instance created"), 3);
    for (size_t i = 0; i < 5; i++)
        shipment_destroy(shipments[i]);
    fixture_destroy(f);
}

static void test_what_waits_goes_in_order(void **state)
{
    struct fixture *f = fixture_create(NULL, 1);
    struct shipment *shipments[6];

    (void)state;
    for (size_t i = 0; i < 6; i++)
        shipments[i] = send_into_gate(f, 1 + i);
    gate_wait_inside(&f->gate, 1);
    gate_open(&f->gate);
    expect_back(f, 6, OUTCOME_DONE);
    assert_string_equal(f->gate.order, "123456");
    for (size_t i = 0; i < 6; i++)
        shipment_destroy(shipments[i]);
    fixture_destroy(f);
}

static void test_stop_finishes_what_runs_and_returns_the_rest(void **state)
{
    struct fixture *f = fixture_create(NULL, 1);
    struct shipment *running = send_into_gate(f, 1), *queued, *late;

    (void)state;
    gate_wait_inside(&f->gate, 1);
    queued = send_into_gate(f, 2);
    handler_stop(f->invoker.handler);
    late = send_into_gate(f, 3);
    expect_back(f, 2, OUTCOME_UNSTARTED);
    assert_string_equal(queued->invocation.outcome.reason,
                        "the handler is stopping");
    assert_false(
        handler_join(f->invoker.handler, clock_now_ms(&f->sim.clock) + 1));
    gate_open(&f->gate);
    expect_back(f, 1, OUTCOME_DONE);
    assert_int_equal(running->invocation.outcome.kind, OUTCOME_DONE);
    assert_string_equal(f->gate.order, "1");
    shipment_destroy(running);
    shipment_destroy(queued);
    shipment_destroy(late);
    fixture_destroy(f);
}

static void test_stop_before_anything_was_started(void **state)
{
    struct fixture *f = fixture_create(NULL, 2);

    (void)state;
    handler_stop(f->invoker.handler);
    handler_stop(f->invoker.handler);
    assert_true(handler_join(f->invoker.handler, 0));
    fixture_destroy(f);
}

static void test_an_instance_that_cannot_be_had(void **state)
{
    struct fixture *f = fixture_create("{\"instances\":1}", 2);
    struct shipment *running, *refused, *waiting;

    (void)state;
    running = send_into_gate(f, 1);
    gate_wait_inside(&f->gate, 1);
    refused = send_into_gate(f, 2);
    expect_back(f, 1, OUTCOME_UNSTARTED);
    assert_contains(refused->invocation.outcome.reason,
                    "create() failed: too many connections");
    assert_int_equal(handler_concurrency(f->invoker.handler), 1);

    // For a second nobody tries again: the next one waits for an instance.
    waiting = send_into_gate(f, 3);
    gate_open(&f->gate);
    expect_back(f, 2, OUTCOME_DONE);
    assert_string_equal(f->gate.order, "13");
    shipment_destroy(running);
    shipment_destroy(refused);
    shipment_destroy(waiting);
    fixture_destroy(f);
}

static void test_create_is_tried_again_after_a_second(void **state)
{
    struct fixture *f = fixture_create("{\"instances\":1}", 2);
    struct shipment *running = send_into_gate(f, 1), *refused;

    (void)state;
    gate_wait_inside(&f->gate, 1);
    for (int i = 0; i < 3; i++) {
        refused = send_into_gate(f, 2);
        expect_back(f, 1, OUTCOME_UNSTARTED);
        shipment_destroy(refused);
        sim_clock_advance(&f->sim, 999);
        assert_int_equal(handler_concurrency(f->invoker.handler), 1);
        sim_clock_advance(&f->sim, 1);
        assert_int_equal(handler_concurrency(f->invoker.handler), 2);
    }
    gate_open(&f->gate);
    expect_back(f, 1, OUTCOME_DONE);
    shipment_destroy(running);
    fixture_destroy(f);
}

static void test_a_thread_that_cannot_be_had(void **state)
{
    struct fixture *f = fixture_create(NULL, 2);
    struct shipment *refused, *first, *second, *third, *fourth;

    (void)state;
    gate_open(&f->gate);
    threads_refused = 1;
    refused = send_into_gate(f, 1);
    expect_back(f, 1, OUTCOME_UNSTARTED);
    assert_contains(refused->invocation.outcome.reason, "start a thread: ");

    // None serves yet, so the next one tries at once.
    first = send_into_gate(f, 2);
    expect_back(f, 1, OUTCOME_DONE);
    assert_int_equal(logged(f, "instance created"), 1);

    // With one that serves, a second thread is not asked for at once.
    f->gate.open = false;
    second = send_into_gate(f, 3);
    gate_wait_inside(&f->gate, 2);
    third = send_into_gate(f, 4);
    sim_clock_advance(&f->sim, 1000);
    threads_refused = 1;
    fourth = send_into_gate(f, 5);
    expect_back(f, 1, OUTCOME_UNSTARTED);
    gate_open(&f->gate);
    expect_back(f, 2, OUTCOME_DONE);
    assert_string_equal(f->gate.order, "234");
    shipment_destroy(refused);
    shipment_destroy(first);
    shipment_destroy(second);
    shipment_destroy(third);
    shipment_destroy(fourth);
    fixture_destroy(f);
}

static int tell_thread_name(const struct pollard_host *host,
                            const struct pollard_batch *batch, void *out)
{
    (void)host;
    (void)batch;
    return pthread_getname_np(pthread_self(), out, 16);
}

static void test_threads_bear_the_triggers_name(void **state)
{
    struct fixture *f = fixture_create(NULL, 1);
    char name[16] = "";
    struct script script = {tell_thread_name, name};
    struct shipment *shipment = shipment_of_script(&f->invoker, &script, 1);

    (void)state;
    shipment_run(&f->invoker, shipment);
    assert_int_equal(shipment->invocation.outcome.kind, OUTCOME_DONE);
    assert_string_equal(name, "races/0");
    shipment_destroy(shipment);
    fixture_destroy(f);
}

static void test_a_first_instance_that_fails_stops_the_start(void **state)
{
    struct invoker invoker;
    struct error err = {0};

    (void)state;
    assert_fails(invoker_init(&invoker, FAILS, "{\"table\": \"orders\"}", 1,
                              clock_system(), &err),
                 &err, ERROR_INVALID);
    assert_string_equal(err.message,
                        "handler create_fails: create() failed: no database "
                        "for {\"table\":\"orders\"}");
    invoker_finish(&invoker);
}

static void test_check_creates_and_destroys(void **state)
{
    char path[] = FAILS, good[] = SCRIPT;
    struct handler_config config = {.library = path};
    struct log log = {0};
    struct error err = {0};

    (void)state;
    assert_fails(handler_check(&config, &log, &err), &err, ERROR_INVALID);
    assert_contains(err.message, "no database for {}");
    config.library = good;
    assert_ok(handler_check(&config, &log, &err), &err);
}

#define STARTERS 4
#define ROUNDS 500

struct starter {
    struct handler *handler;
    struct script script;
    struct invoker invoker; // only its inbox
    size_t back;
};

static int count_run(const struct pollard_host *host,
                     const struct pollard_batch *batch, void *context)
{
    atomic_fetch_add((atomic_size_t *)context, 1);
    return host->fail_record(batch, batch->count - 1);
}

static void inbox_wake(void *context)
{
    struct invoker *invoker = context;

    pthread_mutex_lock(&invoker->lock);
    invoker->mail_is_there = true;
    pthread_cond_signal(&invoker->arrived);
    pthread_mutex_unlock(&invoker->lock);
}

// Keeps up to four batches under way, as a poller would.
static void *start_many(void *argument)
{
    struct starter *starter = argument;
    size_t started = 0, out = 0;

    while (starter->back < ROUNDS) {
        struct invocation *one;

        for (; out < 4 && started < ROUNDS; out++, started++)
            handler_start(
                starter->handler,
                &shipment_of_script(&starter->invoker, &starter->script, 2)
                     ->invocation);
        one = invoker_wait(&starter->invoker);
        while (one) {
            struct invocation *next = (struct invocation *)one->mail.next;

            if (one->outcome.kind == OUTCOME_DONE &&
                one->outcome.failed_count == 1)
                starter->back++;
            out--;
            shipment_destroy((struct shipment *)one);
            one = next;
        }
    }
    return NULL;
}

static void test_many_pollers_share_a_handler(void **state)
{
    struct fixture *f = fixture_create(NULL, 3);
    struct starter starters[STARTERS];
    pthread_t threads[STARTERS];
    atomic_size_t runs = 0;

    (void)state;
    for (size_t i = 0; i < STARTERS; i++) {
        starters[i] = (struct starter){.handler = f->invoker.handler,
                                       .script = {count_run, &runs}};
        pthread_mutex_init(&starters[i].invoker.lock, NULL);
        pthread_cond_init(&starters[i].invoker.arrived, NULL);
        mailbox_init(&starters[i].invoker.inbox, inbox_wake,
                     &starters[i].invoker);
        assert_int_equal(
            pthread_create(&threads[i], NULL, start_many, &starters[i]), 0);
    }
    for (size_t i = 0; i < STARTERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(runs, STARTERS * ROUNDS);
    for (size_t i = 0; i < STARTERS; i++)
        mailbox_finish(&starters[i].invoker.inbox);
    fixture_destroy(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_after_the_other_needs_one_instance),
        cmocka_unit_test(test_as_many_at_once_as_concurrency_says),
        cmocka_unit_test(test_what_waits_goes_in_order),
        cmocka_unit_test(test_stop_finishes_what_runs_and_returns_the_rest),
        cmocka_unit_test(test_stop_before_anything_was_started),
        cmocka_unit_test(test_an_instance_that_cannot_be_had),
        cmocka_unit_test(test_create_is_tried_again_after_a_second),
        cmocka_unit_test(test_a_thread_that_cannot_be_had),
        cmocka_unit_test(test_threads_bear_the_triggers_name),
        cmocka_unit_test(test_a_first_instance_that_fails_stops_the_start),
        cmocka_unit_test(test_check_creates_and_destroys),
        cmocka_unit_test(test_many_pollers_share_a_handler),
    };

    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
