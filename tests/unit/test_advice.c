#include "supervisor/advice.h"

#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "settings_file.h"
#include "test.h"

#define QUEUE "  q: {source: {sqs: {queue: q}}, handler: {library: a.so}}\n"
#define STREAM(more_)                                                   \
    "  s: {source: {kinesis: {stream: s}}, starting_position: LATEST, " \
    "handler: {library: a.so}" more_ "}\n"
#define OTHER                                                             \
    "  t: {source: {dynamodb: {table: tab}}, starting_position: LATEST, " \
    "handler: {library: a.so}}\n"
#define WINDOW ", tumbling_window_in_seconds: 60"
#define BOUNDED ", maximum_retry_attempts: 3"
#define DESTINATION                                     \
    ", destination_config: {on_failure: {destination: " \
    "'arn:aws:sqs:eu-west-1:123456789012:failed'}}"

/* What is said at a start by `text`, or at a reload to it. */
static struct advice_case {
    const char *name;
    const char *before, *text; // triggers; before NULL: a start
    const char *warned;        // names of one letter, in the file's order
    const char *holds;         // the line does; NULL: any
} cases[] = {
    {"a queue has its redrive policy", NULL, QUEUE, "", NULL},
    {"AWS's defaults", NULL, QUEUE STREAM(""), "s",
     "\"event\":\"trigger.may_block\""},
    {"AWS's defaults written out", NULL,
     STREAM(", MaximumRetryAttempts: -1, MaximumRecordAgeInSeconds: -1"), "s",
     NULL},
    {"one line a trigger", NULL, STREAM("") OTHER, "st", NULL},
    {"bounded attempts", NULL, STREAM(BOUNDED), "", NULL},
    {"no attempt again", NULL, STREAM(", maximum_retry_attempts: 0"), "", NULL},
    {"a bounded age", NULL, STREAM(", maximum_record_age_in_seconds: 60"), "",
     NULL},
    {"a destination that nothing reaches", NULL, STREAM(DESTINATION), "s",
     "maximum_retry_attempts or maximum_record_age_in_seconds"},
    {"a factor that a tumbling window leaves without effect", NULL,
     STREAM(BOUNDED WINDOW ", parallelization_factor: 2"), "s",
     "\"event\":\"trigger.one_lane\""},
    {"a tumbling window alone", NULL, STREAM(BOUNDED WINDOW), "", NULL},
    {"a factor alone", NULL, STREAM(BOUNDED ", parallelization_factor: 2"), "",
     NULL},
    {"off", NULL, STREAM(", enabled: false") QUEUE, "", NULL},
    {"a reload that changes nothing", STREAM(""), STREAM(""), "", NULL},
    {"a reload that changes something else", STREAM(""),
     STREAM(", batch_size: 7"), "", NULL},
    {"a reload that adds one", STREAM(""), STREAM("") OTHER, "t", NULL},
    {"a reload that takes the bound away", STREAM(BOUNDED), STREAM(""), "s",
     NULL},
    {"a reload that turns it on", STREAM(", enabled: false") QUEUE, STREAM(""),
     "s", NULL},
};

static struct settings *load(struct settings_file **file, const char *triggers)
{
    AUTO_FREE char *text = NULL;

    *file = NULL;
    if (!triggers)
        return NULL;
    text = mem_printf("version: 1\ntriggers:\n%s", triggers);
    *file = settings_file_create(text);
    return settings_file_load_good(*file);
}

static void unload(struct settings_file *file, struct settings *settings)
{
    if (!file)
        return;
    settings_destroy(settings);
    settings_file_destroy(file);
}

static void say(const struct advice_case *c, char *said, size_t room)
{
    struct log_sink sink = {.format = LOG_FORMAT_JSON};
    struct log log = {.sink = &sink};
    struct settings_file *files[2];
    struct settings *before = load(&files[0], c->before);
    struct settings *settings = load(&files[1], c->text);
    int ends[2];
    ssize_t size;

    assert_int_equal(pipe(ends), 0);
    sink.fd = ends[1];
    advice_give(settings, before, &log);
    assert_int_equal(close(ends[1]), 0);
    size = read(ends[0], said, room - 1);
    assert_true(size >= 0);
    said[size] = '\0';
    assert_int_equal(close(ends[0]), 0);
    unload(files[0], before);
    unload(files[1], settings);
}

static void test_advice(void **state)
{
    const struct advice_case *c = *state;
    const char *at;
    char said[4096];

    say(c, said, sizeof(said));
    at = said;
    for (const char *name = c->warned; *name; name++) {
        char part[] = {'"', 't', 'r', 'i', 'g',   'g', 'e',
                       'r', '"', ':', '"', *name, '"', '\0'};
        const char *end = strchr(at, '\n');

        assert_non_null(end);
        assert_contains(at, part);
        assert_true(strstr(at, part) < end);
        at = end + 1;
    }
    assert_string_equal(at, "");
    if (c->holds)
        assert_contains(said, c->holds);
}

int main(void)
{
    return run_table("advice", cases, test_advice);
}
