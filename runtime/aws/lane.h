/*
 * lane: one libcurl easy handle with what a request needs around it: header
 * lines, signature, answer. A lane is prepared once and carries one call after
 * another, so that a call sets only what differs from the last.
 *
 * Threads: all of it is its client's thread's.
 */
#ifndef POLLARD_LANE_H
#define POLLARD_LANE_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "aws/answer.h"
#include "aws/client.h"

struct credentials;
struct lane;
struct sigv4;

/* session and sigv4 are borrowed and must outlive the lane. */
struct lane *lane_create(struct aws_session *session, struct sigv4 *sigv4);

/* Requires that the handle is in no multi handle. NULL is fine. */
void lane_destroy(struct lane *lane);

CURL *lane_easy(const struct lane *lane);

/* The lane that an easy handle belongs to. */
struct lane *lane_of(CURL *easy);

struct lane_load {
    const struct aws_request *request; // borrowed until the transfer ends
    struct buffer *memory;             // taken over, for the answer
    bool *has_streamed; // borrowed; set when a piece of a stream was taken
    const struct credentials *credentials; // for the duration of the call;
                                           // NULL: unsigned
    int64_t wall_ms;                       // of the server's clock
    void *owner;                           // comes back from lane_owner
};

/* Sign the request and make the handle ready to go. */
void lane_load(struct lane *lane, const struct lane_load *load);
void *lane_owner(const struct lane *lane);

/* What has arrived; the lane's. */
const struct answer *lane_answer(const struct lane *lane);
void lane_take_body(struct lane *lane, struct buffer *body);

/* A stream was handed on, at least a piece of it. */
bool lane_has_streamed(const struct lane *lane);

/* Let a stream that its taker paused go on. What waits is handed on before this
 * returns. */
CURLcode lane_resume(struct lane *lane);

/* libcurl's own words on what went wrong, or "". */
const char *lane_detail(const struct lane *lane);

#endif
