#include "poller/pipeline.h"

#include "base/clock.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "poller/response.h"
#include "record/event.h"
#include "records.h"
#include "test.h"

/*
 * Each row is a story in words that run from left to right. Records are
 * letters; on a queue with groups, each five letters in a row (a to e, f to j)
 * are one group.
 *
 *   add:abc        they arrive          batch:ab   these may start now
 *   wait           nothing may start    +500       half a second passes
 *   ok:ab          their batch is done  fail:ab    ... failed
 *   late:ab        ... timed out        never:ab   ... could not start
 *   part:ab/b      ... but b failed     stop       start nothing more
 *   done:a again:b back:c none          the verdicts that come out, in order
 *   checkpoint:b   it moved to b        checkpoint it did not move
 *   room:5         so many may come     due:500    something happens in 500 ms
 *   never_due      nothing by time      attempt:a1 a's batch is a second try
 */
#define SHARD \
    .kind = PIPELINE_SHARD, .maximum_attempts = -1, .maximum_age_ms = -1

static struct pipeline_case {
    const char *name;
    struct pipeline_options options;
    int64_t lasts_ms; // visibility of what arrives; 0: for ever
    uint32_t size;    // of a record's event; 0: 100
    const char *story;
} cases[] = {
    // Queues.
    {"queue: done is deleted",
     {.batch_size = 2, .concurrency = 1},
     .story = "add:ab batch:ab ok:ab done:ab none"},
    {"queue: failed comes again",
     {.batch_size = 2, .concurrency = 1},
     .story = "add:ab batch:ab fail:ab again:ab none"},
    {"queue: timed out comes again",
     {.batch_size = 2, .concurrency = 1},
     .story = "add:ab batch:ab late:ab again:ab none"},
    {"queue: part failed, in the order done, again",
     {.batch_size = 4, .concurrency = 1},
     .story = "add:abcd batch:abcd part:abcd/bc done:ad again:bc none"},
    {"queue: a queue has no checkpoint",
     {.batch_size = 2, .concurrency = 1},
     .story = "add:ab batch:ab ok:ab checkpoint done:ab"},
    {"queue: as many at once as allowed, in any order",
     {.batch_size = 2, .concurrency = 2},
     .story = "add:abcde batch:ab batch:cd wait ok:cd batch:e ok:ab ok:e "
              "done:cdabe"},
    {"queue: room is what could run at once",
     {.batch_size = 5, .concurrency = 2},
     .story = "room:10 add:abc room:7 batch:abc room:5 add:de room:3 "
              "batch:de room:0 add:f room:0 ok:abc room:4"},
    {"queue: a window gathers",
     {.batch_size = 5, .concurrency = 1, .window_ms = 1000},
     .story = "add:a due:1000 wait +400 add:b wait due:600 +600 due:0 "
              "batch:ab never_due ok:ab"},
    {"queue: a full batch does not wait for its window",
     {.batch_size = 3, .concurrency = 2, .window_ms = 1000},
     .story = "add:ab wait +10 add:cd due:0 batch:abc wait due:1000 +1000 "
              "batch:d ok:abc ok:d"},
    {"queue: room fills the batches that may start",
     {.batch_size = 20, .concurrency = 2, .window_ms = 1000},
     .size = 10,
     .story = "room:40 add:abc room:37 +1000 batch:abc room:20 ok:abc"},
    {"queue: room is bounded in bytes by what records were worth",
     {.batch_size = 1000, .concurrency = 1, .payload_limit = 1024 * 100},
     .size = 1024,
     .story = "room:100 add:abcd room:96"},
    {"queue: room for at least one large record",
     {.batch_size = 10, .concurrency = 1, .payload_limit = 1000},
     .size = 900,
     .story = "room:1 add:a room:1 add:b room:0"},
    {"queue: payload cuts",
     {.batch_size = 10, .concurrency = 9, .payload_limit = EVENT_FRAME + 250},
     .story = "add:abcde batch:ab batch:cd batch:e ok:ab ok:cd ok:e"},
    {"queue: what waited too long goes back",
     {.batch_size = 2, .concurrency = 1, .batch_time_ms = 3000},
     .lasts_ms = 30000,
     .story = "add:abcd batch:ab +20000 due:7001 +7000 wait none +1 due:0 "
              "wait back:cd never_due room:0 ok:ab room:2 done:ab"},
    {"queue: goes back while all run, not only when one could start",
     {.batch_size = 1, .concurrency = 1, .batch_time_ms = 3000},
     .lasts_ms = 10000,
     .story = "add:ab batch:a +7001 wait back:b ok:a"},
    {"queue: visibility shorter than the handler's time still runs",
     {.batch_size = 1, .concurrency = 1, .batch_time_ms = 30000},
     .lasts_ms = 30000,
     .story = "add:ab +500 batch:a +501 wait back:b ok:a"},
    {"queue: a window ends while visibility lasts",
     {.batch_size = 9,
      .concurrency = 1,
      .window_ms = 60000,
      .batch_time_ms = 3000},
     .lasts_ms = 30000,
     .story = "add:ab due:27000 +26999 wait +1 batch:ab ok:ab"},
    {"queue: what could not start goes back, and all that waits",
     {.batch_size = 2, .concurrency = 1},
     .story = "add:abc batch:ab never:ab back:abc none"},
    {"queue: stop gives back what waits, lets run what runs",
     {.batch_size = 2, .concurrency = 1},
     .story = "add:abcd batch:ab stop wait back:cd room:0 add:e back:e "
              "ok:ab done:ab none never_due"},
    {"queue: failed during a stop comes again as ever",
     {.batch_size = 2, .concurrency = 1},
     .story = "add:ab batch:ab stop part:ab/a done:b again:a none"},
    {"queue: keys mean nothing without groups",
     {.batch_size = 1, .concurrency = 3},
     .story = "add:abc batch:a batch:b batch:c ok:a ok:b ok:c"},

    // Queues with message groups.
    {"group: one batch holds several of it, in order",
     {.batch_size = 3, .concurrency = 2, .by_group = true},
     .story = "add:abf batch:abf ok:abf done:abf"},
    {"group: a second batch of it waits, others do not",
     {.batch_size = 2, .concurrency = 3, .by_group = true},
     .story = "add:abcfg batch:ab batch:fg wait room:1 ok:ab batch:c ok:c "
              "ok:fg done:abcfg"},
    {"group: held ones keep their order with those that come later",
     {.batch_size = 1, .concurrency = 3, .by_group = true},
     .story = "add:ab batch:a wait add:cd wait ok:a batch:b wait ok:b "
              "batch:c ok:c batch:d ok:d done:abcd"},
    {"group: its failure sends back what stands behind, held or in line",
     {.batch_size = 1, .concurrency = 2, .by_group = true},
     .story = "add:abfgc batch:a batch:f wait fail:a back:b again:a wait "
              "back:c add:d batch:d ok:d ok:f batch:g ok:g done:dfg none"},
    {"group: a failed one's successors go back until none is in line",
     {.batch_size = 2, .concurrency = 1, .by_group = true},
     .story = "add:abcdf batch:ab part:ab/b done:a again:b add:e batch:f "
              "back:cde none add:de ok:f batch:de ok:de done:fde none"},
    {"group: one that goes back stale takes its successors along",
     {.batch_size = 1,
      .concurrency = 1,
      .by_group = true,
      .batch_time_ms = 3000},
     .lasts_ms = 10000,
     .story = "add:fa batch:f +6000 add:b +1001 ok:f done:f wait back:ab"},
    {"group: stop gives back what is held",
     {.batch_size = 1, .concurrency = 2, .by_group = true},
     .story = "add:abc batch:a wait stop back:bc ok:a done:a none"},

    // Shards.
    {"shard: one batch at a time, checkpoint behind it",
     {SHARD, .batch_size = 2, .concurrency = 9},
     .story = "add:abcd batch:ab wait ok:ab checkpoint:b checkpoint done:ab "
              "batch:cd ok:cd checkpoint:d done:cd none"},
    {"shard: a failed batch blocks it and comes again whole",
     {SHARD, .batch_size = 2, .backoff_base_ms = 0},
     .story = "add:abcd batch:ab attempt:a0 fail:ab checkpoint none batch:ab "
              "attempt:a1 late:ab batch:ab attempt:a2 ok:ab checkpoint:b "
              "done:ab batch:cd attempt:c0 ok:cd checkpoint:d done:cd"},
    {"shard: checkpoint before the lowest failed, the rest comes again",
     {SHARD, .batch_size = 5},
     .story = "add:abcdefg batch:abcde part:abcde/ce checkpoint:b done:ab "
              "none batch:cde attempt:c0 part:cde/c checkpoint none "
              "batch:cde attempt:c1 ok:cde checkpoint:e done:cde batch:fg "
              "ok:fg checkpoint:g done:fg"},
    {"shard: what could not start comes again, and was no attempt",
     {SHARD, .batch_size = 2},
     .story = "add:ab batch:ab never:ab none batch:ab attempt:a0 ok:ab "
              "checkpoint:b done:ab"},
    {"shard: a window opens when the batch before it is over",
     {SHARD, .batch_size = 3, .window_ms = 1000},
     .story = "add:a +1000 batch:a add:b +5000 wait ok:a checkpoint:a done:a "
              "wait due:1000 +999 wait +1 batch:b ok:b checkpoint:b"},
    {"shard: reads ahead while one runs, within bounds",
     {SHARD, .batch_size = 2000, .payload_limit = 1024 * 1024 * 6},
     .size = 1024,
     .story = "room:4000 add:a room:3999 batch:a room:4000 ok:a checkpoint:a"},
    {"shard: reads ahead no more bytes than two batches may have",
     {SHARD, .batch_size = 10, .payload_limit = 1024 * 10},
     .size = 1024,
     .story = "room:20 add:abcdefghij room:10 add:k room:0"},
    {"shard: stop gives back what waits and what would come again",
     {SHARD, .batch_size = 2},
     .story = "add:abc batch:ab fail:ab stop back:cab none wait"},
    {"shard: failed during a stop is given up, its front kept",
     {SHARD, .batch_size = 3},
     .story = "add:abc batch:abc stop part:abc/b checkpoint:a done:a again:bc "
              "none"},
};

#define STORY_BATCHES 16

struct story {
    const struct pipeline_case *c;
    struct pipeline *pipeline;
    struct batch *running[STORY_BATCHES];
    size_t inside; // records not yet settled
    int64_t now_ms;
    const char *word; // for messages
};

static void arrive(struct story *story, const char *letters)
{
    for (; *letters; letters++) {
        char id[] = {*letters, 0};
        char group[] = {(char)('0' + (*letters - 'a') / 5), 0};

        pipeline_add(story->pipeline,
                     record_make(&(struct record_spec){
                         .id = id,
                         .key = group,
                         .received_ms = story->now_ms,
                         .visible_ms = story->c->lasts_ms
                                           ? story->now_ms + story->c->lasts_ms
                                           : CLOCK_NEVER,
                         .event_size = story->c->size}),
                     story->now_ms);
        story->inside++;
    }
}

static void batch_letters(const struct batch *batch, char text[32])
{
    for (size_t i = 0; i < batch->count; i++)
        text[i] = batch->records[i]->id.data[0];
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
        if (story->running[i] &&
            story->running[i]->records[0]->id.data[0] == letter)
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
            strchr(failed_letters, (*batch)->records[i]->id.data[0]) != NULL;
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
        assert_int_equal(settlement.record->id.data[0], *letters);
        record_release(settlement.record);
        story->inside--;
    }
}

static void expect_none(struct story *story)
{
    struct settlement settlement;

    assert_false(pipeline_next_settlement(story->pipeline, &settlement));
}

static void expect_checkpoint(struct story *story, const char *letter)
{
    struct pipeline_checkpoint checkpoint;
    bool moved = pipeline_checkpoint(story->pipeline, &checkpoint);

    if (!letter) {
        assert_false(moved);
        return;
    }
    if (!moved)
        fail_msg("%s: it did not move", story->word);
    assert_int_equal(checkpoint.sequence.data[0], letter[0]);
}

static bool is_word(const char *word, const char *verb, const char **argument)
{
    size_t size = strlen(verb);

    *argument = word + size;
    return !strncmp(word, verb, size);
}

static void tell(struct story *story, const char *word)
{
    struct pipeline *pipeline = story->pipeline;
    const char *rest;

    story->word = word;
    if (is_word(word, "add:", &rest))
        arrive(story, rest);
    else if (is_word(word, "batch:", &rest))
        expect_batch(story, rest);
    else if (is_word(word, "wait", &rest))
        assert_null(pipeline_next_batch(pipeline, story->now_ms));
    else if (is_word(word, "+", &rest))
        story->now_ms += atoi(rest);
    else if (is_word(word, "ok:", &rest) || is_word(word, "part:", &rest))
        finish(story, OUTCOME_DONE, rest);
    else if (is_word(word, "fail:", &rest))
        finish(story, OUTCOME_FAILED, rest);
    else if (is_word(word, "late:", &rest))
        finish(story, OUTCOME_TIMED_OUT, rest);
    else if (is_word(word, "never:", &rest))
        finish(story, OUTCOME_UNSTARTED, rest);
    else if (is_word(word, "done:", &rest))
        expect_settlements(story, SOURCE_DONE, rest);
    else if (is_word(word, "again:", &rest))
        expect_settlements(story, SOURCE_AGAIN, rest);
    else if (is_word(word, "back:", &rest))
        expect_settlements(story, SOURCE_RETURN, rest);
    else if (is_word(word, "none", &rest))
        expect_none(story);
    else if (is_word(word, "checkpoint:", &rest))
        expect_checkpoint(story, rest);
    else if (is_word(word, "checkpoint", &rest))
        expect_checkpoint(story, NULL);
    else if (is_word(word, "room:", &rest))
        assert_int_equal(pipeline_room(pipeline), atoi(rest));
    else if (is_word(word, "due:", &rest))
        assert_int_equal(clock_until_ms(pipeline_deadline_ms(pipeline),
                                        story->now_ms, 1000000),
                         atoi(rest));
    else if (is_word(word, "never_due", &rest))
        assert_int_equal(pipeline_deadline_ms(pipeline), CLOCK_NEVER);
    else if (is_word(word, "attempt:", &rest))
        assert_int_equal((*find_batch(story, rest[0]))->attempt,
                         atoi(rest + 1));
    else if (is_word(word, "stop", &rest))
        pipeline_stop(pipeline);
    else
        fail_msg("no such word: %s", word);
}

/* Whatever the story left inside comes out, each record once. */
static void end_story(struct story *story)
{
    struct settlement settlement;

    for (size_t i = 0; i < STORY_BATCHES; i++)
        if (story->running[i])
            end_batch(story, story->running[i],
                      &(struct outcome){.kind = OUTCOME_FAILED});
    pipeline_stop(story->pipeline);
    while (pipeline_next_settlement(story->pipeline, &settlement)) {
        record_release(settlement.record);
        story->inside--;
    }
    assert_int_equal(story->inside, 0);
    assert_true(pipeline_is_idle(story->pipeline));
    pipeline_destroy(story->pipeline);
}

static void test_story(void **state)
{
    const struct pipeline_case *c = *state;
    struct pipeline_options options = c->options;
    struct story story = {.c = c, .now_ms = 1000};
    char *words = mem_strdup(c->story);
    char *rest = words;

    if (!options.payload_limit)
        options.payload_limit = EVENT_LIMIT;
    story.pipeline = pipeline_create(&options);
    assert_true(pipeline_is_idle(story.pipeline));
    for (char *word; (word = strsep(&rest, " "));)
        tell(&story, word);
    end_story(&story);
    free(words);
}

static void test_a_failed_shard_waits_for_its_backoff(void **state)
{
    struct story story = {.c = &(struct pipeline_case){.name = ""},
                          .now_ms = 1000,
                          .pipeline =
                              pipeline_create(&(struct pipeline_options){
                                  SHARD,
                                  .batch_size = 2,
                                  .payload_limit = EVENT_LIMIT,
                                  .backoff_base_ms = 1000,
                                  .backoff_maximum_ms = 60000,
                                  .seed = 7,
                              })};

    (void)state;
    tell(&story, "add:abc");
    for (int attempt = 0; attempt < 40; attempt++) {
        int64_t due_ms;

        tell(&story, "batch:ab");
        tell(&story, "fail:ab");
        tell(&story, "none");
        due_ms = pipeline_deadline_ms(story.pipeline);
        assert_true(due_ms <= story.now_ms + 60000);
        if (due_ms > story.now_ms) {
            story.now_ms = due_ms - 1;
            tell(&story, "wait");
        }
        story.now_ms = due_ms;
    }
    tell(&story, "batch:ab");
    tell(&story, "ok:ab");
    tell(&story, "checkpoint:b");
    tell(&story, "done:ab");
    tell(&story, "batch:c");
    end_story(&story);
}

/* A handler that cannot start must not make the queue spin: each receive would
 * bring its messages nearer to the dead-letter queue. */
static void test_a_queue_pauses_when_batches_cannot_start(void **state)
{
    struct story story = {.c = &(struct pipeline_case){.name = ""},
                          .now_ms = 1000,
                          .pipeline =
                              pipeline_create(&(struct pipeline_options){
                                  .batch_size = 2,
                                  .concurrency = 3,
                                  .payload_limit = EVENT_LIMIT,
                                  .backoff_base_ms = 1000,
                                  .backoff_maximum_ms = 60000,
                                  .seed = 7,
                              })};
    int64_t due_ms;

    (void)state;
    tell(&story, "add:abcde");
    tell(&story, "batch:ab");
    tell(&story, "never:ab");
    tell(&story, "back:abcde");
    due_ms = pipeline_deadline_ms(story.pipeline);
    assert_true(due_ms > story.now_ms && due_ms <= story.now_ms + 1000);
    tell(&story, "room:0");
    story.now_ms = due_ms;
    tell(&story, "wait");
    tell(&story, "room:6");
    tell(&story, "never_due");
    end_story(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_shard_waits_for_its_backoff),
        cmocka_unit_test(test_a_queue_pauses_when_batches_cannot_start),
    };
    int failed = run_table("pipeline", cases, test_story);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
