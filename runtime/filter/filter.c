#include "filter/filter.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "filter/explain.h"
#include "filter/filter_config.h"
#include "filter/verdict.h"

struct filter {
    struct pattern *pattern; // owned; NULL: no filter, all is wanted
    struct walk walk;
};

static bool compile(struct filter *filter, const struct filter_config *config,
                    struct error *err)
{
    const struct filter_config_item *items = config->filters.items;
    size_t offset;

    for (size_t i = 0; i < config->filters.count; i++)
        if (!pattern_add(filter->pattern, bytes_of(items[i].pattern), &offset,
                         err))
            return error_wrap(err, "filter %zu", i + 1);
    return true;
}

struct filter *filter_create(const struct filter_config *config,
                             enum record_kind kind, struct error *err)
{
    struct filter *filter = mem_calloc(1, sizeof(*filter));

    if (!config->filters.count)
        return filter;
    filter->pattern = pattern_create(pattern_view_of(kind));
    if (!compile(filter, config, err)) {
        filter_destroy(filter);
        return NULL;
    }
    pattern_seal(filter->pattern);
    walk_init(&filter->walk, filter->pattern);
    return filter;
}

void filter_destroy(struct filter *filter)
{
    if (!filter)
        return;
    if (filter->pattern)
        walk_finish(&filter->walk);
    pattern_destroy(filter->pattern);
    free(filter);
}

bool filter_matches(struct filter *filter, const struct record *record)
{
    return !filter || !filter->pattern ||
           verdict_is_wanted(&filter->walk, record);
}

bool filter_explain(struct filter *filter, const struct record *record,
                    struct buffer *out)
{
    if (filter && filter->pattern)
        return explain_record(&filter->walk, record, out);
    buffer_append_text(out, "match: there is no filter\n");
    return true;
}
