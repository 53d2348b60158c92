/*
 * fake_aws: an aws_client that sends nothing: a test takes the calls that the
 * code under test made and answers them as it likes. The test links it in with
 *
 *     void __wrap_aws_client_send(struct aws_client *client,
 *                                 struct aws_request *request)
 *     {
 *         fake_aws_send(client, request);
 *     }
 *
 * and hands out fake_aws_client(&fake).
 */
#ifndef POLLARD_FAKE_AWS_H
#define POLLARD_FAKE_AWS_H

#include <stdbool.h>
#include <stddef.h>

#include "aws/client.h"

struct fake_call {
    struct aws_request request; // its body is moved here
    const char *body;           // the same, terminated
};

struct fake_aws {
    struct fake_call calls[256]; // not yet taken, oldest first
    size_t count;
    size_t sent; // since init
};

void fake_aws_init(struct fake_aws *fake);
/* Frees the calls that nobody took. */
void fake_aws_finish(struct fake_aws *fake);

struct aws_client *fake_aws_client(struct fake_aws *fake);
void fake_aws_send(struct aws_client *client, struct aws_request *request);

/* Calls of this operation that wait to be taken. */
size_t fake_aws_waiting(const struct fake_aws *fake, const char *operation);

/* The oldest call of this operation; the test fails when there is none. To be
 * freed with fake_call_finish. */
struct fake_call fake_aws_take(struct fake_aws *fake, const char *operation);
void fake_call_finish(struct fake_call *call);

/* Answers to a call: a body under status 200, or a failure by AWS's code. To be
 * freed with aws_reply_finish or buffer_finish. */
struct aws_reply fake_reply(const struct fake_call *call, const char *body,
                            int64_t now_ms);
struct aws_reply fake_failure(const struct fake_call *call, int status,
                              enum error_code reaction, const char *code,
                              int64_t now_ms);

#endif
