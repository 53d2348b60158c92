#include "base/mem.h"
#include "config/suggest.h"
#include "filter/reader.h"

#define RANGE_EXAMPLE "[\">\", 0, \"<=\", 5]"

struct operation {
    const char *name;
    enum criterion_type type;
    bool (*read)(struct reader *reader, const struct operation *operation,
                 struct criterion *out);
};

static bool read_operation(struct reader *reader, const struct operation *known,
                           struct criterion *out);

// ---- one string ------------------------------------------------------------

static bool read_text(struct reader *reader, const struct operation *operation,
                      struct criterion *out)
{
    out->type = operation->type;
    return reader_string(reader, &out->text, "a string");
}

static bool read_fold(struct reader *reader, const struct operation *operation,
                      struct criterion *out)
{
    struct bytes text;

    if (!reader_string(reader, &text, "a string"))
        return false;
    out->type = operation->type;
    fold_init(&out->of.fold, text);
    return true;
}

static bool read_wildcard(struct reader *reader,
                          const struct operation *operation,
                          struct criterion *out)
{
    size_t at = reader_here(reader);
    const char *reason;
    struct bytes text;
    char *data;

    (void)operation;
    if (!reader_string(reader, &text, "a string"))
        return false;
    data = reader->in.start + (text.data - reader->in.start);
    return criterion_set_wildcard(out, data, text.size, &reason) ||
           reader_refuse(reader, at, "%s", reason);
}

static bool read_block(struct reader *reader, const struct operation *operation,
                       struct criterion *out)
{
    size_t at = reader_here(reader);
    const char *reason;
    struct bytes text;

    if (!reader_string(reader, &text, "a string"))
        return false;
    out->type = operation->type;
    return address_parse_block(text, &out->of.block, &reason) ||
           reader_refuse(reader, at, "%s", reason);
}

static const struct operation prefix_folded[] = {
    {"equals-ignore-case", CRITERION_FOLD_PREFIX, read_fold}, {0}};
static const struct operation suffix_folded[] = {
    {"equals-ignore-case", CRITERION_FOLD_SUFFIX, read_fold}, {0}};

static bool read_end(struct reader *reader, const struct operation *operation,
                     struct criterion *out)
{
    if (json_read_peek(&reader->in) == JSON_READ_OBJECT)
        return read_operation(
            reader,
            operation->type == CRITERION_PREFIX ? prefix_folded : suffix_folded,
            out);
    out->type = operation->type;
    return reader_string(reader, &out->text,
                         "a string, or {\"equals-ignore-case\": string}");
}

static bool read_exists(struct reader *reader,
                        const struct operation *operation,
                        struct criterion *out)
{
    enum json_read_type type = json_read_peek(&reader->in);
    bool value;

    (void)operation;
    if (type != JSON_READ_TRUE && type != JSON_READ_FALSE)
        return reader_refuse_value(reader, "true or false");
    (void)json_read_bool(&reader->in, &value);
    out->type = value ? CRITERION_EXISTS : CRITERION_ABSENT;
    return !reader->in.error || reader_refuse_json(reader);
}

// ---- numeric ---------------------------------------------------------------

// "=", ">" and so on, and its number.
static bool read_comparison(struct reader *reader, struct bytes *sign,
                            struct criterion_bound *bound)
{
    size_t at = reader_here(reader);
    struct bytes number;

    if (!reader_string(reader, sign, "=, >, >=, < or <="))
        return false;
    if (!bytes_equal(*sign, BYTES("=")) && !bytes_equal(*sign, BYTES("<")) &&
        !bytes_equal(*sign, BYTES("<=")) && !bytes_equal(*sign, BYTES(">")) &&
        !bytes_equal(*sign, BYTES(">=")))
        return reader_refuse(
            reader, at, "%.*s is not allowed: =, >, >=, < or <=",
            (int)reader_since(reader, at).size, reader_since(reader, at).data);
    if (!json_read_element(&reader->in))
        return reader->in.error
                   ? reader_refuse_json(reader)
                   : reader_refuse(reader, at, "a comparison and no number");
    if (!reader_number(reader, &number))
        return false;
    *bound = (struct criterion_bound){.number = decimal_of(number),
                                      .is_given = true,
                                      .is_open = sign->size == 1 &&
                                                 sign->data[0] != '='};
    return true;
}

static bool read_upper(struct reader *reader, struct criterion *out, size_t at)
{
    size_t second = reader_here(reader);
    struct bytes sign;

    if (!read_comparison(reader, &sign, &out->of.range.high))
        return false;
    if (sign.data[0] != '<')
        return reader_refuse(reader, second,
                             "the second comparison is < or <=");
    if (decimal_compare(&out->of.range.low.number,
                        &out->of.range.high.number) >= 0)
        return reader_refuse(reader, at,
                             "the lower bound is not below the upper one");
    return true;
}

static bool refuse_length(struct reader *reader, size_t at)
{
    return reader_refuse(reader, at,
                         "too long: one comparison, or a lower bound and then "
                         "an upper one, " RANGE_EXAMPLE);
}

// Behind the opening bracket; up to the closing one.
static bool read_bounds(struct reader *reader, struct criterion *out, size_t at)
{
    struct criterion_bound bound;
    struct bytes sign;

    if (!read_comparison(reader, &sign, &bound))
        return false;
    if (sign.data[0] != '<')
        out->of.range.low = bound;
    if (sign.data[0] != '>')
        out->of.range.high = bound;
    if (!json_read_element(&reader->in))
        return !reader->in.error || reader_refuse_json(reader);
    if (sign.data[0] != '>')
        return refuse_length(reader, at);
    if (!read_upper(reader, out, at))
        return false;
    if (json_read_element(&reader->in))
        return refuse_length(reader, at);
    return !reader->in.error || reader_refuse_json(reader);
}

static bool read_range(struct reader *reader, const struct operation *operation,
                       struct criterion *out)
{
    size_t at = reader_here(reader);

    if (json_read_peek(&reader->in) != JSON_READ_ARRAY)
        return reader_refuse_value(reader, "a list, " RANGE_EXAMPLE);
    out->type = operation->type;
    (void)json_read_array(&reader->in);
    if (json_read_element(&reader->in))
        return read_bounds(reader, out, at);
    return reader->in.error
               ? reader_refuse_json(reader)
               : reader_refuse(reader, at, "an empty list; " RANGE_EXAMPLE);
}

// ---- anything-but ----------------------------------------------------------

// A string within anything-but, by the operation that stands before it.
static bool read_excluded(struct reader *reader,
                          const struct operation *operation,
                          struct criteria *out)
{
    size_t at = reader_here(reader);
    struct criterion *one = criteria_add(out);

    if (!operation->read(reader, operation, one))
        return false;
    one->source = reader_since(reader, at);
    if ((one->type == CRITERION_PREFIX || one->type == CRITERION_SUFFIX) &&
        !one->text.size)
        return reader_refuse(reader, at,
                             "an empty %s would exclude every string",
                             operation->name);
    return true;
}

static bool read_excluded_list(struct reader *reader,
                               const struct operation *operation,
                               struct criteria *out)
{
    size_t at = reader_here(reader);

    (void)json_read_array(&reader->in);
    for (size_t i = 0; json_read_element(&reader->in); i++) {
        size_t before = reader_enter_item(reader, i);

        if (!read_excluded(reader, operation, out))
            return false;
        reader_leave(reader, before);
    }
    if (reader->in.error)
        return reader_refuse_json(reader);
    return out->count || reader_refuse(reader, at, "an empty list");
}

static bool read_excluded_by(struct reader *reader,
                             const struct operation *operation,
                             struct criterion *out)
{
    const struct operation one = {operation->name, operation->type,
                                  operation->type == CRITERION_FOLD ? read_fold
                                  : operation->type == CRITERION_WILDCARD
                                      ? read_wildcard
                                      : read_text};

    if (json_read_peek(&reader->in) == JSON_READ_ARRAY)
        return read_excluded_list(reader, &one, &out->of.none);
    return read_excluded(reader, &one, &out->of.none);
}

static const struct operation excluding[] = {
    {"prefix", CRITERION_PREFIX, read_excluded_by},
    {"suffix", CRITERION_SUFFIX, read_excluded_by},
    {"equals-ignore-case", CRITERION_FOLD, read_excluded_by},
    {"wildcard", CRITERION_WILDCARD, read_excluded_by},
    {0},
};

// A string or a number, all of one kind.
static bool read_excluded_value(struct reader *reader,
                                const struct operation *operation,
                                struct criterion *out)
{
    struct bytes number;

    if (json_read_peek(&reader->in) == JSON_READ_STRING)
        return read_text(reader, operation, out);
    if (json_read_peek(&reader->in) != JSON_READ_NUMBER)
        return reader_refuse_value(
            reader, "a string, a number, a list of either, or {\"prefix\": "
                    "...}, suffix, equals-ignore-case, wildcard");
    if (!reader_number(reader, &number))
        return false;
    out->type = CRITERION_NUMBER;
    out->of.number = decimal_of(number);
    return true;
}

static bool read_anything_but(struct reader *reader,
                              const struct operation *operation,
                              struct criterion *out)
{
    static const struct operation value = {"value", CRITERION_TEXT,
                                           read_excluded_value};
    size_t at = reader_here(reader);
    struct criteria *none = &out->of.none;

    out->type = operation->type;
    if (json_read_peek(&reader->in) == JSON_READ_OBJECT)
        return read_operation(reader, excluding, out);
    if (json_read_peek(&reader->in) != JSON_READ_ARRAY)
        return read_excluded(reader, &value, none);
    if (!read_excluded_list(reader, &value, none))
        return false;
    for (size_t i = 1; i < none->count; i++)
        if (none->list[i].type != none->list[0].type)
            return reader_refuse(reader, at,
                                 "strings or numbers, but not both");
    return true;
}

// ---- operators -------------------------------------------------------------

static const struct operation operations[] = {
    {"prefix", CRITERION_PREFIX, read_end},
    {"suffix", CRITERION_SUFFIX, read_end},
    {"equals-ignore-case", CRITERION_FOLD, read_fold},
    {"anything-but", CRITERION_NOT, read_anything_but},
    {"numeric", CRITERION_RANGE, read_range},
    {"exists", CRITERION_EXISTS, read_exists},
    {"wildcard", CRITERION_WILDCARD, read_wildcard},
    {"cidr", CRITERION_BLOCK, read_block},
    {"exactly", CRITERION_TEXT, read_text},
    {0},
};

static bool refuse_operation(struct reader *reader, size_t at,
                             struct bytes name, const struct operation *known)
{
    AUTO_FREE char *typed = mem_strndup(name.data, name.size);
    const struct operation *nearest = NULL;
    struct buffer allowed;
    bool refused;

    buffer_init(&allowed, 200);
    for (const struct operation *one = known; one->name; one++) {
        buffer_printf(&allowed, "%s%s", allowed.size ? ", " : "", one->name);
        if (suggest_distance(typed, one->name) < SUGGEST_FAR && !nearest)
            nearest = one;
    }
    refused = reader_refuse(
        reader, at, "there is no operator \"%.40s\"; %s %s%s", typed,
        nearest ? "did you mean" : "allowed:",
        nearest ? nearest->name : buffer_text(&allowed), nearest ? "?" : "");
    buffer_finish(&allowed);
    return refused;
}

static size_t name_offset(const struct reader *reader, struct bytes name)
{
    return (size_t)(name.data - reader->in.start) - 1;
}

// {"prefix": "a"}: one operator, and no more.
static bool read_operation(struct reader *reader, const struct operation *known,
                           struct criterion *out)
{
    size_t at = reader_here(reader), before;
    const struct operation *operation = known;
    struct bytes name;

    (void)json_read_object(&reader->in);
    if (!json_read_member(&reader->in, &name))
        return reader->in.error ? reader_refuse_json(reader)
                                : reader_refuse(reader, at, "no operator");
    while (operation->name && !bytes_equal(name, bytes_of(operation->name)))
        operation++;
    if (!operation->name)
        return refuse_operation(reader, name_offset(reader, name), name, known);
    before = reader_enter_key(reader, name);
    if (!operation->read(reader, operation, out))
        return false;
    reader_leave(reader, before);
    if (json_read_member(&reader->in, &name))
        return reader_refuse(reader, name_offset(reader, name),
                             "one operator at a time: {\"%s\": ...} ends here",
                             operation->name);
    return !reader->in.error || reader_refuse_json(reader);
}

// ---- values ----------------------------------------------------------------

// EventBridge takes what looks like an address for one, however it is written.
static bool read_string(struct reader *reader, struct criterion *out)
{
    if (!reader_string(reader, &out->text, "a string"))
        return false;
    out->type = address_parse(out->text, &out->of.address) ? CRITERION_ADDRESS
                                                           : CRITERION_TEXT;
    return true;
}

static bool read_number(struct reader *reader, struct criterion *out)
{
    if (!reader_number(reader, &out->text))
        return false;
    out->type = CRITERION_NUMBER;
    out->of.number = decimal_of(out->text);
    return true;
}

static bool read_word(struct reader *reader, struct criterion *out,
                      enum criterion_type type)
{
    out->type = type;
    return json_read_skip(&reader->in) || reader_refuse_json(reader);
}

static bool read_value(struct reader *reader, struct criterion *out)
{
    switch (json_read_peek(&reader->in)) {
    case JSON_READ_STRING:
        return read_string(reader, out);
    case JSON_READ_NUMBER:
        return read_number(reader, out);
    case JSON_READ_TRUE:
        return read_word(reader, out, CRITERION_TRUE);
    case JSON_READ_FALSE:
        return read_word(reader, out, CRITERION_FALSE);
    case JSON_READ_NULL:
        return read_word(reader, out, CRITERION_NULL);
    case JSON_READ_OBJECT:
        return read_operation(reader, operations, out);
    case JSON_READ_ARRAY:
    case JSON_READ_NOTHING:
        break;
    }
    return reader_refuse_value(
        reader, "a string, a number, true, false, null, or an operator like "
                "{\"prefix\": \"a\"}");
}

bool criterion_read_list(struct reader *reader, struct condition *condition)
{
    size_t at = reader_here(reader), i = 0;

    (void)json_read_array(&reader->in);
    for (; json_read_element(&reader->in); i++) {
        size_t before = reader_enter_item(reader, i),
               from = reader_here(reader);
        struct criterion *one = criteria_add(&condition->criteria);

        if (!read_value(reader, one))
            return false;
        one->source = reader_since(reader, from);
        condition->may_be_absent |= one->type == CRITERION_ABSENT;
        reader_leave(reader, before);
    }
    if (reader->in.error)
        return reader_refuse_json(reader);
    condition->wanted = reader_since(reader, at);
    return i || reader_refuse(reader, at, "an empty list; nothing matches it");
}
