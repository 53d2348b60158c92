#include "store/store_statements.h"

// In place of an enum: session_state and lease_state of store.h.
#define LIVE "0"
#define DRAINING "1"
#define DEAD "2"
#define OPEN "0"
#define ENDED "1"
#define LOST "2"

#define THIS_LEASE "app=:app AND stream=:stream AND shard=:shard"
#define OURS THIS_LEASE " AND owner=:me AND epoch=:epoch AND state=" OPEN

#define LEASE_COLUMNS                                      \
    "stream, shard, owner, wanted_by, epoch, ver, state, " \
    "CASE ckpt_sub WHEN 0 THEN ckpt"                       \
    " ELSE ckpt || ':' || ckpt_sub END, start_timestamp_ms, parents"

/* Sequence numbers are decimal numbers of any length: compared by length, then
 * by digits, without leading zeros. Sentinels are before every number. */
#define IS_NUMBER(value) "substr(" value ",1,1) BETWEEN '0' AND '9'"
#define ORDER_OF(value) "length(ltrim(" value ",'0')), ltrim(" value ",'0')"
/* Of its sub-records so many are handled; all of them, 0, is the most. */
#define ORDER_OF_SUB(value) "(" value "-1) & 4294967295"

/*
 * seen and ended_at are wall clocks, for people and for collecting what is
 * long past; no decision between workers uses them.
 */
const char *const store_schema_steps[] = {
    "CREATE TABLE session("
    "  app TEXT NOT NULL, sid TEXT NOT NULL,"
    "  beat INTEGER NOT NULL DEFAULT 0, asks INTEGER NOT NULL DEFAULT 0,"
    "  ttl_ms INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT " LIVE ","
    "  seen INTEGER NOT NULL,"
    "  PRIMARY KEY(app, sid)) WITHOUT ROWID;"
    "CREATE TABLE lease("
    "  app TEXT NOT NULL, stream TEXT NOT NULL, shard TEXT NOT NULL,"
    "  owner TEXT, wanted_by TEXT,"
    "  epoch INTEGER NOT NULL DEFAULT 0, ver INTEGER NOT NULL DEFAULT 0,"
    "  state INTEGER NOT NULL DEFAULT " OPEN ","
    "  ckpt TEXT NOT NULL, ckpt_sub INTEGER NOT NULL DEFAULT 0,"
    "  start_timestamp_ms INTEGER NOT NULL DEFAULT 0,"
    "  parents TEXT NOT NULL DEFAULT '[]',"
    "  children TEXT NOT NULL DEFAULT '[]',"
    "  ended_at INTEGER,"
    "  PRIMARY KEY(app, stream, shard)) WITHOUT ROWID;",

    // In a table of its own: a lease's row is written all the time, and the
    // text of a window may have a megabyte.
    "CREATE TABLE lease_window("
    "  app TEXT NOT NULL, stream TEXT NOT NULL, shard TEXT NOT NULL,"
    "  text TEXT NOT NULL,"
    "  PRIMARY KEY(app, stream, shard));",
};

const char *const store_statements[STORE_STATEMENT_COUNT] = {
    [STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT] = "COMMIT",
    [STATEMENT_ROLLBACK] = "ROLLBACK",

    [SESSION_JOIN] = "INSERT INTO session(app, sid, ttl_ms, seen)"
                     " VALUES(:app, :me, :ttl, :clock)"
                     " ON CONFLICT DO NOTHING",
    // An absent row is as dead as a dead one.
    [SESSION_PURGE] = "DELETE FROM session"
                      " WHERE app=:app AND state=" DEAD " AND seen<:before",
    [SESSION_BEAT] =
        "UPDATE session SET beat=beat+1, seen=:clock"
        " WHERE app=:app AND sid=:me AND state<>" DEAD "  AND asks=:asks",
    [SESSION_SHOW] = "SELECT sid, beat, asks, ttl_ms, state FROM session"
                     " WHERE app=:app AND sid=:me",
    [SESSION_LIST] = "SELECT sid, beat, asks, ttl_ms, state FROM session"
                     " WHERE app=:app AND state<>" DEAD " ORDER BY sid",
    [SESSION_IS_LIVE] = "SELECT 1 FROM session"
                        " WHERE sid=:session AND state<>" DEAD,
    [SESSION_KILL] = "UPDATE session SET state=" DEAD ", seen=:clock"
                     " WHERE app=:app AND sid=:session AND beat=:beat"
                     "  AND state<>" DEAD,
    [SESSION_DRAIN] = "UPDATE session SET state=" DRAINING
                      " WHERE app=:app AND sid=:me AND state<>" DEAD,
    [SESSION_LEAVE] = "UPDATE session SET state=" DEAD ", seen=:clock"
                      " WHERE app=:app AND sid=:me AND state<>" DEAD,
    [SESSION_ASK] = "UPDATE session SET asks=asks+1"
                    " WHERE app=:app AND sid=:owner AND state<>" DEAD,

    [LEASE_CREATE] = "INSERT INTO lease(app, stream, shard, ckpt,"
                     "  start_timestamp_ms, parents)"
                     " VALUES(:app, :stream, :shard, :ckpt, :start, :parents)"
                     " ON CONFLICT DO NOTHING",
    [LEASE_LIST] = "SELECT " LEASE_COLUMNS " FROM lease"
                   " WHERE app=:app AND stream=:stream ORDER BY shard",
    [LEASE_ACQUIRE] =
        "UPDATE lease AS l"
        " SET owner=:me, epoch=epoch+1, ver=ver+1, wanted_by=NULL"
        " WHERE l.app=:app AND l.stream=:stream AND l.shard=:shard"
        "  AND l.ver=:ver AND l.state=" OPEN
        "  AND (l.owner IS NULL OR NOT EXISTS (SELECT 1 FROM session s"
        "   WHERE s.app=:app AND s.sid=l.owner AND s.state<>" DEAD "))"
        "  AND NOT EXISTS (SELECT 1 FROM lease p"
        "   WHERE p.app=:app AND p.stream=:stream AND p.state=" OPEN
        "    AND p.shard IN (SELECT value FROM json_each(l.parents)))"
        "  AND EXISTS (SELECT 1 FROM session m"
        "   WHERE m.app=:app AND m.sid=:me AND m.state=" LIVE ")"
        " RETURNING " LEASE_COLUMNS,
    [LEASE_CHECKPOINT] =
        "UPDATE lease SET ckpt=:ckpt, ckpt_sub=:sub, ver=ver+1 WHERE " OURS
        "  AND (NOT " IS_NUMBER(
            "ckpt") " OR"
                    "   (" ORDER_OF("ckpt") "," ORDER_OF_SUB(
                        "ckpt_sub") ") <="
                                    "   (" ORDER_OF(":ckpt") "," ORDER_OF_SUB(
                                        ":sub") "))"
                                                " RETURNING wanted_by",
    [LEASE_OWNED] = "SELECT wanted_by FROM lease WHERE " OURS,
    // These three in a transaction that has changed the lease itself.
    [LEASE_WINDOW_GET] = "SELECT text FROM lease_window WHERE " THIS_LEASE,
    [LEASE_WINDOW_PUT] = "INSERT INTO lease_window(app, stream, shard, text)"
                         " VALUES(:app, :stream, :shard, :window)"
                         " ON CONFLICT(app, stream, shard)"
                         " DO UPDATE SET text=excluded.text",
    [LEASE_WINDOW_DROP] = "DELETE FROM lease_window WHERE " THIS_LEASE,
    // Who asked before may be dead; then anybody may ask again.
    [LEASE_WANT] =
        "UPDATE lease AS l SET wanted_by=:me, ver=ver+1"
        " WHERE l.app=:app AND l.stream=:stream AND l.shard=:shard"
        "  AND l.owner=:owner AND l.epoch=:epoch AND l.state=" OPEN
        "  AND (l.wanted_by IS NULL OR NOT EXISTS (SELECT 1 FROM session s"
        "   WHERE s.app=:app AND s.sid=l.wanted_by AND s.state=" LIVE "))",
    [LEASE_TAKE_FORCED] =
        "UPDATE lease AS l"
        " SET owner=:me, epoch=epoch+1, ver=ver+1, wanted_by=NULL"
        " WHERE l.app=:app AND l.stream=:stream AND l.shard=:shard"
        "  AND l.owner=:owner AND l.epoch=:epoch AND l.wanted_by=:me"
        "  AND l.state=" OPEN "  AND EXISTS (SELECT 1 FROM session m"
        "   WHERE m.app=:app AND m.sid=:me AND m.state=" LIVE ")"
        " RETURNING " LEASE_COLUMNS,
    [LEASE_RELEASE] = "UPDATE lease SET owner=NULL, ver=ver+1 WHERE " OURS,
    [LEASE_END] = "UPDATE lease SET state=" ENDED ", ckpt='SHARD_END',"
                  "  ckpt_sub=0, owner=NULL, wanted_by=NULL, ended_at=:clock,"
                  "  ver=ver+1, children="
                  "   (SELECT json_group_array(c.shard) FROM lease c"
                  "    WHERE c.app=:app AND c.stream=:stream AND :shard IN"
                  "     (SELECT value FROM json_each(c.parents)))"
                  " WHERE " OURS,
    [LEASE_SET_LOST] = "UPDATE lease SET state=" LOST ", owner=NULL,"
                       "  wanted_by=NULL, ended_at=:clock, ver=ver+1"
                       " WHERE " OURS,
    // Parents go before their children, and only once no child waits at its
    // start: the row is what tells it that the parent ended.
    [LEASE_COLLECT] =
        "DELETE FROM lease AS l"
        " WHERE l.app=:app AND l.stream=:stream AND l.state<>" OPEN
        "  AND l.ended_at<:before"
        "  AND NOT EXISTS (SELECT 1 FROM lease c"
        "   WHERE c.app=:app AND c.stream=:stream AND c.state=" OPEN
        "    AND NOT " IS_NUMBER(
            "c.ckpt") "    AND l.shard IN (SELECT value FROM "
                      "json_each(c.parents)))"
                      "  AND NOT EXISTS (SELECT 1 FROM lease p"
                      "   WHERE p.app=:app AND p.stream=:stream"
                      "    AND p.shard IN (SELECT value FROM "
                      "json_each(l.parents)))",
};
