#include "config/schema.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static void release_list(const struct field *field, struct schema_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        schema_release(field->fields,
                       (char *)list->items + i * field->item_size);
    free(list->items);
    *list = (struct schema_list){0};
}

void schema_release(const struct field *fields, void *owner)
{
    for (const struct field *field = fields; field->name; field++) {
        char *member = (char *)owner + field->offset;

        if (field->type == FIELD_TYPE_SECTION) {
            schema_release(field->fields, member);
        } else if (field->type == FIELD_TYPE_LIST) {
            release_list(field, (struct schema_list *)(void *)member);
        } else if (field->type == FIELD_TYPE_STRING ||
                   field->type == FIELD_TYPE_PATH ||
                   field->type == FIELD_TYPE_JSON_TEXT) {
            free(*(char **)(void *)member);
            *(char **)(void *)member = NULL;
        } else if (field->type == FIELD_TYPE_JSON) {
            json_decref(*(json_t **)(void *)member);
            *(json_t **)(void *)member = NULL;
        }
    }
}

static bool text_equal(const char *a, const char *b)
{
    return a && b ? !strcmp(a, b) : a == b;
}

static bool lists_equal(const struct field *field, const struct schema_list *a,
                        const struct schema_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!schema_equal(field->fields,
                          (const char *)a->items + i * field->item_size,
                          (const char *)b->items + i * field->item_size))
            return false;
    return true;
}

static bool member_equal(const struct field *field, const char *a,
                         const char *b)
{
    switch (field->type) {
    case FIELD_TYPE_STRING:
    case FIELD_TYPE_PATH:
    case FIELD_TYPE_JSON_TEXT:
        return text_equal(*(char *const *)(const void *)a,
                          *(char *const *)(const void *)b);
    case FIELD_TYPE_INT:
    case FIELD_TYPE_MS:
    case FIELD_TYPE_SIZE:
    case FIELD_TYPE_TIMESTAMP:
        return *(const int64_t *)(const void *)a ==
               *(const int64_t *)(const void *)b;
    case FIELD_TYPE_BOOL:
        return *(const bool *)(const void *)a == *(const bool *)(const void *)b;
    case FIELD_TYPE_CHOICE:
    case FIELD_TYPE_CHOICES:
        return *(const int *)(const void *)a == *(const int *)(const void *)b;
    case FIELD_TYPE_JSON: {
        json_t *x = *(json_t *const *)(const void *)a;
        json_t *y = *(json_t *const *)(const void *)b;

        return x && y ? json_equal(x, y) : x == y;
    }
    case FIELD_TYPE_SECTION:
        return schema_equal(field->fields, a, b);
    case FIELD_TYPE_LIST:
        return lists_equal(field, (const struct schema_list *)(const void *)a,
                           (const struct schema_list *)(const void *)b);
    case FIELD_TYPE_NONE:
    case FIELD_TYPE_PLANNED:
    case FIELD_TYPE_MAP:
    case FIELD_TYPE_NAME_OR_SECTION:
        break;
    }
    return true;
}

static bool given_equal(const struct field *field, const char *a, const char *b)
{
    return !field->given ||
           *(const bool *)(const void *)(a + field->given - 1) ==
               *(const bool *)(const void *)(b + field->given - 1);
}

bool schema_equal(const struct field *fields, const void *a, const void *b)
{
    for (const struct field *field = fields; field->name; field++)
        if (!given_equal(field, a, b) ||
            !member_equal(field, (const char *)a + field->offset,
                          (const char *)b + field->offset))
            return false;
    return true;
}
