/*
 * scripted: does what a case of tests/conformance says, call by call, and
 * writes down each call as a line of JSON, in one write(2), before it does.
 *
 * settings: ledger, the path; handler, the case's results; names, from a
 * record's data (without the dots that fill it up) or id to its name; events:
 * true, to write the event too.
 *
 * The instances of one trigger share their script: whose turn a result is goes
 * by the trigger's calls.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include <pollard/handler.h>

struct script {
    struct script *next;
    char *path;
    json_t *settings;
    pthread_mutex_t lock;
    // Guarded by it.
    json_t *ids; // from a record's name to its id, as they are seen
    unsigned used[64];
    unsigned running; // calls
    int fd;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct script *scripts; // guarded by lock; they live with the process
static const struct pollard_host *host;

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static struct script *open_script(json_t *settings)
{
    const char *path = text_of(settings, "ledger");
    struct script *script = scripts;

    while (script && strcmp(script->path, path) != 0)
        script = script->next;
    if (script)
        return script;
    script = calloc(1, sizeof(*script));
    if (!script)
        return NULL;
    script->path = strdup(path);
    script->settings = json_incref(settings);
    pthread_mutex_init(&script->lock, NULL);
    script->ids = json_object();
    script->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    script->next = scripts;
    scripts = script;
    return script;
}

static void *scripted_create(const struct pollard_host *ours,
                             const char *settings_json, char *reason,
                             size_t reason_size)
{
    json_t *settings = json_loads(settings_json, 0, NULL);
    struct script *script = NULL;

    (void)ours;
    pthread_mutex_lock(&lock);
    if (text_of(settings, "ledger"))
        script = open_script(settings);
    pthread_mutex_unlock(&lock);
    json_decref(settings);
    if (script && script->fd >= 0)
        return script;
    (void)snprintf(reason, reason_size, "settings.ledger cannot be opened");
    return NULL;
}

/* ---- names -----------------------------------------------------------------
 */

static size_t without_dots(const char *data, size_t size)
{
    while (size && data[size - 1] == '.')
        size--;
    return size;
}

static const char *look_up(const struct script *script, const char *text,
                           size_t size)
{
    char *key = strndup(text ? text : "", size);
    const char *name =
        text_of(json_object_get(script->settings, "names"), key ? key : "");

    free(key);
    return name;
}

static const char *name_of(const struct script *script,
                           const struct pollard_record *record)
{
    const char *name = look_up(script, record->id, record->id_size);

    if (!name)
        name = look_up(script, record->data,
                       without_dots(record->data, record->data_size));
    return name ? name : "?";
}

static json_t *names_of(struct script *script,
                        const struct pollard_batch *batch)
{
    json_t *names = json_array();

    for (size_t i = 0; i < batch->count; i++) {
        const struct pollard_record *record = batch->records[i];
        const char *name = name_of(script, record);

        json_array_append_new(names, json_string(name));
        json_object_set_new(script->ids, name,
                            json_stringn(record->id, record->id_size));
    }
    return names;
}

static bool holds(const json_t *names, const char *name)
{
    json_t *one;
    size_t i;

    json_array_foreach(
        names, i, one) if (!strcmp(json_string_value(one), name)) return true;
    return false;
}

/* ---- whose turn it is ------------------------------------------------------
 */

static bool is_used_up(const json_t *result, unsigned used)
{
    json_t *times = json_object_get(result, "times");
    json_int_t most = times ? json_integer_value(times) : 1;

    return most >= 0 && used >= (unsigned)most;
}

static json_t *take_result(struct script *script, const json_t *names)
{
    json_t *results = json_object_get(script->settings, "handler"), *result;
    size_t i;

    json_array_foreach(results, i, result)
    {
        const char *with = text_of(result, "with");

        if (i >= 64 || is_used_up(result, script->used[i]) ||
            (with && !holds(names, with)))
            continue;
        script->used[i]++;
        return result;
    }
    return NULL;
}

/* ---- the ledger ------------------------------------------------------------
 */

static json_t *receives_of(const struct pollard_batch *batch)
{
    json_t *receives = json_array();

    for (size_t i = 0; i < batch->count; i++)
        json_array_append_new(receives,
                              json_integer(batch->records[i]->receive_count));
    return receives;
}

static void tell_window(const struct pollard_batch *batch, json_t *line)
{
    const struct pollard_window *window = batch->window;

    if (!window)
        return;
    json_object_set_new(line, "window",
                        json_pack("[I, I]", (json_int_t)window->start_ms,
                                  (json_int_t)window->end_ms));
    json_object_set_new(line, "state",
                        json_loadb(window->state, window->state_size, 0, NULL));
    json_object_set_new(line, "final", json_boolean(window->is_final));
    json_object_set_new(line, "early",
                        json_boolean(window->is_terminated_early));
}

static void tell_event(const struct pollard_batch *batch, json_t *line)
{
    const char *event;
    size_t size;

    if (host->event_json(batch, &event, &size) == 0)
        json_object_set_new(line, "event", json_stringn(event, size));
}

static json_int_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void write_line(const struct script *script,
                       const struct pollard_batch *batch, json_t *names)
{
    json_t *line = json_pack("{s:O, s:o, s:I, s:i}", "records", names,
                             "receives", receives_of(batch), "at", now_ms(),
                             "running", (int)script->running);
    char *text;
    size_t size;

    tell_window(batch, line);
    if (json_is_true(json_object_get(script->settings, "events")))
        tell_event(batch, line);
    text = json_dumps(line, JSON_COMPACT);
    json_decref(line);
    size = strlen(text);
    text[size++] = '\n'; // in the terminator's place
    if (write(script->fd, text, size) != (ssize_t)size)
        abort();
    free(text);
}

/* ---- what the result says --------------------------------------------------
 */

static json_t *with_ids(const struct script *script, json_t *value)
{
    const char *text = json_string_value(value), *key;
    json_t *made, *member;
    size_t i;

    if (text && *text == '$' && text_of(script->ids, text + 1))
        return json_incref(json_object_get(script->ids, text + 1));
    if (json_is_array(value)) {
        made = json_array();
        json_array_foreach(value, i, member)
            json_array_append_new(made, with_ids(script, member));
        return made;
    }
    if (!json_is_object(value))
        return json_incref(value);
    made = json_object();
    json_object_foreach(value, key, member)
        json_object_set_new(made, key, with_ids(script, member));
    return made;
}

static void respond_json(const struct script *script, json_t *response,
                         const struct pollard_batch *batch)
{
    json_t *made = with_ids(script, response);
    char *text = json_dumps(made, JSON_ENCODE_ANY | JSON_COMPACT);

    (void)host->respond(batch, text, strlen(text));
    free(text);
    json_decref(made);
}

static void respond_bytes(size_t size, const struct pollard_batch *batch)
{
    char *text = malloc(size);

    if (!text)
        abort();
    memset(text, ' ', size);
    (void)host->respond(batch, text, size);
    free(text);
}

/* {"s":"..."} of so many bytes. */
static json_t *state_of_size(size_t size)
{
    char *text = malloc(size);
    json_t *state;

    if (!text || size < 9)
        abort();
    memset(text, 's', size - 8);
    text[size - 8] = '\0';
    state = json_pack("{s:s}", "s", text);
    free(text);
    return state;
}

static void set_state(json_t *state, const struct pollard_batch *batch)
{
    char *text = json_dumps(state, JSON_COMPACT);

    (void)host->set_state(batch, text, strlen(text));
    free(text);
}

static void mark(const json_t *result, const json_t *names,
                 const struct pollard_batch *batch)
{
    json_t *marks = json_object_get(result, "marks");
    json_t *index = json_object_get(result, "marks_index");

    for (size_t i = 0; i < batch->count; i++)
        if (holds(marks, json_string_value(json_array_get(names, i))))
            (void)host->fail_record(batch, i);
    if (index)
        (void)host->fail_record(batch, (size_t)json_integer_value(index));
}

static void report(const struct script *script, const json_t *result,
                   const json_t *names, const struct pollard_batch *batch)
{
    json_t *response = json_object_get(result, "responds");
    json_t *bytes = json_object_get(result, "responds_bytes");
    json_t *state = json_object_get(result, "state");
    json_t *size = json_object_get(result, "state_size");
    const char *text = text_of(result, "responds_text");

    if (response)
        respond_json(script, response, batch);
    if (text)
        (void)host->respond(batch, text, strlen(text));
    if (bytes)
        respond_bytes((size_t)json_integer_value(bytes), batch);
    if (state)
        set_state(state, batch);
    if (size) {
        state = state_of_size((size_t)json_integer_value(size));
        set_state(state, batch);
        json_decref(state);
    }
    mark(result, names, batch);
}

static void take_time(const json_t *result)
{
    json_int_t ms = json_integer_value(json_object_get(result, "takes"));
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};

    (void)nanosleep(&time, NULL);
}

static int scripted_handle(void *instance, const struct pollard_batch *batch)
{
    struct script *script = instance;
    const char *ends;
    json_t *result, *names;

    pthread_mutex_lock(&script->lock);
    script->running++;
    names = names_of(script, batch);
    write_line(script, batch, names);
    result = take_result(script, names);
    report(script, result, names, batch);
    pthread_mutex_unlock(&script->lock);
    json_decref(names);
    take_time(result);
    pthread_mutex_lock(&script->lock);
    script->running--;
    pthread_mutex_unlock(&script->lock);
    ends = text_of(result, "ends");
    return ends && strcmp(ends, "timeout") != 0;
}

static void scripted_destroy(void *instance)
{
    (void)instance; // other instances may use it
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *ours)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "scripted",
        .create = scripted_create,
        .handle = scripted_handle,
        .destroy = scripted_destroy,
    };

    host = ours;
    return &handler;
}
