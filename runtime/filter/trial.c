#include "filter/trial.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "filter/explain.h"

struct trial {
    struct pattern *pattern; // owned
    struct walk walk;
};

struct trial *trial_create(enum pattern_view view, struct bytes text,
                           size_t *offset, struct error *err)
{
    struct pattern *pattern = pattern_create(view);
    struct trial *trial;

    if (!pattern_add(pattern, text, offset, err)) {
        pattern_destroy(pattern);
        return NULL;
    }
    pattern_seal(pattern);
    trial = mem_calloc(1, sizeof(*trial));
    trial->pattern = pattern;
    walk_init(&trial->walk, pattern);
    return trial;
}

void trial_destroy(struct trial *trial)
{
    if (!trial)
        return;
    walk_finish(&trial->walk);
    pattern_destroy(trial->pattern);
    free(trial);
}

bool trial_event(struct trial *trial, struct bytes event, bool *matches,
                 struct buffer *why, struct error *err)
{
    bool is_json;

    *matches = explain_event(&trial->walk, event, &is_json, why);
    return is_json || error_set(err, ERROR_INVALID, "not a JSON object");
}

bool trial_record(struct trial *trial, const struct record *record,
                  struct buffer *why)
{
    return explain_record(&trial->walk, record, why);
}
