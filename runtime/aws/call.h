/*
 * call: one aws_request on its way, and what becomes of it after each try. The
 * client moves calls from list to list and does the network's part; what the
 * end of a transfer means is decided here.
 *
 * Threads: a call is its client's.
 */
#ifndef POLLARD_CALL_H
#define POLLARD_CALL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "aws/client.h"

struct lane;
struct random;
struct retry_bucket;

enum call_state {
    CALL_WAITING, // for credentials
    CALL_FLYING,
    CALL_PAUSED, // until due_ms
    CALL_DONE,
};

struct call {
    TAILQ_ENTRY(call) link;
    enum call_state state;
    struct aws_request request; // body owned; path is the one below
    char *path, *url;           // owned; of the request
    struct aws_reply reply;     // what is to be handed out
    struct lane *lane;          // while flying
    unsigned attempt;           // from 1
    int paid;                   // tokens, for the last retry
    int64_t due_ms;             // paused: when to go on
    bool fails_when_due;

    // One extra chance each, beside the counted attempts.
    bool had_new_connection, had_new_clock, had_new_credentials;
    bool was_refused; // and waits for credentials other than those

    uint64_t generation; // of the credentials it was signed with
    int64_t offset_ms;   // and of the clock
};

TAILQ_HEAD(call_list, call);

/* Fill a zeroed call from a request, whose body is moved. */
void call_init(struct call *call, struct aws_request *request,
               const struct aws_session *session);
void call_finish(struct call *call);

/* What a client's calls have in common. All borrowed. */
struct call_judge {
    struct aws_session *session;
    const struct clock *clock;
    const struct log *log;
    struct retry_bucket *bucket;
    struct random *random;
    const char *credentials_source; // for people
    bool may_retry;
};

enum call_next {
    CALL_SUCCEEDS,
    CALL_FAILS,
    CALL_GOES_ON, // try again at once
    CALL_PAUSES,  // try again at due_ms, or fail then
};

/* Judge a transfer that ended, while the call still has its lane. The reply is
 * filled; its error does not name the operation yet. */
enum call_next call_land(struct call *call, const struct call_judge *judge,
                         CURLcode rc);

#endif
