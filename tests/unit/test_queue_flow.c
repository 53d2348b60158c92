/*
 * What a queue does beyond Lambda's plain way, as stories (pipeline_story.h).
 * Linked with __wrap_filter_matches: no filter matches anything here.
 */
#include "poller/pipeline.h"

#include "pipeline_story.h"
#include "base/clock.h"
#include "record/event.h"
#include "records.h"
#include "test.h"

static struct story_case cases[] = {
    // FIFO groups on failure.
    {"release: what stands behind a failed one comes again with it",
     {.batch_size = 10, .concurrency = 1, .by_group = true},
     .story = "add:abfcg batch:abfcg part:abfcg/b done:afg again:bc none"},
    {"release: each group by itself",
     {.batch_size = 10, .concurrency = 1, .by_group = true},
     .story = "add:abfgk batch:abfgk part:abfgk/af done:k again:abfg none"},
    {"release: several failed",
     {.batch_size = 10, .concurrency = 1, .by_group = true},
     .story = "add:abcde batch:abcde part:abcde/bd done:a again:bcde none"},
    {"release: when all fail, all groups come again",
     {.batch_size = 10, .concurrency = 1, .by_group = true},
     .story = "add:abf batch:abf late:abf again:abf none"},
    {"release: a delay is the failed one's; the others wait behind it",
     {.batch_size = 10,
      .concurrency = 1,
      .by_group = true,
      .delay_failed = true},
     .story = "add:abcdf batch:abcdf part:abcdf/bd done:af back:cd again:b "
              "none"},
    {"release: held ones go back, and what comes late",
     {.batch_size = 2, .concurrency = 1, .by_group = true},
     .story = "add:abc batch:ab part:ab/a again:ab wait back:c none"},
    {"release: what never ran goes back",
     {.batch_size = 2, .concurrency = 1, .by_group = true},
     .story = "add:abc batch:ab never:ab back:abc none"},
    {"release: means nothing without groups",
     {.batch_size = 3, .concurrency = 1},
     .story = "add:abc batch:abc part:abc/a done:bc again:a none"},
    {"lambda: what is not listed is deleted",
     {.batch_size = 10,
      .concurrency = 1,
      .by_group = true,
      .fifo_failure = TRIGGER_FIFO_LAMBDA},
     .story = "add:abfc batch:abfc part:abfc/a done:bfc again:a none"},
    {"lambda: each comes again after a delay of its own",
     {.batch_size = 10,
      .concurrency = 1,
      .by_group = true,
      .delay_failed = true,
      .fifo_failure = TRIGGER_FIFO_LAMBDA},
     .story = "add:abc batch:abc part:abc/ac done:b again:ac none"},
    {"lambda: its next ones wait for the failed one all the same",
     {.batch_size = 1,
      .concurrency = 1,
      .by_group = true,
      .fifo_failure = TRIGGER_FIFO_LAMBDA},
     .story = "add:ab batch:a fail:a wait back:b again:a none"},

    // Deletes that come too late.
    {"late delete: the next of its group may not overtake it",
     {.batch_size = 1, .concurrency = 1, .by_group = true},
     .lasts_ms = 3000,
     .story = "add:ab batch:a +2000 ok:a done:a wait back:b none"},
    {"late delete: in time, the next one goes on",
     {.batch_size = 1, .concurrency = 1, .by_group = true},
     .lasts_ms = 3000,
     .story = "add:ab batch:a +1999 ok:a done:a batch:b"},
    {"late delete: those of its batch have run, and are deleted too",
     {.batch_size = 2, .concurrency = 1, .by_group = true},
     .lasts_ms = 3000,
     .story = "add:ab batch:ab +2500 ok:ab done:ab none"},

    // The rate.
    {"rate: no more are asked for than may go",
     {.batch_size = 2, .concurrency = 9, .records_per_second = 5},
     .story = "room:5 add:abc room:2 batch:ab batch:c wait add:d room:0 "
              "batch:d wait due:200 +200 wait room:2 never_due ok:ab ok:c "
              "ok:d"},
    {"rate: never more than could run",
     {.batch_size = 2, .concurrency = 1, .records_per_second = 500},
     .story = "room:2 add:a room:1 batch:a room:0 never_due ok:a room:2"},
    {"rate: a window fills at it",
     {.batch_size = 8,
      .concurrency = 1,
      .records_per_second = 4,
      .window_ms = 10000},
     .story = "room:4 add:abcd room:0 due:1000 wait +1000 wait room:4 add:efgh "
              "batch:abcdefgh ok:abcdefgh"},
    {"rate: a shard's batch waits for as many as it may have",
     {STORY_SHARD, .batch_size = 2, .records_per_second = 3},
     .story = "add:abcdef batch:ab ok:ab checkpoint:b done:ab wait due:334 "
              "+333 wait +1 batch:cd"},
    {"rate: a shard's large batch waits for a full bucket, and owes the rest",
     {STORY_SHARD, .batch_size = 6, .records_per_second = 3},
     .story = "add:abcdef batch:abcdef ok:abcdef checkpoint:f done:abcdef "
              "add:ghijkl due:2000 +1999 wait +1 batch:ghijkl"},
    {"rate: each attempt of a shard counts",
     {STORY_SHARD, .batch_size = 2, .records_per_second = 2},
     .story = "add:ab batch:ab fail:ab wait due:1000 +1000 batch:ab"},

    // The breaker.
    {"breaker: opens, tries one, closes",
     {.batch_size = 1,
      .concurrency = 2,
      .breaker_failures = 2,
      .breaker_pause_ms = 1000},
     .story = "add:ab batch:a batch:b fail:a fail:b again:ab room:0 wait "
              "due:1000 add:c back:c +999 wait room:0 +1 wait room:1 add:cd "
              "batch:c back:d room:0 wait never_due add:e back:e ok:c done:c "
              "room:2 never_due add:ef batch:e batch:f"},
    {"breaker: what waits goes back when it opens",
     {.batch_size = 2,
      .concurrency = 1,
      .breaker_failures = 1,
      .breaker_pause_ms = 1000},
     .story = "add:abc batch:ab fail:ab back:c again:ab wait none"},
    {"breaker: a failed try opens it again",
     {.batch_size = 1,
      .concurrency = 1,
      .breaker_failures = 1,
      .breaker_pause_ms = 1000},
     .story = "add:a batch:a late:a again:a +1000 wait add:a batch:a fail:a "
              "again:a room:0 due:1000 +999 wait room:0 +1 wait room:1"},
    {"breaker: what failed in part got through",
     {.batch_size = 2,
      .concurrency = 1,
      .breaker_failures = 2,
      .breaker_pause_ms = 1000},
     .story = "add:ab batch:ab fail:ab add:cd batch:cd part:cd/c add:ef "
              "batch:ef fail:ef room:2"},
    {"breaker: a response that breaks the rules is a failure",
     {.batch_size = 2,
      .concurrency = 1,
      .reads_response = true,
      .breaker_failures = 1,
      .breaker_pause_ms = 1000},
     .story = "add:ab batch:ab bad:ab again:ab room:0 due:1000"},
    {"breaker: a group's order holds over it",
     {.batch_size = 1,
      .concurrency = 2,
      .by_group = true,
      .breaker_failures = 1,
      .breaker_pause_ms = 1000},
     .story = "add:abf batch:a batch:f fail:a back:b again:a add:b back:b ok:f "
              "done:f room:2 add:ab batch:a wait ok:a batch:b"},
    {"breaker: a shard pauses and tries one",
     {STORY_SHARD, .batch_size = 1, .breaker_failures = 2,
      .breaker_pause_ms = 1000},
     .story = "add:ab batch:a fail:a batch:a fail:a wait due:1000 +999 wait +1 "
              "batch:a ok:a checkpoint:a done:a batch:b"},
    {"breaker: none by default",
     {.batch_size = 1, .concurrency = 1},
     .story = "add:a batch:a fail:a add:b batch:b fail:b add:c batch:c fail:c "
              "add:d batch:d fail:d room:1"},

    // Giving way.
    {"concurrency: a quarter less when a batch fails, and no more a round",
     {.batch_size = 1, .concurrency = 4, .gives_way = true},
     .story = "add:abcd batch:a batch:b batch:c batch:d fail:a room:0 fail:b "
              "room:1 fail:c room:2 fail:d room:3 add:e batch:e fail:e room:2"},
    {"concurrency: comes back with each that succeeds",
     {.batch_size = 1, .concurrency = 4, .gives_way = true},
     .story = "add:a batch:a fail:a room:3 add:b batch:b ok:b room:4 add:c "
              "batch:c ok:c room:4"},
    {"concurrency: single failures do not touch it",
     {.batch_size = 2, .concurrency = 4, .gives_way = true},
     .story = "add:ab batch:ab part:ab/a room:8"},
    {"concurrency: what never ran does not touch it",
     {.batch_size = 1, .concurrency = 4, .gives_way = true},
     .story = "add:ab batch:a batch:b never:a room:3"},
};

/* A row's story by hand: settlements with their delays. */
static struct story begin(const struct story_case *c)
{
    struct story story;

    story_start(&story, c);
    return story;
}

static struct settlement next(struct story *story)
{
    struct settlement settlement;

    assert_true(pipeline_next_settlement(story->pipeline, &settlement));
    record_release(settlement.record);
    story->inside--;
    return settlement;
}

static void add_received(struct story *story, uint32_t receive_count)
{
    pipeline_add(story->pipeline,
                 record_make(&(struct record_spec){
                     .id = "a", .receive_count = receive_count}),
                 story->now_ms);
    story->inside++;
}

/* retry_backoff: full jitter under a ceiling that doubles with each receive. */
static void test_a_failed_message_waits_by_its_receive_count(void **state)
{
    static const struct story_case c = {
        .options = {.batch_size = 1,
                    .concurrency = 1,
                    .delay_failed = true,
                    .backoff_base_ms = 1000,
                    .backoff_maximum_ms = 60000}};
    struct story story = begin(&c);

    (void)state;
    for (uint32_t receives = 1; receives <= 20; receives++) {
        int64_t ceiling = receives > 6 ? 60000 : 1000LL << (receives - 1);
        int64_t longest = 0;

        for (int i = 0; i < 200; i++) {
            struct settlement settlement;

            add_received(&story, receives);
            story_tell(&story, "batch:a");
            story_tell(&story, "fail:a");
            settlement = next(&story);
            assert_int_equal(settlement.verdict, SOURCE_AGAIN);
            assert_in_range(settlement.delay_ms, 0, ceiling);
            if (settlement.delay_ms > longest)
                longest = settlement.delay_ms;
        }
        assert_true(longest > ceiling * 3 / 4); // and it is used
    }
    story_end(&story);
}

static struct pipeline_counts counts_of(const struct story *story)
{
    struct pipeline_counts counts;

    pipeline_counts(story->pipeline, &counts);
    return counts;
}

static void tell(struct story *story, const char *const *words)
{
    for (; *words; words++)
        story_tell(story, *words);
}

static void test_counts(void **state)
{
    static const struct story_case c = {
        .options = {.batch_size = 2, .concurrency = 9, .reads_response = true}};
    static const char *const words[] = {
        "add:abcdefghi", "batch:ab", "batch:cd", "batch:ef",
        "batch:gh",      "batch:i",  "ok:ab",    "part:cd/c",
        "fail:ef",       "late:gh",  "bad:i",    NULL};
    struct story story = begin(&c);
    struct pipeline_counts counts;

    (void)state;
    tell(&story, words);
    counts = counts_of(&story);
    assert_int_equal(counts.polled, 9);
    assert_int_equal(counts.dispatched, 9);
    assert_int_equal(counts.failed_records, 2); // both, though one failed
    assert_int_equal(counts.failed_error, 2);
    assert_int_equal(counts.failed_timeout, 2);
    assert_int_equal(counts.failed_response, 1);
    assert_int_equal(counts.invalid_responses, 1);
    story_end(&story);
}

static void test_counts_of_what_never_ran(void **state)
{
    static const struct story_case c = {
        .options = {.batch_size = 2, .concurrency = 1}};
    static const char *const words[] = {"add:ab", "batch:ab", "never:ab", NULL};
    struct story story = begin(&c);

    (void)state;
    tell(&story, words);
    assert_int_equal(counts_of(&story).dispatched, 2);
    assert_int_equal(counts_of(&story).failed_error, 0);
    story_end(&story);
}

static void test_lag_is_that_of_the_last_record_sent(void **state)
{
    static const struct story_case c = {
        .options = {.batch_size = 2, .concurrency = 1}};
    static const int64_t arrived[] = {900000, 940000};
    struct story story = begin(&c);
    struct batch *batch;

    (void)state;
    pipeline_set_wall(story.pipeline, 1000000 - story.now_ms);
    for (int i = 0; i < 2; i++) {
        pipeline_add(story.pipeline,
                     record_make(&(struct record_spec){
                         .id = "a", .arrived_at_ms = arrived[i]}),
                     story.now_ms);
        story.inside++;
    }
    assert_int_equal(counts_of(&story).lag_ms, 0);
    batch = pipeline_next_batch(story.pipeline, story.now_ms + 500);
    assert_int_equal(batch->count, 2);
    assert_int_equal(counts_of(&story).lag_ms, 60500);
    story.running[0] = batch;
    story_end(&story);
}

bool __wrap_filter_matches(struct filter *filter, const struct record *record)
{
    (void)record;
    return filter == NULL;
}

// A destination that is down must not let a queue be read into memory.
static void test_what_is_moved_takes_room_until_it_is_accepted(void **state)
{
    static int any_filter;
    static const struct story_case c = {
        .options = {.batch_size = 2,
                    .concurrency = 2,
                    .filter = (struct filter *)(void *)&any_filter,
                    .filtered = PIPELINE_FILTERED_MOVE}};
    static const char *const words[] = {"room:4", "add:abc", "room:1", NULL};
    struct story story = begin(&c);
    struct discard *moved[3];

    (void)state;
    tell(&story, words);
    for (int i = 0; i < 3; i++) {
        moved[i] = pipeline_next_discard(story.pipeline);
        assert_int_equal(moved[i]->condition, DISCARD_FILTERED);
    }
    story_tell(&story, "room:1");
    story_tell(&story, "add:d");
    story_tell(&story, "room:0");
    for (int i = 0; i < 3; i++)
        pipeline_discarded(story.pipeline, moved[i], true, story.now_ms);
    story_tell(&story, "room:3");
    story_tell(&story, "done:abc");
    moved[0] = pipeline_next_discard(story.pipeline);
    pipeline_discard_failed(story.pipeline, moved[0]);
    story_tell(&story, "room:4");
    story_tell(&story, "again:d");
    assert_int_equal(counts_of(&story).moved, 3);
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_message_waits_by_its_receive_count),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_counts_of_what_never_ran),
        cmocka_unit_test(test_what_is_moved_takes_room_until_it_is_accepted),
        cmocka_unit_test(test_lag_is_that_of_the_last_record_sent),
    };
    int failed = run_table("queue_flow", cases, story_test);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
