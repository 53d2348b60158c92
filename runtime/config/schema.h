/*
 * schema: a setting is a row. The row gives name, type, place, default, range
 * and one sentence of help; the same row parses it, checks it, and prints it in
 * docs/triggers.md and in the JSON Schema. Tables stand beside the structs they
 * fill (`*_config.h` of each room). A key that is in no table is an error.
 *
 * AWS spellings (`BatchSize`) are aliases of every snake_case key, made by rule
 * (snake_case to PascalCase); a row names one more where AWS's differs.
 *
 * Threads: tables are immutable; applying is one thread's.
 */
#ifndef POLLARD_SCHEMA_H
#define POLLARD_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/key_path.h"

struct problems;
struct yaml_node;

enum field_type {
    FIELD_TYPE_NONE,    // ends a table
    FIELD_TYPE_STRING,  // char *, owned by the struct
    FIELD_TYPE_PATH,    // char *, made absolute against the file's folder
    FIELD_TYPE_INT,     // int64_t
    FIELD_TYPE_BOOL,    // bool
    FIELD_TYPE_MS,      // int64_t, a duration with its unit: 500ms, 30s, 5m, 2h
    FIELD_TYPE_SIZE,    // int64_t, bytes with their unit: 64KiB, 6MiB
    FIELD_TYPE_CHOICE,  // int (an enum), by `choices`
    FIELD_TYPE_CHOICES, // int: the sum of some of `choices`, each a bit; a list
    FIELD_TYPE_TIMESTAMP, // int64_t, ms since 1970: ISO 8601 or epoch seconds
    FIELD_TYPE_JSON,      // json_t *, owned: a map of anything (numbers,
                          // booleans and null by YAML 1.2's core schema)
    FIELD_TYPE_JSON_TEXT, // char *, owned: a map of anything as JSON, or
                          // JSON in a string, as it is
    FIELD_TYPE_SECTION,   // a map by `fields`, whose offsets start at `offset`
    FIELD_TYPE_LIST,      // struct schema_list: maps by `fields`, `max` at most
    FIELD_TYPE_PLANNED,   // known, not implemented: refused by name

    // Read by the room that owns the table, which finds it by schema_find.
    FIELD_TYPE_MAP,             // names to sections by `fields`
    FIELD_TYPE_NAME_OR_SECTION, // a name, or a section by `fields` in place
};

struct choice {
    const char *name; // NULL ends the list
    int value;
};
#define CHOICE_PLANNED (-1) // a value that is known, but not implemented

struct field {
    const char *name;
    enum field_type type;
    bool required;
    bool one_of;        // of a section: exactly one key must be there
    bool beyond_lambda; // for the docs: not a parameter of Lambda's
    bool or_empty;      // of text: "" is as if the key were not there
    size_t offset;
    const char *alias;     // AWS's spelling where the rule's differs, or NULL
    const char *fallback;  // as a user would write it; NULL: unset
    const char *otherwise; // for the docs: what holds while it is unset
    int64_t unset;         // what a number is then, and after it was refused
    int64_t min, max;      // of numbers, durations, sizes; both 0: any
    const struct choice *choices;
    const struct field *fields; // of a section, or of a list's items
    size_t item_size;           // of a list
    size_t given;               // FIELD_GIVEN of a bool: the key was there
    const char *help;           // one sentence
};

struct schema_list {
    void *items; // owned: an array of what the rows fill
    size_t count;
};

/* A mismatch between row and member does not compile. */
#define FIELD(type_, c_type, owner, member) \
    .type = (type_),                        \
    .offset = offsetof(owner, member) +     \
              0 * sizeof(_Generic(((owner *)0)->member, c_type : 1))
#define FIELD_STRING(owner, member) \
    FIELD(FIELD_TYPE_STRING, char *, owner, member)
#define FIELD_PATH(owner, member) FIELD(FIELD_TYPE_PATH, char *, owner, member)
#define FIELD_INT(owner, member) FIELD(FIELD_TYPE_INT, int64_t, owner, member)
#define FIELD_BOOL(owner, member) FIELD(FIELD_TYPE_BOOL, bool, owner, member)
#define FIELD_MS(owner, member) FIELD(FIELD_TYPE_MS, int64_t, owner, member)
#define FIELD_SIZE(owner, member) FIELD(FIELD_TYPE_SIZE, int64_t, owner, member)
#define FIELD_CHOICE(owner, member) FIELD(FIELD_TYPE_CHOICE, int, owner, member)
#define FIELD_CHOICES(owner, member) \
    FIELD(FIELD_TYPE_CHOICES, int, owner, member)
#define FIELD_TIMESTAMP(owner, member) \
    FIELD(FIELD_TYPE_TIMESTAMP, int64_t, owner, member)
#define FIELD_JSON(owner, member) \
    FIELD(FIELD_TYPE_JSON, struct json_t *, owner, member)
#define FIELD_JSON_TEXT(owner, member) \
    FIELD(FIELD_TYPE_JSON_TEXT, char *, owner, member)
#define FIELD_LIST(owner, member, item, fields_)               \
    FIELD(FIELD_TYPE_LIST, struct schema_list, owner, member), \
        .fields = (fields_), .item_size = sizeof(item)
#define FIELD_SECTION(fields_) .type = FIELD_TYPE_SECTION, .fields = (fields_)
#define FIELD_PLANNED .type = FIELD_TYPE_PLANNED
#define FIELD_GIVEN(owner, member) \
    (offsetof(owner, member) + 1 + \
     0 * sizeof(_Generic(((owner *)0)->member, bool : 1)))

/* A map of the file, and the rows that it is read by. Not to be moved while it
 * is in use: `path` may point into it. */
struct schema_map {
    const char *file;   // as the user named it
    const char *folder; // absolute; relative paths begin there
    const struct field *fields;
    const struct yaml_node *node; // NULL: not in the file
    const struct key_path *path;  // NULL: the root
    struct key_path frame;
};

/*
 * Fill the struct at `owner` (zeroed by the caller): defaults first, then what
 * the file says. Unknown keys, wrong types, ranges and missing required keys
 * each add a problem; false when any was added. What was allocated until then
 * is the struct's either way.
 */
bool schema_apply(const struct schema_map *map, void *owner,
                  struct problems *problems);

/* The map that a member is, or an item of a list, or an entry of a map of
 * names: node is NULL when it is not there. */
void schema_enter(const struct schema_map *outer, const char *name,
                  struct schema_map *inner);
void schema_enter_item(const struct schema_map *list,
                       const struct yaml_node *item, size_t index,
                       struct schema_map *inner);
void schema_enter_entry(const struct schema_map *outer,
                        const struct yaml_node *entry,
                        struct schema_map *inner);

/* A member by its row's name, under whichever spelling: "scaling_config", or a
 * way down, "scaling_config.maximum_concurrency". NULL when it is not there. */
const struct yaml_node *schema_find(const struct schema_map *map,
                                    const char *name);

/* For checks that a row cannot express: a problem at that member, or at the map
 * itself when the member is not there. Returns false. */
bool schema_complain(const struct schema_map *map, const char *name,
                     struct problems *problems, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Free what schema_apply allocated in the struct (strings, JSON, lists). */
void schema_release(const struct field *fields, void *owner);

/* Do two structs of one table say the same? */
bool schema_equal(const struct field *fields, const void *a, const void *b);

/* A duration as a message shows it: "90s", "500ms", "12h". */
#define SCHEMA_DURATION_SIZE 24
void schema_format_duration(int64_t ms, char text[SCHEMA_DURATION_SIZE]);

/* "30s" to milliseconds, "6MiB" to bytes. False when malformed or too large. */
bool schema_parse_duration(const char *text, int64_t *ms);
bool schema_parse_size(const char *text, int64_t *size_bytes);

#endif
