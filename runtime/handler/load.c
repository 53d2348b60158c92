#include "handler/load.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "handler/shared_object.h"
#include "handler/trust.h"

#define ENTRY "pollard_handler_entry"

typedef const struct pollard_handler *entry_fn(const struct pollard_host *host);

struct loaded {
    struct library library; // first
    struct stat identity;   // of the file, when it was loaded
    void *handle;           // of dlopen; never closed
    bool adopted;           // the table was found good
    struct loaded *next;
};

// What the process has loaded, which the dynamic linker keeps for the process
// too, but does not tell by inode.
static struct loaded *all_loaded;

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same_content(const struct stat *a, const struct stat *b)
{
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static struct loaded *find_loaded(const struct stat *identity)
{
    for (struct loaded *one = all_loaded; one; one = one->next)
        if (same_file(&one->identity, identity))
            return one;
    return NULL;
}

// The dynamic linker believes that one name is one file for ever. A path that
// it knows gets another spelling: one more slash before the file's name.
static char *fresh_spelling(const char *path)
{
    const char *base = strrchr(path, '/') + 1;
    char *spelling = mem_strdup(path);

    for (const struct loaded *one = all_loaded; one; one = one->next) {
        char *longer;

        if (strcmp(one->library.path, path) != 0)
            continue;
        longer = mem_printf("%.*s/%s", (int)(strlen(spelling) - strlen(base)),
                            spelling, base);
        free(spelling);
        spelling = longer;
    }
    return spelling;
}

static bool open_file(const char *path, int *fd, struct stat *identity,
                      struct error *err)
{
    // Not blocking: the path may name a pipe without a writer.
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return error_set(err, ERROR_INVALID, "cannot be read: %s",
                         strerror(errno));
    if (fstat(*fd, identity))
        return error_set(err, ERROR_INVALID, "fstat: %s", strerror(errno));
    if (S_ISDIR(identity->st_mode))
        return error_set(err, ERROR_INVALID, "is a folder, not a library");
    if (!S_ISREG(identity->st_mode))
        return error_set(err, ERROR_INVALID, "is not a regular file");
    return true;
}

static bool adopt(struct pollard_handler *ours,
                  const struct pollard_handler *theirs, struct error *err)
{
    if (!theirs)
        return error_set(err, ERROR_INVALID,
                         "refuses this pollard: its " ENTRY " returned NULL "
                         "for handler ABI %d.%d, so it needs a newer one",
                         POLLARD_HANDLER_MAJOR, POLLARD_HANDLER_MINOR);
    if (!POLLARD_HAS(theirs, struct pollard_handler, minor))
        return error_set(err, ERROR_INVALID,
                         "has a handler table of %zu bytes, too short to hold "
                         "its version",
                         theirs->size);
    if (theirs->major != POLLARD_HANDLER_MAJOR)
        return error_set(err, ERROR_INVALID,
                         "is built for handler ABI %u.%u, this pollard speaks "
                         "%d.%d: build it against this pollard's header",
                         theirs->major, theirs->minor, POLLARD_HANDLER_MAJOR,
                         POLLARD_HANDLER_MINOR);
    if (!POLLARD_HAS(theirs, struct pollard_handler, destroy))
        return error_set(err, ERROR_INVALID,
                         "has a handler table of %zu bytes, too short for ABI "
                         "1.0: was `size` set to sizeof(struct "
                         "pollard_handler)?",
                         theirs->size);
    memcpy(ours, theirs,
           theirs->size < sizeof(*ours) ? theirs->size : sizeof(*ours));
    if (!ours->name || !ours->create || !ours->handle || !ours->destroy)
        return error_set(err, ERROR_INVALID, "has a handler table without %s",
                         !ours->name     ? "name"
                         : !ours->create ? "create"
                         : !ours->handle ? "handle"
                                         : "destroy");
    return true;
}

static bool adopt_library(struct loaded *loaded,
                          const struct pollard_host *host, struct error *err)
{
    void *symbol = dlsym(loaded->handle, ENTRY);
    entry_fn *entry;

    if (!symbol)
        return error_set(err, ERROR_INVALID,
                         "has no function " ENTRY ": is it a pollard handler, "
                         "and does it include <pollard/handler.h>?");
    memcpy(&entry, &symbol, sizeof(entry)); // ISO C has no cast for it
    loaded->adopted = adopt(&loaded->library.table, entry(host), err);
    return loaded->adopted;
}

static struct loaded *link_file(const char *path, const struct stat *identity,
                                struct error *err)
{
    AUTO_FREE char *spelling = fresh_spelling(path);
    void *handle = dlopen(spelling, RTLD_NOW | RTLD_LOCAL);
    struct loaded *loaded;

    if (!handle) {
        error_set(err, ERROR_INVALID, "cannot be loaded: %s", dlerror());
        return NULL;
    }
    // Known from here on, even if its table is refused: it stays in memory.
    loaded = mem_calloc(1, sizeof(*loaded));
    loaded->identity = *identity;
    loaded->library.path = mem_strdup(path);
    loaded->handle = handle;
    loaded->next = all_loaded;
    all_loaded = loaded;
    return loaded;
}

static const struct library *load_file(const char *path, int fd,
                                       const struct stat *identity,
                                       const struct pollard_host *host,
                                       struct error *err)
{
    struct loaded *loaded = find_loaded(identity);

    if (!trust_check(path, err))
        return NULL;
    if (loaded && !same_content(&loaded->identity, identity)) {
        error_set(err, ERROR_INVALID,
                  "was overwritten while it is loaded: restart pollard, and "
                  "put new builds in place with mv or install, not with cp");
        return NULL;
    }
    if (!loaded && shared_object_check(fd, err))
        loaded = link_file(path, identity, err);
    if (!loaded || !(loaded->adopted || adopt_library(loaded, host, err)))
        return NULL;
    return &loaded->library;
}

const struct library *load_library(const char *path,
                                   const struct pollard_host *host,
                                   struct error *err)
{
    AUTO_FREE char *resolved = realpath(path, NULL);
    const struct library *library = NULL;
    struct stat identity = {0};
    int fd = -1;

    if (!resolved)
        error_set(err, ERROR_INVALID, "%s", strerror(errno));
    else if (open_file(resolved, &fd, &identity, err))
        library = load_file(resolved, fd, &identity, host, err);
    if (fd >= 0)
        (void)close(fd);
    if (!library)
        error_wrap(err, "library %s", resolved ? resolved : path);
    return library;
}
