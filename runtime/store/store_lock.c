#include "store/store_lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"

#define SUFFIX ".lock"
#define TAKE_TRIES 10      // a sweep may remove the file before it is locked
#define SWEEP_LIMIT 100000 // files looked at

static char *path_of(const char *folder, const char *session)
{
    return mem_printf("%s/%s" SUFFIX, folder, session);
}

// The file is still the one at its path.
static bool is_in_place(int fd, const char *path)
{
    struct stat ours, theirs;

    return !fstat(fd, &ours) && !stat(path, &theirs) &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

static bool set_lock(int fd)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return !fcntl(fd, F_OFD_SETLK, &whole);
}

static bool has_no_locks(int code)
{
    return code == EINVAL || code == ENOLCK || code == EOPNOTSUPP ||
           code == ENOSYS;
}

static enum error_code code_of(int code)
{
    switch (code) {
    case EAGAIN:
        return ERROR_LOST;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERROR_DENIED;
    default:
        return ERROR_TRANSIENT;
    }
}

/* 0 and *fd, or why not. EAGAIN: somebody holds it, or a sweep took it away
 * before it was locked. */
static int create_locked(const char *path, int *fd)
{
    int code;

    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (*fd < 0)
        return errno;
    if (!set_lock(*fd))
        code = errno;
    else if (is_in_place(*fd, path))
        return 0;
    else
        code = EAGAIN;
    if (has_no_locks(code))
        (void)unlink(path);
    (void)close(*fd);
    return code;
}

bool store_lock_take(struct store_lock *lock, const char *folder,
                     const char *session, struct error *err)
{
    char *path = path_of(folder, session);
    int fd, code = EAGAIN;

    (void)mkdir(folder, 0777); // open says what is wrong
    for (int i = 0; code == EAGAIN && i < TAKE_TRIES; i++)
        code = create_locked(path, &fd);
    if (!code) {
        *lock = (struct store_lock){.path = path, .fd = fd};
        return true;
    }
    if (!has_no_locks(code))
        error_set(err, code_of(code), "session lock %s: %s", path,
                  strerror(code));
    free(path);
    return has_no_locks(code);
}

void store_lock_drop(struct store_lock *lock)
{
    if (!lock->path)
        return;
    (void)close(lock->fd);
    free(lock->path);
    *lock = (struct store_lock){0};
}

void store_lock_remove(struct store_lock *lock)
{
    if (lock->path)
        (void)unlink(lock->path);
    store_lock_drop(lock);
}

// Asks only, so that two who ask at once do not see each other.
static bool is_free(const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool free_now;

    if (fd < 0)
        return false;
    free_now = !fcntl(fd, F_OFD_GETLK, &whole) && whole.l_type == F_UNLCK;
    (void)close(fd);
    return free_now;
}

bool store_lock_is_free(const char *folder, const char *session)
{
    AUTO_FREE char *path = path_of(folder, session);

    return is_free(path);
}

void store_lock_forget(const char *folder, const char *session)
{
    AUTO_FREE char *path = path_of(folder, session);

    (void)unlink(path);
}

// NULL for a file that is none of ours. Caller frees.
static char *session_of(const char *name)
{
    size_t size = strlen(name), suffix = strlen(SUFFIX);

    if (size <= suffix || strcmp(name + size - suffix, SUFFIX) != 0)
        return NULL;
    return mem_strndup(name, size - suffix);
}

void store_lock_sweep(const char *folder,
                      bool (*keep)(void *context, const char *session),
                      void *context)
{
    DIR *files = opendir(folder);
    struct dirent *file;

    if (!files)
        return;
    for (int i = 0; i < SWEEP_LIMIT && (file = readdir(files)); i++) {
        AUTO_FREE char *session = session_of(file->d_name);

        if (session && store_lock_is_free(folder, session) &&
            !keep(context, session))
            store_lock_forget(folder, session);
    }
    (void)closedir(files);
}
