/*
 * error_body: what an answer's body is by its looks, and what an error's body
 * says of itself, in JSON, CBOR or XML. Pure.
 */
#ifndef POLLARD_ERROR_BODY_H
#define POLLARD_ERROR_BODY_H

#include "base/bytes.h"

enum error_body_shape {
    ERROR_BODY_EMPTY,
    ERROR_BODY_JSON,
    ERROR_BODY_CBOR,
    ERROR_BODY_XML,
    ERROR_BODY_HTML,
    ERROR_BODY_OTHER,
};

#define ERROR_CLAIM_CODE_SIZE 192
#define ERROR_CLAIM_TEXT_SIZE 272

struct error_claim { // printable, terminated; "" where nothing is said
    char code[ERROR_CLAIM_CODE_SIZE]; // prefixes are still on
    char text[ERROR_CLAIM_TEXT_SIZE];
};

/* By the first byte that is no white space. Never ERROR_BODY_HTML: that takes
 * a parser. */
enum error_body_shape error_body_shape(struct bytes body);

/* Read into a zeroed claim, and say more closely what it is. */
enum error_body_shape error_body_read(struct bytes body,
                                      struct error_claim *claim);

/* Note a code or a text from elsewhere; the first one stays. */
void error_claim_code(struct error_claim *claim, struct bytes text);
void error_claim_text(struct error_claim *claim, struct bytes text);

#endif
