#include "aws/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/session_inner.h"
#include "aws/sigv4.h"
#include "aws/transport.h"
#include "base/mem.h"

#define LINES 8
#define LINES_LIMIT (4 * 1024 * 1024) // more than any source of tokens gives
#define FIRST_CHUNK 4096 // where the server does not say how much comes
#define DEFAULT_TIMEOUT_MS 30000

struct lane {
    struct aws_session *session; // borrowed
    struct sigv4 *sigv4;         // borrowed
    CURL *easy;                  // owned
    void *owner;

    // The request. libcurl reads the list where it is; its texts are in `text`.
    struct curl_slist lines[LINES];
    size_t offsets[LINES]; // of each line in text
    size_t line_count;
    struct buffer text, authorization;
    char time[SIGV4_TIME_SIZE];

    // What the handle is set to.
    char *url; // owned
    int64_t timeout_ms;
    long receive_size;

    struct lane_answer answer;
    char date[40]; // the last Date header, and what it means
    int64_t date_ms;
    char detail[CURL_ERROR_SIZE];
};

static const char *const content_types[] = {
    [AWS_JSON_10] = "application/x-amz-json-1.0",
    [AWS_JSON_11] = "application/x-amz-json-1.1",
    [AWS_CBOR_11] = "application/x-amz-cbor-1.1",
    [AWS_QUERY] = "application/x-www-form-urlencoded; charset=utf-8",
};

static const char *const target_prefixes[AWS_SERVICE_COUNT] = {
    [AWS_SQS] = "AmazonSQS.",
    [AWS_KINESIS] = "Kinesis_20131202.",
    [AWS_STS] = "", // speaks Query only
};

// ---- the answer

static void keep(char *place, size_t size, struct bytes value)
{
    if (value.size >= size)
        value.size = size - 1;
    memcpy(place, value.data, value.size);
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
static void read_date(struct lane *lane, struct bytes value)
{
    if (strlen(lane->date) != value.size ||
        memcmp(lane->date, value.data, value.size) != 0) {
        keep(lane->date, sizeof(lane->date), value);
        lane->date_ms = (int64_t)curl_getdate(lane->date, NULL);
        if (lane->date_ms >= 0)
            lane->date_ms *= 1000;
    }
    lane->answer.date_ms = lane->date_ms;
}

// False: more than the limit is on its way.
static bool expect_size(struct lane *lane, struct bytes value)
{
    struct buffer *body = &lane->answer.body;
    int64_t size = read_number(value);

    if (size > (int64_t)body->limit) {
        lane->answer.over_limit = true;
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

static bool read_header(struct lane *lane, struct bytes name,
                        struct bytes value)
{
    struct lane_answer *answer = &lane->answer;

    switch (name.data[0] | 0x20) {
    case 'c':
        return !is_named(name, "content-length") || expect_size(lane, value);
    case 'd':
        if (is_named(name, "date"))
            read_date(lane, value);
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
static size_t on_header(char *data, size_t unit, size_t count, void *context)
{
    struct lane *lane = context;
    const char *colon = memchr(data, ':', count);

    (void)unit;
    lane->answer.has_begun = true;
    if (!colon || colon == data)
        return count;
    return read_header(lane, (struct bytes){data, (size_t)(colon - data)},
                       trim(colon + 1, data + count))
               ? count
               : 0;
}

static size_t on_body(char *data, size_t unit, size_t count, void *context)
{
    struct lane_answer *answer = &((struct lane *)context)->answer;

    (void)unit;
    if (!answer->body.data && count < FIRST_CHUNK &&
        answer->body.limit >= FIRST_CHUNK)
        (void)buffer_reserve(&answer->body, FIRST_CHUNK);
    buffer_append(&answer->body, data, count);
    answer->over_limit = !buffer_ok(&answer->body);
    return answer->over_limit ? 0 : count;
}

static void answer_reset(struct lane *lane)
{
    struct lane_answer *answer = &lane->answer;

    buffer_finish(&answer->body);
    answer->body.limit = aws_session_response_limit(lane->session);
    answer->has_begun = answer->over_limit = answer->has_age = false;
    answer->date_ms = answer->retry_after_ms = -1;
    answer->error_type[0] = answer->query_error[0] = '\0';
    answer->request_id[0] = lane->detail[0] = '\0';
}

// ---- the request

static void put_line(struct lane *lane, const char *name, const char *prefix,
                     const char *value)
{
    lane->offsets[lane->line_count++] = lane->text.size;
    buffer_append_text(&lane->text, name);
    buffer_append_text(&lane->text, prefix);
    buffer_append_text(&lane->text, value);
    buffer_append_char(&lane->text, '\0');
}

// In the order of their names, as the signature wants them; libcurl writes
// `host` from the same URL.
static void put_signed_lines(struct lane *lane, const struct lane_load *load)
{
    const struct aws_request *request = load->request;
    const char *token = load->credentials->session_token;

    put_line(lane, "content-type: ", "", content_types[request->protocol]);
    put_line(lane, "x-amz-date: ", "", lane->time);
    if (token)
        put_line(lane, "x-amz-security-token: ", "", token);
    if (request->protocol == AWS_QUERY)
        return;
    put_line(lane, "x-amz-target: ", target_prefixes[request->service],
             request->operation);
    if (request->service == AWS_SQS)
        put_line(lane, "x-amzn-query-mode: ", "", "true");
}

// What libcurl would add by itself and nobody wants.
static void put_other_lines(struct lane *lane, enum aws_protocol protocol)
{
    if (protocol == AWS_CBOR_11)
        put_line(lane, "accept: ", "", content_types[AWS_CBOR_11]);
    else
        put_line(lane, "accept:", "", "");
    put_line(lane, "expect:", "", "");
}

static size_t collect_signed(const struct lane *lane, size_t lines,
                             const char *host, struct sigv4_header *headers)
{
    size_t count = 0;

    for (size_t i = 0; i < lines; i++) {
        const char *line = lane->text.data + lane->offsets[i];
        size_t name = (size_t)(strchr(line, ':') - line);

        if (i == 1)
            headers[count++] =
                (struct sigv4_header){BYTES("host"), bytes_of(host)};
        headers[count++] =
            (struct sigv4_header){{line, name}, bytes_of(line + name + 2)};
    }
    return count;
}

static void sign(struct lane *lane, const struct lane_load *load,
                 const struct sigv4_header *headers, size_t count,
                 struct bytes path)
{
    const struct aws_request *request = load->request;
    const struct sigv4_request what = {
        .method = "POST",
        .path = path,
        .headers = headers,
        .header_count = count,
        .body = buffer_bytes(&request->body),
        .access_key = load->credentials->access_key,
        .secret_key = load->credentials->secret_key,
        .region = aws_session_region(lane->session),
        .service = endpoint_signing_name(request->service),
        .time = lane->time};

    buffer_clear(&lane->authorization);
    buffer_append_text(&lane->authorization, "authorization: ");
    sigv4_sign(lane->sigv4, &what, &lane->authorization);
}

// libcurl keeps the address of the list, so that only its texts change.
static void link_lines(struct lane *lane)
{
    size_t count = lane->line_count;

    for (size_t i = 0; i < count; i++) {
        lane->lines[i].data = lane->text.data + lane->offsets[i];
        lane->lines[i].next = &lane->lines[i + 1];
    }
    lane->lines[count].data = lane->authorization.data;
    (void)buffer_text(&lane->authorization);
    lane->lines[count].next = NULL;
}

static void build_headers(struct lane *lane, const struct lane_load *load,
                          const char *host, struct bytes path)
{
    struct sigv4_header headers[LINES];
    size_t signed_lines;

    buffer_clear(&lane->text);
    lane->line_count = 0;
    sigv4_time(load->wall_ms, lane->time);
    put_signed_lines(lane, load);
    signed_lines = lane->line_count;
    put_other_lines(lane, load->request->protocol);
    sign(lane, load, headers, collect_signed(lane, signed_lines, host, headers),
         path);
    link_lines(lane);
}

static void set_url(struct lane *lane, const struct endpoint *endpoint,
                    const char *path)
{
    size_t head = strlen(endpoint->url);

    if (lane->url && !strncmp(lane->url, endpoint->url, head) &&
        !strcmp(lane->url + head, path))
        return;
    free(lane->url);
    lane->url = mem_printf("%s%s", endpoint->url, path);
    curl_easy_setopt(lane->easy, CURLOPT_URL, lane->url);
}

static void set_timeout(struct lane *lane, int64_t timeout_ms)
{
    if (timeout_ms <= 0)
        timeout_ms = DEFAULT_TIMEOUT_MS;
    if (timeout_ms == lane->timeout_ms)
        return;
    lane->timeout_ms = timeout_ms;
    curl_easy_setopt(lane->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
}

// An idle queue's long poll keeps its buffer; a shard's answers are large, and
// none of them waits.
static void set_receive_size(struct lane *lane, enum aws_service service)
{
    long size = service == AWS_KINESIS ? 64 * 1024 : 8 * 1024;

    if (size == lane->receive_size)
        return;
    lane->receive_size = size;
    curl_easy_setopt(lane->easy, CURLOPT_BUFFERSIZE, size);
}

void lane_load(struct lane *lane, const struct lane_load *load)
{
    const struct aws_request *request = load->request;
    const struct endpoint *endpoint =
        aws_session_place(lane->session, request->service);
    const char *path = request->path ? request->path : "/";

    lane->owner = load->owner;
    answer_reset(lane);
    set_url(lane, endpoint, path);
    set_timeout(lane, request->timeout_ms);
    set_receive_size(lane, request->service);
    build_headers(
        lane, load, endpoint->host,
        bytes_of(lane->url + strlen(endpoint->url) - strlen(endpoint->path)));
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)request->body.size);
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS, request->body.data);
}

struct lane *lane_create(struct aws_session *session, struct sigv4 *sigv4)
{
    struct lane *lane = mem_calloc(1, sizeof(*lane));
    CURL *easy = curl_easy_init();

    if (!easy)
        abort(); // only for want of memory
    lane->session = session;
    lane->sigv4 = sigv4;
    lane->easy = easy;
    lane->date_ms = -1;
    buffer_init(&lane->text, LINES_LIMIT);
    buffer_init(&lane->authorization, LINES_LIMIT);
    transport_prepare(aws_session_transport(session), easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, lane);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lane->lines);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, lane);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, lane);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, lane->detail);
    return lane;
}

void lane_destroy(struct lane *lane)
{
    if (!lane)
        return;
    curl_easy_cleanup(lane->easy);
    buffer_finish(&lane->answer.body);
    // The lines hold the session token.
    buffer_wipe(&lane->text);
    buffer_finish(&lane->authorization);
    free(lane->url);
    free(lane);
}

CURL *lane_easy(const struct lane *lane)
{
    return lane->easy;
}

struct lane *lane_of(CURL *easy)
{
    char *lane = NULL;

    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &lane);
    return (struct lane *)(void *)lane;
}

void *lane_owner(const struct lane *lane)
{
    return lane->owner;
}

const struct lane_answer *lane_answer(const struct lane *lane)
{
    return &lane->answer;
}

void lane_take_body(struct lane *lane, struct buffer *body)
{
    *body = lane->answer.body;
    buffer_init(&lane->answer.body, body->limit);
}

const char *lane_detail(const struct lane *lane)
{
    return lane->detail;
}
