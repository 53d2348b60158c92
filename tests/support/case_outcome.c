#include "case_outcome.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "case_world.h"
#include "handler/handler.h"
#include "handler/host_call.h"
#include "poller/batch.h"
#include "record/record.h"
#include "test.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool holds(const struct case_world *world, const struct batch *batch,
                  const char *name)
{
    const struct case_message *message = case_world_find(world, name);

    for (size_t i = 0; message && i < batch->count; i++)
        if (bytes_equal(batch->records[i]->id, bytes_of(message->id)))
            return true;
    return false;
}

static bool is_for(const struct case_world *world, const json_t *result,
                   const struct batch *batch)
{
    const char *with = text_of(result, "with");

    return !with || holds(world, batch, with);
}

static bool is_used_up(const json_t *result, unsigned used)
{
    json_int_t times = 1;

    (void)json_unpack((json_t *)(uintptr_t)result, "{s:I}", "times", &times);
    return times >= 0 && used >= (unsigned)times;
}

const json_t *case_result_of(struct case_world *world,
                             const struct batch *batch)
{
    const json_t *results = json_object_get(world->spec, "handler"), *result;
    size_t i;

    json_array_foreach(results, i, result)
    {
        if (is_used_up(result, world->used[i]) || !is_for(world, result, batch))
            continue;
        world->used[i]++;
        return result;
    }
    return NULL;
}

int64_t case_result_takes_ms(const json_t *result)
{
    return json_integer_value(json_object_get(result, "takes"));
}

/* "$a" is the id of record a, anywhere in a response. */
static json_t *with_ids(const struct case_world *world, const json_t *value)
{
    const char *text = json_string_value(value), *key;
    const struct case_message *message;
    json_t *made, *member;
    size_t i;

    if (text && *text == '$' && (message = case_world_find(world, text + 1)))
        return json_string(message->id);
    if (json_is_array(value)) {
        made = json_array();
        json_array_foreach(value, i, member)
            json_array_append_new(made, with_ids(world, member));
        return made;
    }
    if (!json_is_object(value))
        return json_deep_copy(value);
    made = json_object();
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
        json_object_set_new(made, key, with_ids(world, member));
    return made;
}

static void respond(struct outcome *outcome, const char *text)
{
    outcome->has_response = true;
    buffer_append_text(&outcome->response, text);
}

static void respond_json(const struct case_world *world, const json_t *value,
                         struct outcome *outcome)
{
    json_t *made = with_ids(world, value);
    char *text = json_dumps(made, JSON_ENCODE_ANY | JSON_COMPACT);

    respond(outcome, text);
    free(text);
    json_decref(made);
}

static void mark(const struct case_world *world, const char *name,
                 const struct batch *batch, struct outcome *outcome)
{
    const struct case_message *message = case_world_find(world, name);

    assert_non_null(message);
    if (!outcome->failed)
        outcome->failed = mem_calloc(batch->count, sizeof(*outcome->failed));
    for (size_t i = 0; i < batch->count; i++)
        if (bytes_equal(batch->records[i]->id, bytes_of(message->id))) {
            outcome->failed_count += !outcome->failed[i];
            outcome->failed[i] = true;
        }
}

static void mark_all(const struct case_world *world, const json_t *names,
                     const struct batch *batch, struct outcome *outcome)
{
    json_t *name;
    size_t i;

    json_array_foreach(names, i, name)
        mark(world, json_string_value(name), batch, outcome);
}

static enum outcome_kind kind_of(const json_t *result)
{
    const char *ends = text_of(result, "ends");

    if (!ends)
        return OUTCOME_DONE;
    if (!strcmp(ends, "error"))
        return OUTCOME_FAILED;
    if (!strcmp(ends, "timeout"))
        return OUTCOME_TIMED_OUT;
    assert_string_equal(ends, "unstarted");
    return OUTCOME_UNSTARTED;
}

/* {"s":"..."} of so many bytes. */
static void set_large_state(size_t size, struct outcome *outcome)
{
    static const char head[] = "{\"s\":\"", tail[] = "\"}";

    outcome->has_state = true;
    buffer_append_text(&outcome->state, head);
    for (size_t i = strlen(head) + strlen(tail); i < size; i++)
        buffer_append_char(&outcome->state, 's');
    buffer_append_text(&outcome->state, tail);
}

static void set_state(const json_t *state, struct outcome *outcome)
{
    char *text = json_dumps(state, JSON_COMPACT);

    outcome->has_state = true;
    buffer_append_text(&outcome->state, text);
    free(text);
}

void case_result_apply(const struct case_world *world, const json_t *result,
                       const struct batch *batch, struct outcome *outcome)
{
    const json_t *response = json_object_get(result, "responds");
    const json_t *index = json_object_get(result, "marks_index");
    const json_t *bytes = json_object_get(result, "responds_bytes");
    const json_t *state = json_object_get(result, "state");
    const json_t *size = json_object_get(result, "state_size");
    const char *text = text_of(result, "responds_text");

    outcome->kind = kind_of(result);
    if (outcome->kind != OUTCOME_DONE)
        return;
    if (response)
        respond_json(world, response, outcome);
    if (text)
        respond(outcome, text);
    if (state)
        set_state(state, outcome);
    if (size)
        set_large_state((size_t)json_integer_value(size), outcome);
    mark_all(world, json_object_get(result, "marks"), batch, outcome);
    if (index) {
        outcome->invalid_report = true;
        (void)snprintf(outcome->invalid_why, sizeof(outcome->invalid_why),
                       "fail_record(%lld) of a batch of %zu",
                       (long long)json_integer_value(index), batch->count);
    }
    if (bytes)
        outcome->response_too_large =
            json_integer_value(bytes) > HOST_CALL_RESPONSE_LIMIT;
}
