#include "aws/answer.h"

#include <curl/curl.h>
#include <strings.h>

#define FIRST_CHUNK 4096 // where the server does not say how much comes

// It may end up in a message: no control characters.
static void keep(char *place, size_t size, struct bytes value)
{
    if (value.size >= size)
        value.size = size - 1;
    for (size_t i = 0; i < value.size; i++)
        place[i] = (unsigned char)value.data[i] < ' ' ? '?' : value.data[i];
    place[value.size] = '\0';
}

static int64_t read_number(struct bytes text)
{
    int64_t number = 0;

    if (!text.size || text.size > 15)
        return -1;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        number = number * 10 + (text.data[i] - '0');
    }
    return number;
}

// The same second's Date is not parsed twice.
static void read_date(struct answer *answer, struct bytes value)
{
    if (strlen(answer->last_date) != value.size ||
        memcmp(answer->last_date, value.data, value.size) != 0) {
        keep(answer->last_date, sizeof(answer->last_date), value);
        answer->last_date_ms =
            (int64_t)curl_getdate(answer->last_date, NULL) * 1000;
    }
    answer->date_ms = answer->last_date_ms < 0 ? -1 : answer->last_date_ms;
}

// False: more than the limit is on its way.
static bool expect_size(struct answer *answer, struct bytes value)
{
    struct buffer *body = &answer->body;
    int64_t size = read_number(value);

    if (size > (int64_t)body->limit) {
        answer->over_limit = true;
        return false;
    }
    if (size > 0 && !body->size)
        (void)buffer_reserve(body, (size_t)size);
    return true;
}

static bool is_named(struct bytes name, const char *wanted)
{
    return !strncasecmp(name.data, wanted, name.size) && !wanted[name.size];
}

static bool read_header(struct answer *answer, struct bytes name,
                        struct bytes value)
{
    switch (name.data[0] | 0x20) {
    case 'c':
        return !is_named(name, "content-length") || expect_size(answer, value);
    case 'd':
        if (is_named(name, "date"))
            read_date(answer, value);
        return true;
    case 'a':
        answer->has_age |= is_named(name, "age");
        return true;
    case 'x':
        if (is_named(name, "x-amzn-requestid"))
            keep(answer->request_id, sizeof(answer->request_id), value);
        else if (is_named(name, "x-amzn-errortype"))
            keep(answer->error_type, sizeof(answer->error_type), value);
        else if (is_named(name, "x-amzn-query-error"))
            keep(answer->query_error, sizeof(answer->query_error), value);
        else if (is_named(name, "x-amz-retry-after"))
            answer->retry_after_ms = read_number(value);
        else if (is_named(name, "x-amz-crc32"))
            answer->crc32 = read_number(value);
        return true;
    default:
        return true;
    }
}

static struct bytes trim(const char *from, const char *to)
{
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (from < to && strchr(" \t\r\n", to[-1]))
        to--;
    return (struct bytes){from, (size_t)(to - from)};
}

// A size other than the one given ends the transfer.
size_t answer_on_header(char *data, size_t unit, size_t count, void *context)
{
    struct answer *answer = context;
    const char *colon = memchr(data, ':', count);

    (void)unit;
    answer->has_begun = true;
    if (!colon || colon == data)
        return count;
    return read_header(answer, (struct bytes){data, (size_t)(colon - data)},
                       trim(colon + 1, data + count))
               ? count
               : 0;
}

size_t answer_on_body(char *data, size_t unit, size_t count, void *context)
{
    struct answer *answer = context;

    (void)unit;
    if (!answer->body.data && count < FIRST_CHUNK &&
        answer->body.limit >= FIRST_CHUNK)
        (void)buffer_reserve(&answer->body, FIRST_CHUNK);
    buffer_append(&answer->body, data, count);
    answer->over_limit = !buffer_ok(&answer->body);
    return answer->over_limit ? 0 : count;
}

void answer_reset(struct answer *answer, struct buffer *memory,
                  size_t body_limit)
{
    buffer_finish(&answer->body);
    answer->body = *memory;
    answer->body.limit = body_limit;
    buffer_clear(&answer->body);
    buffer_init(memory, memory->limit);
    answer->has_begun = answer->over_limit = answer->has_age = false;
    answer->date_ms = answer->retry_after_ms = answer->crc32 = -1;
    answer->error_type[0] = answer->query_error[0] = '\0';
    answer->request_id[0] = '\0';
}

void answer_finish(struct answer *answer)
{
    buffer_finish(&answer->body);
}
