#include "poller/shard_flow.h"

#include "base/clock.h"
#include "pipeline_story.h"
#include "record/event.h"
#include "records.h"
#include "test.h"

#define SHARD STORY_SHARD
#define TRIES(retries_) \
    .kind = PIPELINE_SHARD, .maximum_attempts = (retries_), .maximum_age_ms = -1
#define AGES(ms_) \
    .kind = PIPELINE_SHARD, .maximum_attempts = -1, .maximum_age_ms = (ms_)

static struct story_case cases[] = {
    {"one batch at a time, checkpoint behind it",
     {SHARD, .batch_size = 2, .concurrency = 9},
     .story = "add:abcd batch:ab wait ok:ab checkpoint:b checkpoint done:ab "
              "batch:cd ok:cd checkpoint:d done:cd none"},
    {"a failed batch blocks it and comes again whole",
     {SHARD, .batch_size = 2, .backoff_base_ms = 0},
     .story = "add:abcd batch:ab attempt:a0 fail:ab checkpoint none batch:ab "
              "attempt:a1 late:ab batch:ab attempt:a2 ok:ab checkpoint:b "
              "done:ab batch:cd attempt:c0 ok:cd checkpoint:d done:cd"},
    {"checkpoint before the lowest failed, the rest comes again",
     {SHARD, .batch_size = 5},
     .story = "add:abcdefg batch:abcde part:abcde/ce checkpoint:b done:ab "
              "none batch:cde attempt:c0 part:cde/c checkpoint none "
              "batch:cde attempt:c1 ok:cde checkpoint:e done:cde batch:fg "
              "ok:fg checkpoint:g done:fg"},
    {"what could not start comes again, and was no attempt",
     {SHARD, .batch_size = 2},
     .story = "add:ab batch:ab never:ab none batch:ab attempt:a0 ok:ab "
              "checkpoint:b done:ab"},
    {"a window opens when the batch before it is over",
     {SHARD, .batch_size = 3, .window_ms = 1000},
     .story = "add:a +1000 batch:a add:b +5000 wait ok:a checkpoint:a done:a "
              "wait due:1000 +999 wait +1 batch:b ok:b checkpoint:b"},
    {"reads ahead while one runs, within bounds",
     {SHARD, .batch_size = 2000, .payload_limit = 1024 * 1024 * 6},
     .size = 1024,
     .story = "room:4000 add:a room:3999 batch:a room:4000 ok:a checkpoint:a"},
    {"reads ahead no more bytes than two batches may have",
     {SHARD, .batch_size = 10, .payload_limit = 1024 * 10},
     .size = 1024,
     .story = "room:20 add:abcdefghij room:10 add:k room:0"},
    {"of what is pushed little is read ahead",
     {SHARD, .batch_size = 10, .payload_limit = 1024 * 1024 * 6,
      .is_pushed = true},
     .size = 1024,
     .story = "room:256 add:a room:255 batch:a room:256 ok:a"},
    {"but no less than makes a batch",
     {SHARD, .batch_size = 2000, .payload_limit = 1024 * 1024 * 6,
      .is_pushed = true},
     .size = 1024,
     .story = "room:2000 add:a room:1999"},
    {"nor where each has many bytes",
     {SHARD, .batch_size = 4, .payload_limit = 1024 * 1024 * 2,
      .window_ms = 1000, .is_pushed = true},
     .size = 256 * 1024,
     .story = "add:a wait add:b room:2 add:c wait add:d batch:abcd "
              "add:efgh room:0 ok:abcd batch:efgh"},
    {"and for each lane",
     {SHARD, .batch_size = 10, .lanes = 2, .payload_limit = 1024 * 1024 * 6,
      .is_pushed = true},
     .size = 1024,
     .story = "room:512"},

    // Attempts (lambda-esm.md sections 1.2 and 3.3).
    {"N retries are N + 1 invocations, then it is given up and reported",
     {TRIES(1), .batch_size = 2},
     .story = "add:abc batch:ab fail:ab kept batch:ab attempt:a1 fail:ab "
              "attempts:ab invokes:a2 unhandled:a1 wait never_due checkpoint "
              "none reported:ab checkpoint:b done:ab batch:c attempt:c0 ok:c "
              "checkpoint:c done:c"},
    {"no retries",
     {TRIES(0), .batch_size = 2},
     .story = "add:ab batch:ab late:ab attempts:ab invokes:a1 unhandled:a1 "
              "dropped:ab checkpoint:b done:ab"},
    {"of three records with three retries the one that fails is delivered "
     "five times, and its report says four",
     {TRIES(3), .batch_size = 3},
     .story = "add:abcdef batch:abc ok:abc checkpoint:c batch:def "
              "part:def/f checkpoint:e done:abcde batch:f attempt:f0 part:f/f "
              "batch:f attempt:f1 part:f/f batch:f attempt:f2 part:f/f "
              "batch:f attempt:f3 part:f/f attempts:f invokes:f4 unhandled:f0 "
              "reported:f checkpoint:f done:f none never_due"},
    {"what could not start uses up no attempt",
     {TRIES(1), .batch_size = 1},
     .story = "add:a batch:a never:a batch:a never:a kept batch:a fail:a "
              "batch:a never:a batch:a attempt:a1 fail:a attempts:a invokes:a2 "
              "dropped:a"},
    {"a report that breaks the rules is a failure like any",
     {TRIES(1), .batch_size = 2},
     .story = "add:ab batch:ab bad:ab kept batch:ab bad:ab attempts:ab "
              "invokes:a2 unhandled:a0 dropped:ab checkpoint:b"},
    {"nothing of the lane starts before the report was accepted",
     {TRIES(0), .batch_size = 1},
     .story = "add:ab batch:a fail:a attempts:a +100000 wait never_due "
              "reported:a batch:b ok:b"},

    // Bisection.
    {"an error halves the batch, the first half first, down to one record",
     {TRIES(1), .batch_size = 4, .bisects = true},
     .story = "add:abcd batch:abcd fail:abcd batch:ab attempt:a0 ok:ab "
              "checkpoint:b done:ab batch:cd attempt:c0 fail:cd kept batch:c "
              "ok:c checkpoint:c done:c batch:d attempt:d0 fail:d kept "
              "batch:d attempt:d1 fail:d attempts:d invokes:d2 reported:d "
              "checkpoint:d done:d"},
    {"a split is free: without retries, too, all that works is done",
     {TRIES(0), .batch_size = 4, .bisects = true},
     .story = "add:abcd batch:abcd fail:abcd batch:ab fail:ab batch:a fail:a "
              "attempts:a invokes:a1 dropped:a batch:b ok:b batch:cd ok:cd "
              "checkpoint:d"},
    {"an odd one: the second half is the larger",
     {SHARD, .batch_size = 3, .bisects = true},
     .story = "add:abc batch:abc late:abc batch:a ok:a batch:bc ok:bc"},
    {"a bad report halves it, too",
     {SHARD, .batch_size = 2, .bisects = true},
     .story = "add:ab batch:ab bad:ab batch:a ok:a batch:b ok:b"},
    {"a partial response splits where it says, and only the rest comes again",
     {TRIES(2), .batch_size = 4, .bisects = true},
     .story = "add:abcd batch:abcd part:abcd/b checkpoint:a batch:bcd "
              "attempt:b0 ok:bcd checkpoint:d"},
    {"a report of the first record alone halves: the rest is not given up too",
     {TRIES(1), .batch_size = 4, .bisects = true},
     .story =
         "add:abcd batch:abcd part:abcd/c checkpoint:b batch:cd "
         "attempt:c0 part:cd/c batch:c attempt:c0 fail:c batch:c attempt:c1 "
         "fail:c attempts:c reported:c checkpoint:c batch:d attempt:d0 ok:d "
         "checkpoint:d"},
    {"what could not start is not split",
     {SHARD, .batch_size = 2, .bisects = true},
     .story = "add:ab batch:ab never:ab batch:ab ok:ab"},
    {"a stop gives back what was split",
     {SHARD, .batch_size = 4, .bisects = true},
     .story = "add:abcde batch:abcd fail:abcd batch:ab stop back:ecd fail:ab "
              "again:ba none"},

    // Age.
    {"too old before any try: reported as one invocation, the rest proceeds",
     {AGES(60000), .batch_size = 4, .window_ms = 50000},
     .story = "add:ab +30000 add:cd +30000 wait old:ab invokes:a1 unhandled:a0 "
              "wait reported:ab checkpoint:b done:ab batch:cd attempt:c0 ok:cd "
              "checkpoint:d"},
    {"too old from the start",
     {AGES(60000), .batch_size = 2, .window_ms = 10000},
     .age_ms = 70000,
     .story = "add:abc due:0 wait old:ab dropped:ab wait old:c dropped:c "
              "checkpoint:c done:abc none"},
    {"what is given up when a batch is formed is there to be taken now",
     {AGES(60000), .batch_size = 2},
     .age_ms = 70000,
     .story = "add:a wait due:0 old:a never_due dropped:a checkpoint:a"},
    {"a window closes before its first record is too old",
     {AGES(60000), .batch_size = 9, .window_ms = 300000},
     .story = "add:a +20000 add:b wait due:39000 +38999 wait +1 batch:ab"},
    {"too old between retries: the prefix goes, the rest keeps its attempts",
     {AGES(60000), .batch_size = 4},
     .story = "add:ab +30000 add:c batch:abc fail:abc batch:abc +20000 "
              "fail:abc +10000 wait old:ab invokes:a2 reported:ab "
              "checkpoint:b batch:c attempt:c2 ok:c checkpoint:c"},
    {"too old while it waits for its backoff: given up when it is",
     {AGES(60000), .batch_size = 2, .backoff_base_ms = 1000000,
      .backoff_maximum_ms = 1000000, .seed = 1},
     .story = "add:a batch:a fail:a +59999 wait kept due:1 +1 wait old:a "
              "invokes:a1 dropped:a checkpoint:a add:b batch:b ok:b"},
    {"too old while it runs: it may still succeed",
     {AGES(60000), .batch_size = 2},
     .story = "add:ab batch:ab +90000 ok:ab checkpoint:b done:ab kept"},
    {"age ends what could never start",
     {AGES(60000), .batch_size = 2},
     .story = "add:ab batch:ab never:ab batch:ab +60000 never:ab wait old:ab "
              "invokes:a1 dropped:ab checkpoint:b"},

    // Lanes.
    {"two keys run at once, the checkpoint waits for the gap",
     {SHARD, .batch_size = 2, .lanes = 2},
     .story = "add:abfgch batch:ab batch:fg wait ok:fg checkpoint done:fg "
              "batch:h ok:h checkpoint ok:ab checkpoint:g done:hab batch:c "
              "ok:c checkpoint:h done:c none"},
    {"one that is stuck stops no other",
     {SHARD, .batch_size = 1, .lanes = 2, .backoff_base_ms = 1000000,
      .backoff_maximum_ms = 1000000},
     .story = "add:afgb batch:a fail:a batch:f ok:f batch:g ok:g wait add:h "
              "batch:h ok:h checkpoint done:fgh pass batch:a attempt:a1 ok:a "
              "checkpoint:g batch:b ok:b checkpoint:h done:ab"},
    {"a report that waits holds its lane alone",
     {TRIES(0), .batch_size = 1, .lanes = 2},
     .story = "add:abfg batch:a batch:f fail:a attempts:a ok:f batch:g ok:g "
              "wait checkpoint reported:a checkpoint:a batch:b ok:b "
              "checkpoint:g"},
    {"each has its own window",
     {SHARD, .batch_size = 2, .lanes = 2, .window_ms = 1000},
     .story = "add:a +500 add:fg batch:fg wait due:500 +500 batch:a"},
    {"room is shared: what is stuck takes its part, the rest is read into",
     {SHARD, .batch_size = 1000, .lanes = 2, .payload_limit = 1024 * 6,
      .backoff_base_ms = 1000000, .backoff_maximum_ms = 1000000},
     .size = 1024,
     .story = "room:18 add:aaaaaffff batch:aaaaa batch:ffff fail:aaaaa "
              "ok:ffff room:13 add:aaaaaaaa room:5 add:ff batch:ff room:5 "
              "add:fff room:0 ok:ff batch:fff room:5 ok:fff add:aaaaa "
              "room:0"},

    {"stop gives back what waits and what would come again",
     {SHARD, .batch_size = 2},
     .story = "add:abc batch:ab fail:ab stop back:cab none wait"},
    {"failed during a stop is given up, its front kept",
     {SHARD, .batch_size = 3},
     .story = "add:abc batch:abc stop part:abc/b checkpoint:a done:a again:bc "
              "none"},
    {"a stop leaves a report that is out to its end",
     {TRIES(0), .batch_size = 1},
     .story = "add:ab batch:a fail:a attempts:a stop back:b reported:a "
              "checkpoint:a done:a none"},
    {"a stop takes back what nobody has begun to report",
     {TRIES(0), .batch_size = 1},
     .story = "add:ab batch:a fail:a stop kept checkpoint back:b again:a"},
    {"the last attempt may fail during a stop: that is reported, too",
     {TRIES(0), .batch_size = 2},
     .story = "add:ab batch:ab stop fail:ab none attempts:ab reported:ab "
              "checkpoint:b done:ab"},
    {"what could not be reported stays unhandled",
     {TRIES(0), .batch_size = 1, .lanes = 2},
     .story = "add:fag batch:a batch:f fail:a attempts:a stop back:g "
              "unreported:a ok:f checkpoint:f done:f again:a none"},
    // Parts of an aggregated record (wire.md section 3).
    {"a batch may begin and end inside of an aggregated record",
     {SHARD, .batch_size = 2},
     .story = "parts:abcde add:f batch:ab ok:ab checkpoint:a:2 done:ab "
              "batch:cd ok:cd checkpoint:a:4 done:cd batch:ef ok:ef "
              "checkpoint:f done:ef none"},
    {"a part that failed holds the checkpoint in front of it",
     {SHARD, .batch_size = 5},
     .story = "add:a parts:bcde batch:abcde part:abcde/d checkpoint:b:2 "
              "done:abc batch:de attempt:d0 part:de/e checkpoint:b:3 done:d "
              "batch:e ok:e checkpoint:b done:e none"},
    {"the first part failed: the record before it is all that is done",
     {SHARD, .batch_size = 4},
     .story = "add:a parts:bcd batch:abcd part:abcd/b checkpoint:a done:a "
              "batch:bcd attempt:b0 ok:bcd checkpoint:b"},
    {"an aggregated record of one part is done with it",
     {SHARD, .batch_size = 2},
     .story = "parts:a parts:bc batch:ab ok:ab checkpoint:b:1 batch:c ok:c "
              "checkpoint:b"},
    {"parts go to the lanes of their own keys, the checkpoint waits for the "
     "gap",
     {SHARD, .batch_size = 2, .lanes = 2},
     .story = "parts:afbg add:h batch:ab batch:fg wait ok:fg checkpoint "
              "done:fg batch:h ok:h checkpoint ok:ab checkpoint:h done:hab"},
    {"a lane that is stuck with a part holds the checkpoint inside",
     {SHARD, .batch_size = 1, .lanes = 2, .backoff_base_ms = 1000000,
      .backoff_maximum_ms = 1000000},
     .story = "parts:fag batch:a batch:f ok:f checkpoint:f:1 batch:g ok:g "
              "checkpoint fail:a wait pass batch:a ok:a checkpoint:f"},
    {"an error halves a batch of parts down to the one",
     {TRIES(0), .batch_size = 4, .bisects = true},
     .story = "parts:abcd batch:abcd fail:abcd batch:ab ok:ab checkpoint:a:2 "
              "batch:cd fail:cd batch:c fail:c attempts:c reported:c "
              "checkpoint:a:3 batch:d ok:d checkpoint:a"},
    {"a stop gives back the parts that did not start",
     {SHARD, .batch_size = 2},
     .story = "parts:abc batch:ab stop back:c part:ab/b checkpoint:a:1 done:a "
              "again:b none"},

    {"the checkpoint stops where something was given back",
     {SHARD, .batch_size = 1, .lanes = 2},
     .story = "add:afbg batch:a batch:f ok:f done:f batch:g stop back:b "
              "ok:g checkpoint ok:a checkpoint:f done:ga none"},
};

static void test_a_failed_shard_waits_for_its_backoff(void **state)
{
    static const struct story_case c = {
        .options = {SHARD, .batch_size = 2, .backoff_base_ms = 1000,
                    .backoff_maximum_ms = 60000, .seed = 7}};
    struct story story;

    (void)state;
    story_start(&story, &c);
    story_tell(&story, "add:abc");
    for (int attempt = 0; attempt < 40; attempt++) {
        int64_t due_ms;

        story_tell(&story, "batch:ab");
        story_tell(&story, "fail:ab");
        story_tell(&story, "none");
        due_ms = pipeline_deadline_ms(story.pipeline);
        assert_true(due_ms <= story.now_ms + 60000);
        if (due_ms > story.now_ms) {
            story.now_ms = due_ms - 1;
            story_tell(&story, "wait");
        }
        story.now_ms = due_ms;
    }
    story_tell(&story, "batch:ab");
    story_tell(&story, "ok:ab");
    story_tell(&story, "checkpoint:b");
    story_tell(&story, "done:ab");
    story_tell(&story, "batch:c");
    story_end(&story);
}

// What a server may write as a time, and no clock shows, is none.
static void test_a_time_beyond_all_clocks_is_none(void **state)
{
    static const struct story_case aging = {
        .options = {AGES(60000), .batch_size = 1}};
    static const struct story_case windowed = {
        .options = {SHARD, .batch_size = 1, .tumbling_ms = 60000}};
    static const struct story_case *const cases_[] = {&aging, &windowed};
    static const int64_t times[] = {INT64_MAX, RECORD_TIME_MOST_MS + 1,
                                    INT64_MIN, -1};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct record_spec spec = {.id = "a", .arrived_at_ms = times[i / 2]};
        struct story story;
        struct batch *batch;

        story_start(&story, cases_[i % 2]);
        pipeline_set_wall(story.pipeline, 1607497440000);
        pipeline_add(story.pipeline, record_make(&spec), story.now_ms);
        story.inside++;
        batch = pipeline_next_batch(story.pipeline, story.now_ms);
        assert_non_null(batch);
        if (batch->window) // that of when it was read
            assert_in_range(1607497440000 + story.now_ms,
                            batch->window->start_ms, batch->window->end_ms - 1);
        story.running[0] = batch;
        story_end(&story);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failed_shard_waits_for_its_backoff),
        cmocka_unit_test(test_a_time_beyond_all_clocks_is_none),
    };
    int failed = run_table("shard", cases, story_test);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
