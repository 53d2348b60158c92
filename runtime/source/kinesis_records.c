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
    for (size_t i = 0; i < id->size; i++)
        if (id->data[i] < '0' || id->data[i] > '9')
            return fail(in, "a SequenceNumber that is no number");
    return true;
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
struct draft {
    const struct record_origin *origin;
    size_t origin_size; // of each record's event
    int64_t received_ms;
    struct record *records; // owned until a chunk adopts it
    size_t capacity;
    bool has_records;
    struct bytes next_iterator;
    struct kinesis_page *page;
};

static bool read_record(struct document *in, struct draft *draft,
                        struct record *record)
{
    struct bytes name;

    *record = (struct record){.origin = draft->origin,
                              .received_ms = draft->received_ms,
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
        (uint32_t)(draft->origin_size + event_own_size(record));
    draft->page->bytes += record->data.size + record->key.size;
    return true;
}

static struct record *new_record(struct document *in, struct draft *draft)
{
    size_t count = draft->page->count;

    if (count == KINESIS_RECORDS_LIMIT) {
        fail(in, "more than 10000 records");
        return NULL;
    }
    if (count == draft->capacity) {
        draft->capacity = draft->capacity ? 2 * draft->capacity : 64;
        draft->records = mem_realloc(draft->records, draft->capacity,
                                     sizeof(*draft->records));
    }
    return &draft->records[count];
}

static void read_records(struct document *in, struct draft *draft)
{
    struct record *record;

    draft->has_records = true;
    if (!enter_array(in))
        return;
    while (next_element(in)) {
        record = new_record(in, draft);
        if (!record || !read_record(in, draft, record))
            return;
        draft->page->count++;
    }
}

static void count_children(struct document *in, struct kinesis_page *page)
{
    if (!enter_array(in))
        return;
    while (next_element(in)) {
        if (!skip(in))
            return;
        page->children++;
    }
}

static void read_page(struct document *in, struct draft *draft)
{
    struct bytes name;

    if (!enter_map(in)) {
        fail(in, "no map");
        return;
    }
    while (next_member(in, &name)) {
        if (bytes_equal(name, BYTES("Records")))
            read_records(in, draft);
        else if (bytes_equal(name, BYTES("NextShardIterator")))
            read_text(in, &draft->next_iterator);
        else if (bytes_equal(name, BYTES("MillisBehindLatest")))
            read_int(in, &draft->page->millis_behind);
        else if (bytes_equal(name, BYTES("ChildShards")))
            count_children(in, draft->page);
        else
            skip(in);
    }
    // Without this check an empty answer would pass for the end of the shard.
    if (!draft->has_records)
        fail(in, "no Records");
    if (draft->next_iterator.size > ITERATOR_LIMIT)
        fail(in, "a NextShardIterator of no sensible length");
}

bool kinesis_page_parse(struct buffer *body, bool cbor,
                        const struct record_origin *origin, int64_t received_ms,
                        struct kinesis_page *page, struct error *err)
{
    struct document in;
    struct kinesis_page read = {0};
    struct draft draft = {.origin = origin,
                          .origin_size = event_origin_size(origin),
                          .received_ms = received_ms,
                          .page = &read};

    open_document(&in, body, cbor);
    read_page(&in, &draft);
    if (!close_document(&in, "GetRecords", err)) {
        free(draft.records);
        return false;
    }
    if (draft.next_iterator.size)
        read.next_iterator =
            mem_strndup(draft.next_iterator.data, draft.next_iterator.size);
    if (read.count)
        read.chunk = chunk_adopt(body, draft.records, read.count);
    else
        free(draft.records);
    *page = read;
    return true;
}

void kinesis_page_finish(struct kinesis_page *page)
{
    chunk_destroy(page->chunk);
    free(page->next_iterator);
    *page = (struct kinesis_page){0};
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
