#include <jansson.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/failed_inner.h"

#define FORMAT (JSON_INDENT(2) | JSON_REAL_PRECISION(15))

static int complain(const char *path, const char *why)
{
    (void)fputs("pollard failed: ", stderr);
    command_print(stderr, path);
    (void)fprintf(stderr, ": %s\n", why);
    return COMMAND_DATA;
}

// The report with its payload as what it is, instead of a text in a text.
static int show(const char *path, const struct failure_read *read)
{
    json_error_t error;
    json_t *report =
        json_loadb(read->raw.data, read->raw.size, JSON_ALLOW_NUL, &error);
    json_t *payload = json_object_get(report, "payload");
    int status = COMMAND_OK;

    if (json_is_string(payload)) {
        payload =
            json_loadb(json_string_value(payload), json_string_length(payload),
                       JSON_ALLOW_NUL, &error);
        (void)json_object_set_new(report, "payload", payload);
    }
    if (!report || (json_object_get(report, "payload") && !payload))
        status = complain(path, error.text);
    else if (json_dumpf(report, stdout, FORMAT) || putchar('\n') == EOF)
        status = COMMAND_INTERNAL;
    json_decref(report);
    return status;
}

static int show_path(const char *path)
{
    struct failure_read read;
    struct error err = {0};
    int status;

    status = failed_open(path, &read, &err) ? show(path, &read)
                                            : complain(path, err.message);
    if (err.code == ERROR_NOT_FOUND)
        status = COMMAND_NO_INPUT;
    failure_read_finish(&read);
    return status;
}

static bool has_reports(const struct failed_list *list, int status)
{
    if (status == COMMAND_OK && !list->count && !list->bad)
        (void)fputs("pollard failed: no reports\n", stderr);
    return list->count > 0;
}

int failed_do_show(const struct failed_arguments *arguments)
{
    struct failed_list list;
    int status, worst;

    worst = failed_list_read(&list, arguments);
    if (worst == COMMAND_OK && list.bad)
        worst = COMMAND_DATA;
    if (has_reports(&list, worst))
        for (size_t i = 0; i < list.count; i++) {
            status = show_path(list.entries[i].path);
            worst = status == COMMAND_OK ? worst : status;
        }
    failed_list_finish(&list);
    return worst;
}
