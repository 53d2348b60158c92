#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "cli/command.h"
#include "cli/failed_inner.h"
#include "destination/failure_report.h"
#include "destination/on_failure.h"
#include "poller/trigger_config.h"

#define FILES_MOST 200000
#define DEPTH_MOST 32 // of folders

// A reader of a pipe would wait for ever, and a link may lead anywhere.
static int open_regular(const char *path, off_t *size, struct error *err)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;

    if (fd < 0) {
        error_set(err, ERROR_NOT_FOUND, "%s",
                  errno == ELOOP ? "it is a symbolic link" : strerror(errno));
        return -1;
    }
    *size = 0;
    if (fstat(fd, &status) || !S_ISREG(status.st_mode))
        error_set(err, ERROR_INVALID, "it is no regular file");
    else if (status.st_size > (off_t)FAILURE_REPORT_LIMIT)
        error_set(err, ERROR_INVALID, "%lld bytes are too many for a report",
                  (long long)status.st_size);
    else {
        *size = status.st_size;
        return fd;
    }
    (void)close(fd);
    return -1;
}

static bool read_all(const char *path, struct buffer *text, struct error *err)
{
    off_t size;
    int fd = open_regular(path, &size, err);
    ssize_t got = 1;
    char *at;

    if (fd < 0)
        return false;
    while (got > 0 && (at = buffer_reserve(text, 65536))) {
        got = read(fd, at, 65536);
        if (got > 0)
            text->size += (size_t)got;
    }
    if (got < 0)
        error_set(err, ERROR_NOT_FOUND, "%s", strerror(errno));
    else if (got > 0)
        error_set(err, ERROR_INVALID, "it grows while it is read");
    (void)close(fd);
    return got == 0;
}

bool failed_open(const char *path, struct failure_read *read, struct error *err)
{
    struct buffer text;

    *read = (struct failure_read){0};
    buffer_init(&text, FAILURE_REPORT_LIMIT + 2 * 65536);
    if (read_all(path, &text, err))
        return failure_read(read, &text, err);
    buffer_finish(&text);
    return false;
}

static void say(const char *path, const struct error *err)
{
    (void)fputs("pollard failed: ", stderr);
    command_print(stderr, path);
    (void)fprintf(stderr, ": %s\n", err->message);
}

static char *text_of(struct bytes text)
{
    return mem_strndup(text.size ? text.data : "", text.size);
}

// "stream/clicks" of a stream's ARN, "table/t/stream/..." of a table's.
static char *source_of(const struct failure_read *read)
{
    struct bytes arn = read->stream_arn;

    for (int colons = 0; colons < 5 && arn.size; arn.data++, arn.size--)
        colons += *arn.data == ':';
    return text_of(arn);
}

static void add(struct failed_list *list, const char *path,
                const struct failure_read *read)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->entries = mem_realloc(list->entries, list->capacity,
                                    sizeof(list->entries[0]));
    }
    list->entries[list->count++] =
        (struct failed_entry){.path = mem_strdup(path),
                              .when = text_of(read->timestamp),
                              .source = source_of(read),
                              .shard = text_of(read->shard),
                              .condition = text_of(read->condition),
                              .first = text_of(read->first),
                              .last = text_of(read->last),
                              .count = read->batch_size};
}

static void take_file(struct failed_list *list, const char *path)
{
    struct failure_read read;
    struct error err = {0};

    if (failed_open(path, &read, &err)) {
        add(list, path, &read);
    } else {
        say(path, &err);
        list->bad++;
    }
    failure_read_finish(&read);
}

// What begins with a dot is not whole yet, or not ours.
static void take_entry(struct failed_list *list, FTS *tree, FTSENT *entry)
{
    struct error err;

    if (entry->fts_info == FTS_D &&
        (entry->fts_level > DEPTH_MOST ||
         (entry->fts_level > 0 && entry->fts_name[0] == '.')))
        (void)fts_set(tree, entry, FTS_SKIP);
    if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
        entry->fts_info == FTS_NS) {
        error_set(&err, ERROR_NOT_FOUND, "%s%s", strerror(entry->fts_errno),
                  list->hint);
        say(entry->fts_path, &err);
        list->bad++;
        return;
    }
    if (entry->fts_info == FTS_F || entry->fts_info == FTS_SL ||
        entry->fts_info == FTS_SLNONE || entry->fts_info == FTS_DEFAULT)
        if (entry->fts_name[0] != '.')
            take_file(list, entry->fts_path);
}

static int take_path(struct failed_list *list, const char *path)
{
    AUTO_FREE char *root = mem_strdup(path);
    char *const roots[] = {root, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;

    if (!tree)
        return COMMAND_INTERNAL;
    while (list->count + list->bad < FILES_MOST && (entry = fts_read(tree)))
        take_entry(list, tree, entry);
    (void)fts_close(tree);
    if (list->count + list->bad < FILES_MOST)
        return COMMAND_OK;
    (void)fprintf(stderr,
                  "pollard failed: %s: more than %d files; name a folder of "
                  "fewer, such as a day's\n",
                  path, FILES_MOST);
    return COMMAND_USAGE;
}

// Of a trigger whose reports go to a folder.
static int take_trigger(struct failed_list *list,
                        const struct trigger_config *trigger)
{
    const char *destination =
        trigger->destination_config.on_failure.destination;
    AUTO_FREE char *folder = NULL;
    const char *slash;
    char uuid[37];

    if (!destination || strncmp(destination, "file://", 7) != 0)
        return command_usage("failed",
                             "trigger '%s' reports %s%s, not to a folder; name "
                             "the files",
                             trigger->name, destination ? "to " : "nowhere",
                             destination ? destination : "");
    on_failure_uuid(trigger->name, uuid);
    slash = destination[strlen(destination) - 1] == '/' ? "" : "/";
    folder = mem_printf("%s%saws/lambda/%s", destination + 7, slash, uuid);
    return access(folder, F_OK) && errno == ENOENT ? COMMAND_OK
                                                   : take_path(list, folder);
}

static int compare(const void *a, const void *b)
{
    const struct failed_entry *one = a, *other = b;
    int order = strcmp(one->when, other->when);

    return order ? order : strcmp(one->path, other->path);
}

int failed_list_read(struct failed_list *list,
                     const struct failed_arguments *arguments)
{
    int status = COMMAND_OK;

    *list = (struct failed_list){
        .hint = arguments->trigger ? "" : " (a trigger is named with -c FILE)"};
    for (size_t i = 0; i < arguments->path_count && status == COMMAND_OK; i++)
        status = take_path(list, arguments->paths[i]);
    if (!arguments->path_count)
        status = take_trigger(list, arguments->trigger);
    if (list->count)
        qsort(list->entries, list->count, sizeof(list->entries[0]), compare);
    return status;
}

void failed_list_finish(struct failed_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct failed_entry *entry = &list->entries[i];

        free(entry->path);
        free(entry->when);
        free(entry->source);
        free(entry->shard);
        free(entry->condition);
        free(entry->first);
        free(entry->last);
    }
    free(list->entries);
}
