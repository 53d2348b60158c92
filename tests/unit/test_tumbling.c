#include "poller/tumbling.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "handler/handler.h"
#include "handler/host_call.h"
#include "poller/batch.h"
#include "poller/pipeline.h"
#include "poller/response.h"
#include "record/event.h"
#include "records.h"
#include "test.h"

/*
 * Each row is a story in words that run from left to right, told to a shard's
 * pipeline with windows of 60 s (lambda-esm.md section 2.4). Records are
 * letters, in their order; their times are seconds of arrival. A state is a
 * digit: 1 is {"n":1}, 0 is {}, and B is one of over 1 MiB.
 *
 *   add:ab@10    they arrive, at second 10   skip@70   one that is filtered out
 *   call:ab/1    a call with a and b starts, and is shown state 1
 *   final/1      the final call of the window that is open, with its state
 *   early/1      ... of one that ends early
 *   window:60    the call's window begins at second 60
 *   wait         nothing may start
 *   ok/2         the call is done, and left state 2      ok    ... and left
 * none part:b/2     ... but b failed                        fail  it failed
 *   never        it could not start
 *   kept:b/2     to be stored: all up to b, state 2      kept:b/-  no window
 *   kept:b       ... the window as before                kept:/2  only a window
 *   kept         nothing is to be stored
 *   gone:b/2     b is given up, in a call with state 2
 *   +10          ten seconds pass                        due:110  by time alone
 *   ends         the shard has no more records           idle, busy
 *   stop         start nothing more
 */
#define START_AT_MS 1607497440000 // 2020-12-09T07:04:00Z: second 0
#define NOW_MS 1000000            // at second 0
#define BIG (EVENT_STATE_LIMIT + 1)

struct story_options {
    int64_t tumbling_ms; // 0: 60 s; -1: none
    int64_t window_ms;
    size_t batch_size; // 0: 10
    int64_t maximum_attempts;
    bool is_bounded; // maximum_attempts means something
    int64_t maximum_age_ms;
    bool reads_response, bisects;
    size_t lanes;
    const char *stored;
};

static struct tumbling_case {
    const char *name;
    struct story_options options;
    const char *story;
} cases[] = {
    // "windows derived from record arrival time, fixed length; each record
    // belongs to exactly one window"
    {"a batch ends where its window does",
     {0},
     "add:ab@10 add:cd@60 call:ab/0 window:0 ok/1 final/1 window:0 ok "
     "call:cd/0 window:60 ok/2"},
    {"windows are aligned, whenever the first record comes",
     {0},
     "add:a@59 call:a/0 window:0 ok/1 add:b@61 final/1 ok call:b/0 window:60 "
     "ok/1"},
    {"windows in which nothing came are not called for",
     {0},
     "add:a@10 call:a/0 ok/1 add:b@600 final/1 ok call:b/0 window:600 ok/1"},
    {"the last moment of a window is not in it",
     {0},
     "add:a@0 call:a/0 ok/1 add:b@60 final/1 ok call:b/0 window:60 ok/1"},
    {"batch size cuts within a window",
     {.batch_size = 2},
     "add:abc@10 call:ab/0 ok/1 call:c/1 ok/2 wait"},
    {"a batching window is not waited for behind the end of a window",
     {.window_ms = 30000},
     "add:a@10 wait add:b@70 +1 call:a/0 ok/1 final/1 ok wait +30 call:b/0 "
     "ok/1"},

    // "state: opaque JSON object carried between invokes of the same window and
    // shard; starts as {}"
    {"the state goes from call to call",
     {.batch_size = 1},
     "add:abc@10 call:a/0 ok/1 call:b/1 ok/2 call:c/2 ok/3 wait"},
    {"it is stored with the checkpoint",
     {.batch_size = 1},
     "add:ab@10 call:a/0 kept ok/1 kept:a/1 kept call:b/1 ok/2 kept:b/2"},
    {"a state that stays as it is need not be stored again",
     {.batch_size = 1},
     "add:ab@10 call:a/0 ok/1 kept:a/1 call:b/1 ok/1 kept:b"},
    {"a first state is stored even if it is the first state",
     {0},
     "add:a@10 call:a/0 ok/0 kept:a/0"},
    {"the next window begins anew",
     {0},
     "add:a@10 call:a/0 ok/1 kept:a/1 add:b@70 final/1 ok kept:/- call:b/0 "
     "ok/0 kept:b/0"},

    // "missing state in response counts as a failed invocation"
    {"no state, no success",
     {0},
     "add:a@10 call:a/0 ok kept call:a/0 ok/1 kept:a/1"},
    {"and attempts are counted", // "MaximumRetryAttempts applies"
     {.maximum_attempts = 1, .is_bounded = true},
     "add:ab@10 call:ab/0 ok call:ab/0 ok gone:ab/0 kept:b/0 add:c@20 "
     "call:c/0 ok/1 kept:c/1"},
    {"a window of which all was given up is stored: it is owed a final call",
     {.is_bounded = true, .batch_size = 1},
     "add:ab@10 call:a/0 fail gone:a/0 kept:a/0 call:b/0 fail gone:b/0 kept:b "
     "add:c@70 final/0 ok kept:/- call:c/0 ok/1 kept:c/1"},
    {"what is given up leaves the state as it was",
     {.batch_size = 1, .is_bounded = true},
     "add:abc@10 call:a/0 ok/1 call:b/1 fail gone:b/1 call:c/1 ok/2 "
     "kept:c/2"},
    {"age applies, too",
     {.maximum_age_ms = 60000},
     "add:a@0 call:a/0 ok/1 add:b@10 call:b/1 fail +80 wait gone:b/1 "
     "wait"},
    {"a failed call is shown the same state again",
     {.batch_size = 1},
     "add:ab@10 call:a/0 ok/1 call:b/1 fail call:b/1 never call:b/1 ok/2"},
    {"halves follow each other",
     {.bisects = true},
     "add:abcd@10 call:abcd/0 fail call:ab/0 ok/1 call:cd/1 ok/2 kept:d/2"},

    // Partial responses: the state is that of the records that are done.
    {"part of a batch: its state goes on",
     {.reads_response = true},
     "add:abc@10 call:abc/0 part:b/1 kept:a/1 call:bc/1 ok/2 kept:c/2"},
    {"nothing of a batch: its state does not count",
     {.reads_response = true},
     "add:ab@10 call:ab/0 part:a/1 kept call:ab/0 ok/2 kept:b/2"},

    // "window end: extra synchronous invoke with isFinalInvokeForWindow: true;
    // on success checkpoint and drop state; on failure the shard stays
    // suspended until it succeeds"
    {"the final call may leave no state, or one",
     {0},
     "add:a@10 call:a/0 ok/1 kept:a/1 add:b@70 final/1 ok/2 kept:/- call:b/0 "
     "ok/1 kept:b/1"},
    {"nothing overtakes a final call that fails, however often",
     {.is_bounded = true, .maximum_age_ms = 60000},
     "add:a@10 call:a/0 ok/1 kept:a/1 add:b@70 final/1 fail kept final/1 fail "
     "+1000 final/1 never final/1 ok kept:/- wait gone:b/0"},
    {"all of a window's records are handled first",
     {.batch_size = 1},
     "add:ab@10 add:c@70 call:a/0 ok/1 call:b/1 fail call:b/1 ok/2 final/2 ok "
     "call:c/0 ok/1"},
    {"it waits for a report to be accepted",
     {.is_bounded = true},
     "add:a@10 call:a/0 ok/1 add:b@20 add:c@70 call:b/1 fail wait gone:b/1 "
     "final/1 ok call:c/0 ok/1"},

    // "idle closing: if no new records for the window, Lambda waits up to 2
    // minutes before closing it"
    {"two minutes after its end",
     {0},
     "add:a@10 call:a/0 ok/1 wait due:180 +179 wait due:1 +1 final/1 ok "
     "kept:a/- wait"},
    {"or after its last record, when that came late",
     {0},
     "+300 add:a@10 call:a/0 ok/1 due:120 +119 wait +1 final/1 ok"},
    {"a record keeps it open",
     {0},
     "+300 add:a@10 call:a/0 ok/1 +100 add:b@20 call:b/1 ok/2 +100 wait +20 "
     "final/2 ok"},
    {"a failing batch keeps it open",
     {0},
     "add:a@10 call:a/0 ok/1 add:b@20 call:b/1 +500 fail call:b/1 fail +500 "
     "call:b/1 ok/2 final/2 ok"},
    {"one that comes after all begins it anew",
     {0},
     "add:a@10 call:a/0 ok/1 +180 final/1 ok add:b@50 call:b/0 window:0 ok/1"},

    // Records that no filter matches do not appear, but time goes on by them.
    {"a later window's filtered record ends the window",
     {0},
     "add:a@10 call:a/0 ok/1 skip@59 wait skip@60 final/1 ok kept:y/-"},
    {"filtered records keep no window open",
     {0},
     "add:a@10 call:a/0 ok/1 +100 skip@20 +79 wait +1 final/1 ok"},
    {"filtered records alone open none",
     {0},
     "skip@10 skip@70 wait kept:y +500 wait idle"},
    {"what was read before is handled first",
     {.batch_size = 1},
     "add:ab@10 call:a/0 skip@70 ok/1 call:b/1 ok/2 final/2 ok"},

    // "resharding not supported: shard end closes the window; children start
    // with fresh state"
    {"the end of the shard",
     {0},
     "add:a@10 call:a/0 ok/1 ends busy final/1 busy fail busy final/1 ok "
     "kept:a/- idle"},
    {"the end of a shard without a window", {0}, "ends wait idle"},
    {"a stop at the end leaves the window to the next owner",
     {0},
     "add:a@10 call:a/0 ok/1 kept:a/1 ends final/1 stop fail kept idle"},

    // "at most 1 MB per shard, larger: window terminated early
    // (isWindowTerminatedEarly)"
    {"too large a state ends the window early",
     {.batch_size = 1},
     "add:ab@10 call:a/0 ok/B early/B window:0 ok kept:a/0 call:b/0 window:0 "
     "ok/1 kept:b/1 add:c@70 final/1 ok"},
    {"nothing is stored before that call has succeeded",
     {.batch_size = 1},
     "add:ab@10 call:a/0 ok/1 kept:a/1 call:b/1 ok/B kept early/B fail kept "
     "early/B never early/B ok kept:b/0"},
    {"nor what is filtered out meanwhile",
     {0},
     "add:a@10 call:a/0 ok/B skip@20 kept early/B ok kept:y/0"},
    {"it comes before the rest of its batch",
     {.reads_response = true},
     "add:ab@10 call:ab/0 part:b/B early/B ok kept:a/0 call:b/0 ok/1 kept:b/1"},
    {"a stop before it leaves all to the next owner",
     {.batch_size = 1},
     "add:ab@10 call:a/0 ok/1 kept:a/1 call:b/1 ok/B stop kept"},
    {"the last state of a window may be too large, too",
     {0},
     "add:a@10 add:b@70 call:a/0 ok/B early/B ok final/0 ok call:b/0 ok/1"},

    // What the store kept.
    {"a stored window goes on",
     {.stored = "{\"version\":1,\"start\":1607497440000,\"end\":1607497500000,"
                "\"state\":{\"n\":5}}"},
     "add:a@10 call:a/5 window:0 ok/6 kept:a/6"},
    {"or ends when the next record is of a later one",
     {.stored = "{\"version\":1,\"start\":1607497440000,\"end\":1607497500000,"
                "\"state\":{\"n\":5}}"},
     "add:a@70 final/5 window:0 ok call:a/0 window:60 ok/1 kept:a/1"},
    {"or with nothing to read",
     {.stored = "{\"version\":1,\"start\":1607497440000,\"end\":1607497500000,"
                "\"state\":{\"n\":5}}"},
     "+500 wait +119 wait +1 final/5 ok kept:/- wait"},
    {"one of another length ends early, as it was",
     {.stored = "{\"version\":1,\"start\":1607497440000,\"end\":1607497470000,"
                "\"state\":{\"n\":5}}"},
     "early/5 window:0 fail add:a@10 early/5 ok kept:/- call:a/0 window:0 "
     "ok/1 kept:a/1"},
    {"also when the trigger has none any more",
     {.tumbling_ms = -1,
      .stored = "{\"version\":1,\"start\":1607497440000,\"end\":1607497470000,"
                "\"state\":{\"n\":5}}"},
     "add:ab@10 early/5 ok kept:/- plain:ab ok kept:b"},
    {"one that cannot be read is forgotten",
     {.stored = "{\"version\":2}"},
     "kept:/- add:a@10 call:a/0 ok/1 kept:a/1"},

    // Out of order: "reprocessing may be out of order".
    {"a late record goes to the open window",
     {.batch_size = 1},
     "add:a@10 add:b@70 add:c@59 add:d@71 call:a/0 ok/1 final/1 ok call:b/0 "
     "window:60 ok/1 call:c/1 ok/2 call:d/2 ok/3"},
    {"a record without a time goes to the open window",
     {.batch_size = 1},
     "add:a@10 call:a/0 ok/1 add:b@-1 call:b/1 ok/2"},
    {"or to that of the clock", {0}, "+65 add:a@-1 call:a/0 window:60 ok/1"},

    // State is per shard, so lanes are one.
    {"with windows there is one lane",
     {.lanes = 10, .batch_size = 1},
     "add:abc@10 call:a/0 wait ok/1 call:b/1 wait ok/2 call:c/2 ok/3"},

    {"without windows nothing is said of one",
     {.tumbling_ms = -1},
     "add:a@10 plain:a ok kept:a add:b@70 plain:b ok kept:b +500 wait ends "
     "idle"},
};

static const struct record_origin origin = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s",
    .region = "us-east-1",
    .shard = "shardId-000000000000",
    .identity = "",
};

static char big[BIG + 1];

struct story {
    const char *word;
    struct pipeline *pipeline;
    int64_t now_ms;
    struct batch *running;
    size_t inside;
};

bool __wrap_filter_matches(struct filter *filter, const struct record *record);

// What is filtered out is the letter y.
bool __wrap_filter_matches(struct filter *filter, const struct record *record)
{
    (void)filter;
    return record->id.data[0] != 'y';
}

static struct bytes state_of(char letter)
{
    static const char *const small[] = {
        "{}",        "{\"n\":1}", "{\"n\":2}", "{\"n\":3}",
        "{\"n\":4}", "{\"n\":5}", "{\"n\":6}",
    };

    if (letter == 'B')
        return (struct bytes){big, BIG};
    assert_in_range(letter, '0', '6');
    return bytes_of(small[letter - '0']);
}

static void assert_bytes(const struct story *story, struct bytes found,
                         struct bytes expected)
{
    if (!bytes_equal(found, expected))
        fail_msg("%s: found %.*s", story->word,
                 (int)(found.size < 40 ? found.size : 40), found.data);
}

static void arrive(struct story *story, const char *letters)
{
    const char *at = strchr(letters, '@') + 1;
    int64_t second = atoi(at);

    for (; *letters != '@'; letters++) {
        char id[2] = {*letters};

        story->inside++;
        pipeline_add(
            story->pipeline,
            record_make(&(struct record_spec){
                .id = id,
                .key = id,
                .received_ms = story->now_ms,
                .arrived_at_ms = second < 0 ? 0 : START_AT_MS + second * 1000,
                .origin = &origin}),
            story->now_ms);
    }
}

static void settle(struct story *story)
{
    struct settlement settlement;

    while (pipeline_next_settlement(story->pipeline, &settlement)) {
        record_release(settlement.record);
        story->inside--;
    }
}

static void expect_batch(struct story *story, const char *letters)
{
    struct batch *batch = pipeline_next_batch(story->pipeline, story->now_ms);
    size_t count = strcspn(letters, "/");

    if (!batch)
        fail_msg("%s: nothing may start", story->word);
    assert_null(story->running);
    story->running = batch;
    if (batch->count != count)
        fail_msg("%s: has %zu records", story->word, batch->count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(batch->records[i]->id.data[0], letters[i]);
}

static void expect_call(struct story *story, const char *letters, bool is_final,
                        bool is_early)
{
    const struct event_window *window;

    expect_batch(story, letters);
    window = story->running->window;
    assert_non_null(window);
    assert_ptr_equal(window->origin, &origin);
    assert_int_equal(window->is_final, is_final);
    assert_int_equal(window->is_terminated_early, is_early);
    assert_bytes(story, window->state, state_of(strchr(letters, '/')[1]));
}

static void expect_window(struct story *story, const char *second)
{
    assert_int_equal((story->running->window->start_ms - START_AT_MS) / 1000,
                     atoi(second));
}

static void mark(struct outcome *outcome, const struct batch *batch,
                 const char *letters)
{
    for (; *letters && *letters != '/'; letters++)
        for (size_t i = 0; i < batch->count; i++)
            if (batch->records[i]->id.data[0] == *letters) {
                if (!outcome->failed)
                    outcome->failed =
                        mem_calloc(batch->count, sizeof(*outcome->failed));
                outcome->failed[i] = true;
                outcome->failed_count++;
            }
}

// "b/2": b failed, and state 2 was left.
static void finish(struct story *story, enum outcome_kind kind,
                   const char *rest)
{
    const char *state = strchr(rest, '/');
    struct response_verdict verdict = {0};
    struct outcome outcome;

    outcome_init(&outcome);
    outcome.kind = kind;
    assert_non_null(story->running);
    mark(&outcome, story->running, rest);
    if (state) {
        outcome.has_state = true;
        buffer_append_bytes(&outcome.state, state_of(state[1]));
    }
    pipeline_finish(story->pipeline, story->running, &outcome, story->now_ms,
                    &verdict);
    response_verdict_finish(&verdict);
    outcome_finish(&outcome);
    story->running = NULL;
}

// "b/2", "b/-", "b", "/2", "/-" or "".
static void expect_kept(struct story *story, const char *rest)
{
    struct pipeline_checkpoint kept;
    const char *state = strchr(rest, '/');
    struct tumbling_stored stored;
    struct error err = {0};

    if (!pipeline_checkpoint(story->pipeline, &kept)) {
        if (*rest)
            fail_msg("%s: nothing is to be stored", story->word);
        return;
    }
    if (!*rest)
        fail_msg("kept: %.*s %.*s", BYTES_ARGS(kept.sequence),
                 BYTES_ARGS(kept.window));
    assert_bytes(story, kept.sequence,
                 (struct bytes){rest, *rest == '/' ? 0 : 1});
    assert_int_equal(kept.sets_window, state != NULL);
    if (state && state[1] == '-') {
        assert_int_equal(kept.window.size, 0);
    } else if (state) {
        AUTO_FREE char *text = mem_strndup(kept.window.data, kept.window.size);

        assert_ok(tumbling_read(text, &stored, &err), &err);
        assert_bytes(story, stored.state, state_of(state[1]));
    }
}

static void give_up(struct story *story, const char *letters)
{
    struct discard *discard;

    (void)pipeline_next_batch(story->pipeline, story->now_ms);
    discard = pipeline_next_discard(story->pipeline);
    if (!discard)
        fail_msg("%s: nothing is given up", story->word);
    assert_int_equal(discard->batch->count, strcspn(letters, "/"));
    assert_non_null(discard->batch->window);
    assert_false(discard->batch->window->is_final);
    assert_bytes(story, discard->batch->window->state,
                 state_of(strchr(letters, '/')[1]));
    pipeline_discarded(story->pipeline, discard, true, story->now_ms);
}

static bool is_word(const char *word, const char *verb, const char **argument)
{
    size_t size = strlen(verb);

    *argument = word + size;
    return !strncmp(word, verb, size);
}

static bool tell_time(struct story *story, const char *word)
{
    const char *rest;

    if (is_word(word, "wait", &rest))
        assert_null(pipeline_next_batch(story->pipeline, story->now_ms));
    else if (is_word(word, "+", &rest))
        story->now_ms += atoi(rest) * 1000;
    else if (is_word(word, "due:", &rest))
        assert_int_equal(
            (pipeline_deadline_ms(story->pipeline) - story->now_ms) / 1000,
            atoi(rest));
    else if (is_word(word, "stop", &rest))
        pipeline_stop(story->pipeline);
    else if (is_word(word, "ends", &rest))
        pipeline_end_of_shard(story->pipeline, story->now_ms);
    else if (is_word(word, "idle", &rest) || is_word(word, "busy", &rest)) {
        settle(story);
        assert_int_equal(pipeline_is_idle(story->pipeline), word[0] == 'i');
    } else
        return false;
    return true;
}

static void tell(struct story *story, const char *word)
{
    const char *rest;

    story->word = word;
    if (tell_time(story, word))
        return;
    if (is_word(word, "add:", &rest))
        arrive(story, rest);
    else if (is_word(word, "skip", &rest))
        arrive(story,
               (char[]){'y', '@', rest[1], rest[2], rest[2] ? rest[3] : 0, 0});
    else if (is_word(word, "plain:", &rest)) {
        expect_batch(story, rest);
        assert_null(story->running->window);
    } else if (is_word(word, "call:", &rest))
        expect_call(story, rest, false, false);
    else if (is_word(word, "final", &rest))
        expect_call(story, rest, true, false);
    else if (is_word(word, "early", &rest))
        expect_call(story, rest, true, true);
    else if (is_word(word, "window:", &rest))
        expect_window(story, rest);
    else if (is_word(word, "ok", &rest) || is_word(word, "part:", &rest))
        finish(story, OUTCOME_DONE, rest);
    else if (is_word(word, "fail", &rest))
        finish(story, OUTCOME_FAILED, "");
    else if (is_word(word, "never", &rest))
        finish(story, OUTCOME_UNSTARTED, "");
    else if (is_word(word, "kept:", &rest) || is_word(word, "kept", &rest))
        expect_kept(story, rest);
    else if (is_word(word, "gone:", &rest))
        give_up(story, rest);
    else
        fail_msg("no such word: %s", word);
}

static void end_story(struct story *story)
{
    if (story->running)
        finish(story, OUTCOME_FAILED, "");
    pipeline_stop(story->pipeline);
    settle(story);
    assert_int_equal(story->inside, 0);
    assert_true(pipeline_is_idle(story->pipeline));
    pipeline_destroy(story->pipeline);
}

static struct pipeline *create(const struct story_options *options)
{
    int64_t tumbling_ms = options->tumbling_ms ? options->tumbling_ms : 60000;
    struct pipeline *pipeline = pipeline_create(&(struct pipeline_options){
        .kind = PIPELINE_SHARD,
        .batch_size = options->batch_size ? options->batch_size : 10,
        .window_ms = options->window_ms,
        .payload_limit = EVENT_LIMIT,
        .maximum_attempts =
            options->is_bounded ? options->maximum_attempts : -1,
        .maximum_age_ms =
            options->maximum_age_ms ? options->maximum_age_ms : -1,
        .reads_response = options->reads_response,
        .bisects = options->bisects,
        .lanes = options->lanes,
        .tumbling_ms = tumbling_ms > 0 ? tumbling_ms : 0,
        .window = options->stored,
        .origin = &origin,
    });

    pipeline_set_wall(pipeline, START_AT_MS - NOW_MS);
    return pipeline;
}

static void test_story(void **state)
{
    const struct tumbling_case *c = *state;
    struct story story = {.now_ms = NOW_MS, .pipeline = create(&c->options)};
    char *words = mem_strdup(c->story);
    char *rest = words;

    for (char *word; (word = strsep(&rest, " "));)
        tell(&story, word);
    end_story(&story);
    free(words);
}

static struct text_case {
    const char *name, *text;
    const char *state; // NULL: it must be refused
    const char *message;
} texts[] = {
    {"as it is written",
     "{\"version\":1,\"start\":60000,\"end\":120000,\"state\":{\"a\":[1]}}",
     "{\"a\":[1]}", NULL},
    {"with what a later minor writes",
     "{\"version\":1,\"more\":[{}],\"start\":0,\"end\":1000,\"state\":{}}",
     "{}", NULL},
    {"of a later version",
     "{\"version\":2,\"start\":0,\"end\":1000,\"state\":{}}", NULL,
     "has version 2, this pollard knows 1"},
    {"empty", "", NULL, "stored window: "},
    {"cut off", "{\"version\":1,\"start\":0,\"end\":1000,\"state\":{", NULL,
     "at byte"},
    {"no object", "[]", NULL, "stored window: "},
    {"null", "null", NULL, "has version 0"},
    {"without a state", "{\"version\":1,\"start\":0,\"end\":1000}", NULL,
     "is none"},
    {"a state that is a list",
     "{\"version\":1,\"start\":0,\"end\":1000,\"state\":[]}", NULL, "is none"},
    {"an end before its start",
     "{\"version\":1,\"start\":1000,\"end\":1000,\"state\":{}}", NULL,
     "is none"},
    {"a start before time",
     "{\"version\":1,\"start\":-1,\"end\":1000,\"state\":{}}", NULL, "is none"},
    {"longer than a day",
     "{\"version\":1,\"start\":0,\"end\":86400001,\"state\":{}}", NULL,
     "is none"},
};

static void test_text(void **state)
{
    const struct text_case *c = *state;
    struct tumbling_stored stored = {0};
    struct error err = {0};

    if (!c->state) {
        assert_fails(tumbling_read(c->text, &stored, &err), &err,
                     ERROR_INVALID);
        assert_contains(err.message, c->message);
        return;
    }
    assert_ok(tumbling_read(c->text, &stored, &err), &err);
    assert_true(bytes_equal(stored.state, bytes_of(c->state)));
}

static void test_the_final_call_waits_until_it_is_known_of_what(void **state)
{
    struct story_options options = {
        .stored = "{\"version\":1,\"start\":1607497440000,"
                  "\"end\":1607497500000,\"state\":{}}"};
    struct tumbling tumbling;
    struct record record = {.origin = &origin, .arrived_at_ms = 1};

    (void)state;
    tumbling_init(&tumbling, 60000, options.stored, NULL);
    tumbling_end_of_shard(&tumbling);
    assert_int_equal(tumbling_due_ms(&tumbling, true, 0), CLOCK_NEVER);
    tumbling_saw(&tumbling, &record, true, NOW_MS);
    assert_int_equal(tumbling_due_ms(&tumbling, true, 0), INT64_MIN);
    tumbling_finish(&tumbling);
}

// The event of a full batch with the largest state is not over Lambda's limit.
static void test_a_batch_leaves_room_for_the_state(void **state)
{
    struct story story = {
        .now_ms = NOW_MS,
        .pipeline = create(&(struct story_options){.batch_size = 10000})};
    struct batch *batch;

    (void)state;
    for (int i = 0; i < 70; i++) {
        story.inside++;
        pipeline_add(
            story.pipeline,
            record_make(&(struct record_spec){.id = "a",
                                              .event_size = 100000,
                                              .arrived_at_ms = START_AT_MS,
                                              .origin = &origin}),
            story.now_ms);
    }
    batch = pipeline_next_batch(story.pipeline, story.now_ms);
    assert_true(batch->event_bytes + EVENT_STATE_LIMIT +
                    event_window_size(batch->window) + EVENT_FRAME <=
                EVENT_LIMIT);
    assert_true(batch->event_bytes + 100000 + EVENT_STATE_LIMIT + 4096 >
                EVENT_LIMIT - EVENT_FRAME);
    story.running = batch;
    end_story(&story);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_final_call_waits_until_it_is_known_of_what),
        cmocka_unit_test(test_a_batch_leaves_room_for_the_state),
    };

    memset(big, 'x', BIG);
    memcpy(big, "{\"x\":\"", 6);
    memcpy(big + BIG - 2, "\"}", 2);
    return run_table("tumbling", cases, test_story) +
           run_table("stored text", texts, test_text) +
           cmocka_run_group_tests_name("tumbling", tests, NULL, NULL);
}
