/*
 * form: text as application/x-www-form-urlencoded has it, for the Query
 * protocol (wire.md section 1.8).
 *
 * Threads: pure functions on the caller's buffer.
 */
#ifndef POLLARD_FORM_H
#define POLLARD_FORM_H

#include "base/bytes.h"

/* Percent-encoded but for RFC 3986's unreserved characters. */
void form_put(struct buffer *body, struct bytes text);

#endif
