#include "pipeline_story.h"

#include <ctype.h>

#include "base/clock.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "poller/key_hash.h"
#include "poller/response.h"
#include "record/event.h"
#include "records.h"
#include "test.h"

// The wall clock, ahead of the stories' own.
#define STORY_WALL_AHEAD_MS 1750000000000

static void arrive(struct story *story, char letter,
                   const struct record_spec *place)
{
    const struct story_case *c = story->c;
    char text[] = {letter, 0};
    char key[] = {(char)('0' + (tolower(letter) - 'a') / 5), 0};

    pipeline_add(
        story->pipeline,
        record_make(&(struct record_spec){
            .id = place->sub ? place->id : text,
            .sub = place->sub,
            .is_last_sub = place->is_last_sub,
            .data = place->sub ? text : NULL,
            .key = key,
            .received_ms = story->now_ms,
            .arrived_at_ms = story->now_ms + STORY_WALL_AHEAD_MS - c->age_ms,
            .visible_ms =
                c->lasts_ms ? story->now_ms + c->lasts_ms : CLOCK_NEVER,
            .event_size = c->size}),
        story->now_ms);
    story->inside++;
}

static char letter_of(const struct record *record)
{
    return record->sub ? record->data.data[0] : record->id.data[0];
}

static void batch_letters(const struct batch *batch, char text[32])
{
    for (size_t i = 0; i < batch->count; i++)
        text[i] = letter_of(batch->records[i]);
    text[batch->count] = 0;
}

static void expect_batch(struct story *story, const char *letters)
{
    struct batch *batch = pipeline_next_batch(story->pipeline, story->now_ms);
    size_t slot = 0;
    char got[32];

    if (!batch)
        fail_msg("%s: nothing may start", story->word);
    batch_letters(batch, got);
    assert_string_equal(got, letters);
    while (story->running[slot])
        slot++;
    assert_true(slot < STORY_BATCHES);
    story->running[slot] = batch;
}

/* The running batch whose first record it is. */
static struct batch **find_batch(struct story *story, char letter)
{
    for (size_t i = 0; i < STORY_BATCHES; i++)
        if (story->running[i] && story->running[i]->count &&
            letter_of(story->running[i]->records[0]) == letter)
            return &story->running[i];
    fail_msg("%s: no such batch runs", story->word);
    return NULL;
}

static void end_batch(struct story *story, struct batch *batch,
                      const struct outcome *outcome)
{
    struct response_verdict verdict = {0};

    pipeline_finish(story->pipeline, batch, outcome, story->now_ms, &verdict);
    response_verdict_finish(&verdict);
}

static void finish(struct story *story, enum outcome_kind kind,
                   const char *letters)
{
    const char *failed_letters = strchr(letters, '/');
    struct batch **batch = find_batch(story, letters[0]);
    struct outcome outcome = {.kind = kind};
    bool failed[32] = {false};

    for (size_t i = 0; failed_letters && i < (*batch)->count; i++)
        failed[i] =
            strchr(failed_letters, letter_of((*batch)->records[i])) != NULL;
    if (failed_letters)
        outcome.failed = failed;
    end_batch(story, *batch, &outcome);
    *batch = NULL;
}

static void expect_settlements(struct story *story, enum source_verdict verdict,
                               const char *letters)
{
    struct settlement settlement;

    for (; *letters; letters++) {
        if (!pipeline_next_settlement(story->pipeline, &settlement))
            fail_msg("%s: no settlement waits", story->word);
        assert_int_equal(settlement.verdict, verdict);
        assert_int_equal(letter_of(settlement.record), *letters);
        record_release(settlement.record);
        story->inside--;
    }
}

static void expect_none(struct story *story)
{
    struct settlement settlement;

    assert_false(pipeline_next_settlement(story->pipeline, &settlement));
}

static void expect_checkpoint(struct story *story, const char *text)
{
    struct pipeline_checkpoint checkpoint;
    bool moved = pipeline_checkpoint(story->pipeline, &checkpoint);

    if (!text) {
        assert_false(moved);
        return;
    }
    if (!moved)
        fail_msg("%s: it did not move", story->word);
    assert_int_equal(checkpoint.sequence.size, strlen(text));
    assert_memory_equal(checkpoint.sequence.data, text, strlen(text));
}

static void expect_discard(struct story *story,
                           enum discard_condition condition,
                           const char *letters)
{
    struct discard *discard = pipeline_next_discard(story->pipeline);
    size_t slot = 0;
    char got[32];

    if (!discard)
        fail_msg("%s: nothing is given up", story->word);
    assert_int_equal(discard->condition, condition);
    batch_letters(discard->batch, got);
    assert_string_equal(got, letters);
    while (story->discards[slot])
        slot++;
    assert_true(slot < STORY_BATCHES);
    story->discards[slot] = discard;
}

/* The discard whose first record it is. */
static struct discard **find_discard(struct story *story, char letter)
{
    for (size_t i = 0; i < STORY_BATCHES; i++)
        if (story->discards[i] &&
            letter_of(story->discards[i]->batch->records[0]) == letter)
            return &story->discards[i];
    fail_msg("%s: no such discard is out", story->word);
    return NULL;
}

static void end_discard(struct story *story, const char *letters,
                        bool is_reported)
{
    struct discard **discard = find_discard(story, letters[0]);

    pipeline_discarded(story->pipeline, *discard, is_reported, story->now_ms);
    *discard = NULL;
}

// ---- Words ----

static void add(struct story *story, const char *rest)
{
    for (; *rest; rest++)
        arrive(story, *rest, &(struct record_spec){0});
}

static void parts(struct story *story, const char *rest)
{
    char id[] = {rest[0], 0};

    for (uint32_t i = 0; rest[i]; i++)
        arrive(story, rest[i],
               &(struct record_spec){
                   .id = id, .sub = i + 1, .is_last_sub = !rest[i + 1]});
}

static void wait_word(struct story *story, const char *rest)
{
    (void)rest;
    assert_null(pipeline_next_batch(story->pipeline, story->now_ms));
}

static void later(struct story *story, const char *rest)
{
    story->now_ms += atoi(rest);
}

static void pass(struct story *story, const char *rest)
{
    int64_t due_ms = pipeline_deadline_ms(story->pipeline);

    (void)rest;
    assert_true(due_ms < CLOCK_NEVER);
    if (due_ms > story->now_ms)
        story->now_ms = due_ms;
}

static void ok(struct story *story, const char *rest)
{
    finish(story, OUTCOME_DONE, rest);
}

static void fail_word(struct story *story, const char *rest)
{
    finish(story, OUTCOME_FAILED, rest);
}

static void late(struct story *story, const char *rest)
{
    finish(story, OUTCOME_TIMED_OUT, rest);
}

static void never(struct story *story, const char *rest)
{
    finish(story, OUTCOME_UNSTARTED, rest);
}

static void bad(struct story *story, const char *rest)
{
    struct batch **batch = find_batch(story, rest[0]);

    end_batch(story, *batch,
              &(struct outcome){.kind = OUTCOME_DONE, .invalid_report = true});
    *batch = NULL;
}

static void done(struct story *story, const char *rest)
{
    expect_settlements(story, SOURCE_DONE, rest);
}

static void again(struct story *story, const char *rest)
{
    expect_settlements(story, SOURCE_AGAIN, rest);
}

static void back(struct story *story, const char *rest)
{
    expect_settlements(story, SOURCE_RETURN, rest);
}

static void none(struct story *story, const char *rest)
{
    (void)rest;
    expect_none(story);
}

static void room(struct story *story, const char *rest)
{
    assert_int_equal(pipeline_room(story->pipeline), atoi(rest));
}

static void due(struct story *story, const char *rest)
{
    assert_int_equal(clock_until_ms(pipeline_deadline_ms(story->pipeline),
                                    story->now_ms, 1000000000),
                     atoi(rest));
}

static void never_due(struct story *story, const char *rest)
{
    (void)rest;
    assert_int_equal(pipeline_deadline_ms(story->pipeline), CLOCK_NEVER);
}

static void attempt(struct story *story, const char *rest)
{
    assert_int_equal((*find_batch(story, rest[0]))->attempt, atoi(rest + 1));
}

static void stop(struct story *story, const char *rest)
{
    (void)rest;
    pipeline_stop(story->pipeline);
}

static void checkpoint(struct story *story, const char *rest)
{
    expect_checkpoint(story, *rest == ':' ? rest + 1 : NULL);
}

static void attempts(struct story *story, const char *rest)
{
    expect_discard(story, DISCARD_ATTEMPTS, rest);
}

static void old(struct story *story, const char *rest)
{
    expect_discard(story, DISCARD_AGE, rest);
}

static void kept(struct story *story, const char *rest)
{
    (void)rest;
    assert_null(pipeline_next_discard(story->pipeline));
}

static void invokes(struct story *story, const char *rest)
{
    assert_int_equal((*find_discard(story, rest[0]))->invoke_count,
                     atoi(rest + 1));
}

static void unhandled(struct story *story, const char *rest)
{
    assert_int_equal((*find_discard(story, rest[0]))->is_unhandled,
                     atoi(rest + 1));
}

static void reported(struct story *story, const char *rest)
{
    end_discard(story, rest, true);
}

static void dropped(struct story *story, const char *rest)
{
    end_discard(story, rest, false);
}

static void unreported(struct story *story, const char *rest)
{
    struct discard **discard = find_discard(story, rest[0]);

    pipeline_discard_failed(story->pipeline, *discard);
    *discard = NULL;
}

// One that begins as another does comes first.
static const struct word {
    const char *verb;
    void (*happens)(struct story *story, const char *rest);
} words[] = {
    {"add:", add},
    {"parts:", parts},
    {"batch:", expect_batch},
    {"wait", wait_word},
    {"+", later},
    {"pass", pass},
    {"ok:", ok},
    {"part:", ok},
    {"fail:", fail_word},
    {"late:", late},
    {"never:", never},
    {"bad:", bad},
    {"done:", done},
    {"again:", again},
    {"back:", back},
    {"none", none},
    {"checkpoint", checkpoint},
    {"room:", room},
    {"due:", due},
    {"never_due", never_due},
    {"attempt:", attempt},
    {"stop", stop},
    {"attempts:", attempts},
    {"old:", old},
    {"kept", kept},
    {"invokes:", invokes},
    {"unhandled:", unhandled},
    {"reported:", reported},
    {"dropped:", dropped},
    {"unreported:", unreported},
};

void story_tell(struct story *story, const char *word)
{
    story->word = word;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t size = strlen(words[i].verb);

        if (!strncmp(word, words[i].verb, size)) {
            words[i].happens(story, word + size);
            return;
        }
    }
    fail_msg("no such word: %s", word);
}

// ---- Stories ----

/* Of the two keys, the first in the first lane, the other in the next. */
static uint64_t seed_for(size_t lanes)
{
    uint64_t seed = 0;

    while (lanes > 1 && (key_hash(seed, bytes_of("0")) % lanes != 0 ||
                         key_hash(seed, bytes_of("1")) % lanes != 1))
        seed++;
    return seed;
}

void story_start(struct story *story, const struct story_case *c)
{
    struct pipeline_options options = c->options;

    if (!options.payload_limit)
        options.payload_limit = EVENT_LIMIT;
    if (!options.seed)
        options.seed = seed_for(options.lanes);
    *story = (struct story){.c = c, .now_ms = 1000};
    story->pipeline = pipeline_create(&options);
    pipeline_set_wall(story->pipeline, STORY_WALL_AHEAD_MS);
    assert_true(pipeline_is_idle(story->pipeline));
}

void story_end(struct story *story)
{
    struct settlement settlement;
    struct discard *discard;

    for (size_t i = 0; i < STORY_BATCHES; i++)
        if (story->running[i])
            end_batch(story, story->running[i],
                      &(struct outcome){.kind = OUTCOME_FAILED});
    pipeline_stop(story->pipeline);
    for (size_t i = 0; i < STORY_BATCHES; i++)
        if (story->discards[i])
            pipeline_discard_failed(story->pipeline, story->discards[i]);
    while ((discard = pipeline_next_discard(story->pipeline)))
        pipeline_discard_failed(story->pipeline, discard);
    while (pipeline_next_settlement(story->pipeline, &settlement)) {
        record_release(settlement.record);
        story->inside--;
    }
    assert_int_equal(story->inside, 0);
    assert_true(pipeline_is_idle(story->pipeline));
    pipeline_destroy(story->pipeline);
}

void story_test(void **state)
{
    const struct story_case *c = *state;
    struct story story;
    char *text = mem_strdup(c->story);
    char *rest = text;

    story_start(&story, c);
    for (char *word; (word = strsep(&rest, " "));)
        story_tell(&story, word);
    story_end(&story);
    free(text);
}
