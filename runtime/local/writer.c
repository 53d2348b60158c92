#include "local/writer.h"

#include "base/cbor_write.h"
#include "base/codec.h"
#include "base/json_write.h"
#include "local/text.h"

#define CBOR_OPEN_ARRAY 0x9f
#define CBOR_OPEN_MAP 0xbf
#define CBOR_BREAK 0xff

static void put_byte(struct buffer *out, unsigned byte)
{
    buffer_append_char(out, (char)(unsigned char)byte);
}

static void xml_text(struct buffer *out, struct bytes text)
{
    size_t from = 0;

    for (size_t i = 0; i < text.size; i++) {
        const char *entity = text.data[i] == '&'    ? "&amp;"
                             : text.data[i] == '<'  ? "&lt;"
                             : text.data[i] == '>'  ? "&gt;"
                             : text.data[i] == '"'  ? "&quot;"
                             : text.data[i] == '\r' ? "&#xD;"
                                                    : NULL;

        if (!entity)
            continue;
        buffer_append(out, text.data + from, i - from);
        buffer_append_text(out, entity);
        from = i + 1;
    }
    if (text.size > from)
        buffer_append(out, text.data + from, text.size - from);
}

static void xml_tag(struct buffer *out, const char *start, const char *name)
{
    buffer_append_text(out, start);
    buffer_append_text(out, name);
    buffer_append_char(out, '>');
}

static void xml_element(struct buffer *out, const char *name, struct bytes text)
{
    xml_tag(out, "<", name);
    xml_text(out, text);
    xml_tag(out, "</", name);
}

static void separate(struct writer *writer)
{
    if (writer->comma)
        buffer_append_char(writer->out, ',');
    writer->comma = true;
}

// What comes before a member's value in JSON and CBOR. Our own names need no
// escapes.
static void member(struct writer *writer, const char *name)
{
    if (writer->format == WRITER_CBOR) {
        if (name)
            cbor_put_text(writer->out, bytes_of(name));
        return;
    }
    separate(writer);
    if (!name)
        return;
    buffer_append_char(writer->out, '"');
    buffer_append_text(writer->out, name);
    buffer_append(writer->out, "\":", 2);
}

static void open_with(struct writer *writer, const char *name, char json,
                      unsigned cbor)
{
    member(writer, name);
    if (writer->format == WRITER_CBOR)
        put_byte(writer->out, cbor);
    else
        buffer_append_char(writer->out, json);
    writer->comma = false;
}

static void close_with(struct writer *writer, char json)
{
    if (writer->format == WRITER_CBOR)
        put_byte(writer->out, CBOR_BREAK);
    else
        buffer_append_char(writer->out, json);
    writer->comma = true;
}

void writer_open(struct writer *writer, const char *name)
{
    if (writer->format != WRITER_XML)
        open_with(writer, name, '{', CBOR_OPEN_MAP);
    else if (name)
        xml_tag(writer->out, "<", name);
}

void writer_close(struct writer *writer, const char *name)
{
    if (writer->format != WRITER_XML)
        close_with(writer, '}');
    else if (name)
        xml_tag(writer->out, "</", name);
}

void writer_list(struct writer *writer, const char *name)
{
    if (writer->format != WRITER_XML)
        open_with(writer, name, '[', CBOR_OPEN_ARRAY);
}

void writer_list_end(struct writer *writer)
{
    if (writer->format != WRITER_XML)
        close_with(writer, ']');
}

void writer_item(struct writer *writer, const char *element)
{
    writer_open(writer, writer->format == WRITER_XML ? element : NULL);
}

void writer_item_end(struct writer *writer, const char *element)
{
    writer_close(writer, element);
}

void writer_item_text(struct writer *writer, const char *element,
                      struct bytes text)
{
    writer_text(writer, writer->format == WRITER_XML ? element : NULL, text);
}

void writer_text(struct writer *writer, const char *name, struct bytes text)
{
    if (writer->format == WRITER_XML) {
        xml_element(writer->out, name, text);
        return;
    }
    member(writer, name);
    if (writer->format == WRITER_CBOR)
        cbor_put_text(writer->out, text);
    else
        text_put_json(writer->out, text);
}

void writer_int(struct writer *writer, const char *name, int64_t number)
{
    if (writer->format == WRITER_XML) {
        xml_tag(writer->out, "<", name);
        json_put_int(writer->out, number);
        xml_tag(writer->out, "</", name);
        return;
    }
    member(writer, name);
    if (writer->format == WRITER_CBOR)
        cbor_put_int(writer->out, number);
    else
        json_put_int(writer->out, number);
}

void writer_bool(struct writer *writer, const char *name, bool value)
{
    const char *text = value ? "true" : "false";

    if (writer->format == WRITER_XML) {
        xml_element(writer->out, name, bytes_of(text));
        return;
    }
    member(writer, name);
    if (writer->format == WRITER_CBOR)
        put_byte(writer->out, value ? 0xf5 : 0xf4);
    else
        buffer_append_text(writer->out, text);
}

void writer_blob(struct writer *writer, const char *name, struct bytes data)
{
    char *room;

    if (writer->format == WRITER_XML) {
        xml_tag(writer->out, "<", name);
        room = buffer_reserve(writer->out, codec_base64_size(data.size));
        if (room)
            writer->out->size += codec_base64_encode(data, room);
        xml_tag(writer->out, "</", name);
        return;
    }
    member(writer, name);
    if (writer->format == WRITER_CBOR)
        cbor_put_bytes(writer->out, data);
    else
        json_put_base64(writer->out, data);
}

void writer_time_ms(struct writer *writer, const char *name, int64_t ms)
{
    member(writer, name);
    if (writer->format == WRITER_CBOR)
        cbor_put_time_ms(writer->out, ms);
    else
        buffer_printf(writer->out, "%lld.%03d", (long long)(ms / 1000),
                      (int)(ms % 1000));
}

void writer_map(struct writer *writer, const char *name)
{
    if (writer->format != WRITER_XML)
        open_with(writer, name, '{', CBOR_OPEN_MAP);
}

void writer_map_end(struct writer *writer)
{
    if (writer->format != WRITER_XML)
        close_with(writer, '}');
}

static void name_of_pair(struct writer *writer, const char *element,
                         struct bytes name)
{
    xml_tag(writer->out, "<", element);
    xml_element(writer->out, strcmp(element, "Tag") == 0 ? "Key" : "Name",
                name);
}

// Names of attributes come from outside, so they may need escapes.
static void member_from_outside(struct writer *writer, struct bytes name)
{
    if (writer->format == WRITER_CBOR) {
        cbor_put_text(writer->out, name);
        return;
    }
    separate(writer);
    text_put_json(writer->out, name);
    buffer_append_char(writer->out, ':');
}

void writer_pair(struct writer *writer, const char *element, struct bytes name,
                 struct bytes value)
{
    if (writer->format == WRITER_XML) {
        name_of_pair(writer, element, name);
        xml_element(writer->out, "Value", value);
        xml_tag(writer->out, "</", element);
        return;
    }
    member_from_outside(writer, name);
    if (writer->format == WRITER_CBOR)
        cbor_put_text(writer->out, value);
    else
        text_put_json(writer->out, value);
}

void writer_named(struct writer *writer, const char *element, struct bytes name)
{
    if (writer->format == WRITER_XML) {
        name_of_pair(writer, element, name);
        xml_tag(writer->out, "<", "Value");
        return;
    }
    member_from_outside(writer, name);
    if (writer->format == WRITER_CBOR)
        put_byte(writer->out, CBOR_OPEN_MAP);
    else
        buffer_append_char(writer->out, '{');
    writer->comma = false;
}

void writer_named_end(struct writer *writer, const char *element)
{
    if (writer->format != WRITER_XML) {
        close_with(writer, '}');
        return;
    }
    xml_tag(writer->out, "</", "Value");
    xml_tag(writer->out, "</", element);
}

void writer_json(struct writer *writer, struct bytes members)
{
    separate(writer);
    buffer_append_bytes(writer->out, members);
}
