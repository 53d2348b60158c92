#include "handler/handler_config.h"

static const struct choice isolations[] = {
    {"thread", HANDLER_ISOLATION_THREAD},
    {"process", CHOICE_PLANNED},
    {0},
};

const struct field handler_config_fields[] = {
    {"library", FIELD_PATH(struct handler_config, library), .required = true,
     .help = "The shared object with the handler; a relative path begins at "
             "the folder of this file."},
    {"settings", FIELD_JSON(struct handler_config, settings),
     .otherwise = "no settings",
     .help = "Anything the handler wants to know; handed to its `create()` as "
             "JSON."},
    {"timeout", FIELD_MS(struct handler_config, timeout_ms), .fallback = "3s",
     .min = 100, .max = 15 * 60 * 1000,
     .help = "How long one batch may take (Lambda's function timeout)."},
    {"isolation", FIELD_CHOICE(struct handler_config, isolation),
     .fallback = "thread", .choices = isolations,
     .help = "Where instances run: on threads of the worker."},
    {"memory", FIELD_PLANNED, .help = "How much memory one instance may take."},
    {0},
};
