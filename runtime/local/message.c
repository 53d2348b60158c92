#include "local/message.h"

#include <stdlib.h>

#include "base/codec.h"
#include "base/digest.h"
#include "base/mem.h"
#include "local/text.h"

// Room that message_create fills from front to back.
struct room {
    char *at;
};

static struct bytes put(struct room *room, struct bytes bytes)
{
    struct bytes copy = {room->at, bytes.size};

    if (bytes.size)
        memcpy(room->at, bytes.data, bytes.size);
    room->at += bytes.size;
    return copy;
}

static int by_name(const void *a, const void *b)
{
    const struct message_attribute *one = a, *two = b;
    size_t least =
        one->name.size < two->name.size ? one->name.size : two->name.size;
    int order = memcmp(one->name.data, two->name.data, least);

    return order ? order
                 : (one->name.size > two->name.size) -
                       (one->name.size < two->name.size);
}

static void put_attributes(struct message *message,
                           const struct message_content *content,
                           struct room *room)
{
    message->attribute_count = content->attribute_count;
    for (size_t i = 0; i < content->attribute_count; i++) {
        const struct message_attribute *from = &content->attributes[i];
        struct message_attribute *to = &message->attributes[i];

        to->binary = from->binary;
        to->name = put(room, from->name);
        to->type = put(room, from->type);
        to->value = put(room, from->value);
    }
    qsort(message->attributes, message->attribute_count,
          sizeof(*message->attributes), by_name);
}

static void put_length(struct buffer *buffer, size_t size)
{
    unsigned char length[] = {(unsigned char)(size >> 24),
                              (unsigned char)(size >> 16),
                              (unsigned char)(size >> 8), (unsigned char)size};

    buffer_append(buffer, length, sizeof(length));
}

static void put_sized(struct buffer *buffer, struct bytes bytes)
{
    put_length(buffer, bytes.size);
    buffer_append_bytes(buffer, bytes);
}

static void md5_hex(struct digest *digest, struct bytes data,
                    char hex[MESSAGE_MD5_SIZE + 1])
{
    uint8_t md5[DIGEST_MD5_SIZE] = {0}; // stays zero where MD5 is forbidden

    (void)digest_md5(digest, data, md5);
    codec_hex_encode((struct bytes){(char *)md5, sizeof(md5)}, hex);
}

void message_attributes_md5(const struct message_attribute *const *attributes,
                            size_t count, struct digest *digest,
                            char hex[MESSAGE_MD5_SIZE + 1])
{
    struct buffer text;

    buffer_init(&text, 64 << 20);
    for (size_t i = 0; i < count; i++) {
        put_sized(&text, attributes[i]->name);
        put_sized(&text, attributes[i]->type);
        buffer_append_char(&text, attributes[i]->binary ? 2 : 1);
        put_sized(&text, attributes[i]->value);
    }
    md5_hex(digest, buffer_bytes(&text), hex);
    buffer_finish(&text);
}

static void attributes_md5(const struct message_attribute *attributes,
                           size_t count, struct digest *digest,
                           char hex[MESSAGE_MD5_SIZE + 1])
{
    const struct message_attribute *sorted[MESSAGE_ATTRIBUTES];

    for (size_t i = 0; i < count; i++)
        sorted[i] = &attributes[i];
    if (count)
        message_attributes_md5(sorted, count, digest, hex);
}

static void all_md5(struct message *message, struct digest *digest)
{
    struct message_attribute trace = {.name = BYTES("AWSTraceHeader"),
                                      .type = BYTES("String"),
                                      .value = message->trace_header};

    md5_hex(digest, message->body, message->body_md5);
    attributes_md5(message->attributes, message->attribute_count, digest,
                   message->attributes_md5);
    attributes_md5(&trace, trace.value.size > 0, digest, message->system_md5);
}

// "MessageId":"<36>","MD5OfBody":"<32>","Body":<quoted>
#define JSON_HEAD "\"MessageId\":\""
#define JSON_MD5 "\",\"MD5OfBody\":\""
#define JSON_BODY "\",\"Body\":"
#define JSON_SIZE                                                 \
    (sizeof(JSON_HEAD JSON_MD5 JSON_BODY) - 1 + MESSAGE_ID_SIZE + \
     MESSAGE_MD5_SIZE)

static void put_json(struct message *message, struct bytes quoted,
                     struct room *room)
{
    char *start = room->at;

    (void)put(room, BYTES(JSON_HEAD));
    (void)put(room, bytes_of(message->id));
    (void)put(room, BYTES(JSON_MD5));
    (void)put(room, bytes_of(message->body_md5));
    (void)put(room, BYTES(JSON_BODY));
    (void)put(room, quoted);
    message->json = (struct bytes){start, (size_t)(room->at - start)};
}

// A plain body is stored once: it is a slice of its own JSON.
static void put_body(struct message *message, struct bytes body,
                     struct bytes quoted, struct room *room)
{
    if (quoted.size == body.size + 2) {
        put_json(message, quoted, room);
        message->body = (struct bytes){
            message->json.data + message->json.size - body.size - 1, body.size};
        return;
    }
    message->body = put(room, body);
    put_json(message, quoted, room);
}

size_t message_size_of(const struct message_content *content)
{
    size_t size = content->body.size;

    for (size_t i = 0; i < content->attribute_count; i++)
        size += content->attributes[i].name.size +
                content->attributes[i].type.size +
                content->attributes[i].value.size;
    return size;
}

static size_t room_size(const struct message_content *content, size_t quoted)
{
    return message_size_of(content) + JSON_SIZE + quoted +
           content->group_id.size + content->dedup_id.size +
           content->trace_header.size + content->sender.size;
}

static struct message *allocate(const struct message_content *content,
                                size_t quoted, struct room *room)
{
    size_t head = sizeof(struct message) +
                  content->attribute_count * sizeof(struct message_attribute);
    struct message *message =
        mem_realloc(NULL, head + room_size(content, quoted), 1);

    memset(message, 0, sizeof(*message));
    message->attributes = (struct message_attribute *)(message + 1);
    room->at = (char *)message + head;
    list_init(&message->place);
    list_init(&message->age);
    message->timer.kind = TIMER_MESSAGE;
    return message;
}

struct message *message_create(const struct message_content *content,
                               struct digest *digest)
{
    struct buffer quoted;
    struct message *message;
    struct room room;

    buffer_init(&quoted, content->body.size * 6 + 2);
    text_put_json(&quoted, content->body);
    message = allocate(content, quoted.size, &room);
    message->serial = content->serial;
    message->sent_ms = content->sent_ms;
    memcpy(message->id, content->id, MESSAGE_ID_SIZE);
    if (content->sequence)
        memcpy(message->sequence, content->sequence, strlen(content->sequence));
    message->group_id = put(&room, content->group_id);
    message->dedup_id = put(&room, content->dedup_id);
    message->trace_header = put(&room, content->trace_header);
    message->sender = put(&room, content->sender);
    put_attributes(message, content, &room);
    message->body = content->body;
    all_md5(message, digest);
    put_body(message, content->body, buffer_bytes(&quoted), &room);
    buffer_finish(&quoted);
    return message;
}

void message_destroy(struct message *message)
{
    if (!message)
        return;
    free(message->dead_letter_source);
    free(message);
}

struct message *message_copy(const struct message *message, uint64_t serial,
                             struct digest *digest)
{
    struct message_content content = {
        .body = message->body,
        .group_id = message->group_id,
        .dedup_id = message->dedup_id,
        .trace_header = message->trace_header,
        .sender = message->sender,
        .attributes = message->attributes,
        .attribute_count = message->attribute_count,
        .id = message->id,
        .sequence = message->sequence,
        .serial = serial,
        .sent_ms = message->sent_ms,
    };

    return message_create(&content, digest);
}
