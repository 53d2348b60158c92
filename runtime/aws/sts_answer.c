#include "aws/sts_answer.h"

#include <expat.h>
#include <stdio.h>
#include <stdlib.h>

#include "aws/credentials.h"
#include "base/error.h"
#include "base/mem.h"

#define BODY_LIMIT (256 * 1024)

struct walk {
    struct credentials *credentials;
    struct buffer text;
    char expiration[64];
    bool in_credentials;
};

static void XMLCALL on_start(void *context, const XML_Char *name,
                             const XML_Char **attributes)
{
    struct walk *walk = context;

    (void)attributes;
    walk->in_credentials |= !strcmp(name, "Credentials");
    buffer_clear(&walk->text);
}

static void XMLCALL on_text(void *context, const XML_Char *text, int size)
{
    struct walk *walk = context;

    buffer_append(&walk->text, text, (size_t)size);
}

static void keep(struct walk *walk, char **place)
{
    mem_wipe_text(*place);
    *place = mem_strndup(walk->text.data, walk->text.size);
}

static void XMLCALL on_end(void *context, const XML_Char *name)
{
    struct walk *walk = context;

    if (!strcmp(name, "Credentials"))
        walk->in_credentials = false;
    if (!walk->in_credentials || !walk->text.size)
        return;
    if (!strcmp(name, "AccessKeyId"))
        keep(walk, &walk->credentials->access_key);
    else if (!strcmp(name, "SecretAccessKey"))
        keep(walk, &walk->credentials->secret_key);
    else if (!strcmp(name, "SessionToken"))
        keep(walk, &walk->credentials->session_token);
    else if (!strcmp(name, "Expiration"))
        (void)snprintf(walk->expiration, sizeof(walk->expiration), "%s",
                       buffer_text(&walk->text));
    buffer_clear(&walk->text);
}

static bool conclude(const struct walk *walk, struct error *err)
{
    struct credentials *credentials = walk->credentials;

    if (!credentials->access_key || !credentials->secret_key ||
        !credentials->session_token)
        return error_set(err, ERROR_INVALID,
                         "the answer lacks AccessKeyId, SecretAccessKey or "
                         "SessionToken");
    return credentials_read_time(walk->expiration,
                                 &credentials->expires_at_ms) ||
           error_set(err, ERROR_INVALID, "the answer's Expiration is no time");
}

bool sts_answer_read(struct bytes xml, struct credentials *credentials,
                     struct error *err)
{
    XML_Parser parser = XML_ParserCreate(NULL);
    struct walk walk = {.credentials = credentials};
    bool ok;

    if (!parser)
        abort(); // only for want of memory
    buffer_init(&walk.text, BODY_LIMIT);
    XML_SetUserData(parser, &walk);
    XML_SetElementHandler(parser, on_start, on_end);
    XML_SetCharacterDataHandler(parser, on_text);
    ok = xml.size <= BODY_LIMIT &&
         XML_Parse(parser, xml.data, (int)xml.size, 1) == XML_STATUS_OK;
    XML_ParserFree(parser);
    ok = ok ? conclude(&walk, err)
            : error_set(err, ERROR_INVALID, "the answer is not XML");
    buffer_wipe(&walk.text);
    if (!ok)
        credentials_finish(credentials);
    return ok;
}
