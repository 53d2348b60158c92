/*
 * store_statements: the SQL of the SQLite store, in one table: the protocol of
 * leases.md section 4.5. :app, :me and :clock are bound for every statement;
 * the rest is named by what it holds.
 */
#ifndef POLLARD_STORE_STATEMENTS_H
#define POLLARD_STORE_STATEMENTS_H

enum store_statement_id {
    STATEMENT_BEGIN,
    STATEMENT_COMMIT,
    STATEMENT_ROLLBACK,
    SESSION_JOIN,
    SESSION_PURGE,
    SESSION_BEAT,
    SESSION_SHOW,
    SESSION_LIST,
    SESSION_IS_LIVE,
    SESSION_KILL,
    SESSION_DRAIN,
    SESSION_LEAVE,
    SESSION_ASK,
    LEASE_CREATE,
    LEASE_LIST,
    LEASE_ACQUIRE,
    LEASE_CHECKPOINT,
    LEASE_OWNED,
    LEASE_WINDOW_GET,
    LEASE_WINDOW_PUT,
    LEASE_WINDOW_DROP,
    LEASE_WANT,
    LEASE_TAKE_FORCED,
    LEASE_RELEASE,
    LEASE_END,
    LEASE_SET_LOST,
    LEASE_COLLECT,
    STORE_STATEMENT_COUNT
};

/* What leads from version `index` of the schema to the next; from 0, nothing,
 * to 1, and so on. */
extern const char *const store_schema_steps[];
extern const char *const store_statements[STORE_STATEMENT_COUNT];

#endif
