// What a dispatch costs: from handler_start until the outcome is in the
// poller's hands, with a handler that does nothing, waiting as a poller waits
// (curl_multi_poll). Ten records a batch.
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "handler/handler.h"
#include "handler/handler_config.h"
#include "record/record.h"

#define ROUNDS 20000
#define WARM_UP 1000
#define RECORDS 10
#define IN_FLIGHT 10 // of the second figure

static const struct record_origin origin = {
    .kind = RECORD_SQS, .arn = "arn:aws:sqs:us-east-1:000000000000:bench"};

struct bench {
    struct handler *handler;
    struct mailbox inbox;
    CURLM *multi;
    struct record record[RECORDS];
    struct record *records[RECORDS];
    struct invocation invocations[IN_FLIGHT];
};

static int64_t read_ns(clockid_t id)
{
    struct timespec now;

    (void)clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void wake(void *multi)
{
    (void)curl_multi_wakeup(multi);
}

static void start(struct bench *bench, struct invocation *invocation)
{
    *invocation = (struct invocation){
        .records = bench->records,
        .count = RECORDS,
        .trigger = "bench",
        .reply_to = &bench->inbox,
        .timeout_ms = 3000,
    };
    handler_start(bench->handler, invocation);
}

static struct mail *wait_for_mail(struct bench *bench)
{
    struct mail *mail;

    while (!(mail = mailbox_take(&bench->inbox)))
        (void)curl_multi_poll(bench->multi, NULL, 0, 1000, NULL);
    return mail;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

static void one_at_a_time(struct bench *bench)
{
    static int64_t took[ROUNDS];

    for (int i = -WARM_UP; i < ROUNDS; i++) {
        int64_t from = read_ns(CLOCK_MONOTONIC);

        start(bench, &bench->invocations[0]);
        (void)wait_for_mail(bench);
        outcome_finish(&bench->invocations[0].outcome);
        if (i >= 0)
            took[i] = read_ns(CLOCK_MONOTONIC) - from;
    }
    qsort(took, ROUNDS, sizeof(took[0]), compare);
    printf("dispatch, one at a time   p50 %5.1f us   p99 %5.1f us\n",
           (double)took[ROUNDS / 2] / 1000,
           (double)took[ROUNDS / 100 * 99] / 1000);
}

static void many_in_flight(struct bench *bench)
{
    int64_t from = read_ns(CLOCK_MONOTONIC);
    int64_t cpu_from = read_ns(CLOCK_PROCESS_CPUTIME_ID);
    int started = IN_FLIGHT, back = 0;

    for (int i = 0; i < IN_FLIGHT; i++)
        start(bench, &bench->invocations[i]);
    while (back < ROUNDS) {
        struct mail *next, *mail = wait_for_mail(bench);

        for (; mail; mail = next, back++) {
            next = mail->next;
            outcome_finish(&((struct invocation *)mail)->outcome);
            if (started++ < ROUNDS)
                start(bench, (struct invocation *)mail);
        }
    }
    printf("dispatch, %d in flight    %5.1f us a batch, %.1f us of CPU\n",
           IN_FLIGHT, (double)(read_ns(CLOCK_MONOTONIC) - from) / ROUNDS / 1000,
           (double)(read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_from) / ROUNDS /
               1000);
}

static bool bench_open(struct bench *bench)
{
    char library[] = BUILD "/tests/handlers/good.so";
    struct handler_config config = {.library = library};
    struct log log = {0};
    struct error err = {0};

    for (int i = 0; i < RECORDS; i++) {
        bench->record[i] =
            (struct record){.origin = &origin, .data = BYTES("a record")};
        bench->records[i] = &bench->record[i];
    }
    bench->multi = curl_multi_init();
    mailbox_init(&bench->inbox, wake, bench->multi);
    bench->handler =
        handler_open(&(struct handler_options){.config = &config,
                                               .trigger = "bench",
                                               .concurrency = IN_FLIGHT,
                                               .clock = clock_system(),
                                               .log = &log},
                     &err);
    if (!bench->handler)
        (void)fprintf(stderr, "bench_dispatch: %s\n", err.message);
    return bench->handler != NULL;
}

int main(void)
{
    static struct bench bench;

    if (!bench_open(&bench))
        return 1;
    one_at_a_time(&bench);
    many_in_flight(&bench);
    handler_stop(bench.handler);
    (void)handler_join(bench.handler, CLOCK_NEVER);
    handler_close(bench.handler);
    mailbox_finish(&bench.inbox);
    (void)curl_multi_cleanup(bench.multi);
    return 0;
}
