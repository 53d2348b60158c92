/*
 * bench_core: what the pure core of a poller costs by itself: records in,
 * window, order, batch out, outcome, verdicts out, checkpoint. No filter, no
 * handler, no network; time is virtual.
 *
 * usage: bench_core [RECORDS]     ns a record and a batch, medians of seven
 * runs
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "poller/pipeline.h"
#include "poller/response.h"
#include "record/record.h"

#define RUNS 7
#define MOST 10000 // records of a batch
#define STOCK 1000 // records made at once, and timed
#define ID_SIZE 56

enum mix {
    ALL_DONE,
    LAST_FAILS, // of each batch, the first time
};

struct core {
    struct pipeline *pipeline;
    struct record records[MOST];
    char ids[MOST][ID_SIZE + 1]; // sequence numbers that go up
    uint64_t sequence;
    bool failed[MOST]; // the last of a batch
    enum mix mix;
    size_t size, stock, batches, settled;
    int64_t now_ms;
};

static const struct record_origin queue = {
    .kind = RECORD_SQS, .arn = "arn:q", .region = "r"};
static const struct record_origin shard = {.kind = RECORD_KINESIS,
                                           .arn = "arn:s",
                                           .region = "r",
                                           .shard = "shard",
                                           .identity = "role"};

static void core_open(struct core *core, enum pipeline_kind kind)
{
    const struct pipeline_options options = {
        .kind = kind,
        .batch_size = core->size,
        .payload_limit = (size_t)6 * 1024 * 1024,
        .concurrency = 1,
        .lanes = 1,
        .backoff_base_ms = 1,
        .backoff_maximum_ms = 1,
        .maximum_attempts = -1,
        .maximum_age_ms = -1,
        .reads_response = true,
        .origin = kind == PIPELINE_SHARD ? &shard : NULL,
        .seed = 1};

    core->pipeline = pipeline_create(&options);
    pipeline_set_wall(core->pipeline, 0);
}

// Records come anew each time, as they would from a source.
static void refill(struct core *core, enum pipeline_kind kind)
{
    for (size_t i = 0; i < core->stock; i++) {
        int size = snprintf(core->ids[i], sizeof(core->ids[i]), "%056llu",
                            (unsigned long long)++core->sequence);

        core->records[i] =
            (struct record){.origin = kind == PIPELINE_SHARD ? &shard : &queue,
                            .id = {core->ids[i], (size_t)size},
                            .key = BYTES("customer-17"),
                            .data = BYTES("{}"),
                            .received_ms = core->now_ms,
                            .visible_ms = CLOCK_NEVER,
                            .receive_count = 1,
                            .event_size = 500};
    }
}

static void run_batch(struct core *core, struct batch *batch)
{
    bool fails = core->mix == LAST_FAILS && batch->attempt == 0;
    struct response_verdict verdict = {0};
    struct outcome outcome = {0};

    outcome.kind = OUTCOME_DONE;
    outcome.failed = fails ? core->failed : NULL;
    outcome.failed_count = fails;
    pipeline_finish(core->pipeline, batch, &outcome, core->now_ms, &verdict);
    response_verdict_finish(&verdict);
    core->batches++;
}

static void settle(struct core *core)
{
    struct pipeline_checkpoint checkpoint;
    struct settlement settlement;

    if (pipeline_checkpoint(core->pipeline, &checkpoint))
        core->settled += checkpoint.sequence.size;
    while (pipeline_next_settlement(core->pipeline, &settlement))
        core->settled++;
}

// The way of so many records, until the core is empty again.
static void trip(struct core *core, struct record *records)
{
    for (size_t i = 0; i < core->size; i++)
        pipeline_add(core->pipeline, &records[i], core->now_ms);
    while (!pipeline_is_idle(core->pipeline)) {
        struct batch *batch = pipeline_next_batch(core->pipeline, core->now_ms);

        if (batch)
            run_batch(core, batch);
        else
            core->now_ms = pipeline_deadline_ms(core->pipeline);
        settle(core);
    }
}

static double cpu_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double time_stock(struct core *core)
{
    double start = cpu_ns();

    for (size_t i = 0; i < core->stock; i += core->size)
        trip(core, &core->records[i]);
    return cpu_ns() - start;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static void report(enum pipeline_kind kind, size_t size, enum mix mix,
                   size_t records)
{
    struct core *core = mem_calloc(1, sizeof(*core));
    double runs[RUNS];
    size_t rounds;

    core->size = size;
    core->stock = size > STOCK ? size : STOCK;
    rounds = records / core->stock + 1;
    core->failed[size - 1] = true;
    core->mix = mix;
    core->now_ms = 1000;
    core_open(core, kind);
    for (int run = 0; run < RUNS; run++) {
        runs[run] = 0;
        for (size_t i = 0; i < rounds; i++) {
            refill(core, kind);
            runs[run] += time_stock(core);
        }
    }
    qsort(runs, RUNS, sizeof(runs[0]), compare);
    printf("%s, batches of %zu%s: %.0f ns a record, %.0f ns a batch\n",
           kind == PIPELINE_SHARD ? "shard" : "queue", size,
           mix == LAST_FAILS ? ", the last fails once" : "",
           runs[RUNS / 2] / (double)(rounds * core->stock),
           runs[RUNS / 2] * RUNS / (double)core->batches);
    pipeline_destroy(core->pipeline);
    free(core);
}

int main(int argc, char **argv)
{
    static const size_t sizes[] = {10, 100, 1000, 10000};
    size_t records = argc > 1 ? (size_t)atol(argv[1]) : 200000;

    for (int kind = PIPELINE_QUEUE; kind <= PIPELINE_SHARD; kind++)
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
            for (int mix = ALL_DONE; mix <= LAST_FAILS; mix++)
                report((enum pipeline_kind)kind, sizes[i], (enum mix)mix,
                       records);
    return 0;
}
