/*
 * judge: our side of the differential test. Reads "P pattern" and "E event"
 * lines and answers each with one line: "accepted" or "refused WHY"; "match",
 * "no match", "not JSON", or "no pattern" after one that was refused.
 *
 * An event is judged on every way that leads to a verdict: as it is, in words,
 * and as the data of a message and of a stream's record. "torn" when they
 * differ.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "filter/filter.h"
#include "filter/filter_config.h"
#include "filter/trial.h"
#include "filter/verdict.h"

struct judge {
    struct pattern *pattern; // NULL: it was refused
    struct walk walk;
    struct trial *trial;
    struct filter *queue, *shard;
};

static const struct record_origin queue = {
    .kind = RECORD_SQS, .arn = "arn:q", .region = "r"};
static const struct record_origin shard = {.kind = RECORD_KINESIS,
                                           .arn = "arn:s",
                                           .region = "r",
                                           .shard = "shard",
                                           .identity = "role"};

static void drop(struct judge *judge)
{
    if (!judge->pattern)
        return;
    walk_finish(&judge->walk);
    pattern_destroy(judge->pattern);
    trial_destroy(judge->trial);
    filter_destroy(judge->queue);
    filter_destroy(judge->shard);
    *judge = (struct judge){0};
}

// {"body": PATTERN}, for the same of what is below the key.
static struct filter *filter_of(const char *pattern, const char *key,
                                enum record_kind kind)
{
    AUTO_FREE char *text = mem_printf("{\"%s\":%s}", key, pattern);
    struct filter_config_item item = {text};
    const struct filter_config config = {{&item, 1}};
    struct error err;
    struct filter *filter = filter_create(&config, kind, &err);

    if (!filter) {
        fprintf(stderr, "judge: %s\n", err.message);
        exit(1);
    }
    return filter;
}

static void add(struct judge *judge, const char *text)
{
    struct pattern *pattern = pattern_create(PATTERN_VIEW_EVENT);
    struct error err;
    size_t offset;

    drop(judge);
    if (!pattern_add(pattern, bytes_of(text), &offset, &err)) {
        printf("refused %s\n", err.message);
        pattern_destroy(pattern);
        return;
    }
    pattern_seal(pattern);
    judge->pattern = pattern;
    walk_init(&judge->walk, pattern);
    judge->trial =
        trial_create(PATTERN_VIEW_EVENT, bytes_of(text), &offset, &err);
    judge->queue = filter_of(text, "body", RECORD_SQS);
    judge->shard = filter_of(text, "data", RECORD_KINESIS);
    puts("accepted");
}

static const char *judge_event(struct judge *judge, const char *text)
{
    const struct record message = {.origin = &queue, .data = bytes_of(text)};
    const struct record entry = {.origin = &shard, .data = bytes_of(text)};
    struct buffer why;
    struct verdict verdict;
    struct error err;
    bool explained;

    if (!judge->pattern)
        return "no pattern";
    verdict = verdict_of_event(&judge->walk, bytes_of(text));
    if (verdict.data != WALK_JSON_OBJECT)
        return "not JSON";
    buffer_init(&why, (size_t)1024 * 1024);
    if (!trial_event(judge->trial, bytes_of(text), &explained, &why, &err))
        return "torn: explained as no JSON";
    buffer_finish(&why);
    if (explained != (verdict.rule != NULL))
        return "torn: explained otherwise";
    if (filter_matches(judge->queue, &message) != explained)
        return "torn: otherwise in a message";
    if (filter_matches(judge->shard, &entry) != explained)
        return "torn: otherwise in a stream";
    return explained ? "match" : "no match";
}

int main(void)
{
    struct judge judge = {0};
    AUTO_FREE char *line = NULL;
    size_t capacity = 0;
    ssize_t size;

    while ((size = getline(&line, &capacity, stdin)) > 1) {
        if (line[size - 1] == '\n')
            line[size - 1] = 0;
        if (line[0] == 'P')
            add(&judge, line + 2);
        else
            puts(judge_event(&judge, line + 2));
    }
    drop(&judge);
    return 0;
}
