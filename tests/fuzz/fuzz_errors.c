/*
 * fuzz_errors: whatever a server answers, what is found in it is terminated,
 * printable and has a reaction.
 */
#include "aws/errors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
    if (strnlen(text, size) == size)
        abort();
    for (; *text; text++)
        if ((unsigned char)*text < ' ')
            abort();
}

static void check(struct bytes body, int status, bool wants_xml)
{
    const struct errors_answer answer = {.status = status,
                                         .body = body,
                                         .error_type = "",
                                         .query_error = "",
                                         .wants_xml = wants_xml};
    struct errors_finding finding;

    if (!errors_find(&answer, &finding)) {
        if (status >= 300)
            abort();
        return;
    }
    check_text(finding.code, sizeof(finding.code));
    check_text(finding.text, sizeof(finding.text));
    if (finding.reaction == ERROR_NONE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size ? size : 1); // exact, so that ASan sees the end
    struct bytes body = {copy, size};

    memcpy(copy, data, size);
    check(body, 400, false);
    check(body, 503, true);
    check(body, 200, false);
    check(body, 200, true);
    free(copy);
    return 0;
}
