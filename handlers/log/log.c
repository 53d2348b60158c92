/*
 * log: prints every record on standard output, one line each, and is content.
 *
 *     handler:
 *       library: /usr/local/lib/pollard/handlers/log.so
 *       settings:
 *         max_bytes: 1024    # of a record's data; the rest is counted
 *         prefix: "orders "  # before every line
 */
#include <pollard/handler.h>

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct printer {
    const struct pollard_host *host;
    char *prefix; // owned
    size_t max_bytes;
};

static void *create_printer(const struct pollard_host *host,
                            const char *settings_json, char *reason,
                            size_t reason_size)
{
    json_auto_t *settings = json_loads(settings_json, 0, NULL);
    json_error_t error;
    const char *prefix = "";
    json_int_t max_bytes = 1024;
    struct printer *printer;

    if (json_unpack_ex(settings, &error, JSON_STRICT, "{s?s, s?I}", "prefix",
                       &prefix, "max_bytes", &max_bytes) ||
        max_bytes < 0) {
        (void)snprintf(reason, reason_size,
                       "settings are prefix (text) and max_bytes (0 or more): "
                       "%s",
                       max_bytes < 0 ? "max_bytes is negative" : error.text);
        return NULL;
    }
    printer = calloc(1, sizeof(*printer));
    if (!printer)
        return NULL;
    printer->host = host;
    printer->prefix = strdup(prefix);
    printer->max_bytes = (size_t)max_bytes;
    return printer;
}

// Text as it is; what would steer a terminal, or break the line, as \xNN.
static void print_data(FILE *out, const unsigned char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (data[i] == '\\')
            (void)fputs("\\\\", out);
        else if (data[i] < ' ' || data[i] == 0x7f)
            (void)fprintf(out, "\\x%02x", data[i]);
        else
            (void)putc_unlocked(data[i], out);
}

static void print_record(FILE *out, const struct printer *printer,
                         const struct pollard_batch *batch,
                         const struct pollard_record *record)
{
    size_t shown = record->data_size < printer->max_bytes ? record->data_size
                                                          : printer->max_bytes;

    (void)fprintf(out, "%s%s %.*s ", printer->prefix, batch->trigger,
                  (int)record->id_size, record->id);
    if (record->key_size) {
        (void)fputs("key=", out);
        print_data(out, (const unsigned char *)record->key, record->key_size);
        (void)fputc(' ', out);
    }
    if (record->receive_count > 1)
        (void)fprintf(out, "receive=%u ", record->receive_count);
    print_data(out, record->data, shown);
    if (shown < record->data_size)
        (void)fprintf(out, "... (%zu bytes)", record->data_size);
    (void)fputc('\n', out);
}

// 0, or why standard output did not take it.
static int print_records(const struct printer *printer,
                         const struct pollard_batch *batch)
{
    int error = 0;

    // Other instances print too: a batch's lines stay together.
    flockfile(stdout);
    for (size_t i = 0; i < batch->count; i++)
        print_record(stdout, printer, batch, batch->records[i]);
    if (fflush(stdout) || ferror(stdout))
        error = errno ? errno : EIO;
    clearerr(stdout);
    funlockfile(stdout);
    return error;
}

// Of a tumbling window, which must be left a state.
static int pass_state_on(const struct printer *printer,
                         const struct pollard_batch *batch)
{
    const struct pollard_host *host = printer->host;

    if (!POLLARD_HAS(batch, struct pollard_batch, window) || !batch->window ||
        !POLLARD_HAS(host, struct pollard_host, set_state))
        return 0;
    return host->set_state(batch, batch->window->state,
                           batch->window->state_size);
}

static int print_batch(void *instance, const struct pollard_batch *batch)
{
    const struct printer *printer = instance;
    char reason[120];
    int error = print_records(printer, batch);

    if (!error)
        return pass_state_on(printer, batch);
    (void)snprintf(reason, sizeof(reason), "write to standard output: %s",
                   strerror(error));
    printer->host->fail_reason(batch, reason);
    return -1;
}

static void destroy_printer(void *instance)
{
    struct printer *printer = instance;

    free(printer->prefix);
    free(printer);
}

const struct pollard_handler *
pollard_handler_entry(const struct pollard_host *host)
{
    static const struct pollard_handler handler = {
        .size = sizeof(handler),
        .major = POLLARD_HANDLER_MAJOR,
        .minor = POLLARD_HANDLER_MINOR,
        .name = "log",
        .create = create_printer,
        .handle = print_batch,
        .destroy = destroy_printer,
    };

    (void)host;
    return &handler;
}
