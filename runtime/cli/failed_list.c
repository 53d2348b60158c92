#include <inttypes.h>

#include "base/json_write.h"
#include "cli/command.h"
#include "cli/failed_inner.h"
#include "poller/trigger_config.h"

#define LINE_LIMIT (1024 * 1024)

static void print_padded(const char *text, int width)
{
    command_print(stdout, text);
    (void)printf("%*s  ",
                 width > (int)strlen(text) ? width - (int)strlen(text) : 0, "");
}

static void print_text(const struct failed_entry *entry, const char *trigger)
{
    print_padded(*entry->when ? entry->when : "-", 24);
    command_print(stdout, trigger ? trigger : entry->source);
    (void)fputc('/', stdout);
    print_padded(entry->shard, 0);
    print_padded(entry->condition, 22);
    (void)printf("%" PRId64 " %s  ", entry->count,
                 entry->count == 1 ? "record" : "records");
    command_print(stdout, entry->first);
    (void)fputs("..", stdout);
    print_padded(entry->last, 0);
    command_print(stdout, entry->path);
    (void)fputc('\n', stdout);
}

static void put(struct buffer *out, const char *name, const char *text)
{
    buffer_append_text(out, name);
    json_put_string(out, bytes_of(text));
}

// One object a line.
static void print_json(const struct failed_entry *entry, const char *trigger)
{
    struct buffer out;

    buffer_init(&out, LINE_LIMIT);
    put(&out, "{\"timestamp\":", entry->when);
    if (trigger)
        put(&out, ",\"trigger\":", trigger);
    put(&out, ",\"source\":", entry->source);
    put(&out, ",\"shard\":", entry->shard);
    put(&out, ",\"condition\":", entry->condition);
    buffer_append_text(&out, ",\"records\":");
    json_put_int(&out, entry->count);
    put(&out, ",\"first\":", entry->first);
    put(&out, ",\"last\":", entry->last);
    put(&out, ",\"path\":", entry->path);
    buffer_append_char(&out, '}');
    (void)printf("%s\n", buffer_text(&out));
    buffer_finish(&out);
}

int failed_do_list(const struct failed_arguments *arguments)
{
    const char *trigger = arguments->trigger ? arguments->trigger->name : NULL;
    struct failed_list list;
    int status = failed_list_read(&list, arguments);

    for (size_t i = 0; i < list.count; i++)
        (arguments->json ? print_json : print_text)(&list.entries[i], trigger);
    if (status == COMMAND_OK && list.bad)
        status = COMMAND_DATA;
    failed_list_finish(&list);
    return status;
}
