/*
 * bench_filter: records a second that a poller can ask the filter about, on one
 * core, beside a bare jansson parse (json_loadb, json_decref) of the same bytes
 * in the same run. Events of some 300 bytes, a pattern of three fields.
 *
 * usage: bench_filter [ROUNDS]     records/s, medians of nine runs
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "base/mem.h"
#include "filter/filter.h"
#include "filter/filter_config.h"

#define RECORDS 500 // all different
#define RUNS 9

struct mix {
    const char *name;
    enum record_kind kind;
    const char *pattern;
    unsigned wanted; // percent that match
};

static const struct mix mixes[] = {
    {"SQS, all match", RECORD_SQS,
     "{\"body\": {\"type\": [\"order.created\"], \"region\": [{\"prefix\": "
     "\"eu-\"}], \"order\": {\"total\": [{\"numeric\": [\">=\", 10]}]}}}",
     100},
    {"SQS, half match", RECORD_SQS,
     "{\"body\": {\"type\": [\"order.created\"], \"region\": [{\"prefix\": "
     "\"eu-\"}], \"order\": {\"total\": [{\"numeric\": [\">=\", 10]}]}}}",
     50},
    {"SQS, none match", RECORD_SQS,
     "{\"body\": {\"type\": [\"order.created\"], \"region\": [{\"prefix\": "
     "\"eu-\"}], \"order\": {\"total\": [{\"numeric\": [\">=\", 10]}]}}}",
     0},
    {"SQS, an attribute decides", RECORD_SQS,
     "{\"messageAttributes\": {\"kind\": {\"stringValue\": [\"other\"]}}, "
     "\"body\": {\"type\": [\"order.created\"], \"region\": [{\"prefix\": "
     "\"eu-\"}]}}",
     100},
    {"Kinesis, all match", RECORD_KINESIS,
     "{\"data\": {\"type\": [\"order.created\"], \"region\": [{\"prefix\": "
     "\"eu-\"}], \"order\": {\"total\": [{\"numeric\": [\">=\", 10]}]}}}",
     100},
    {"Kinesis, none match", RECORD_KINESIS,
     "{\"data\": {\"type\": [\"order.created\"], \"region\": [{\"prefix\": "
     "\"eu-\"}], \"order\": {\"total\": [{\"numeric\": [\">=\", 10]}]}}}",
     0},
    {"Kinesis, the key decides", RECORD_KINESIS,
     "{\"partitionKey\": [{\"prefix\": \"other-\"}], \"data\": {\"type\": "
     "[\"order.created\"], \"region\": [{\"prefix\": \"eu-\"}]}}",
     100},
};

static const struct record_origin queue = {
    .kind = RECORD_SQS, .arn = "arn:aws:sqs:r:1:q", .region = "r"};
static const struct record_origin shard = {.kind = RECORD_KINESIS,
                                           .arn = "arn:aws:kinesis:r:1:s",
                                           .region = "r",
                                           .shard = "shardId-0",
                                           .identity = "arn:aws:iam::1:role/r"};
static const struct record_message_attribute attribute = {
    BYTES("kind"), BYTES("String"), BYTES("order"), false};

struct stock {
    struct record records[RECORDS];
    char *bodies[RECORDS];
    size_t bytes, wanted, seen;
};

// What is not wanted differs in one of the three fields, by turns.
static char *body_of(size_t i, bool wanted)
{
    size_t wrong = wanted ? 3 : i % 3;

    return mem_printf(
        "{\"id\": \"5f3a%04zx-8d1c-4b7e-9a55-1c2d3e4f5a6b\", \"type\": "
        "\"order.%s\", \"time\": \"2026-11-28T12:%02zu:%02zuZ\", \"region\": "
        "\"%s-west-%zu\", \"customer\": {\"id\": %zu, \"name\": \"J\\u00f6rg "
        "Example\", \"tier\": \"gold\"}, \"order\": {\"lines\": [{\"sku\": "
        "\"A-%zu\", \"count\": %zu}], \"total\": %zu.90, \"currency\": "
        "\"EUR\"}, \"test\": false}",
        i, wrong == 0 ? "changed" : "created", i / 60 % 60, i % 60,
        wrong == 1 ? "us" : "eu", i % 3, 100000 + i * 7, i % 97, i % 9 + 1,
        wrong == 2 ? i % 10 : i % 900 + 10);
}

static void stock_fill(struct stock *stock, const struct mix *mix)
{
    *stock = (struct stock){0};
    for (size_t i = 0; i < RECORDS; i++) {
        bool wanted = i * 37 % 100 < mix->wanted;
        struct record *record = &stock->records[i];

        stock->bodies[i] = body_of(i, wanted);
        *record = (struct record){
            .origin = mix->kind == RECORD_SQS ? &queue : &shard,
            .id = BYTES("49590338271490256608559692538361571095921575989136"),
            .key = BYTES("customer-17"),
            .data = bytes_of(stock->bodies[i])};
        stock->bytes += record->data.size;
        if (mix->kind == RECORD_SQS) {
            record->message_attributes = &attribute;
            record->message_attribute_count = 1;
        }
    }
}

static void stock_clear(struct stock *stock)
{
    for (size_t i = 0; i < RECORDS; i++)
        free(stock->bodies[i]);
}

static void ask_filter(struct stock *stock, struct filter *filter)
{
    for (size_t i = 0; i < RECORDS; i++)
        stock->wanted += filter_matches(filter, &stock->records[i]);
}

static void parse(struct stock *stock)
{
    for (size_t i = 0; i < RECORDS; i++) {
        const struct bytes *data = &stock->records[i].data;
        json_t *root = json_loadb(data->data, data->size, 0, NULL);

        if (!root)
            abort();
        stock->seen += json_object_size(root);
        json_decref(root);
    }
}

static double cpu_seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static double median(double *runs)
{
    qsort(runs, RUNS, sizeof(*runs), compare);
    return runs[RUNS / 2];
}

static struct filter *filter_of(const struct mix *mix)
{
    AUTO_FREE char *pattern = mem_strdup(mix->pattern);
    struct filter_config_item item = {pattern};
    const struct filter_config config = {{&item, 1}};
    struct error err;
    struct filter *filter = filter_create(&config, mix->kind, &err);

    if (!filter) {
        fprintf(stderr, "%s: %s\n", mix->name, err.message);
        exit(1);
    }
    return filter;
}

// By turns, so that whatever else the machine does falls on both.
static void report(const struct mix *mix, int rounds)
{
    struct filter *filter = filter_of(mix);
    double ours[RUNS], theirs[RUNS];
    struct stock stock;

    stock_fill(&stock, mix);
    for (int run = 0; run < RUNS; run++) {
        double start = cpu_seconds(), middle;

        for (int i = 0; i < rounds; i++)
            ask_filter(&stock, filter);
        middle = cpu_seconds();
        for (int i = 0; i < rounds; i++)
            parse(&stock);
        ours[run] = (double)rounds * RECORDS / (middle - start);
        theirs[run] = (double)rounds * RECORDS / (cpu_seconds() - middle);
    }
    printf("%s: %.0f %.0f %zu %.0f\n", mix->name, median(ours), median(theirs),
           stock.bytes / RECORDS,
           100.0 * (double)stock.wanted / rounds / RUNS / RECORDS);
    stock_clear(&stock);
    filter_destroy(filter);
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 200;

    for (size_t i = 0; i < sizeof(mixes) / sizeof(mixes[0]); i++)
        report(&mixes[i], rounds);
    return 0;
}
