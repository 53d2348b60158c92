/*
 * The cases of tests/conformance against the pure core in virtual time. Each
 * file is a topic; each case is reported under its own name.
 */
#include <glob.h>
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "case_settings.h"
#include "case_shape.h"
#include "case_world.h"
#include "poller/pipeline.h"
#include "settings_file.h"
#include "supervisor/metrics.h"
#include "test.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static char *written(const json_t *value)
{
    return json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
}

/* Does `seen` say what `wanted` says, and perhaps more? A text stands for the
 * records of an invocation. */
static bool agrees(const json_t *wanted, const json_t *seen)
{
    const char *key;
    json_t *member;

    if (json_is_string(wanted))
        return json_equal((json_t *)(uintptr_t)wanted,
                          json_object_get(seen, "records"));
    json_object_foreach(
        (json_t *)(uintptr_t)wanted, key,
        member) if (strcmp(key, "after") != 0 &&
                    !json_equal(member,
                                json_object_get(seen, key))) return false;
    return json_integer_value(json_object_get(wanted, "after")) <=
           json_integer_value(json_object_get(seen, "at"));
}

static void check_list(const char *what, const json_t *wanted,
                       const json_t *seen, bool goes_on)
{
    AUTO_FREE char *told = written(seen), *asked = written(wanted);
    size_t count = json_array_size(wanted);
    bool good = goes_on ? json_array_size(seen) >= count
                        : json_array_size(seen) == count;

    for (size_t i = 0; good && i < count; i++)
        good = agrees(json_array_get(wanted, i), json_array_get(seen, i));
    if (!good)
        fail_msg("%s: wanted %s\nbut saw %s", what, asked, told);
}

/* In any order: each wanted one takes one that it agrees with. */
static void check_set(const char *what, const json_t *wanted,
                      const json_t *seen)
{
    AUTO_FREE char *told = written(seen), *asked = written(wanted);
    json_t *left = json_copy((json_t *)(uintptr_t)seen), *one;
    size_t i, at;

    json_array_foreach(wanted, i, one)
    {
        for (at = 0; at < json_array_size(left); at++)
            if (agrees(one, json_array_get(left, at)))
                break;
        if (json_array_remove(left, at) != 0)
            break;
    }
    at = json_array_size(left);
    json_decref(left);
    if (i < json_array_size(wanted) || at)
        fail_msg("%s: wanted, in any order, %s\nbut saw %s", what, asked, told);
}

static void check_invocations(const struct case_world *world,
                              const json_t *expect)
{
    const json_t *wanted = json_object_get(expect, "invocations");

    if (!wanted)
        return;
    if (json_is_true(json_object_get(world->spec, "unordered")))
        check_set("invocations", wanted, world->invocations);
    else
        check_list("invocations", wanted, world->invocations,
                   json_is_true(json_object_get(expect, "and_so_on")));
}

static bool is_named(const char *names, const char *name)
{
    size_t size = strlen(name);
    const char *at = names;

    while ((at = strstr(at, name))) {
        if ((at == names || at[-1] == ' ') && (!at[size] || at[size] == ' '))
            return true;
        at += size;
    }
    return false;
}

/* All messages, where the case says nothing. */
static void check_deleted(const struct case_world *world, const json_t *expect)
{
    const char *wanted = text_of(expect, "deleted");

    for (size_t i = 0; world->is_queue && i < world->count; i++) {
        const struct case_message *message = &world->messages[i];
        bool is_gone = message->state == CASE_GONE;

        if (is_gone != (!wanted || is_named(wanted, message->name)))
            fail_msg("%s was %sdeleted", message->name, is_gone ? "" : "not ");
    }
}

/* At the last record, where the case says nothing. */
static void check_checkpoints(const struct case_world *world,
                              const json_t *expect)
{
    const json_t *wanted = json_object_get(expect, "checkpoints");
    size_t count = json_array_size(world->checkpoints);
    AUTO_FREE char *seen = written(world->checkpoints);

    if (wanted) {
        AUTO_FREE char *asked = written(wanted);

        assert_string_equal(seen, asked);
        return;
    }
    if (world->is_queue || !world->count)
        return;
    assert_true(count > 0);
    assert_string_equal(
        json_string_value(json_array_get(world->checkpoints, count - 1)),
        world->messages[world->count - 1].name);
}

/* {"record", "from", "to"}: changes of visibility to a time in [from, to]; -1:
 * left as it was. */
static void check_again(const struct case_world *world, const json_t *expect)
{
    const json_t *wanted = json_object_get(expect, "again"), *one, *seen;
    AUTO_FREE char *told = written(world->again);
    json_int_t from, to;
    size_t i;

    if (!wanted)
        return;
    if (json_array_size(wanted) != json_array_size(world->again))
        fail_msg("again: saw %s", told);
    json_array_foreach(wanted, i, one)
    {
        json_int_t delay;

        seen = json_array_get(world->again, i);
        delay = json_integer_value(json_object_get(seen, "delay"));
        from = to = -1;
        (void)json_unpack((json_t *)(uintptr_t)one, "{s:I, s:I}", "from", &from,
                          "to", &to);
        if (strcmp(text_of(one, "record"), text_of(seen, "record")) != 0 ||
            delay < from || delay > to)
            fail_msg("again: saw %s", told);
    }
}

static bool is_told(const struct case_world *world, const char *wanted)
{
    json_t *line;
    size_t i;

    json_array_foreach(world->told, i, line) if (strstr(json_string_value(line),
                                                        wanted)) return true;
    return false;
}

static void check_told(const struct case_world *world, const json_t *expect)
{
    const char *wanted = text_of(expect, "told");
    AUTO_FREE char *seen = written(world->told);

    if (wanted ? !is_told(world, wanted) : json_array_size(world->told) > 0)
        fail_msg("told: saw %s", seen);
}

#define COUNT(name_)                                    \
    {                                                   \
#name_, offsetof(struct pipeline_counts, name_) \
    }
static const struct {
    const char *name;
    size_t offset;
} counters[] = {
    COUNT(polled),          COUNT(filtered),          COUNT(dispatched),
    COUNT(failed_error),    COUNT(failed_timeout),    COUNT(failed_records),
    COUNT(failed_response), COUNT(invalid_responses), COUNT(dropped_attempts),
    COUNT(dropped_age),     COUNT(reported),          COUNT(moved),
    COUNT(breaker_opened),
};

static uint64_t count_of(const struct pipeline_counts *counts, const char *name)
{
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        if (!strcmp(counters[i].name, name))
            return *(const uint64_t *)(const void *)((const char *)counts +
                                                     counters[i].offset);
    fail_msg("no counter \"%s\"", name);
    return 0;
}

static void check_counts(const struct case_world *world, const json_t *expect)
{
    const json_t *wanted = json_object_get(expect, "counts");
    struct pipeline_counts counts;
    const char *name;
    json_t *value;

    case_world_counts(world, &counts);
    json_object_foreach((json_t *)(uintptr_t)wanted, name,
                        value) if (count_of(&counts, name) !=
                                   (uint64_t)json_integer_value(value))
        fail_msg("counts: %s is %llu", name,
                 (unsigned long long)count_of(&counts, name));
}

/* A number, or [least, most], of a metric by AWS's name. */
static void check_metric(const struct poller_stats *stats, const char *name,
                         const json_t *wanted)
{
    json_int_t least = json_integer_value(wanted), most = least, seen = 0;
    bool is_known = false;

    (void)json_unpack((json_t *)(uintptr_t)wanted, "[I, I]", &least, &most);
    for (const struct metric *metric = metrics; metric->name; metric++) {
        const char *at = (const char *)stats + metric->offset;

        if (!metric->aws_name || strcmp(metric->aws_name, name) != 0)
            continue;
        is_known = true;
        seen += metric->value == METRIC_COUNT
                    ? (json_int_t) * (const uint64_t *)(const void *)at
                    : *(const int64_t *)(const void *)at;
    }
    if (!is_known || seen < least || seen > most)
        fail_msg("metric %s is %lld", name, (long long)seen);
}

static void check_metrics(const struct case_world *world, const json_t *expect)
{
    const json_t *wanted = json_object_get(expect, "metrics");
    struct poller_stats stats = {0};
    const char *name;
    json_t *value;

    case_world_counts(world, &stats.counts);
    for (size_t i = 0; world->is_queue && i < world->count; i++)
        stats.records_deleted += world->messages[i].state == CASE_GONE;
    json_object_foreach((json_t *)(uintptr_t)wanted, name, value)
        check_metric(&stats, name, value);
}

static void check_at_once(const struct case_world *world, const json_t *expect)
{
    json_int_t least = 0, most = CASE_RUNNING;

    (void)json_unpack((json_t *)(uintptr_t)expect, "{s:[I, I]}", "at_once",
                      &least, &most);
    if (world->most_running < (size_t)least ||
        world->most_running > (size_t)most)
        fail_msg("%zu calls at once", world->most_running);
}

/* Where the message is first called, among all records that are. */
static size_t first_call_of(const struct case_world *world, const char *name)
{
    json_t *call;
    size_t i;

    json_array_foreach(world->invocations, i, call)
    {
        const char *names = text_of(call, "records");
        const char *at = strstr(names, name);

        if (is_named(names, name))
            return i << 16 | (size_t)(at - names);
    }
    return SIZE_MAX;
}

/* The records of each key are first called in their order. */
static void check_keys(const struct case_world *world)
{
    for (size_t a = 0; a < world->count; a++)
        for (size_t b = a + 1; b < world->count; b++) {
            const struct case_message *one = &world->messages[a];
            const struct case_message *other = &world->messages[b];
            size_t later = first_call_of(world, other->name);

            if (*one->key && !strcmp(one->key, other->key) &&
                later != SIZE_MAX && first_call_of(world, one->name) > later &&
                first_call_of(world, one->name) != SIZE_MAX)
                fail_msg("%s before %s", other->name, one->name);
        }
}

static json_t *utc(int64_t ms, size_t size)
{
    char text[25];

    clock_format_utc(ms, text);
    if (size < 24)
        memcpy(text + size - 1, "Z", 2);
    return json_string(text);
}

/* What a word of a document means in this world. */
static json_t *word(const void *context, const char *name, const char *argument)
{
    const struct case_world *world = context;
    const struct case_message *message = case_world_find(world, argument);
    const struct case_shard *shard = world->shards;

    if (!strcmp(name, "arn"))
        return json_string(shard->origin.arn);
    if (!strcmp(name, "region"))
        return json_string(shard->origin.region);
    if (!strcmp(name, "role"))
        return json_string(shard->origin.identity);
    if (!strcmp(name, "function"))
        return json_string("arn:aws:lambda:us-east-1:000000000000:function:t");
    if (!strcmp(name, "arrives"))
        return utc(CASE_ARRIVES_MS + atoll(argument), 20);
    if (!strcmp(name, "shard")) {
        for (size_t i = 0; *argument && i < world->shard_count; i++)
            if (!strcmp(world->shards[i].name, argument))
                shard = &world->shards[i];
        return json_string(shard->id);
    }
    if (!message)
        return NULL;
    if (!strcmp(name, "id"))
        return json_string(message->id);
    if (!strcmp(name, "event"))
        return json_sprintf("%032llx", strtoull(message->id, NULL, 10));
    if (!strcmp(name, "epoch"))
        return json_real((double)message->arrived_at_ms / 1000);
    if (!strcmp(name, "ms"))
        return utc(message->arrived_at_ms, 24);
    return strcmp(name, "seconds") ? NULL : utc(message->arrived_at_ms, 20);
}

static void check_documents(const struct case_world *world, const char *what,
                            const json_t *shapes, const json_t *texts)
{
    const struct case_words words = {word, world};
    json_t *shape;
    size_t i;

    json_array_foreach(shapes, i, shape)
    {
        const json_t *text = json_array_get(texts, i);
        AUTO_FREE char *difference = case_shape_difference(
            shape,
            (struct bytes){json_string_value(text), json_string_length(text)},
            &words);

        if (difference)
            fail_msg("%s[%zu]: %s", what, i, difference);
    }
}

/* Names of objects are masks with words. */
static void check_objects(const struct case_world *world, const json_t *expect)
{
    const struct case_words words = {word, world};
    const json_t *wanted = json_object_get(expect, "objects");
    json_t *mask;
    size_t i;

    assert_int_equal(json_array_size(wanted), json_array_size(world->objects));
    json_array_foreach(wanted, i, mask)
    {
        AUTO_FREE char *whole =
            case_shape_text(json_string_value(mask), &words);
        const char *name = json_string_value(json_array_get(world->objects, i));

        if (!case_shape_is_masked(name, whole))
            fail_msg("objects[%zu]: wanted %s, saw %s", i, whole, name);
    }
}

static void check_refusal(const json_t *spec, const char *rule)
{
    AUTO_FREE char *text = case_settings_text(spec, 1);
    struct settings_file *file = settings_file_create(text);
    struct settings *settings = settings_file_load(file);
    AUTO_FREE char *told = settings_file_told(file);

    assert_null(settings);
    assert_contains(told, rule);
    settings_file_destroy(file);
}

static void check_run(const json_t *spec)
{
    const json_t *expect = json_object_get(spec, "expect");
    const json_t *reports = json_object_get(expect, "reports");
    struct case_world world;

    case_world_init(&world, spec);
    case_world_run(&world);
    check_invocations(&world, expect);
    check_list("reports", reports, world.reports, false);
    check_told(&world, expect);
    check_deleted(&world, expect);
    check_checkpoints(&world, expect);
    check_again(&world, expect);
    check_counts(&world, expect);
    check_metrics(&world, expect);
    check_at_once(&world, expect);
    check_keys(&world);
    check_objects(&world, expect);
    check_documents(&world, "events", json_object_get(expect, "events"),
                    world.events);
    check_documents(&world, "documents", json_object_get(expect, "documents"),
                    world.documents);
    case_world_finish(&world);
}

static void test_case(void **state)
{
    const json_t *spec = *state;
    const char *refused = text_of(spec, "refused");

    if (refused)
        check_refusal(spec, refused);
    else
        check_run(spec);
}

static json_t *read_topic(const char *path)
{
    json_error_t where;
    json_t *topic = json_load_file(path, JSON_REJECT_DUPLICATES, &where);

    if (!topic) {
        (void)fprintf(stderr, "%s:%d:%d: %s\n", path, where.line, where.column,
                      where.text);
        exit(1);
    }
    return topic;
}

static int run_topic(const char *path)
{
    json_t *topic = read_topic(path), *cases = json_object_get(topic, "cases");
    size_t count = json_array_size(cases), used = 0;
    struct CMUnitTest *tests = mem_calloc(count + 1, sizeof(*tests));
    json_t *spec;
    size_t i;
    int failed;

    json_array_foreach(cases, i, spec) if (!json_object_get(spec, "whole_only"))
        tests[used++] = (struct CMUnitTest){.name = text_of(spec, "name"),
                                            .test_func = test_case,
                                            .initial_state = spec};
    failed = _cmocka_run_group_tests(text_of(topic, "topic"), tests, used, NULL,
                                     NULL);
    free(tests);
    json_decref(topic);
    return failed;
}

int main(int argc, char **argv)
{
    glob_t found;
    int failed = 0;

    if (argc > 1)
        return run_topic(argv[1]);
    if (glob("tests/conformance/*.json", 0, NULL, &found) != 0)
        return 1;
    for (size_t i = 0; i < found.gl_pathc; i++)
        failed += run_topic(found.gl_pathv[i]);
    globfree(&found);
    return failed;
}
