/*
 * fuzz_credentials: what STS, processes and metadata servers answer is a whole
 * set of credentials or an error with nothing left behind. The first byte says
 * who speaks.
 */
#include "aws/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "aws/credentials_process.h"
#include "aws/sts_answer.h"
#include "base/error.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok, struct credentials *credentials,
                  const struct error *err)
{
    if (ok != (credentials->access_key && credentials->secret_key))
        abort();
    if (!ok && (err->code == ERROR_NONE || credentials->session_token))
        abort();
    credentials_finish(credentials);
}

static void speak(char who, struct bytes text)
{
    struct credentials credentials = {0};
    struct error err = {0};
    char *terminated = mem_strndup(text.data, text.size);
    int64_t wall_ms;

    if (who == 's')
        check(sts_answer_read(text, &credentials, &err), &credentials, &err);
    else if (who == 'j')
        check(credentials_read_json(text, "Token", &credentials, &err),
              &credentials, &err);
    else if (who == 't')
        (void)credentials_read_time(terminated, &wall_ms);
    else
        credentials_process_free_words(credentials_process_split(terminated));
    free(terminated);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy;

    if (!size)
        return 0;
    copy = malloc(size); // exact, so that ASan sees the end
    memcpy(copy, data + 1, size - 1);
    speak((char)data[0], (struct bytes){copy, size - 1});
    free(copy);
    return 0;
}
