#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "destination/destination_inner.h"

#define NAME_LIMIT 1024
#define TEMPORARY ".part" // in front of a name: not whole yet

struct destination_file {
    struct destination base; // first
    char *folder;            // owned; absolute
};

static struct destination_file *file_of(struct destination *destination)
{
    return (struct destination_file *)destination;
}

static bool fail(struct error *err, const char *folder, const char *name)
{
    int number = errno;

    return error_set(
        err,
        number == EACCES || number == EPERM ? ERROR_DENIED : ERROR_TRANSIENT,
        "%s%s%s: %s", folder, *name ? "/" : "", name, strerror(number));
}

// What was made in a folder survives a crash once the folder is synced.
static bool make_folder(int above, const char *name)
{
    if (!mkdirat(above, name, 0700))
        return !fsync(above);
    return errno == EEXIST;
}

static int open_folder(int above, const char *name)
{
    return openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// The folder that a file is to be in, made where it is missing. `name` moves on
// to its last part; it is taken apart.
static int descend(int folder, char **name)
{
    char *slash;

    while (folder >= 0 && (slash = strchr(*name, '/'))) {
        int next = -1, saved;

        *slash = '\0';
        if (make_folder(folder, *name))
            next = open_folder(folder, *name);
        saved = errno;
        *slash = '/';
        (void)close(folder);
        errno = saved;
        folder = next;
        if (next >= 0)
            *name = slash + 1;
    }
    return folder;
}

static bool write_all(int fd, struct bytes data)
{
    while (data.size) {
        ssize_t written = write(fd, data.data, data.size);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            data.data += written;
            data.size -= (size_t)written;
        }
    }
    return true;
}

static bool write_whole(int folder, const char *name, struct bytes data)
{
    int fd =
        openat(folder, name,
               O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok;
    int saved;

    if (fd < 0)
        return false;
    ok = write_all(fd, data) && !fsync(fd);
    saved = errno;
    if (close(fd) && ok) {
        saved = errno;
        ok = false;
    }
    errno = saved;
    return ok;
}

// Under its name there is all of it or nothing.
static bool place(int folder, const char *name, struct bytes data)
{
    AUTO_FREE char *temporary = mem_printf(TEMPORARY "-%s", name);
    int saved;

    if (write_whole(folder, temporary, data) &&
        !renameat(folder, temporary, folder, name))
        return !fsync(folder);
    saved = errno;
    (void)unlinkat(folder, temporary, 0);
    errno = saved;
    return false;
}

static int open_base(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool file_put(struct destination *destination,
                     const struct parcel *parcel, struct error *err)
{
    const char *path = file_of(destination)->folder;
    struct buffer text;
    int folder = -1;
    char *name;
    bool ok;

    buffer_init(&text, NAME_LIMIT);
    destination_name(parcel, &text);
    (void)buffer_text(&text);
    name = text.data;
    folder = descend(open_base(path), &name);
    ok = folder >= 0 && place(folder, name, parcel->emission->data);
    if (!ok)
        (void)fail(err, path, text.data);
    if (folder >= 0)
        (void)close(folder);
    buffer_finish(&text);
    return ok;
}

// A folder that can be read can be full; one that cannot be written to is
// better said at the start.
static bool prepare_folder(const char *path, struct error *err)
{
    if (mkdir(path, 0700) && errno != EEXIST)
        return fail(err, path, "");
    return target_check_folder(path, err);
}

static bool file_open(struct destination *destination, struct bytes name,
                      const struct destination_options *options,
                      struct outbox_limits *limits, struct error *err)
{
    size_t size = name.size;

    (void)options;
    (void)limits;
    while (size > 1 && name.data[size - 1] == '/')
        size--;
    file_of(destination)->folder = mem_strndup(name.data, size);
    return prepare_folder(file_of(destination)->folder, err);
}

static void file_close(struct destination *destination)
{
    free(file_of(destination)->folder);
}

const struct destination_ops destination_file = {
    .kind = TARGET_FILE,
    .size = sizeof(struct destination_file),
    .calls = 1,
    .limits = {.parcels = 1, .bytes = SIZE_MAX},
    .open = file_open,
    .put = file_put,
    .close = file_close,
};
