#include "base/mailbox.h"

#include <sched.h>
#include <semaphore.h>

#include "base/mem.h"

#include "test.h"

#define SENDERS 4
#define LETTERS 5000

struct letter {
    struct mail mail; // first
    int sender, number;
};

struct office {
    struct mailbox mailbox;
    sem_t wakes;
};

static void wake(void *context)
{
    sem_post(&((struct office *)context)->wakes);
}

static void office_init(struct office *office)
{
    sem_init(&office->wakes, 0, 0);
    mailbox_init(&office->mailbox, wake, office);
}

static void office_finish(struct office *office)
{
    mailbox_finish(&office->mailbox);
    sem_destroy(&office->wakes);
}

static void test_oldest_first_and_one_wake_for_a_full_box(void **state)
{
    struct office office;
    struct mail mail[3] = {{.kind = 1}, {.kind = 2}, {.kind = 3}};
    struct mail *taken;
    int wakes = -1;

    (void)state;
    office_init(&office);
    assert_null(mailbox_take(&office.mailbox));
    for (int i = 0; i < 3; i++)
        mailbox_post(&office.mailbox, &mail[i]);
    sem_getvalue(&office.wakes, &wakes);
    assert_int_equal(wakes, 1);
    taken = mailbox_take(&office.mailbox);
    for (int i = 0; i < 3; i++, taken = taken->next)
        assert_ptr_equal(taken, &mail[i]);
    assert_null(taken);
    assert_null(mailbox_take(&office.mailbox));

    mailbox_post(&office.mailbox, &mail[1]);
    sem_getvalue(&office.wakes, &wakes);
    assert_int_equal(wakes, 2);
    assert_ptr_equal(mailbox_take(&office.mailbox), &mail[1]);
    office_finish(&office);
}

struct sender {
    pthread_t thread;
    struct office *office;
    int number;
};

static void *send_letters(void *context)
{
    struct sender *sender = context;

    for (int i = 0; i < LETTERS; i++) {
        struct letter *letter = mem_calloc(1, sizeof(*letter));

        letter->sender = sender->number;
        letter->number = i;
        mailbox_post(&sender->office->mailbox, &letter->mail);
    }
    return NULL;
}

// The owner sleeps until woken and still sees every letter, in each sender's
// order.
static void test_many_senders_lose_nothing(void **state)
{
    struct office office;
    struct sender senders[SENDERS];
    int next[SENDERS] = {0}, seen = 0;

    (void)state;
    office_init(&office);
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.office = &office, .number = i};
        assert_int_equal(
            pthread_create(&senders[i].thread, NULL, send_letters, &senders[i]),
            0);
    }
    while (seen < SENDERS * LETTERS) {
        struct mail *mail;

        sem_wait(&office.wakes);
        mail = mailbox_take(&office.mailbox);
        while (mail) {
            struct letter *letter = (struct letter *)(void *)mail;

            mail = mail->next;
            assert_int_equal(letter->number, next[letter->sender]++);
            seen++;
            free(letter);
        }
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    assert_null(mailbox_take(&office.mailbox));
    office_finish(&office);
}

struct slow_waker {
    struct mailbox mailbox;
    struct mail mail;
    sem_t may_wake;
    bool woke;
};

static void wake_slowly(void *context)
{
    struct slow_waker *waker = context;

    sem_wait(&waker->may_wake);
    for (int i = 0; i < 100; i++)
        sched_yield();
    waker->woke = true;
}

static void *post_one(void *context)
{
    struct slow_waker *waker = context;

    mailbox_post(&waker->mailbox, &waker->mail);
    return NULL;
}

// An owner that takes its last mail and goes must not go under the sender.
static void test_finish_waits_for_who_wakes(void **state)
{
    struct slow_waker waker = {0};
    pthread_t thread;

    (void)state;
    sem_init(&waker.may_wake, 0, 0);
    mailbox_init(&waker.mailbox, wake_slowly, &waker);
    assert_int_equal(pthread_create(&thread, NULL, post_one, &waker), 0);
    while (!mailbox_take(&waker.mailbox))
        sched_yield();
    sem_post(&waker.may_wake);
    mailbox_finish(&waker.mailbox);
    assert_true(waker.woke);
    pthread_join(thread, NULL);
    sem_destroy(&waker.may_wake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_first_and_one_wake_for_a_full_box),
        cmocka_unit_test(test_many_senders_lose_nothing),
        cmocka_unit_test(test_finish_waits_for_who_wakes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
