/*
 * fault_vfs: a file system for SQLite whose writes or syncs fail on demand, as
 * on a full or broken disk.
 *
 * Threads: one; process-wide while installed.
 */
#ifndef POLLARD_FAULT_VFS_H
#define POLLARD_FAULT_VFS_H

enum fault_kind {
    FAULT_FULL_DISK, // a write says SQLITE_FULL
    FAULT_SYNC,      // a sync says SQLITE_IOERR_FSYNC
};

struct fault {
    enum fault_kind kind;
    int after; // calls that succeed first
    int times; // calls that fail then; negative: for ever
    int hits;  // calls failed so far
};

/* Make it SQLite's default. The fault stays the caller's and may be changed at
 * any time; NULL: nothing fails. */
void fault_vfs_install(struct fault *fault);
void fault_vfs_remove(void);

#endif
