/*
 * sqs_xml: walks an answer of the Query protocol (expat) and tells of its
 * leaves, the elements that hold text alone. All text is collected into one
 * buffer, so that what is told stays valid as long as that buffer.
 *
 * An answer with a document type is refused: entities are how a small answer
 * becomes a huge one.
 *
 * Threads: pure functions.
 */
#ifndef POLLARD_SQS_XML_H
#define POLLARD_SQS_XML_H

#include <stdbool.h>

#include "base/bytes.h"

struct error;

struct sqs_xml_events {
    /* Any member may be NULL. Names are terminated; "" is the root's parent. */
    void (*begin)(void *context, const char *name);
    void (*leaf)(void *context, const char *parent, const char *name,
                 struct bytes text);
    /* Not told for leaves. */
    void (*end)(void *context, const char *name);
    void *context;
};

/* `text` must be empty; it gets a limit of xml.size, which all text fits in,
 * and never moves while events are told. No bytes at all are an answer without
 * members. */
bool sqs_xml_walk(struct bytes xml, struct buffer *text,
                  const struct sqs_xml_events *events, struct error *err);

#endif
