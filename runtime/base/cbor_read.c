#include "base/cbor_read.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include <cbor/callbacks.h>
#include <cbor/streaming.h>

#define ENDS_EARLY "the document ends early"

static bool fail(struct cbor_read *in, const char *reason)
{
    if (!in->error)
        in->error = reason;
    return false;
}

void cbor_read_init(struct cbor_read *in, char *data, size_t size)
{
    in->start = in->at = data;
    in->end = size ? data + size : data;
    in->error = NULL;
    in->peeked = false;
    in->depth = 0;
}

static void put(void *context, enum cbor_read_type type, uint64_t number)
{
    struct cbor_item *item = context;

    item->type = type;
    item->number = number;
}

static void put_unsigned8(void *context, uint8_t number)
{
    put(context, CBOR_READ_UNSIGNED, number);
}

static void put_unsigned16(void *context, uint16_t number)
{
    put(context, CBOR_READ_UNSIGNED, number);
}

static void put_unsigned32(void *context, uint32_t number)
{
    put(context, CBOR_READ_UNSIGNED, number);
}

static void put_unsigned64(void *context, uint64_t number)
{
    put(context, CBOR_READ_UNSIGNED, number);
}

static void put_negative8(void *context, uint8_t number)
{
    put(context, CBOR_READ_NEGATIVE, number);
}

static void put_negative16(void *context, uint16_t number)
{
    put(context, CBOR_READ_NEGATIVE, number);
}

static void put_negative32(void *context, uint32_t number)
{
    put(context, CBOR_READ_NEGATIVE, number);
}

static void put_negative64(void *context, uint64_t number)
{
    put(context, CBOR_READ_NEGATIVE, number);
}

static void put_float(void *context, float number)
{
    put(context, CBOR_READ_FLOAT, 0);
    ((struct cbor_item *)context)->real = (double)number;
}

static void put_double(void *context, double number)
{
    put(context, CBOR_READ_FLOAT, 0);
    ((struct cbor_item *)context)->real = number;
}

static void put_bytes(void *context, cbor_data data, size_t size)
{
    put(context, CBOR_READ_BYTES, size);
    ((struct cbor_item *)context)->data = data;
}

static void put_text(void *context, cbor_data data, size_t size)
{
    put(context, CBOR_READ_TEXT, size);
    ((struct cbor_item *)context)->data = data;
}

static void put_indefinite(void *context, enum cbor_read_type type)
{
    put(context, type, 0);
    ((struct cbor_item *)context)->indefinite = true;
}

static void put_chunked_bytes(void *context)
{
    put_indefinite(context, CBOR_READ_BYTES);
}

static void put_chunked_text(void *context)
{
    put_indefinite(context, CBOR_READ_TEXT);
}

static void put_open_array(void *context)
{
    put_indefinite(context, CBOR_READ_ARRAY);
}

static void put_array(void *context, size_t count)
{
    put(context, CBOR_READ_ARRAY, count);
}

static void put_open_map(void *context)
{
    put_indefinite(context, CBOR_READ_MAP);
}

static void put_map(void *context, size_t count)
{
    put(context, CBOR_READ_MAP, count);
}

static void put_tag(void *context, uint64_t tag)
{
    put(context, CBOR_READ_TAG, tag);
}

static void put_null(void *context)
{
    put(context, CBOR_READ_NULL, 0);
}

static void put_bool(void *context, bool value)
{
    put(context, CBOR_READ_BOOL, value);
}

static void put_break(void *context)
{
    put(context, CBOR_READ_BREAK, 0);
}

static const struct cbor_callbacks callbacks = {
    .uint8 = put_unsigned8,
    .uint16 = put_unsigned16,
    .uint32 = put_unsigned32,
    .uint64 = put_unsigned64,
    .negint8 = put_negative8,
    .negint16 = put_negative16,
    .negint32 = put_negative32,
    .negint64 = put_negative64,
    .byte_string = put_bytes,
    .byte_string_start = put_chunked_bytes,
    .string = put_text,
    .string_start = put_chunked_text,
    .array_start = put_array,
    .indef_array_start = put_open_array,
    .map_start = put_map,
    .indef_map_start = put_open_map,
    .tag = put_tag,
    .float2 = put_float,
    .float4 = put_float,
    .float8 = put_double,
    .undefined = put_null,
    .null = put_null,
    .boolean = put_bool,
    .indef_break = put_break,
};

// What most of an answer is made of: definite strings and small numbers, whose
// heads are decoded here in a fraction of the time.
static bool decode_common(struct cbor_read *in)
{
    static const enum cbor_read_type types[] = {
        [0] = CBOR_READ_UNSIGNED, [2] = CBOR_READ_BYTES, [3] = CBOR_READ_TEXT};
    const unsigned char *at = (const unsigned char *)in->at;
    size_t left = (size_t)(in->end - in->at), head = 1, size;
    unsigned major, more;

    if (left < 4)
        return false;
    major = at[0] >> 5;
    more = at[0] & 31;
    if (major == 1 || major > 3 || more > 25)
        return false;
    size = more;
    if (more == 24) {
        size = at[1];
        head = 2;
    } else if (more == 25) {
        size = (size_t)at[1] << 8 | at[2];
        head = 3;
    }
    if (major && size > left - head)
        return false;
    in->item.type = types[major];
    in->item.number = size;
    in->item.data = at + head;
    in->at += head + (major ? size : 0);
    return true;
}

static bool decode_one(struct cbor_read *in)
{
    struct cbor_decoder_result result;

    in->item.indefinite = false;
    if (decode_common(in))
        return true;
    result = cbor_stream_decode((cbor_data)in->at, (size_t)(in->end - in->at),
                                &callbacks, &in->item);
    switch (result.status) {
    case CBOR_DECODER_FINISHED:
        in->at += result.read;
        return true;
    case CBOR_DECODER_NEDATA:
        return fail(in, ENDS_EARLY);
    case CBOR_DECODER_ERROR:
        break;
    }
    return fail(in, "a byte that starts no CBOR item");
}

// The next item that is no tag, decoded but not taken.
static bool peek(struct cbor_read *in)
{
    if (in->error)
        return false;
    if (in->peeked)
        return true;
    do {
        if (!decode_one(in))
            return false;
    } while (in->item.type == CBOR_READ_TAG);
    in->peeked = true;
    return true;
}

enum cbor_read_type cbor_read_peek(struct cbor_read *in)
{
    return peek(in) ? in->item.type : CBOR_READ_NOTHING;
}

static bool take(struct cbor_read *in)
{
    if (!peek(in))
        return false;
    in->peeked = false;
    return true;
}

static bool enter(struct cbor_read *in, enum cbor_read_type type,
                  const char *reason)
{
    if (!take(in) || in->item.type == CBOR_READ_NULL)
        return false;
    if (in->item.type != type)
        return fail(in, reason);
    if (in->depth == CBOR_READ_DEPTH)
        return fail(in, "nested too deeply");
    in->levels[in->depth++] = (struct cbor_level){
        .indefinite = in->item.indefinite, .left = in->item.number};
    return true;
}

bool cbor_read_map(struct cbor_read *in)
{
    return enter(in, CBOR_READ_MAP, "a map is expected");
}

bool cbor_read_array(struct cbor_read *in)
{
    return enter(in, CBOR_READ_ARRAY, "an array is expected");
}

bool cbor_read_element(struct cbor_read *in)
{
    struct cbor_level *level;

    if (in->error)
        return false;
    assert(in->depth > 0);
    level = &in->levels[in->depth - 1];
    if (!level->indefinite && level->left) {
        level->left--;
        return true;
    }
    if (level->indefinite) {
        if (!peek(in))
            return false;
        if (in->item.type != CBOR_READ_BREAK)
            return true;
        in->peeked = false;
    }
    in->depth--;
    return false;
}

// Slide the chunks of a string together at the place of the first.
static bool join(struct cbor_read *in, enum cbor_read_type type,
                 struct bytes *joined)
{
    char *start = in->at, *to = start;

    for (;;) {
        if (!decode_one(in))
            return false;
        if (in->item.type == CBOR_READ_BREAK)
            break;
        if (in->item.type != type || in->item.indefinite)
            return fail(in, "a chunk of another kind within a string");
        memmove(to, in->item.data, in->item.number);
        to += in->item.number;
    }
    *joined = (struct bytes){start, (size_t)(to - start)};
    return true;
}

static bool take_string(struct cbor_read *in, enum cbor_read_type type,
                        struct bytes *string, const char *reason)
{
    *string = (struct bytes){0};
    if (!take(in))
        return false;
    if (in->item.type == CBOR_READ_NULL)
        return true;
    if (in->item.type != type)
        return fail(in, reason);
    if (in->item.indefinite)
        return join(in, type, string);
    *string = (struct bytes){(const char *)in->item.data, in->item.number};
    return true;
}

bool cbor_read_text(struct cbor_read *in, struct bytes *text)
{
    return take_string(in, CBOR_READ_TEXT, text, "a text string is expected");
}

bool cbor_read_bytes(struct cbor_read *in, struct bytes *bytes)
{
    return take_string(in, CBOR_READ_BYTES, bytes, "a byte string is expected");
}

bool cbor_read_member(struct cbor_read *in, struct bytes *name)
{
    *name = (struct bytes){0};
    if (!cbor_read_element(in))
        return false;
    if (cbor_read_peek(in) == CBOR_READ_NULL)
        return fail(in, "a name is expected");
    return cbor_read_text(in, name);
}

static bool from_double(struct cbor_read *in, double real, int64_t *number)
{
    if (!isfinite(real) || fabs(real) >= 0x1p63)
        return fail(in, "a number out of range");
    *number = (int64_t)real;
    return true;
}

// An integer as it is; a float goes through scale first, if there is one.
static bool take_number(struct cbor_read *in, double (*scale)(double),
                        int64_t *number)
{
    *number = 0;
    if (!take(in) || in->item.type == CBOR_READ_NULL)
        return !in->error;
    if (in->item.type == CBOR_READ_FLOAT)
        return from_double(in, scale ? scale(in->item.real) : in->item.real,
                           number);
    if (in->item.type != CBOR_READ_UNSIGNED &&
        in->item.type != CBOR_READ_NEGATIVE)
        return fail(in, "a number is expected");
    if (in->item.number > INT64_MAX)
        return fail(in, "a number out of range");
    *number = (int64_t)in->item.number;
    if (in->item.type == CBOR_READ_NEGATIVE)
        *number = -1 - *number;
    return true;
}

bool cbor_read_int(struct cbor_read *in, int64_t *number)
{
    return take_number(in, NULL, number);
}

// As milliseconds this would be early in 1973, as seconds far in the future.
#define SECONDS_BELOW 100000000000

static double seconds_as_ms(double real)
{
    double half = real < 0 ? -0.5 : 0.5;

    return fabs(real) < SECONDS_BELOW ? real * 1000 + half : real;
}

bool cbor_read_time_ms(struct cbor_read *in, int64_t *ms)
{
    bool whole = cbor_read_peek(in) != CBOR_READ_FLOAT;

    if (!take_number(in, seconds_as_ms, ms))
        return false;
    if (whole && *ms > -SECONDS_BELOW && *ms < SECONDS_BELOW)
        *ms *= 1000;
    return true;
}

bool cbor_read_bool(struct cbor_read *in, bool *value)
{
    *value = false;
    if (!take(in) || in->item.type == CBOR_READ_NULL)
        return !in->error;
    if (in->item.type != CBOR_READ_BOOL)
        return fail(in, "true or false is expected");
    *value = in->item.number;
    return true;
}

static bool skip_string(struct cbor_read *in)
{
    struct bytes ignored;

    return in->item.type == CBOR_READ_TEXT ? cbor_read_text(in, &ignored)
                                           : cbor_read_bytes(in, &ignored);
}

static bool skip_container(struct cbor_read *in)
{
    bool pairs = in->item.type == CBOR_READ_MAP;

    if (!(pairs ? cbor_read_map(in) : cbor_read_array(in)))
        return false;
    while (cbor_read_element(in))
        if (!cbor_read_skip(in) || (pairs && !cbor_read_skip(in)))
            return false;
    return !in->error;
}

bool cbor_read_skip(struct cbor_read *in)
{
    switch (cbor_read_peek(in)) {
    case CBOR_READ_NOTHING:
    case CBOR_READ_TAG:
        return false;
    case CBOR_READ_BREAK:
        return fail(in, "an end where a value is expected");
    case CBOR_READ_TEXT:
    case CBOR_READ_BYTES:
        return skip_string(in);
    case CBOR_READ_ARRAY:
    case CBOR_READ_MAP:
        return skip_container(in);
    case CBOR_READ_UNSIGNED:
    case CBOR_READ_NEGATIVE:
    case CBOR_READ_FLOAT:
    case CBOR_READ_BOOL:
    case CBOR_READ_NULL:
        break;
    }
    return take(in);
}

bool cbor_read_end(struct cbor_read *in)
{
    if (in->error)
        return false;
    if (in->depth || in->peeked)
        return fail(in, "not everything was read");
    if (in->at != in->end)
        return fail(in, "something follows the document");
    return true;
}

size_t cbor_read_offset(const struct cbor_read *in)
{
    return (size_t)(in->at - in->start);
}
