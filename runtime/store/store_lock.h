/*
 * store_lock: the file that a session keeps locked for as long as its process
 * lives. The kernel frees the lock with the process, however it ended, so a
 * free lock is proof that the session is gone.
 *
 * The lock is an open file description lock: no other open or close of the file
 * in this process can drop it, and O_CLOEXEC keeps it from a child. A missing
 * file proves nothing.
 *
 * Threads: plain values; whoever has one owns it.
 */
#ifndef POLLARD_STORE_LOCK_H
#define POLLARD_STORE_LOCK_H

#include <stdbool.h>

struct error;

struct store_lock {
    char *path; // owned; NULL: not taken
    int fd;
};

/* Create and lock folder/SESSION.lock. ERROR_LOST: a living one holds it. On a
 * file system without such locks it succeeds without a file, and the session's
 * beat alone tells of its life. */
bool store_lock_take(struct store_lock *lock, const char *folder,
                     const char *session, struct error *err);

/* Unlock and close; the file stays, as that of a process that died. */
void store_lock_drop(struct store_lock *lock);

/* Remove the file, then drop. */
void store_lock_remove(struct store_lock *lock);

/* The session's file is there and nobody holds its lock. */
bool store_lock_is_free(const char *folder, const char *session);

/* Remove the file of a session that is dead. */
void store_lock_forget(const char *folder, const char *session);

/* Remove the files of sessions that are gone, unless `keep` wants them. */
void store_lock_sweep(const char *folder,
                      bool (*keep)(void *context, const char *session),
                      void *context);

#endif
