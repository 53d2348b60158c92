#include "case_message.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "case_world.h"
#include "test.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static char *data_of(const json_t *spec, const char *name, size_t *size)
{
    const json_t *data = json_object_get(spec, "data");
    size_t wanted = (size_t)number_of(spec, "size");
    const char *text = json_is_string(data) ? json_string_value(data) : name;
    char *made = data && !json_is_string(data)
                     ? json_dumps(data, JSON_ENCODE_ANY | JSON_COMPACT)
                     : mem_strdup(text);

    *size = strlen(made);
    if (wanted <= *size)
        return made;
    made = mem_realloc(made, wanted + 1, 1);
    memset(made + *size, '.', wanted - *size);
    made[wanted] = '\0';
    *size = wanted;
    return made;
}

/* Sequence numbers grow in length too: 8, 9, 10, 11 must not compare as text.
 */
static char *id_of(const struct case_world *world, const char *name,
                   size_t index)
{
    return world->is_queue ? mem_printf("m-%s", name)
                           : mem_printf("%zu", index + 8);
}

static const char *key_of(const struct case_world *world, const json_t *spec,
                          const char *name)
{
    const char *key = text_of(spec, "key");

    if (key)
        return key;
    if (world->is_fifo)
        return "g";
    return world->is_queue ? "" : name;
}

static size_t shard_of(const struct case_world *world, const json_t *spec)
{
    const char *name = text_of(spec, "shard");

    for (size_t i = 0; name && i < world->shard_count; i++)
        if (!strcmp(world->shards[i].name, name))
            return i;
    assert_null(name);
    return 0;
}

/* What the server says; DynamoDB in whole seconds. */
static int64_t arrived_ms(const struct case_world *world, const json_t *spec)
{
    const json_t *arrives = json_object_get(spec, "arrives");
    int64_t ms =
        arrives ? CASE_ARRIVES_MS + json_integer_value(arrives)
                : CASE_WALL_MS + number_of(spec, "at") - number_of(spec, "age");

    if (world->shards[0].origin.kind == RECORD_DYNAMODB)
        ms -= ms % 1000;
    return ms;
}

void case_message_add(struct case_world *world, const json_t *spec)
{
    struct case_message *message = &world->messages[world->count];
    const char *name =
        json_is_string(spec) ? json_string_value(spec) : text_of(spec, "name");

    assert_non_null(name);
    *message = (struct case_message){
        .spec = spec,
        .name = name,
        .key = key_of(world, spec, name),
        .id = id_of(world, name, world->count),
        .shard = shard_of(world, spec),
        .life = number_of(spec, "life") == 2 ? 2 : 1,
        .comes_ms = CASE_START_MS + number_of(spec, "at"),
        .arrived_at_ms = arrived_ms(world, spec),
    };
    message->data = data_of(spec, name, &message->data_size);
    world->count++;
}

void case_message_finish(struct case_message *message)
{
    free(message->id);
    free(message->data);
}
