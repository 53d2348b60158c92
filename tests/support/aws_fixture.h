/*
 * aws_fixture: a session and a client that speak to an http_server as if it
 * were SQS, in an environment that says nothing else.
 */
#ifndef POLLARD_AWS_FIXTURE_H
#define POLLARD_AWS_FIXTURE_H

#include "aws/aws_config.h"
#include "aws/client.h"
#include "base/log.h"
#include "http_server.h"

struct aws_fixture {
    struct http_server *server;
    char *folder;
    struct aws_config config; // endpoint_url is the server's; change it before
                              // opening
    struct log log;
    struct aws_session *session;
    struct aws_client *client;
};

/* cmocka's set-up and tear-down; *state is the fixture. Credentials are in the
 * environment: AKIDEXAMPLE. */
int aws_fixture_set_up(void **state);
int aws_fixture_tear_down(void **state);

/* Only the session; false where it is refused. */
bool aws_fixture_open_session(struct aws_fixture *f, struct error *err);

/* Session and client. */
void aws_fixture_open(struct aws_fixture *f);

/* ReceiveMessage with {"QueueUrl":"q"}. */
struct aws_request aws_fixture_request(void);

/* Open what is not open yet, send that request and wait. */
void aws_fixture_call(struct aws_fixture *f, struct aws_reply *reply);

/* Fails unless the header of request number `index` is this. */
#define assert_header(server_, index_, name_, value_)              \
    do {                                                           \
        char *request_ = http_server_request((server_), (index_)); \
        assert_non_null(request_);                                 \
        char *header_ = http_request_header(request_, (name_));    \
        assert_non_null(header_);                                  \
        assert_string_equal(header_, (value_));                    \
        free(header_);                                             \
        free(request_);                                            \
    } while (0)

#define assert_header_contains(server_, index_, name_, part_)      \
    do {                                                           \
        char *request_ = http_server_request((server_), (index_)); \
        assert_non_null(request_);                                 \
        char *header_ = http_request_header(request_, (name_));    \
        assert_non_null(header_);                                  \
        assert_contains(header_, (part_));                         \
        free(header_);                                             \
        free(request_);                                            \
    } while (0)

#endif
