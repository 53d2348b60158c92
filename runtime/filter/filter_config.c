#include "filter/filter_config.h"

static const struct field item_fields[] = {
    {"pattern", FIELD_JSON_TEXT(struct filter_config_item, pattern),
     .required = true,
     .help = "What a record must have, in EventBridge's pattern syntax (see "
             "docs/filters.md)."},
    {0},
};

const struct field filter_config_fields[] = {
    {"filters",
     FIELD_LIST(struct filter_config, filters, struct filter_config_item,
                item_fields),
     .max = FILTER_LIMIT, .otherwise = "every record is wanted",
     .help = "A record is wanted when one of them matches. (Lambda allows 5, "
             "and 10 on request.)"},
    {0},
};
