#include "source/kinesis_records.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/cbor_read.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/error.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "record/event.h"
#include "record/record.h"

#define SEQUENCE_LIMIT 256 // digits; AWS promises 129 at the most
#define ITERATOR_LIMIT 4096

// One of the two readers, behind one set of verbs.
struct document {
    bool is_cbor;
    const char *error; // a sentence of ours, or NULL
    union {
        struct json_read json;
        struct cbor_read cbor;
    };
};

static void open_document(struct document *in, struct buffer *body, bool cbor)
{
    in->is_cbor = cbor;
    in->error = NULL;
    if (cbor)
        cbor_read_init(&in->cbor, body->data, body->size);
    else
        json_read_init(&in->json, body->data, body->size);
}

static const char *reader_error(const struct document *in)
{
    return in->is_cbor ? in->cbor.error : in->json.error;
}

static bool fail(struct document *in, const char *reason)
{
    if (!in->error && !reader_error(in))
        in->error = reason;
    return false;
}

static bool enter_map(struct document *in)
{
    return in->is_cbor ? cbor_read_map(&in->cbor) : json_read_object(&in->json);
}

static bool next_member(struct document *in, struct bytes *name)
{
    if (in->error)
        return false;
    return in->is_cbor ? cbor_read_member(&in->cbor, name)
                       : json_read_member(&in->json, name);
}

static bool enter_array(struct document *in)
{
    return in->is_cbor ? cbor_read_array(&in->cbor)
                       : json_read_array(&in->json);
}

static bool next_element(struct document *in)
{
    if (in->error)
        return false;
    return in->is_cbor ? cbor_read_element(&in->cbor)
                       : json_read_element(&in->json);
}

static bool read_text(struct document *in, struct bytes *text)
{
    return in->is_cbor ? cbor_read_text(&in->cbor, text)
                       : json_read_string(&in->json, text);
}

static bool read_int(struct document *in, int64_t *number)
{
    return in->is_cbor ? cbor_read_int(&in->cbor, number)
                       : json_read_int(&in->json, number);
}

static bool read_time_ms(struct document *in, int64_t *ms)
{
    return in->is_cbor ? cbor_read_time_ms(&in->cbor, ms)
                       : json_read_seconds_as_ms(&in->json, ms);
}

static bool skip(struct document *in)
{
    return in->is_cbor ? cbor_read_skip(&in->cbor) : json_read_skip(&in->json);
}

static char *position(const struct document *in)
{
    return in->is_cbor ? in->cbor.at : in->json.at;
}

static bool close_document(struct document *in, const char *what,
                           struct error *err)
{
    size_t offset =
        in->is_cbor ? cbor_read_offset(&in->cbor) : json_read_offset(&in->json);

    if (!in->error &&
        (in->is_cbor ? cbor_read_end(&in->cbor) : json_read_end(&in->json)))
        return true;
    return error_set(err, ERROR_TRANSIENT,
                     "%s answered %s that cannot be read: %s, at byte %zu",
                     what, in->is_cbor ? "CBOR" : "JSON",
                     in->error ? in->error : reader_error(in), offset);
}

// Numbers take a byte or more each, so the bytes that they stand for can be
// written over them.
static bool read_byte_array(struct document *in, struct bytes *data)
{
    char *start, *to;
    int64_t byte;

    if (!enter_array(in))
        return fail(in, "a Buffer without data");
    start = to = position(in);
    while (next_element(in)) {
        if (!read_int(in, &byte))
            return false;
        if (byte < 0 || byte > 255)
            return fail(in, "a Buffer with more than bytes in it");
        *to++ = (char)byte;
    }
    *data = (struct bytes){start, (size_t)(to - start)};
    return true;
}

// What kinesalite keeps of a record put by CBOR:
// {"type":"Buffer","data":[104,105]}.
static bool read_node_buffer(struct document *in, struct bytes *data)
{
    struct bytes name;
    bool found = false;

    if (!enter_map(in))
        return false;
    while (next_member(in, &name)) {
        if (bytes_equal(name, BYTES("data")))
            found = read_byte_array(in, data);
        else
            skip(in);
    }
    return found || fail(in, "Data is neither bytes nor base64");
}

static bool read_base64(struct document *in, struct bytes *data)
{
    size_t size;
    char *to;

    if (!read_text(in, data) || !data->size)
        return !reader_error(in);
    to = position(in) - (position(in) - data->data); // the same, writable
    if (!codec_base64_decode(*data, to, &size))
        return fail(in, "Data is no base64");
    data->size = size;
    return true;
}

static bool read_data(struct document *in, struct record *record)
{
    struct bytes *data = &record->data;

    if (in->is_cbor && cbor_read_peek(&in->cbor) == CBOR_READ_BYTES)
        return cbor_read_bytes(&in->cbor, data);
    if (in->is_cbor ? cbor_read_peek(&in->cbor) == CBOR_READ_MAP
                    : json_read_peek(&in->json) == JSON_READ_OBJECT)
        return read_node_buffer(in, data);
    return read_base64(in, data);
}

static bool read_sequence(struct document *in, struct record *record)
{
    struct bytes *id = &record->id;

    if (!read_text(in, id))
        return false;
    if (!id->size || id->size > SEQUENCE_LIMIT)
        return fail(in, "a SequenceNumber of no sensible length");
    return bytes_are_digits(*id) ||
           fail(in, "a SequenceNumber that is no number");
}

static bool read_record_member(struct document *in, struct bytes name,
                               struct record *record)
{
    if (bytes_equal(name, BYTES("Data")))
        return read_data(in, record);
    if (bytes_equal(name, BYTES("PartitionKey")))
        return read_text(in, &record->key);
    if (bytes_equal(name, BYTES("SequenceNumber")))
        return read_sequence(in, record);
    if (bytes_equal(name, BYTES("ApproximateArrivalTimestamp")))
        return read_time_ms(in, &record->arrived_at_ms);
    return skip(in);
}

// The answer as it is being read.
struct kinesis_parse {
    struct document in;
    struct buffer *body; // borrowed
    struct kinesis_parse_options options;
    size_t origin_size;     // of each record's event
    struct record *records; // owned until a chunk adopts it
    size_t capacity;
    bool has_records; // the member, even when it is empty
    bool in_records;  // and reading stopped at its first
    struct bytes next_iterator;
    struct stream_page page;
};

static bool read_record(struct kinesis_parse *parse, struct record *record)
{
    struct document *in = &parse->in;
    struct bytes name;

    *record = (struct record){.origin = parse->options.origin,
                              .received_ms = parse->options.received_ms,
                              .visible_ms = CLOCK_NEVER,
                              .receive_count = 1};
    if (!enter_map(in))
        return fail(in, "a record that is none");
    while (next_member(in, &name))
        if (!read_record_member(in, name, record))
            return false;
    if (!record->id.data)
        return fail(in, "a record without SequenceNumber");
    record->event_size =
        (uint32_t)(parse->origin_size + event_own_size(record));
    parse->page.bytes += record->data.size + record->key.size;
    return true;
}

static struct record *new_record(struct kinesis_parse *parse)
{
    size_t count = parse->page.count;

    if (count == KINESIS_RECORDS_LIMIT) {
        fail(&parse->in, "more than 10000 records");
        return NULL;
    }
    if (count == parse->capacity) {
        parse->capacity = parse->capacity ? 2 * parse->capacity : 64;
        parse->records = mem_realloc(parse->records, parse->capacity,
                                     sizeof(*parse->records));
    }
    return &parse->records[count];
}

// From the first record on.
static void read_records(struct kinesis_parse *parse)
{
    struct record *record;

    do {
        record = new_record(parse);
        if (!record || !read_record(parse, record))
            return;
        parse->page.count++;
    } while (next_element(&parse->in));
}

static void count_children(struct kinesis_parse *parse)
{
    struct document *in = &parse->in;

    if (!enter_array(in))
        return;
    while (next_element(in)) {
        if (!skip(in))
            return;
        parse->page.children++;
    }
}

// Up to the first record, or to the end. Servers put little before them.
static void read_members(struct kinesis_parse *parse)
{
    struct document *in = &parse->in;
    struct bytes name;

    parse->in_records = false;
    while (!parse->in_records && next_member(in, &name)) {
        if (bytes_equal(name, BYTES("Records"))) {
            parse->has_records = true;
            parse->in_records = enter_array(in) && next_element(in);
        } else if (bytes_equal(name, BYTES("NextShardIterator")) ||
                   bytes_equal(name, BYTES("ContinuationSequenceNumber")))
            read_text(in, &parse->next_iterator);
        else if (bytes_equal(name, BYTES("MillisBehindLatest")))
            read_int(in, &parse->page.millis_behind);
        else if (bytes_equal(name, BYTES("ChildShards")))
            count_children(parse);
        else
            skip(in);
    }
}

static char *copy_iterator(const struct kinesis_parse *parse)
{
    struct bytes iterator = parse->next_iterator;

    if (!iterator.size || iterator.size > ITERATOR_LIMIT)
        return NULL;
    return mem_strndup(iterator.data, iterator.size);
}

struct kinesis_parse *
kinesis_parse_begin(struct buffer *body,
                    const struct kinesis_parse_options *options,
                    struct kinesis_head *head)
{
    struct kinesis_parse *parse = mem_calloc(1, sizeof(*parse));

    parse->body = body;
    parse->options = *options;
    parse->origin_size = event_origin_size(options->origin);
    if (options->spares)
        parse->records =
            chunk_spares_records(options->spares, &parse->capacity);
    open_document(&parse->in, body, options->cbor);
    if (enter_map(&parse->in))
        read_members(parse);
    else
        fail(&parse->in, "no map");
    *head = (struct kinesis_head){.next_iterator = copy_iterator(parse),
                                  .millis_behind = parse->page.millis_behind,
                                  .has_records = parse->in_records};
    return parse;
}

static bool read_rest(struct kinesis_parse *parse, struct error *err)
{
    struct document *in = &parse->in;

    while (parse->in_records) {
        read_records(parse);
        read_members(parse);
    }
    // Without this check an empty answer would pass for the end of the shard.
    if (!parse->has_records)
        fail(in, "no Records");
    if (parse->next_iterator.size > ITERATOR_LIMIT)
        fail(in, "a NextShardIterator of no sensible length");
    return close_document(in, "GetRecords", err);
}

// Memory that is not used again is no larger than it must be: a pushed event
// has a record or two.
static void trim_records(struct kinesis_parse *parse)
{
    if (parse->options.spares || parse->page.count == parse->capacity)
        return;
    parse->capacity = parse->page.count;
    parse->records =
        mem_realloc(parse->records, parse->capacity, sizeof(*parse->records));
}

static void hand_over(struct kinesis_parse *parse, struct stream_page *page)
{
    *page = parse->page;
    page->next_iterator = copy_iterator(parse);
    if (!page->count)
        return;
    trim_records(parse);
    page->chunk = chunk_adopt(parse->body, parse->records, page->count);
    page->chunk->capacity = parse->capacity;
    page->chunk->spares = parse->options.spares;
    parse->records = NULL;
}

bool kinesis_parse_end(struct kinesis_parse *parse, struct stream_page *page,
                       struct error *err)
{
    bool ok = read_rest(parse, err);

    if (ok)
        hand_over(parse, page);
    free(parse->records);
    free(parse);
    return ok;
}

bool kinesis_page_parse(struct buffer *body, bool cbor,
                        const struct record_origin *origin, int64_t received_ms,
                        struct stream_page *page, struct error *err)
{
    struct kinesis_head head;
    struct kinesis_parse *parse = kinesis_parse_begin(
        body,
        &(struct kinesis_parse_options){
            .cbor = cbor, .origin = origin, .received_ms = received_ms},
        &head);

    free(head.next_iterator);
    return kinesis_parse_end(parse, page, err);
}

char *kinesis_iterator_parse(struct buffer *body, bool cbor, struct error *err)
{
    struct document in;
    struct bytes name, iterator = {0};

    open_document(&in, body, cbor);
    if (enter_map(&in))
        while (next_member(&in, &name)) {
            if (bytes_equal(name, BYTES("ShardIterator")))
                read_text(&in, &iterator);
            else
                skip(&in);
        }
    if (!iterator.size || iterator.size > ITERATOR_LIMIT)
        fail(&in, "no ShardIterator");
    if (!close_document(&in, "GetShardIterator", err))
        return NULL;
    return mem_strndup(iterator.data, iterator.size);
}
