#include "poller/ledger.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/record.h"

// Room for ":" and the number of a sub-record.
#define LEDGER_SUB_BYTES 12
// A text has room for so much at least, so that most fit into any spare one.
#define LEDGER_TEXT_BYTES 112

struct ledger_text {
    struct ledger_text *next; // of the spares
    size_t size, room;
    char data[];
};

void ledger_init(struct ledger *ledger)
{
    *ledger = (struct ledger){0};
}

static void free_texts(struct ledger_text *text)
{
    struct ledger_text *next;

    for (; text; text = next) {
        next = text->next;
        free(text);
    }
}

void ledger_finish(struct ledger *ledger)
{
    assert(!ledger->count);
    free(ledger->checkpoint);
    free_texts(ledger->spares);
}

static struct ledger_text *take_text(struct ledger *ledger, size_t room)
{
    struct ledger_text *text = ledger->spares;

    if (text)
        ledger->spares = text->next;
    if (text && text->room >= room)
        return text;
    if (room < LEDGER_TEXT_BYTES)
        room = LEDGER_TEXT_BYTES;
    text = mem_realloc(text, 1, sizeof(*text) + room);
    text->room = room;
    return text;
}

static void spare_text(struct ledger *ledger, struct ledger_text *text)
{
    if (!text)
        return;
    text->next = ledger->spares;
    ledger->spares = text;
}

/* The sequence of a record into a text, which may be NULL or change. */
static struct ledger_text *write_text(struct ledger *ledger,
                                      struct ledger_text *text,
                                      const struct record *record)
{
    size_t room = record->id.size + LEDGER_SUB_BYTES;

    if (text && text->room < room) {
        spare_text(ledger, text);
        text = NULL;
    }
    if (!text)
        text = take_text(ledger, room);
    memcpy(text->data, record->id.data, record->id.size);
    text->size = record->id.size;
    if (record->sub && !record->is_last_sub)
        text->size += (size_t)snprintf(text->data + text->size,
                                       LEDGER_SUB_BYTES, ":%u", record->sub);
    return text;
}

/* Everything up to this record, and to the text if there is one, is handled. */
static void move_text(struct ledger *ledger, struct ledger_text **to,
                      const struct record *record, struct ledger_text *text)
{
    if (text) {
        spare_text(ledger, *to);
        *to = text;
    } else {
        *to = write_text(ledger, *to, record);
    }
}

static void reach(struct ledger *ledger, const struct record *record,
                  struct ledger_text *text)
{
    move_text(ledger, &ledger->checkpoint, record, text);
    ledger->moved = true;
}

void ledger_enter(struct ledger *ledger, struct record *record)
{
    record->place = (struct record_place){.before = ledger->last};
    if (ledger->last)
        ledger->last->place.after = record;
    else
        ledger->first = record;
    ledger->last = record;
    ledger->count++;
}

void ledger_pass(struct ledger *ledger, const struct record *record)
{
    struct record *last = ledger->last;

    if (last ? last->place.is_end : ledger->is_end)
        return;
    if (last)
        move_text(ledger, &last->place.handled_to, record, NULL);
    else
        reach(ledger, record, NULL);
}

static void unlink_record(struct ledger *ledger, struct record *record)
{
    struct record *before = record->place.before, *after = record->place.after;

    if (before)
        before->place.after = after;
    else
        ledger->first = after;
    if (after)
        after->place.before = before;
    else
        ledger->last = before;
    ledger->count--;
}

void ledger_done(struct ledger *ledger, struct record *record)
{
    struct record *before = record->place.before;
    struct ledger_text *text = record->place.handled_to;
    bool *is_end = before ? &before->place.is_end : &ledger->is_end;

    unlink_record(ledger, record);
    record->place.handled_to = NULL;
    if (*is_end) {
        spare_text(ledger, text);
        return;
    }
    if (before)
        move_text(ledger, &before->place.handled_to, record, text);
    else
        reach(ledger, record, text);
    *is_end = record->place.is_end;
}

void ledger_leave(struct ledger *ledger, struct record *record)
{
    struct record *before = record->place.before;

    unlink_record(ledger, record);
    spare_text(ledger, record->place.handled_to);
    record->place.handled_to = NULL;
    if (before)
        before->place.is_end = true;
    else
        ledger->is_end = true;
}

bool ledger_checkpoint(struct ledger *ledger, struct bytes *sequence)
{
    if (!ledger->moved)
        return false;
    ledger->moved = false;
    *sequence =
        (struct bytes){ledger->checkpoint->data, ledger->checkpoint->size};
    return true;
}
