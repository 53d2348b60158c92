#include "records.h"

#include <string.h>

#include "base/clock.h"

static struct bytes put(struct buffer *body, const char *text)
{
    const char *at = buffer_reserve(body, 0);
    struct bytes slice = {at, text ? strlen(text) : 0};

    buffer_append_bytes(body, (struct bytes){text, slice.size});
    return slice;
}

/* As record_full_id wants it behind the id. */
static void put_place(struct buffer *body, uint32_t sub)
{
    if (sub)
        buffer_printf(body, ":%u", sub - 1);
}

static size_t size_of(const char *text)
{
    return text ? strlen(text) : 0;
}

struct record *record_make(const struct record_spec *spec)
{
    struct buffer body;
    struct bytes id, data, key;
    struct record *record;

    buffer_init(&body, 64 << 20);
    (void)buffer_reserve(&body, size_of(spec->id) + size_of(spec->data) +
                                    size_of(spec->key) + 12); // so it stays put
    id = put(&body, spec->id);
    put_place(&body, spec->sub);
    data = put(&body, spec->data);
    key = put(&body, spec->key);

    record = &chunk_create(&body, 1)->records[0];
    record->id = id;
    record->data = data;
    record->key = key;
    record->origin = spec->origin;
    record->received_ms = spec->received_ms;
    record->visible_ms = spec->visible_ms ? spec->visible_ms : CLOCK_NEVER;
    record->event_size = spec->event_size ? spec->event_size : 100;
    record->arrived_at_ms = spec->arrived_at_ms;
    record->sub = spec->sub;
    record->is_last_sub = spec->is_last_sub;
    record->receive_count = spec->receive_count ? spec->receive_count : 1;
    return record;
}
