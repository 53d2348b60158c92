#include "aws/error_body.h"

#include <cbor.h>
#include <expat.h>
#include <jansson.h>

#define BODY_LIMIT (256 * 1024) // no error needs more

// First come, first kept. Control characters never reach a terminal, and no
// UTF-8 sequence is cut in the middle.
static void keep(char *place, size_t size, struct bytes text)
{
    if (place[0] || !text.data)
        return;
    if (text.size >= size)
        for (text.size = size - 1;
             text.size && ((unsigned char)text.data[text.size] & 0xc0) == 0x80;)
            text.size--;
    for (size_t i = 0; i < text.size; i++)
        place[i] = (unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f
                       ? ' '
                       : text.data[i];
    place[text.size] = '\0';
}

void error_claim_code(struct error_claim *claim, struct bytes text)
{
    keep(claim->code, sizeof(claim->code), text);
}

void error_claim_text(struct error_claim *claim, struct bytes text)
{
    keep(claim->text, sizeof(claim->text), text);
}

static bool is_code_name(struct bytes name)
{
    return bytes_equal(name, BYTES("__type")) ||
           bytes_equal(name, BYTES("code")) || bytes_equal(name, BYTES("Code"));
}

static bool is_text_name(struct bytes name)
{
    return bytes_equal(name, BYTES("message")) ||
           bytes_equal(name, BYTES("Message")) ||
           bytes_equal(name, BYTES("errorMessage"));
}

static void claim_of_json(struct bytes body, struct error_claim *claim)
{
    static const char *const codes[] = {"__type", "code", "Code"};
    static const char *const texts[] = {"message", "Message", "errorMessage"};
    json_auto_t *root = json_loadb(body.data, body.size, 0, NULL);

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        error_claim_code(claim, bytes_of(json_string_value(
                                    json_object_get(root, codes[i]))));
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        error_claim_text(claim, bytes_of(json_string_value(
                                    json_object_get(root, texts[i]))));
}

// libcbor's stream decoder: an error is a flat map of strings, and nothing of
// it needs memory. What is nested is passed over.
struct cbor_walk {
    struct error_claim *claim;
    struct bytes name; // of the member whose value comes next
    bool has_name, stop;
};

static void cbor_text(void *context, cbor_data data, size_t size)
{
    struct cbor_walk *walk = context;
    struct bytes text = {(const char *)data, size};

    if (!walk->has_name)
        walk->name = text;
    else if (is_code_name(walk->name))
        error_claim_code(walk->claim, text);
    else if (is_text_name(walk->name))
        error_claim_text(walk->claim, text);
    walk->has_name = !walk->has_name;
}

static void cbor_null(void *context)
{
    struct cbor_walk *walk = context;

    walk->has_name = false;
}

static void claim_of_cbor(struct bytes body, struct error_claim *claim)
{
    struct cbor_walk walk = {.claim = claim};
    struct cbor_callbacks callbacks = cbor_empty_callbacks;
    const unsigned char *at = (const unsigned char *)body.data;
    size_t left = body.size;

    callbacks.string = cbor_text;
    callbacks.null = cbor_null;
    while (left) {
        struct cbor_decoder_result step =
            cbor_stream_decode(at, left, &callbacks, &walk);

        if (step.status != CBOR_DECODER_FINISHED || !step.read)
            return;
        at += step.read;
        left -= step.read;
    }
}

struct xml_walk {
    struct error_claim *claim;
    char text[ERROR_CLAIM_TEXT_SIZE];
    size_t size;
    bool is_html;
};

static void XMLCALL xml_start(void *context, const XML_Char *name,
                              const XML_Char **attributes)
{
    struct xml_walk *walk = context;

    (void)attributes;
    walk->is_html |= !strcasecmp(name, "html");
    walk->size = 0;
}

static void XMLCALL xml_text(void *context, const XML_Char *text, int size)
{
    struct xml_walk *walk = context;
    size_t room = sizeof(walk->text) - walk->size;
    size_t more = (size_t)size < room ? (size_t)size : room;

    memcpy(walk->text + walk->size, text, more);
    walk->size += more;
}

static void XMLCALL xml_end(void *context, const XML_Char *name)
{
    struct xml_walk *walk = context;
    struct bytes text = {walk->text, walk->size};

    if (!strcmp(name, "Code"))
        error_claim_code(walk->claim, text);
    else if (!strcmp(name, "Message"))
        error_claim_text(walk->claim, text);
    walk->size = 0;
}

static enum error_body_shape claim_of_xml(struct bytes body,
                                          struct error_claim *claim)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    struct xml_walk walk = {.claim = claim};
    enum XML_Status status;

    if (!parser)
        return ERROR_BODY_OTHER;
    XML_SetUserData(parser, &walk);
    XML_SetElementHandler(parser, xml_start, xml_end);
    XML_SetCharacterDataHandler(parser, xml_text);
    status = XML_Parse(parser, body.data, (int)body.size, 1);
    XML_ParserFree(parser);
    if (status == XML_STATUS_OK && !walk.is_html)
        return ERROR_BODY_XML;
    *claim = (struct error_claim){0};
    return body.size > 5 && !memcmp(body.data, "<?xml", 5) ? ERROR_BODY_XML
                                                           : ERROR_BODY_HTML;
}

enum error_body_shape error_body_shape(struct bytes body)
{
    unsigned char first;

    while (body.size && strchr(" \t\r\n", body.data[0]) && body.data[0]) {
        body.data++;
        body.size--;
    }
    if (!body.size)
        return ERROR_BODY_EMPTY;
    first = (unsigned char)body.data[0];
    if (first == '{')
        return ERROR_BODY_JSON;
    if (first == '<')
        return ERROR_BODY_XML;
    return first >= 0xa0 && first <= 0xbf ? ERROR_BODY_CBOR : ERROR_BODY_OTHER;
}

enum error_body_shape error_body_read(struct bytes body,
                                      struct error_claim *claim)
{
    enum error_body_shape shape = error_body_shape(body);

    if (body.size > BODY_LIMIT)
        return shape;
    if (shape == ERROR_BODY_JSON)
        claim_of_json(body, claim);
    else if (shape == ERROR_BODY_CBOR)
        claim_of_cbor(body, claim);
    else if (shape == ERROR_BODY_XML)
        return claim_of_xml(body, claim);
    return shape;
}
