/*
 * sts_answer: the credentials in the XML that STS answers AssumeRole and
 * AssumeRoleWithWebIdentity with. Pure.
 */
#ifndef POLLARD_STS_ANSWER_H
#define POLLARD_STS_ANSWER_H

#include <stdbool.h>

#include "base/bytes.h"

struct credentials;
struct error;

/* A whole set or ERROR_INVALID. credentials is zeroed by the caller. */
bool sts_answer_read(struct bytes xml, struct credentials *credentials,
                     struct error *err);

#endif
