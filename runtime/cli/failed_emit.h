/*
 * failed_emit: what a handler emits during a replay goes where it would have
 * gone, to the trigger's on_success destination.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_FAILED_EMIT_H
#define POLLARD_FAILED_EMIT_H

#include <stdbool.h>
#include <stddef.h>

struct error;
struct failed_emit;
struct log;
struct outcome;
struct record;
struct settings;
struct trigger_config;

/* All borrowed. */
struct failed_emit *failed_emit_open(const struct settings *settings,
                                     const struct trigger_config *trigger,
                                     const struct log *log, struct error *err);
/* NULL is fine. */
void failed_emit_close(struct failed_emit *emit);

/* Wait until the results were accepted; a minute at the most. */
bool failed_emit(struct failed_emit *emit, const struct outcome *outcome,
                 struct record *const *records, size_t count,
                 struct error *err);

#endif
