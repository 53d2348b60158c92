#include "store/store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

#define APPLICATION_ID 0x706f6c6c // "poll"; file(1) shows it
#define VERSION 2                 // of the schema, in user_version

#define CALL_TIMEOUT_MS 2000 // at the most; leases.md section 4.4
#define WAL_TRIES 100
#define WAL_PAUSE_MS 20

#define CIFS_MAGIC 0xFF534D42
#define SMB2_MAGIC 0xFE534D42

static enum error_code code_of_errno(int code)
{
    switch (code) {
    case EACCES:
    case EPERM:
    case EROFS:
        return ERROR_DENIED;
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
        return ERROR_INVALID;
    default:
        return ERROR_TRANSIENT;
    }
}

static enum error_code code_of(sqlite3 *db)
{
    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
        return ERROR_INVALID;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
        return ERROR_DENIED;
    case SQLITE_CANTOPEN:
        return code_of_errno(sqlite3_system_errno(db));
    default:
        return ERROR_TRANSIENT;
    }
}

enum store_result store_failure(struct store *store, const char *what,
                                struct error *err)
{
    int code = sqlite3_errcode(store->db) & 0xff;
    int system_code = sqlite3_system_errno(store->db);

    if (system_code && (code == SQLITE_CANTOPEN || code == SQLITE_IOERR))
        error_set(err, code_of(store->db), "store %s: %s: %s (%s)", store->path,
                  what, sqlite3_errmsg(store->db), strerror(system_code));
    else
        error_set(err, code_of(store->db), "store %s: %s: %s", store->path,
                  what, sqlite3_errmsg(store->db));
    return STORE_UNAVAILABLE;
}

sqlite3_stmt *store_statement(struct store *store, enum store_statement_id id)
{
    sqlite3_stmt **stmt = &store->statements[id];

    if (!*stmt)
        (void)sqlite3_prepare_v3(store->db, store_statements[id], -1,
                                 SQLITE_PREPARE_PERSISTENT, stmt, NULL);
    if (!*stmt)
        return NULL;
    (void)sqlite3_reset(*stmt);
    (void)sqlite3_clear_bindings(*stmt);
    store_bind_text(*stmt, ":app", store->application);
    store_bind_text(*stmt, ":me", store->session);
    store_bind_int(*stmt, ":clock", clock_wall_ms(store->clock));
    return *stmt;
}

void store_bind_text(sqlite3_stmt *stmt, const char *name, const char *text)
{
    int index = sqlite3_bind_parameter_index(stmt, name);

    if (index)
        (void)sqlite3_bind_text(stmt, index, text, -1, SQLITE_STATIC);
}

void store_bind_bytes(sqlite3_stmt *stmt, const char *name, struct bytes text)
{
    int index = sqlite3_bind_parameter_index(stmt, name);

    if (index)
        (void)sqlite3_bind_text64(stmt, index, text.data, text.size,
                                  SQLITE_STATIC, SQLITE_UTF8);
}

void store_bind_int(sqlite3_stmt *stmt, const char *name, int64_t number)
{
    int index = sqlite3_bind_parameter_index(stmt, name);

    if (index)
        (void)sqlite3_bind_int64(stmt, index, number);
}

char *store_column_text(sqlite3_stmt *stmt, int column)
{
    return mem_strdup((const char *)sqlite3_column_text(stmt, column));
}

enum store_result store_change(struct store *store, const char *what,
                               sqlite3_stmt *stmt, struct error *err)
{
    if (sqlite3_step(stmt) != SQLITE_DONE)
        return store_failure(store, what, err);
    return sqlite3_changes(store->db) ? STORE_OK : STORE_CONFLICT;
}

enum store_result store_begin(struct store *store, const char *what,
                              struct error *err)
{
    sqlite3_stmt *begin = store_statement(store, STATEMENT_BEGIN);

    if (sqlite3_step(begin) != SQLITE_DONE)
        return store_failure(store, what, err);
    return STORE_OK;
}

static void roll_back(struct store *store)
{
    // A full disk has rolled back by itself.
    if (!sqlite3_get_autocommit(store->db))
        (void)sqlite3_step(store_statement(store, STATEMENT_ROLLBACK));
}

static enum store_result commit(struct store *store, const char *what,
                                struct error *err)
{
    sqlite3_stmt *stmt = store_statement(store, STATEMENT_COMMIT);

    if (sqlite3_step(stmt) == SQLITE_DONE)
        return STORE_OK;
    store_failure(store, what, err);
    // What could not be synced may still be found after a crash.
    return (sqlite3_errcode(store->db) & 0xff) == SQLITE_IOERR
               ? STORE_UNKNOWN
               : STORE_UNAVAILABLE;
}

enum store_result store_end(struct store *store, const char *what,
                            enum store_result result, struct error *err)
{
    if (result == STORE_OK)
        result = commit(store, what, err);
    if (result != STORE_OK)
        roll_back(store);
    return result;
}

enum store_result store_write(struct store *store, const char *what,
                              sqlite3_stmt *stmt, struct error *err)
{
    enum store_result result = store_begin(store, what, err);

    if (result != STORE_OK)
        return result;
    return store_end(store, what, store_change(store, what, stmt, err), err);
}

static const char *network_file_system(const char *path)
{
    struct statfs status;

    if (statfs(path, &status))
        return NULL;
    switch ((unsigned long)status.f_type & 0xffffffffUL) {
    case NFS_SUPER_MAGIC:
        return "nfs";
    case SMB_SUPER_MAGIC:
    case CIFS_MAGIC:
    case SMB2_MAGIC:
        return "smb";
    case V9FS_MAGIC:
        return "9p";
    case AFS_SUPER_MAGIC:
        return "afs";
    case CEPH_SUPER_MAGIC:
        return "ceph";
    default:
        return NULL;
    }
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_strdup(".");
    return mem_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Beside the file come its log, its index and the session locks, so that the
 * folder must be ours to write. */
static bool check_folder(const struct store *store, struct error *err)
{
    AUTO_FREE char *folder = folder_of(store->path);
    AUTO_FREE char *inside = mem_printf("%s/.", folder);
    const char *name;

    if (faccessat(AT_FDCWD, inside, W_OK | X_OK, AT_EACCESS))
        return error_set(err, code_of_errno(errno), "store %s: folder %s: %s",
                         store->path, folder, strerror(errno));
    name = network_file_system(folder);
    if (!name)
        return true;
    return error_set(err, ERROR_INVALID,
                     "store %s: lies on a network file system (%s), whose "
                     "locks cannot be trusted; use a local disk",
                     store->path, name);
}

static bool fail(struct store *store, const char *what, struct error *err)
{
    (void)store_failure(store, what, err);
    return false;
}

static bool execute(struct store *store, const char *sql, struct error *err)
{
    return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
           fail(store, "open", err);
}

static bool read_number(struct store *store, const char *sql, int64_t *number,
                        struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    bool ok =
        sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW;

    if (ok)
        *number = sqlite3_column_int64(stmt, 0);
    else
        (void)fail(store, "open", err);
    (void)sqlite3_finalize(stmt);
    return ok;
}

/* What is in the file: nothing (version 0), our schema, or somebody else's
 * things, which are not to be touched. Inside a transaction: another process
 * may be creating the schema in this moment. */
static bool check_identity(struct store *store, int64_t *version,
                           struct error *err)
{
    int64_t application, tables;

    if (!read_number(store, "PRAGMA application_id", &application, err) ||
        !read_number(store, "PRAGMA user_version", version, err) ||
        !read_number(store, "SELECT count(*) FROM sqlite_master", &tables, err))
        return false;
    if (!application && !*version && !tables)
        return true;
    if (application != APPLICATION_ID)
        return error_set(err, ERROR_INVALID,
                         "store %s: is a database of another program",
                         store->path);
    if (*version < 1 || *version > VERSION)
        return error_set(err, ERROR_INVALID,
                         "store %s: has version %lld, written by a newer "
                         "pollard; this one knows version %d",
                         store->path, (long long)*version, VERSION);
    return true;
}

// Another process that opens the file in this moment may hold the lock that
// the switch needs, and SQLite does not wait for it by itself.
static bool use_wal(struct store *store, struct error *err)
{
    int rc = SQLITE_BUSY;

    for (int i = 0; i < WAL_TRIES && (rc & 0xff) == SQLITE_BUSY; i++) {
        if (i)
            (void)sqlite3_sleep(WAL_PAUSE_MS);
        rc = sqlite3_exec(store->db, "PRAGMA journal_mode=WAL", NULL, NULL,
                          NULL);
    }
    return rc == SQLITE_OK || fail(store, "open", err);
}

/* Run body in a transaction of its own. */
static bool transact(struct store *store, const char *begin,
                     bool (*body)(struct store *store, struct error *err),
                     struct error *err)
{
    if (!execute(store, begin, err))
        return false;
    if (body(store, err) && execute(store, "COMMIT", err))
        return true;
    if (!sqlite3_get_autocommit(store->db))
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return false;
}

static bool is_ours_or_empty(struct store *store, struct error *err)
{
    int64_t version;

    return check_identity(store, &version, err);
}

/* From whatever version the file has, one step after the other. */
static bool bring_schema(struct store *store, struct error *err)
{
    AUTO_FREE char *mark =
        mem_printf("PRAGMA application_id=%d; PRAGMA user_version=%d;",
                   APPLICATION_ID, VERSION);
    int64_t version;

    if (!check_identity(store, &version, err))
        return false;
    if (version == VERSION)
        return true;
    for (; version < VERSION; version++)
        if (!execute(store, store_schema_steps[version], err))
            return false;
    return execute(store, mark, err);
}

static void resolve_path(struct store *store)
{
    const char *resolved = sqlite3_db_filename(store->db, "main");

    if (resolved && *resolved) {
        char *path = mem_strdup(resolved);

        free(store->path);
        store->path = path;
    }
}

static int busy_timeout_ms(const struct store *store)
{
    int64_t timeout_ms = store->ttl_ms / 5;

    return (int)(timeout_ms < CALL_TIMEOUT_MS ? timeout_ms : CALL_TIMEOUT_MS);
}

bool store_sqlite_open(struct store *store, struct error *err)
{
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

    if (!check_folder(store, err))
        return false;
    if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
        return fail(store, "open", err);
    (void)sqlite3_extended_result_codes(store->db, 1);
    (void)sqlite3_busy_timeout(store->db, busy_timeout_ms(store));
    resolve_path(store);
    if (!transact(store, "BEGIN", is_ours_or_empty, err))
        return false;
    if (sqlite3_db_readonly(store->db, "main") == 1)
        return error_set(err, ERROR_DENIED, "store %s: open: is read-only",
                         store->path);
    return use_wal(store, err) &&
           execute(store, "PRAGMA synchronous=FULL", err) &&
           transact(store, "BEGIN IMMEDIATE", bring_schema, err);
}

bool store_sqlite_is_in_place(const struct store *store)
{
    int has_moved = 0;

    return sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED,
                                &has_moved) != SQLITE_OK ||
           !has_moved;
}

void store_sqlite_close(struct store *store)
{
    for (size_t i = 0; i < STORE_STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(store->statements[i]);
    (void)sqlite3_close(store->db);
}
