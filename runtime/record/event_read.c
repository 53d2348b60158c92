#include "record/event_read.h"

#include <stdlib.h>
#include <time.h>

#include "base/codec.h"
#include "base/error.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "base/utf8.h"

#define RECORDS_MOST 10000 // of a batch, as everywhere

// What is known of one record, as slices of the text.
struct parts {
    bool is_kinesis, is_dynamodb;
    bool has_data, has_id;
    struct bytes arn, region, identity, event_id;
    struct record record;
};

struct reader {
    struct event_read *event;
    struct json_read in;
    struct record *records; // owned
    size_t count, capacity;
    const char *wrong; // static text, or NULL
    struct bytes window_shard;
};

// The value that comes next as it is written: reading undoes escapes in place,
// so there is a second copy of the text.
static struct bytes take_raw(struct reader *reader)
{
    struct json_read *in = &reader->in;
    const char *raw = reader->event->raw.data;
    size_t from;

    (void)json_read_peek(in);
    from = json_read_offset(in);
    if (!json_read_skip(in))
        return (struct bytes){0};
    return (struct bytes){raw + from, json_read_offset(in) - from};
}

static void take_text(struct reader *reader, struct bytes *text)
{
    (void)json_read_string(&reader->in, text);
}

static void take_data(struct reader *reader, struct parts *parts)
{
    struct bytes text = {0};
    size_t size = 0;
    char *out;

    take_text(reader, &text);
    out = text.data ? reader->in.start + (text.data - reader->in.start) : NULL;
    if (reader->in.error)
        return;
    if (!out || !codec_base64_decode(text, out, &size)) {
        reader->wrong = "data is not base64";
        return;
    }
    parts->record.data = (struct bytes){out, size};
    parts->has_data = true;
}

static void take_id(struct reader *reader, struct parts *parts)
{
    take_text(reader, &parts->record.id);
    parts->has_id = parts->record.id.size > 0;
}

// Counted from 0 there, from 1 in a record.
static void take_place(struct reader *reader, struct parts *parts)
{
    int64_t place = -1;

    if (json_read_int(&reader->in, &place) &&
        (place < 0 || place >= UINT32_MAX))
        reader->wrong = "a subSequenceNumber is out of range";
    else
        parts->record.sub = (uint32_t)(place + 1);
}

static void read_kinesis(struct reader *reader, struct parts *parts)
{
    struct json_read *in = &reader->in;
    struct bytes name;

    parts->is_kinesis = true;
    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        if (bytes_equal(name, BYTES("partitionKey")))
            take_text(reader, &parts->record.key);
        else if (bytes_equal(name, BYTES("sequenceNumber")))
            take_id(reader, parts);
        else if (bytes_equal(name, BYTES("data")))
            take_data(reader, parts);
        else if (bytes_equal(name, BYTES("approximateArrivalTimestamp")))
            (void)json_read_seconds_as_ms(in, &parts->record.arrived_at_ms);
        else if (bytes_equal(name, BYTES("subSequenceNumber")))
            take_place(reader, parts);
        else
            (void)json_read_skip(in);
    }
}

// The object is the record's data as it is written; its members are read on the
// way.
static void read_dynamodb(struct reader *reader, struct parts *parts)
{
    struct json_read *in = &reader->in;
    const char *raw = reader->event->raw.data;
    struct bytes name;
    size_t from;

    parts->is_dynamodb = true;
    (void)json_read_peek(in);
    from = json_read_offset(in);
    if (!json_read_object(in))
        return;
    while (json_read_member(in, &name)) {
        if (bytes_equal(name, BYTES("SequenceNumber")))
            take_id(reader, parts);
        else if (bytes_equal(name, BYTES("ApproximateCreationDateTime")))
            (void)json_read_seconds_as_ms(in, &parts->record.arrived_at_ms);
        else if (bytes_equal(name, BYTES("Keys")))
            parts->record.key = take_raw(reader);
        else
            (void)json_read_skip(in);
    }
    parts->record.data =
        (struct bytes){raw + from, json_read_offset(in) - from};
    parts->has_data = true;
}

static void read_member(struct reader *reader, struct bytes name,
                        struct parts *parts)
{
    if (bytes_equal(name, BYTES("kinesis")))
        read_kinesis(reader, parts);
    else if (bytes_equal(name, BYTES("dynamodb")))
        read_dynamodb(reader, parts);
    else if (bytes_equal(name, BYTES("eventSourceARN")))
        take_text(reader, &parts->arn);
    else if (bytes_equal(name, BYTES("awsRegion")))
        take_text(reader, &parts->region);
    else if (bytes_equal(name, BYTES("invokeIdentityArn")))
        take_text(reader, &parts->identity);
    else if (bytes_equal(name, BYTES("eventID")))
        take_text(reader, &parts->event_id);
    else if (bytes_equal(name, BYTES("eventName")))
        take_text(reader, &parts->record.event_name);
    else if (bytes_equal(name, BYTES("eventVersion")))
        take_text(reader, &parts->record.event_version);
    else if (bytes_equal(name, BYTES("userIdentity")))
        parts->record.user_identity = take_raw(reader);
    else
        (void)json_read_skip(&reader->in);
}

static char *text_of(struct bytes text)
{
    return mem_strndup(text.size ? text.data : "", text.size);
}

// "SHARD:SEQUENCE"
static struct bytes shard_of(const struct parts *parts)
{
    const char *colon =
        parts->is_kinesis && parts->event_id.size
            ? memchr(parts->event_id.data, ':', parts->event_id.size)
            : NULL;

    return colon ? (struct bytes){parts->event_id.data,
                                  (size_t)(colon - parts->event_id.data)}
                 : (struct bytes){0};
}

static void set_origin(struct event_read *event, const struct parts *parts)
{
    struct bytes shard = shard_of(parts);

    event->arn = text_of(parts->arn);
    event->region = text_of(parts->region);
    event->identity = text_of(parts->identity);
    if (shard.size) {
        free(event->shard);
        event->shard = text_of(shard);
    }
    event->origin = (struct record_origin){
        .kind = parts->is_kinesis ? RECORD_KINESIS : RECORD_DYNAMODB,
        .arn = event->arn,
        .region = event->region,
        .shard = event->shard,
        .identity = event->identity};
}

static const char *objection(const struct reader *reader,
                             const struct parts *parts)
{
    const struct record_origin *origin = &reader->event->origin;
    struct bytes shard = shard_of(parts);

    if (parts->is_kinesis == parts->is_dynamodb)
        return "a record is neither of Kinesis nor of DynamoDB Streams";
    if (!parts->has_id || !parts->has_data || !parts->arn.size)
        return "a record lacks its sequence number, its data or its source";
    if (parts->record.id.size > 128 ||
        memchr(parts->arn.data, 0, parts->arn.size))
        return "a record's sequence number or source is none";
    if (reader->count == RECORDS_MOST)
        return "more than 10000 records";
    if (!reader->count)
        return NULL;
    if (!bytes_equal(parts->arn, bytes_of(origin->arn)) ||
        parts->is_kinesis != (origin->kind == RECORD_KINESIS) ||
        (shard.size && !bytes_equal(shard, bytes_of(origin->shard))))
        return "records of more than one source or shard";
    return NULL;
}

// What lies behind the shard in an event id is the full id of its record.
static bool take_full_id(struct parts *parts)
{
    size_t shard_size = shard_of(parts).size + 1;
    struct bytes id;

    if (!parts->record.sub)
        return true;
    if (parts->event_id.size < shard_size + parts->record.id.size)
        return false;
    id = (struct bytes){parts->event_id.data + shard_size,
                        parts->record.id.size};
    if (!bytes_equal(id, parts->record.id))
        return false;
    parts->record.id = id;
    id = record_full_id(&parts->record);
    return id.data + id.size == parts->event_id.data + parts->event_id.size;
}

static void add_record(struct reader *reader, struct parts *parts)
{
    struct record *record;

    if (!reader->wrong)
        reader->wrong = objection(reader, parts);
    if (!reader->wrong && !take_full_id(parts))
        reader->wrong = "a part's eventID is of another record";
    if (reader->wrong)
        return;
    if (!reader->count)
        set_origin(reader->event, parts);
    if (reader->count == reader->capacity) {
        reader->capacity = reader->capacity ? reader->capacity * 2 : 64;
        reader->records = mem_realloc(reader->records, reader->capacity,
                                      sizeof(reader->records[0]));
    }
    record = &reader->records[reader->count++];
    *record = parts->record;
    record->origin = &reader->event->origin;
    record->event_id = parts->event_id;
    record->receive_count = 1;
}

static void read_records(struct reader *reader)
{
    struct json_read *in = &reader->in;
    struct bytes name;

    if (!json_read_array(in))
        return;
    while (!reader->wrong && json_read_element(in)) {
        struct parts parts = {0};

        if (json_read_object(in))
            while (json_read_member(in, &name))
                read_member(reader, name, &parts);
        if (!in->error)
            add_record(reader, &parts);
    }
}

// "2020-12-09T07:04:00Z"
static void take_time(struct reader *reader, int64_t *ms)
{
    struct bytes text = {0};
    struct tm parts = {0};
    char copy[32] = "";
    const char *rest;

    take_text(reader, &text);
    if (text.size < sizeof(copy))
        memcpy(copy, text.data ? text.data : "", text.size);
    rest = strptime(copy, "%Y-%m-%dT%H:%M:%S", &parts);
    if (!rest || strcmp(rest, "Z") != 0)
        reader->wrong = "the window has no start or end";
    else
        *ms = (int64_t)timegm(&parts) * 1000;
}

static void read_window(struct reader *reader)
{
    struct event_window *window = &reader->event->window;
    struct json_read *in = &reader->in;
    struct bytes name;

    reader->event->has_window = json_read_object(in);
    if (!reader->event->has_window)
        return;
    while (json_read_member(in, &name)) {
        if (bytes_equal(name, BYTES("start")))
            take_time(reader, &window->start_ms);
        else if (bytes_equal(name, BYTES("end")))
            take_time(reader, &window->end_ms);
        else
            (void)json_read_skip(in);
    }
}

static void take_state(struct reader *reader, struct bytes *state)
{
    bool is_object = json_read_peek(&reader->in) == JSON_READ_OBJECT;

    *state = take_raw(reader);
    if (!is_object)
        reader->wrong = "the window's state is no object";
}

static void read_top(struct reader *reader, struct bytes name)
{
    struct event_window *window = &reader->event->window;
    struct json_read *in = &reader->in;

    if (bytes_equal(name, BYTES("Records")))
        read_records(reader);
    else if (bytes_equal(name, BYTES("window")))
        read_window(reader);
    else if (bytes_equal(name, BYTES("state")))
        take_state(reader, &window->state);
    else if (bytes_equal(name, BYTES("shardId")))
        take_text(reader, &reader->window_shard);
    else if (bytes_equal(name, BYTES("isFinalInvokeForWindow")))
        (void)json_read_bool(in, &window->is_final);
    else if (bytes_equal(name, BYTES("isWindowTerminatedEarly")))
        (void)json_read_bool(in, &window->is_terminated_early);
    else
        (void)json_read_skip(in);
}

static void read_event(struct reader *reader)
{
    struct bytes name;

    if (json_read_object(&reader->in))
        while (!reader->wrong && json_read_member(&reader->in, &name))
            read_top(reader, name);
    if (!reader->wrong && !reader->in.error && !reader->count)
        reader->wrong = "no records";
}

static bool complain(const struct reader *reader, struct error *err)
{
    const char *why = reader->wrong ? reader->wrong : reader->in.error;

    return error_set(err, ERROR_INVALID, "%s, at byte %zu of the event",
                     why ? why : "no JSON object",
                     json_read_offset(&reader->in));
}

// Records stay where they are from here on.
static void hand_out(struct reader *reader)
{
    struct event_read *event = reader->event;
    struct buffer none = {0};

    event->chunk = chunk_adopt(&none, reader->records, reader->count);
    event->count = reader->count;
    event->records = mem_calloc(reader->count, sizeof(event->records[0]));
    for (size_t i = 0; i < reader->count; i++)
        event->records[i] = &reader->records[i];
    event->window.origin = &event->origin;
    if (!event->window.state.size)
        event->window.state = BYTES("{}");
    if (reader->window_shard.size) {
        free(event->shard);
        event->shard = text_of(reader->window_shard);
        event->origin.shard = event->shard;
    }
}

bool event_read(struct event_read *event, struct buffer *text,
                const char *shard, struct error *err)
{
    struct reader reader = {.event = event};

    *event = (struct event_read){.text = *text, .shard = mem_strdup(shard)};
    buffer_init(text, text->limit);
    buffer_init(&event->raw, event->text.size);
    buffer_append_bytes(&event->raw, buffer_bytes(&event->text));
    if (utf8_valid_size(buffer_bytes(&event->text)) != event->text.size)
        return error_set(err, ERROR_INVALID, "the event is not UTF-8");
    json_read_init(&reader.in, event->text.data, event->text.size);
    read_event(&reader);
    if (reader.wrong || !json_read_end(&reader.in)) {
        free(reader.records);
        return complain(&reader, err);
    }
    hand_out(&reader);
    return true;
}

void event_read_finish(struct event_read *event)
{
    chunk_destroy(event->chunk);
    free(event->records);
    free(event->arn);
    free(event->region);
    free(event->shard);
    free(event->identity);
    buffer_finish(&event->text);
    buffer_finish(&event->raw);
}
