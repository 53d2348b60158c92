#include "poller/pipeline.h"

#include "pipeline_story.h"
#include "record/event.h"
#include "test.h"

static struct story_case cases[] = {
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
};

/* A handler that cannot start must not make the queue spin: each receive would
 * bring its messages nearer to the dead-letter queue. */
static void test_a_queue_pauses_when_batches_cannot_start(void **state)
{
    static const struct story_case c = {.options = {.batch_size = 2,
                                                    .concurrency = 3,
                                                    .backoff_base_ms = 1000,
                                                    .backoff_maximum_ms = 60000,
                                                    .seed = 7}};
    struct story story;
    int64_t due_ms;

    (void)state;
    story_start(&story, &c);
    story_tell(&story, "add:abcde");
    story_tell(&story, "batch:ab");
    story_tell(&story, "never:ab");
    story_tell(&story, "back:abcde");
    due_ms = pipeline_deadline_ms(story.pipeline);
    assert_true(due_ms > story.now_ms && due_ms <= story.now_ms + 1000);
    story_tell(&story, "room:0");
    story.now_ms = due_ms;
    story_tell(&story, "wait");
    story_tell(&story, "room:6");
    story_tell(&story, "never_due");
    story_end(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_queue_pauses_when_batches_cannot_start),
    };
    int failed = run_table("pipeline", cases, story_test);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
