#include "aws/sqs_xml.h"

#include <expat.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

#define DEPTH_LIMIT 16
#define NAME_SIZE 64 // longer names are cut; none of ours is

struct walk {
    XML_Parser parser;
    struct buffer *text;
    const struct sqs_xml_events *events;
    char names[DEPTH_LIMIT + 1][NAME_SIZE]; // of open elements; [0] is ""
    size_t depth;
    size_t mark;  // where the innermost element's text begins
    bool is_leaf; // no element inside the innermost one so far
    const char *refusal;
};

static void refuse(struct walk *walk, const char *refusal)
{
    walk->refusal = refusal;
    (void)XML_StopParser(walk->parser, XML_FALSE);
}

static void XMLCALL on_start(void *context, const char *name,
                             const char **attributes)
{
    struct walk *walk = context;

    (void)attributes;
    if (walk->depth == DEPTH_LIMIT) {
        refuse(walk, "nested deeper than 16");
        return;
    }
    if (walk->is_leaf)
        walk->text->size = walk->mark; // white space before a child
    (void)snprintf(walk->names[++walk->depth], NAME_SIZE, "%s", name);
    walk->mark = walk->text->size;
    walk->is_leaf = true;
    if (walk->events->begin)
        walk->events->begin(walk->events->context, name);
}

static void XMLCALL on_text(void *context, const char *text, int size)
{
    struct walk *walk = context;

    if (walk->is_leaf)
        buffer_append(walk->text, text, (size_t)size);
}

static void XMLCALL on_end(void *context, const char *name)
{
    struct walk *walk = context;
    const struct sqs_xml_events *events = walk->events;
    struct bytes text = {walk->text->data + walk->mark,
                         walk->text->size - walk->mark};

    if (walk->refusal)
        return;
    if (walk->is_leaf && events->leaf)
        events->leaf(events->context, walk->names[walk->depth - 1], name, text);
    else if (!walk->is_leaf && events->end)
        events->end(events->context, name);
    walk->depth--;
    walk->is_leaf = false;
}

static void XMLCALL on_doctype(void *context, const char *name,
                               const char *system, const char *public,
                               int has_subset)
{
    (void)name;
    (void)system;
    (void)public;
    (void)has_subset;
    refuse(context, "it has a document type");
}

static bool run(struct walk *walk, struct bytes xml, struct error *err)
{
    enum XML_Status status =
        XML_Parse(walk->parser, xml.data, (int)xml.size, XML_TRUE);

    if (walk->refusal)
        return error_set(err, ERROR_TRANSIENT, "XML refused: %s",
                         walk->refusal);
    if (status != XML_STATUS_OK)
        return error_set(err, ERROR_TRANSIENT, "not XML: line %lu: %s",
                         XML_GetCurrentLineNumber(walk->parser),
                         XML_ErrorString(XML_GetErrorCode(walk->parser)));
    return true;
}

bool sqs_xml_walk(struct bytes xml, struct buffer *text,
                  const struct sqs_xml_events *events, struct error *err)
{
    struct walk walk = {.text = text, .events = events};
    bool ok;

    if (xml.size > INT_MAX / 2)
        return error_set(err, ERROR_INVALID, "%zu bytes of XML", xml.size);
    buffer_init(text, xml.size);
    if (!xml.size)
        return true; // an answer without members
    (void)buffer_reserve(text, xml.size);
    // The encoding is fixed, so that text is never longer than its source.
    walk.parser = XML_ParserCreate("UTF-8");
    if (!walk.parser)
        abort(); // out of memory
    XML_SetUserData(walk.parser, &walk);
    XML_SetElementHandler(walk.parser, on_start, on_end);
    XML_SetCharacterDataHandler(walk.parser, on_text);
    XML_SetStartDoctypeDeclHandler(walk.parser, on_doctype);
    ok = run(&walk, xml, err);
    XML_ParserFree(walk.parser);
    return ok;
}
