#include "aws/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "aws/credentials.h"
#include "aws/endpoint.h"
#include "aws/session_inner.h"
#include "aws/sigv4.h"
#include "aws/transport.h"
#include "base/codec.h"
#include "base/digest.h"
#include "base/mem.h"

#define LINES 12
#define LINES_LIMIT (4 * 1024 * 1024) // more than any source of tokens gives
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
    size_t expected_size; // of an answer's body, by those before

    // Of an answer that is a stream.
    const struct aws_stream *stream; // borrowed; NULL: it is none
    void *taker;
    bool *client_has_streamed; // borrowed
    bool has_streamed, is_paused;
    bool is_set_to_stream, is_set_to_put; // the handle

    struct answer answer;
    char detail[CURL_ERROR_SIZE];
};

static const char *const content_types[] = {
    [AWS_JSON_10] = "application/x-amz-json-1.0",
    [AWS_JSON_11] = "application/x-amz-json-1.1",
    [AWS_CBOR_11] = "application/x-amz-cbor-1.1",
    [AWS_QUERY] = "application/x-www-form-urlencoded; charset=utf-8",
    [AWS_REST] = NULL, // the request's own
};

static const char *const target_prefixes[AWS_SERVICE_COUNT] = {
    [AWS_SQS] = "AmazonSQS.",
    [AWS_KINESIS] = "Kinesis_20131202.",
    [AWS_STS] = "", // speaks Query only
    [AWS_DYNAMODB_STREAMS] = "DynamoDBStreams_20120810.",
    [AWS_SNS] = "", // Query
    [AWS_S3] = "",  // REST
};

static void put_line(struct lane *lane, const char *name, const char *prefix,
                     const char *value)
{
    lane->offsets[lane->line_count++] = lane->text.size;
    buffer_append_text(&lane->text, name);
    buffer_append_text(&lane->text, prefix);
    buffer_append_text(&lane->text, value);
    buffer_append_char(&lane->text, '\0');
}

// S3 wants to know what it is sent, and checks it.
static void put_checksums(struct lane *lane, struct bytes body)
{
    uint8_t hash[DIGEST_SHA256_SIZE];
    struct bytes sum = {(const char *)hash, sizeof(hash)};
    char text[2 * DIGEST_SHA256_SIZE + 1];

    sigv4_hash(lane->sigv4, body, hash);
    (void)codec_base64_encode(sum, text);
    put_line(lane, "x-amz-checksum-sha256: ", "", text);
    codec_hex_encode(sum, text);
    put_line(lane, "x-amz-content-sha256: ", "", text);
}

// In the order of their names, as the signature wants them; libcurl writes
// `host` from the same URL.
static void put_signed_lines(struct lane *lane, const struct lane_load *load)
{
    const struct aws_request *request = load->request;
    const char *type = content_types[request->protocol];
    const char *token =
        load->credentials ? load->credentials->session_token : NULL;

    put_line(lane, "content-type: ", "",
             type ? type : request->rest.content_type);
    if (!load->credentials)
        return;
    if (request->service == AWS_S3)
        put_checksums(lane, buffer_bytes(&request->body));
    put_line(lane, "x-amz-date: ", "", lane->time);
    if (token)
        put_line(lane, "x-amz-security-token: ", "", token);
    if (request->protocol == AWS_QUERY || request->protocol == AWS_REST)
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
                             struct bytes host, struct sigv4_header *headers)
{
    size_t count = 0;

    for (size_t i = 0; i < lines; i++) {
        const char *line = lane->text.data + lane->offsets[i];
        size_t name = (size_t)(strchr(line, ':') - line);

        if (i == 1)
            headers[count++] = (struct sigv4_header){BYTES("host"), host};
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
        .method = request->rest.is_put ? "PUT" : "POST",
        .path = path,
        .path_is_final = request->service == AWS_S3,
        .headers = headers,
        .header_count = count,
        .body = buffer_bytes(&request->body),
        .access_key = load->credentials->access_key,
        .secret_key = load->credentials->secret_key,
        .region = aws_session_region(lane->session),
        .service = endpoint_signing_name(request->service),
        .time = lane->time};

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
    (void)buffer_text(&lane->authorization);
    lane->lines[count].data = lane->authorization.data;
    lane->lines[count].next = NULL;
    if (!lane->authorization.size)
        lane->lines[count - 1].next = NULL;
}

static void build_headers(struct lane *lane, const struct lane_load *load,
                          struct bytes host, struct bytes path)
{
    struct sigv4_header headers[LINES];
    size_t signed_lines;

    buffer_clear(&lane->text);
    lane->line_count = 0;
    sigv4_time(load->wall_ms, lane->time);
    put_signed_lines(lane, load);
    signed_lines = lane->line_count;
    put_other_lines(lane, load->request->protocol);
    buffer_clear(&lane->authorization);
    if (load->credentials)
        sign(lane, load, headers,
             collect_signed(lane, signed_lines, host, headers), path);
    link_lines(lane);
}

static void set_url(struct lane *lane, const char *base, const char *path)
{
    size_t head = strlen(base);

    if (lane->url && !strncmp(lane->url, base, head) &&
        !strcmp(lane->url + head, path))
        return;
    free(lane->url);
    lane->url = mem_printf("%s%s", base, path);
    curl_easy_setopt(lane->easy, CURLOPT_URL, lane->url);
}

struct spot { // slices of what says it
    struct bytes host, path;
};

static struct spot find_endpoint(struct lane *lane,
                                 const struct aws_request *request)
{
    const struct endpoint *endpoint =
        aws_session_place(lane->session, request->service);

    set_url(lane, endpoint->url, request->path ? request->path : "/");
    return (struct spot){
        bytes_of(endpoint->host),
        bytes_of(lane->url + strlen(endpoint->url) - strlen(endpoint->path))};
}

static struct spot find_spot(struct lane *lane,
                             const struct aws_request *request)
{
    const char *host;
    size_t size;

    if (!request->rest.url)
        return find_endpoint(lane, request);
    set_url(lane, request->rest.url, "");
    host = strstr(lane->url, "://") + strlen("://");
    size = strcspn(host, "/");
    return (struct spot){{host, size},
                         host[size] ? bytes_of(host + size) : BYTES("/")};
}

// No body at all would be read from standard input.
static void set_body(struct lane *lane, const struct aws_request *request)
{
    if (request->rest.is_put != lane->is_set_to_put)
        curl_easy_setopt(lane->easy, CURLOPT_CUSTOMREQUEST,
                         request->rest.is_put ? "PUT" : NULL);
    lane->is_set_to_put = request->rest.is_put;
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     (curl_off_t)request->body.size);
    curl_easy_setopt(lane->easy, CURLOPT_POSTFIELDS,
                     request->body.size ? request->body.data : "");
}

static bool is_success(const struct lane *lane)
{
    long status = 0;

    (void)curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

// CURLOPT_WRITEFUNCTION of a stream.
static size_t on_piece(char *data, size_t unit, size_t count, void *context)
{
    struct lane *lane = context;

    if (!is_success(lane))
        return answer_on_body(data, unit, count, &lane->answer);
    if (lane->stream->take(lane->taker, (struct bytes){data, count}) ==
        AWS_PIECE_LATER) {
        lane->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    lane->has_streamed = *lane->client_has_streamed = true;
    return count;
}

// HTTP/2 has streams of its own and slows a sender down by itself; for short
// calls it has nothing to offer.
static void set_to_stream(struct lane *lane, bool on)
{
    long seconds = on ? (long)((lane->stream->silence_ms + 999) / 1000) : 0;

    curl_easy_setopt(lane->easy, CURLOPT_LOW_SPEED_TIME, seconds);
    if (on == lane->is_set_to_stream)
        return;
    lane->is_set_to_stream = on;
    curl_easy_setopt(lane->easy, CURLOPT_LOW_SPEED_LIMIT, on ? 1L : 0L);
    curl_easy_setopt(lane->easy, CURLOPT_HTTP_VERSION,
                     on ? (long)CURL_HTTP_VERSION_2TLS
                        : (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(lane->easy, CURLOPT_WRITEFUNCTION,
                     on ? on_piece : answer_on_body);
    curl_easy_setopt(lane->easy, CURLOPT_WRITEDATA,
                     on ? (void *)lane : (void *)&lane->answer);
}

static void set_stream(struct lane *lane, const struct lane_load *load)
{
    lane->stream = load->request->stream;
    lane->taker = load->request->owner;
    lane->client_has_streamed = load->has_streamed;
    lane->has_streamed = lane->is_paused = false;
    if (lane->stream || lane->is_set_to_stream)
        set_to_stream(lane, lane->stream != NULL);
}

#define NO_TIMEOUT_MS INT64_MAX

static void set_timeout(struct lane *lane, int64_t timeout_ms)
{
    if (lane->stream)
        timeout_ms = NO_TIMEOUT_MS;
    if (timeout_ms <= 0)
        timeout_ms = DEFAULT_TIMEOUT_MS;
    if (timeout_ms == lane->timeout_ms)
        return;
    lane->timeout_ms = timeout_ms;
    curl_easy_setopt(lane->easy, CURLOPT_TIMEOUT_MS,
                     timeout_ms == NO_TIMEOUT_MS ? 0L : (long)timeout_ms);
}

// A long poll holds its buffer all the time, so an idle queue's is small. What
// is expected fades slowly: deletes stand between receives.
static void set_receive_size(struct lane *lane)
{
    long size = 64 * 1024;

    if (lane->stream ||
        (lane->expected_size >= 4 * 1024 && lane->expected_size < 32 * 1024))
        size = 16 * 1024;
    else if (lane->expected_size < 4 * 1024)
        size = 2 * 1024;
    if (size == lane->receive_size)
        return;
    lane->receive_size = size;
    curl_easy_setopt(lane->easy, CURLOPT_BUFFERSIZE, size);
}

void lane_load(struct lane *lane, const struct lane_load *load)
{
    const struct aws_request *request = load->request;
    struct spot spot = find_spot(lane, request);

    lane->owner = load->owner;
    answer_reset(&lane->answer, load->memory,
                 aws_session_response_limit(lane->session));
    lane->detail[0] = '\0';
    set_stream(lane, load);
    set_timeout(lane, request->timeout_ms);
    set_receive_size(lane);
    build_headers(lane, load, spot.host, spot.path);
    set_body(lane, request);
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
    buffer_init(&lane->text, LINES_LIMIT);
    buffer_init(&lane->authorization, LINES_LIMIT);
    transport_prepare(aws_session_transport(session), easy);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, lane);
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, lane->lines);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, answer_on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, &lane->answer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, answer_on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &lane->answer);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, lane->detail);
    return lane;
}

void lane_destroy(struct lane *lane)
{
    if (!lane)
        return;
    curl_easy_cleanup(lane->easy);
    answer_finish(&lane->answer);
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

const struct answer *lane_answer(const struct lane *lane)
{
    return &lane->answer;
}

void lane_take_body(struct lane *lane, struct buffer *body)
{
    *body = lane->answer.body;
    lane->expected_size /= 2;
    if (body->size > lane->expected_size)
        lane->expected_size = body->size;
    buffer_init(&lane->answer.body, body->limit);
}

bool lane_has_streamed(const struct lane *lane)
{
    return lane->has_streamed;
}

CURLcode lane_resume(struct lane *lane)
{
    if (!lane->is_paused)
        return CURLE_OK;
    lane->is_paused = false;
    return curl_easy_pause(lane->easy, CURLPAUSE_CONT);
}

const char *lane_detail(const struct lane *lane)
{
    return lane->detail;
}
