#include "aws/ini.h"

struct ini {
    struct bytes rest;
    struct ini_entry last; // the section and key we are in
    size_t last_indent;
    bool in_section, in_block; // in_block: the last key had no value
    ini_entry_fn *tell;
    void *context;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes trim(struct bytes text)
{
    while (text.size && is_space(text.data[0])) {
        text.data++;
        text.size--;
    }
    while (text.size && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

static struct bytes next_line(struct bytes *rest)
{
    const char *end = memchr(rest->data, '\n', rest->size);
    struct bytes line = {rest->data,
                         end ? (size_t)(end - rest->data) : rest->size};
    size_t used = end ? line.size + 1 : line.size;

    rest->data += used;
    rest->size -= used;
    return line;
}

static bool starts_comment(char c)
{
    return c == '#' || c == ';';
}

// A comment in a value needs white space before it: keys may contain '#'.
static struct bytes without_comment(struct bytes value)
{
    for (size_t i = 0; i < value.size; i++)
        if (starts_comment(value.data[i]) &&
            (i == 0 || is_space(value.data[i - 1])))
            value.size = i;
    return trim(value);
}

static bool read_section(struct ini *ini, struct bytes line)
{
    const char *end = memchr(line.data, ']', line.size);

    if (!end)
        return false;
    ini->last = (struct ini_entry){
        .section =
            trim((struct bytes){line.data + 1, (size_t)(end - line.data - 1)}),
        .line = ini->last.line};
    ini->in_section = true;
    ini->in_block = false;
    ini->tell(ini->context, &ini->last);
    return true;
}

static bool split(struct bytes line, struct bytes *key, struct bytes *value)
{
    const char *equals = memchr(line.data, '=', line.size);

    if (!equals)
        return false;
    *key = trim((struct bytes){line.data, (size_t)(equals - line.data)});
    *value = without_comment((struct bytes){
        equals + 1, line.size - (size_t)(equals + 1 - line.data)});
    return key->size > 0;
}

// Deeper than its key: nested in a block, or a longer value, which no setting
// that we read has.
static bool read_deeper(struct ini *ini, struct bytes line)
{
    struct ini_entry entry = ini->last;

    if (!ini->in_block)
        return true;
    if (!split(line, &entry.nested, &entry.value))
        return false;
    ini->tell(ini->context, &entry);
    return true;
}

static bool read_key(struct ini *ini, struct bytes line, size_t indent)
{
    if (!ini->in_section || !split(line, &ini->last.key, &ini->last.value))
        return false;
    ini->last_indent = indent;
    ini->in_block = ini->last.value.size == 0;
    ini->tell(ini->context, &ini->last);
    return true;
}

static bool read_line(struct ini *ini, struct bytes raw)
{
    struct bytes line = trim(raw);
    size_t indent = (size_t)(line.data - raw.data);

    if (!line.size || starts_comment(line.data[0]))
        return true;
    if (line.data[0] == '[' && indent == 0)
        return read_section(ini, line);
    if (ini->last.key.size && indent > ini->last_indent)
        return read_deeper(ini, line);
    return read_key(ini, line, indent);
}

bool ini_read(struct bytes text, ini_entry_fn *tell, void *context,
              struct error *err)
{
    struct ini ini = {.rest = text, .tell = tell, .context = context};
    static const char mark[] = "\xef\xbb\xbf"; // some editors' first bytes

    if (text.size >= 3 && !memcmp(text.data, mark, 3)) {
        ini.rest.data += 3;
        ini.rest.size -= 3;
    }
    while (ini.rest.size) {
        ini.last.line++;
        if (!read_line(&ini, next_line(&ini.rest)))
            return error_set(err, ERROR_INVALID,
                             "line %d is neither [section] nor key = value",
                             ini.last.line);
    }
    return true;
}
