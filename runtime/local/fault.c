#include "local/fault.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "local/text.h"

static const struct action {
    const char *name;
    enum fault_action action;
    enum { VALUE_NONE, VALUE_CODE, VALUE_MS, VALUE_WHEN } value;
} actions[] = {
    {"error", FAULT_ERROR, VALUE_CODE},
    {"error_in_200", FAULT_ERROR_IN_200, VALUE_CODE},
    {"latency", FAULT_LATENCY, VALUE_MS},
    {"latency_after", FAULT_LATENCY_AFTER, VALUE_MS},
    {"drop", FAULT_DROP, VALUE_WHEN},
    {"truncate", FAULT_TRUNCATE, VALUE_NONE},
    {"html", FAULT_HTML, VALUE_NONE},
    {"empty", FAULT_EMPTY, VALUE_NONE},
    {"expired_iterator", FAULT_EXPIRED, VALUE_NONE},
    {"partial", FAULT_PARTIAL, VALUE_CODE},
    {"duplicate", FAULT_DUPLICATE, VALUE_NONE},
    {"broken_md5", FAULT_BROKEN_MD5, VALUE_NONE},
};

void faults_init(struct faults *faults, uint64_t seed)
{
    *faults = (struct faults){.random = {seed}};
    list_init(&faults->list);
}

static void destroy(struct fault *fault)
{
    if (!fault)
        return;
    free(fault->spec);
    free(fault->operation);
    free(fault->resource);
    free(fault->code);
    free(fault);
}

static void clear(struct list *list)
{
    struct list *link;

    while ((link = list_first(list))) {
        list_remove(link);
        destroy(LIST_ITEM(link, struct fault, link));
    }
}

void faults_clear(struct faults *faults)
{
    clear(&faults->list);
}

void faults_finish(struct faults *faults)
{
    clear(&faults->list);
}

// Takes what stands before the separator off the text.
static struct bytes next_part(struct bytes *text, char separator)
{
    const char *found =
        text->size ? memchr(text->data, separator, text->size) : NULL;
    struct bytes part = *text;

    if (!found) {
        *text = (struct bytes){0};
        return part;
    }
    part.size = (size_t)(found - text->data);
    *text = (struct bytes){found + 1, text->size - part.size - 1};
    return part;
}

static const struct action *find_action(struct bytes name)
{
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (bytes_equal(name, bytes_of(actions[i].name)))
            return &actions[i];
    return NULL;
}

static bool set_when(struct fault *fault, struct bytes value, struct error *err)
{
    fault->after = bytes_equal(value, BYTES("after"));
    return fault->after || !value.size || bytes_equal(value, BYTES("before")) ||
           error_set(err, ERROR_INVALID,
                     "drop takes before or after, not \"%.*s\"",
                     BYTES_ARGS(value));
}

static bool set_value(struct fault *fault, const struct action *action,
                      struct bytes value, struct error *err)
{
    switch (action->value) {
    case VALUE_CODE:
        fault->code = mem_strndup(value.data, value.size);
        return value.size ||
               error_set(err, ERROR_INVALID,
                         "%s needs an error code, as in %s=%s", action->name,
                         action->name, "InternalFailure");
    case VALUE_MS:
        return (text_to_int(value, &fault->ms) && fault->ms >= 0) ||
               error_set(err, ERROR_INVALID,
                         "%s needs milliseconds, not \"%.*s\"", action->name,
                         BYTES_ARGS(value));
    case VALUE_WHEN:
        return set_when(fault, value, err);
    case VALUE_NONE:
        return !value.size ||
               error_set(err, ERROR_INVALID, "%s takes no value", action->name);
    }
    return false;
}

static bool complain_of_action(struct bytes name, struct error *err)
{
    struct buffer known;

    buffer_init(&known, 1000);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        buffer_printf(&known, "%s%s", i ? ", " : "", actions[i].name);
    error_set(err, ERROR_INVALID, "unknown action \"%.*s\"; there are: %s",
              BYTES_ARGS(name), buffer_text(&known));
    buffer_finish(&known);
    return false;
}

static bool set_action(struct fault *fault, struct bytes part,
                       struct error *err)
{
    struct bytes name = next_part(&part, '=');
    const struct action *action = find_action(name);

    if (!name.size)
        return error_set(err, ERROR_INVALID,
                         "no action; a fault is OPERATION[@RESOURCE]:ACTION");
    if (!action)
        return complain_of_action(name, err);
    fault->action = action->action;
    return set_value(fault, action, part, err);
}

static bool set_rate(struct fault *fault, struct bytes value, struct error *err)
{
    AUTO_FREE char *text = mem_strndup(value.data, value.size);
    char *end;

    fault->rate = strtod(text, &end);
    return (end != text && !*end && fault->rate >= 0 && fault->rate <= 1) ||
           error_set(err, ERROR_INVALID, "rate is between 0 and 1, not \"%s\"",
                     text);
}

static bool set_option(struct fault *fault, struct bytes part,
                       struct error *err)
{
    struct bytes name = next_part(&part, '=');
    int64_t number = 0;

    if (bytes_equal(name, BYTES("rate")))
        return set_rate(fault, part, err);
    if (!text_to_int(part, &number) || number < 0)
        return error_set(err, ERROR_INVALID,
                         "%.*s needs a number, not "
                         "\"%.*s\"",
                         BYTES_ARGS(name), BYTES_ARGS(part));
    if (bytes_equal(name, BYTES("after")))
        fault->skip = number;
    else if (bytes_equal(name, BYTES("times")))
        fault->times = number;
    else if (bytes_equal(name, BYTES("status")) && number >= 200 &&
             number <= 599)
        fault->status = (int)number;
    else
        return error_set(err, ERROR_INVALID, "unknown option \"%.*s\"",
                         BYTES_ARGS(name));
    return true;
}

static bool set_all(struct fault *fault, struct bytes spec, struct error *err)
{
    struct bytes operation = next_part(&spec, ':');
    struct bytes resource = operation, name = next_part(&resource, '@');

    if (!name.size)
        return error_set(err, ERROR_INVALID, "no operation is named");
    fault->operation = mem_strndup(name.data, name.size);
    fault->resource = resource.size ? mem_strndup(resource.data, resource.size)
                                    : mem_strdup("*");
    if (!set_action(fault, next_part(&spec, ':'), err))
        return false;
    while (spec.size)
        if (!set_option(fault, next_part(&spec, ':'), err))
            return false;
    return true;
}

static struct fault *parse(struct bytes spec, struct error *err)
{
    struct fault *fault = mem_calloc(1, sizeof(*fault));

    fault->spec = mem_strndup(spec.data, spec.size);
    fault->rate = 1;
    fault->times = -1;
    if (set_all(fault, spec, err))
        return fault;
    error_wrap(err, "fault \"%s\"", fault->spec);
    destroy(fault);
    return NULL;
}

static bool is_space(char c)
{
    return c == ';' || c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static struct bytes next_spec(struct bytes *specs)
{
    const char *at = specs->data, *end = at ? at + specs->size : NULL;
    const char *start;

    while (at < end && is_space(*at))
        at++;
    start = at;
    while (at < end && !is_space(*at))
        at++;
    *specs = (struct bytes){at, (size_t)(end - at)};
    return (struct bytes){start, (size_t)(at - start)};
}

bool faults_add(struct faults *faults, struct bytes specs, struct error *err)
{
    struct list added, *link;
    struct bytes spec;

    list_init(&added);
    while ((spec = next_spec(&specs)).size) {
        struct fault *fault = parse(spec, err);

        if (!fault) {
            clear(&added);
            return false;
        }
        list_push_back(&added, &fault->link);
    }
    while ((link = list_first(&added))) {
        list_remove(link);
        list_push_back(&faults->list, link);
    }
    return true;
}

static bool strikes(struct faults *faults, struct fault *fault)
{
    // 53 random bits, as a double in [0, 1).
    double chance = (double)(random_next(&faults->random) >> 11) / 0x1p53;

    if (fault->matches <= fault->skip || fault->hits == fault->times ||
        chance >= fault->rate)
        return false;
    fault->hits++;
    return true;
}

const struct fault *faults_strike(struct faults *faults,
                                  enum fault_action action,
                                  struct bytes operation, struct bytes resource)
{
    const struct fault *first = NULL;

    for (struct list *link = faults->list.next; link != &faults->list;
         link = link->next) {
        struct fault *fault = LIST_ITEM(link, struct fault, link);

        if (fault->action != action ||
            !text_matches(bytes_of(fault->operation), operation) ||
            !text_matches(bytes_of(fault->resource), resource))
            continue;
        fault->matches++; // even when another one strikes
        if (!first && strikes(faults, fault))
            first = fault;
    }
    return first;
}
