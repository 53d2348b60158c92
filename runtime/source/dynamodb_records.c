#include "source/dynamodb_records.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "record/event.h"
#include "record/record.h"
#include "source/dynamodb_image.h"

#define SEQUENCE_LIMIT 128 // digits; AWS promises 40 at the most
#define ITERATOR_LIMIT 4096
#define TEXTS_SPARE 65536

// The answer as it is being read.
struct parse {
    struct json_read in;
    const char *error; // a sentence of ours, or NULL
    const struct record_origin *origin;
    size_t origin_size; // of each record's event
    int64_t received_ms;
    struct record *records; // owned until a chunk adopts it
    size_t capacity;
    bool has_records;    // the member, even when it is empty
    struct buffer texts; // owned likewise: key, data and user identity of one
                         // record after another
    struct bytes next_iterator;
    struct stream_page page;
};

static bool fail(struct parse *parse, const char *reason)
{
    if (!parse->error && !parse->in.error)
        parse->error = reason;
    return false;
}

static bool next_member(struct parse *parse, struct bytes *name)
{
    return !parse->error && json_read_member(&parse->in, name);
}

static bool read_sequence(struct parse *parse, struct bytes *id)
{
    if (!json_read_string(&parse->in, id))
        return false;
    if (!id->size || id->size > SEQUENCE_LIMIT)
        return fail(parse, "a SequenceNumber of no sensible length");
    for (size_t i = 0; i < id->size; i++)
        if (id->data[i] < '0' || id->data[i] > '9')
            return fail(parse, "a SequenceNumber that is no number");
    return true;
}

static bool read_change_member(struct parse *parse, struct bytes name,
                               struct dynamodb_image *image)
{
    struct json_read *in = &parse->in;

    if (bytes_equal(name, BYTES("ApproximateCreationDateTime")))
        return json_read_seconds_as_ms(in, &image->created_ms);
    if (bytes_equal(name, BYTES("Keys")))
        return json_read_raw(in, &image->keys);
    if (bytes_equal(name, BYTES("NewImage")))
        return json_read_raw(in, &image->new_image);
    if (bytes_equal(name, BYTES("OldImage")))
        return json_read_raw(in, &image->old_image);
    if (bytes_equal(name, BYTES("SequenceNumber")))
        return read_sequence(parse, &image->sequence_number);
    if (bytes_equal(name, BYTES("SizeBytes")))
        return json_read_int(in, &image->size_bytes);
    if (bytes_equal(name, BYTES("StreamViewType")))
        return json_read_string(in, &image->view_type);
    return json_read_skip(in);
}

static bool read_change(struct parse *parse, struct dynamodb_image *image)
{
    struct bytes name;

    if (!json_read_object(&parse->in))
        return fail(parse, "a record without `dynamodb`");
    while (next_member(parse, &name))
        if (!read_change_member(parse, name, image))
            return false;
    return image->sequence_number.size ||
           fail(parse, "a record without SequenceNumber");
}

// GetRecords says PrincipalId and Type.
static bool read_identity(struct parse *parse, struct dynamodb_image *image)
{
    struct bytes name;

    if (!json_read_object(&parse->in))
        return !parse->in.error;
    image->has_identity = true;
    while (next_member(parse, &name)) {
        bool ok;

        if (bytes_equal(name, BYTES("PrincipalId")) ||
            bytes_equal(name, BYTES("principalId")))
            ok = json_read_string(&parse->in, &image->principal_id);
        else if (bytes_equal(name, BYTES("Type")) ||
                 bytes_equal(name, BYTES("type")))
            ok = json_read_string(&parse->in, &image->identity_type);
        else
            ok = json_read_skip(&parse->in);
        if (!ok)
            return false;
    }
    return true;
}

static bool read_member(struct parse *parse, struct bytes name,
                        struct record *record, struct dynamodb_image *image)
{
    struct json_read *in = &parse->in;

    if (bytes_equal(name, BYTES("dynamodb")))
        return read_change(parse, image);
    if (bytes_equal(name, BYTES("eventID")))
        return json_read_string(in, &record->event_id);
    if (bytes_equal(name, BYTES("eventName")))
        return json_read_string(in, &record->event_name);
    if (bytes_equal(name, BYTES("eventVersion")))
        return json_read_string(in, &record->event_version);
    if (bytes_equal(name, BYTES("userIdentity")))
        return read_identity(parse, image);
    return json_read_skip(in);
}

// The texts move as they grow: only their sizes are known yet.
static bool write_texts(struct parse *parse, const struct dynamodb_image *image,
                        struct record *record)
{
    struct buffer *texts = &parse->texts;
    size_t start = texts->size;

    if (!dynamodb_image_put_key(image, texts))
        return fail(parse, "Keys that are none");
    record->key.size = texts->size - start;
    start = texts->size;
    if (!dynamodb_image_put(image, texts))
        return fail(parse, "an item that is none");
    record->data.size = texts->size - start;
    start = texts->size;
    dynamodb_image_put_identity(image, texts);
    record->user_identity.size = texts->size - start;
    return buffer_ok(texts) || fail(parse, "items that grow without bound");
}

static bool read_record(struct parse *parse, struct record *record)
{
    struct dynamodb_image image = {0};
    struct bytes name;

    *record = (struct record){.origin = parse->origin,
                              .received_ms = parse->received_ms,
                              .visible_ms = CLOCK_NEVER,
                              .receive_count = 1};
    if (!json_read_object(&parse->in))
        return fail(parse, "a record that is none");
    while (next_member(parse, &name))
        if (!read_member(parse, name, record, &image))
            return false;
    if (!image.sequence_number.size)
        return fail(parse, "a record without `dynamodb`");
    record->id = image.sequence_number;
    record->arrived_at_ms = image.created_ms;
    return write_texts(parse, &image, record);
}

static struct record *new_record(struct parse *parse)
{
    size_t count = parse->page.count;

    if (count == DYNAMODB_RECORDS_LIMIT) {
        fail(parse, "more than 1000 records");
        return NULL;
    }
    if (count == parse->capacity) {
        parse->capacity = parse->capacity ? 2 * parse->capacity : 16;
        parse->records = mem_realloc(parse->records, parse->capacity,
                                     sizeof(*parse->records));
    }
    return &parse->records[count];
}

static void read_records(struct parse *parse)
{
    struct record *record;

    parse->has_records = true;
    if (!json_read_array(&parse->in))
        return;
    while (!parse->error && json_read_element(&parse->in)) {
        record = new_record(parse);
        if (!record || !read_record(parse, record))
            return;
        parse->page.count++;
    }
}

static void read_answer(struct parse *parse)
{
    struct bytes name;

    if (!json_read_object(&parse->in)) {
        fail(parse, "no object");
        return;
    }
    while (next_member(parse, &name)) {
        if (bytes_equal(name, BYTES("Records")))
            read_records(parse);
        else if (bytes_equal(name, BYTES("NextShardIterator")))
            json_read_string(&parse->in, &parse->next_iterator);
        else
            json_read_skip(&parse->in);
    }
    // Without this check an empty answer would pass for the end of the shard.
    if (!parse->has_records)
        fail(parse, "no Records");
    if (parse->next_iterator.size > ITERATOR_LIMIT)
        fail(parse, "a NextShardIterator of no sensible length");
}

static void place_texts(struct parse *parse)
{
    const char *at = parse->texts.data;

    for (size_t i = 0; i < parse->page.count; i++) {
        struct record *record = &parse->records[i];

        record->key.data = at;
        at += record->key.size;
        record->data.data = at;
        at += record->data.size;
        record->user_identity.data = at;
        at += record->user_identity.size;
        record->event_size =
            (uint32_t)(parse->origin_size + event_own_size(record));
        parse->page.bytes += record->data.size + record->key.size;
    }
}

static void hand_over(struct parse *parse, struct buffer *body,
                      struct stream_page *page)
{
    if (parse->next_iterator.size)
        parse->page.next_iterator =
            mem_strndup(parse->next_iterator.data, parse->next_iterator.size);
    place_texts(parse);
    *page = parse->page;
    if (!page->count)
        return;
    page->chunk = chunk_adopt(body, parse->records, page->count);
    page->chunk->capacity = parse->capacity;
    page->chunk->extra_size = parse->texts.capacity;
    page->chunk->extra = buffer_detach(&parse->texts);
    parse->records = NULL;
}

static bool is_read(struct parse *parse, struct error *err)
{
    if (!parse->error && json_read_end(&parse->in))
        return true;
    return error_set(err, ERROR_TRANSIENT,
                     "GetRecords answered JSON that cannot be read: %s, at "
                     "byte %zu",
                     parse->error ? parse->error : parse->in.error,
                     json_read_offset(&parse->in));
}

bool dynamodb_page_parse(struct buffer *body,
                         const struct record_origin *origin,
                         int64_t received_ms, struct stream_page *page,
                         struct error *err)
{
    struct parse parse = {.origin = origin,
                          .origin_size = event_origin_size(origin),
                          .received_ms = received_ms};
    bool ok;

    json_read_init(&parse.in, body->data, body->size);
    // The texts have the same tokens; the keys twice, and names of our own.
    buffer_init(&parse.texts, 3 * body->size + TEXTS_SPARE);
    if (utf8_valid_size(buffer_bytes(body)) == body->size)
        read_answer(&parse);
    else
        fail(&parse, "not UTF-8");
    ok = is_read(&parse, err);
    if (ok)
        hand_over(&parse, body, page);
    buffer_finish(&parse.texts);
    free(parse.records);
    return ok;
}
