#include "filter/explain.h"

#include <stdlib.h>

#include "base/json_write.h"
#include "base/mem.h"
#include "filter/fields.h"

#define SHOWN 60      // characters of a value or a list
#define VALUES 3      // of a field that occurs often
#define RULES_SHOWN 5 // of a pattern with $or

// What was seen of a condition's field.
struct sight {
    char *values; // owned; as messages show them; NULL: nothing was there
    size_t count;
    const struct criterion *found; // the first that matched
    char *by;                      // owned: the value that it matched
};

struct sights {
    struct walk *walk;
    struct sight *list; // owned; by condition
};

static void put_excerpt(struct buffer *out, struct bytes text)
{
    bool is_long = text.size > SHOWN;

    if (is_long)
        for (text.size = SHOWN;
             text.size && (text.data[text.size] & 0xc0) == 0x80;)
            text.size--;
    buffer_append_bytes(out, text);
    buffer_append_text(out, is_long ? "..." : "");
}

static char *excerpt(const struct criterion_value *value)
{
    struct buffer quoted, out;

    if (value->kind != VALUE_TEXT)
        return mem_printf(
            "%.*s%s", value->text.size < SHOWN ? (int)value->text.size : SHOWN,
            value->text.data, value->text.size < SHOWN ? "" : "...");
    buffer_init(&quoted, (size_t)64 * 1024 * 1024);
    buffer_init(&out, (size_t)1024);
    json_put_string(&quoted, value->text);
    put_excerpt(&out, buffer_bytes(&quoted));
    buffer_finish(&quoted);
    return buffer_detach(&out);
}

static void observe(void *context, uint32_t condition,
                    const struct criterion_value *value,
                    const struct criterion *found)
{
    struct sights *sights = context;
    struct sight *sight = &sights->list[condition];
    AUTO_FREE char *text = NULL;

    if (sight->count++ >= VALUES && (sight->found || !found))
        return;
    text = excerpt(value);
    if (found && !sight->found) {
        sight->found = found;
        sight->by = mem_strdup(text);
    }
    if (sight->count <= VALUES) {
        char *before = sight->values;

        sight->values = mem_printf("%s%s%s", before ? before : "",
                                   before ? ", " : "", text);
        free(before);
    }
}

static void sights_init(struct sights *sights, struct walk *walk)
{
    sights->walk = walk;
    sights->list =
        mem_calloc(walk->pattern->condition_count + 1, sizeof(*sights->list));
    walk->observe = observe;
    walk->context = sights;
}

static void sights_finish(struct sights *sights)
{
    for (size_t i = 0; i < sights->walk->pattern->condition_count; i++) {
        free(sights->list[i].values);
        free(sights->list[i].by);
    }
    free(sights->list);
    sights->walk->observe = NULL;
}

// ---- sentences -------------------------------------------------------------

static void put_wanted(struct buffer *out, struct bytes source)
{
    put_excerpt(out, source);
}

static bool is_absent(const struct sights *sights, uint32_t condition)
{
    return !sights->list[condition].count;
}

// Does the condition hold by itself, elements of arrays aside?
static bool holds(const struct sights *sights, uint32_t condition)
{
    return sights->list[condition].found ||
           (is_absent(sights, condition) &&
            sights->walk->pattern->conditions[condition].may_be_absent);
}

static void put_success(const struct sights *sights, uint32_t condition,
                        struct buffer *out)
{
    const struct condition *one = &sights->walk->pattern->conditions[condition];
    const struct sight *sight = &sights->list[condition];

    buffer_printf(out, "  %s: ", one->path);
    if (sight->found) {
        buffer_printf(out, "%s matches ", sight->by);
        put_wanted(out, sight->found->source);
    } else {
        buffer_append_text(out, is_absent(sights, condition)
                                    ? "is absent, as wanted"
                                    : "is absent from that element, as wanted");
    }
    buffer_append_char(out, '\n');
}

static void put_failure(const struct sights *sights, uint32_t condition,
                        struct buffer *out)
{
    const struct condition *one = &sights->walk->pattern->conditions[condition];
    const struct sight *sight = &sights->list[condition];

    buffer_printf(out, "  %s: ", one->path);
    if (is_absent(sights, condition))
        buffer_append_text(out, "is absent; wanted ");
    else
        buffer_printf(out, "%s%s does not match ", sight->values,
                      sight->count > VALUES ? " ..." : "");
    put_wanted(out, one->wanted);
    buffer_append_char(out, '\n');
}

static const char *data_name(const struct pattern *pattern)
{
    const char *name = fields_data_key(pattern->view);

    return name ? name : "data";
}

static void put_closed(const struct pattern *pattern, const struct rule *rule,
                       enum walk_json data, struct buffer *out)
{
    if (rule->needs_json && data == WALK_JSON_NONE)
        buffer_printf(
            out, "  %s: is not JSON, and the pattern asks for its fields\n",
            data_name(pattern));
    else
        buffer_printf(out, "  %s: is JSON, and the pattern wants plain text\n",
                      data_name(pattern));
}

static void put_rule_failure(const struct sights *sights,
                             const struct rule *rule, enum walk_json data,
                             struct buffer *out)
{
    bool failed = false;

    if (!verdict_is_open_to(rule, data)) {
        put_closed(sights->walk->pattern, rule, data, out);
        return;
    }
    for (uint32_t i = 0; i < rule->count; i++)
        if (!holds(sights, rule->conditions[i])) {
            put_failure(sights, rule->conditions[i], out);
            failed = true;
        }
    if (failed)
        return;
    buffer_append_text(out, "  each field matches, but not all of them within "
                            "one element of an array:");
    for (uint32_t i = 0; i < rule->count; i++)
        buffer_printf(
            out, "%s %s", i ? "," : "",
            sights->walk->pattern->conditions[rule->conditions[i]].path);
    buffer_append_char(out, '\n');
}

// Ways of $or of one filter, which stand behind one another; *way is the
// rule's, from 1.
static size_t count_ways(const struct pattern *pattern, const struct rule *rule,
                         size_t *way)
{
    size_t count = 0;

    for (size_t i = 0; i < pattern->rule_count; i++) {
        count += pattern->rules[i].filter == rule->filter;
        if (&pattern->rules[i] == rule)
            *way = count;
    }
    return count;
}

// Filters and ways of $or are named where there is more than one.
static void put_title(const struct pattern *pattern, const struct rule *rule,
                      const char *verdict, struct buffer *out)
{
    bool has_filters = pattern->filter_count > 1;
    size_t way = 0;
    bool has_ways = count_ways(pattern, rule, &way) > 1;

    buffer_append_text(out, verdict);
    buffer_append_text(out, has_filters || has_ways ? " by" : "");
    if (has_filters)
        buffer_printf(out, " filter %u", rule->filter + 1);
    if (has_ways)
        buffer_printf(out, "%s way %zu of $or", has_filters ? "," : "", way);
    buffer_append_text(out, ":\n");
}

static void put_failures(const struct sights *sights, enum walk_json data,
                         struct buffer *out)
{
    const struct pattern *pattern = sights->walk->pattern;
    size_t shown =
        pattern->rule_count < RULES_SHOWN ? pattern->rule_count : RULES_SHOWN;

    for (size_t i = 0; i < shown; i++) {
        put_title(pattern, &pattern->rules[i], "no match", out);
        put_rule_failure(sights, &pattern->rules[i], data, out);
    }
    if (shown < pattern->rule_count)
        buffer_printf(out, "no match: %zu more\n", pattern->rule_count - shown);
}

static void put_verdict(const struct sights *sights,
                        const struct verdict *verdict, struct buffer *out)
{
    const struct pattern *pattern = sights->walk->pattern;

    if (!verdict->rule) {
        put_failures(sights, verdict->data, out);
        return;
    }
    put_title(pattern, verdict->rule, "match", out);
    for (uint32_t i = 0; i < verdict->rule->count; i++)
        put_success(sights, verdict->rule->conditions[i], out);
    if (sights->walk->elements.gave_up)
        buffer_append_text(out,
                           "  (its arrays are too large to judge, and what "
                           "cannot be judged is wanted)\n");
}

bool explain_record(struct walk *walk, const struct record *record,
                    struct buffer *out)
{
    struct sights sights;
    struct verdict verdict;

    sights_init(&sights, walk);
    verdict = verdict_of_record(walk, record);
    put_verdict(&sights, &verdict, out);
    sights_finish(&sights);
    return verdict.rule != NULL;
}

bool explain_event(struct walk *walk, struct bytes event, bool *is_json,
                   struct buffer *out)
{
    struct sights sights;
    struct verdict verdict;

    sights_init(&sights, walk);
    verdict = verdict_of_event(walk, event);
    *is_json = verdict.data == WALK_JSON_OBJECT;
    if (*is_json)
        put_verdict(&sights, &verdict, out);
    sights_finish(&sights);
    return verdict.rule != NULL;
}
