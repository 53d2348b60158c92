/*
 * kinesis_ask: one blocking call to Kinesis in JSON, for the keeper and the
 * command line: rare calls, read with jansson.
 */
#ifndef POLLARD_KINESIS_ASK_H
#define POLLARD_KINESIS_ASK_H

#include <stdbool.h>

#include "aws/client.h"

struct error;
struct json_t;

#define KINESIS_ASK_LIMIT (64u * 1024) // of a request

/* A request whose body is to be written. `operation` is static text. */
struct aws_request kinesis_ask_begin(const char *operation);

/* The member `name` of the answer, as a new reference. `code` gets AWS's error
 * code, or "". NULL with err on failure. */
struct json_t *kinesis_ask(struct aws_client *client,
                           struct aws_request *request, const bool *stop,
                           const char *name, char code[96], struct error *err);

#endif
