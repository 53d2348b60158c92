#include "aws/ini.h"

#include <stdio.h>

#include "test.h"

static void write_down(void *context, const struct ini_entry *entry)
{
    struct buffer *out = context;

    buffer_printf(out, "[%.*s]", BYTES_ARGS(entry->section));
    if (entry->key.size)
        buffer_printf(out, "%.*s", BYTES_ARGS(entry->key));
    if (entry->nested.size)
        buffer_printf(out, ".%.*s", BYTES_ARGS(entry->nested));
    if (entry->key.size)
        buffer_printf(out, "=%.*s", BYTES_ARGS(entry->value));
    buffer_append_char(out, '\n');
}

static struct read_case {
    const char *name, *text;
    const char *entries; // NULL: refused
    int line;            // where
} cases[] = {
    {"nothing", "", "", 0},
    {"a section alone", "[default]", "[default]\n", 0},
    {"keys", "[a]\nk=v\nk2 = v 2\n", "[a]\n[a]k=v\n[a]k2=v 2\n", 0},
    {"carriage returns", "[a]\r\nk = v\r\n", "[a]\n[a]k=v\n", 0},
    {"a byte order mark", "\xef\xbb\xbf[a]\nk=v", "[a]\n[a]k=v\n", 0},
    {"comments at line start", "# x\n[a]\n  ; y\nk=v", "[a]\n[a]k=v\n", 0},
    {"a comment behind a value", "[a]\nk = v # x\nl = v ;x\n",
     "[a]\n[a]k=v\n[a]l=v\n", 0},
    {"no comment without white space", "[a]\nk = a#b;c\n", "[a]\n[a]k=a#b;c\n",
     0},
    {"a comment behind a section", "[ a ] # x\n", "[a]\n", 0},
    {"equals signs in a value", "[a]\nk = b==\n", "[a]\n[a]k=b==\n", 0},
    {"an empty value", "[a]\nk =\nl = v\n", "[a]\n[a]k=\n[a]l=v\n", 0},
    {"nested keys", "[services s]\nsqs =\n  endpoint_url = u\n  x=y\nk=v\n",
     "[services s]\n[services s]sqs=\n[services s]sqs.endpoint_url=u\n"
     "[services s]sqs.x=y\n[services s]k=v\n",
     0},
    {"a continued value is passed over", "[a]\nk = v\n  more\nl = w\n",
     "[a]\n[a]k=v\n[a]l=w\n", 0},
    {"all keys indented alike", "[a]\n  k = v\n  l = w\n",
     "[a]\n[a]k=v\n[a]l=w\n", 0},
    {"an indented key does not outlive its section", "[a]\nk =\n[b]\n  l = w\n",
     "[a]\n[a]k=\n[b]\n[b]l=w\n", 0},
    {"a key before any section", "k = v\n", NULL, 1},
    {"a line that is nothing", "[a]\nk=v\nwhat\n", NULL, 3},
    {"an open bracket", "\n[a\n", NULL, 2},
    {"a key without name", "[a]\n= v\n", NULL, 2},
};

static void test_read(void **state)
{
    const struct read_case *c = *state;
    struct error err = {0};
    struct buffer out;
    char where[32];
    bool ok;

    buffer_init(&out, 4096);
    ok = ini_read(bytes_of(c->text), write_down, &out, &err);
    if (c->entries) {
        assert_ok(ok, &err);
        assert_string_equal(buffer_text(&out), c->entries);
    } else {
        assert_fails(ok, &err, ERROR_INVALID);
        (void)snprintf(where, sizeof(where), "line %d ", c->line);
        assert_contains(err.message, where);
    }
    buffer_finish(&out);
}

int main(void)
{
    return run_table("ini", cases, test_read);
}
