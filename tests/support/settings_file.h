/*
 * settings_file: settings from a text, as if it were the user's file: written
 * into a folder of its own, read by the real loader.
 */
#ifndef POLLARD_TEST_SETTINGS_FILE_H
#define POLLARD_TEST_SETTINGS_FILE_H

#include "config/problems.h"
#include "supervisor/settings.h"

struct settings_file {
    char *folder, *path; // owned
    struct problems problems;
};

/* Fails the test when it cannot be written. */
struct settings_file *settings_file_create(const char *text);
void settings_file_destroy(struct settings_file *file);

/* NULL when the file is wrong: `problems` says how. Caller destroys. */
struct settings *settings_file_load(struct settings_file *file);

/* The same; a problem fails the test. */
struct settings *settings_file_load_good(struct settings_file *file);

/* Each problem as "line:column: text", a line each. Caller frees. */
char *settings_file_told(const struct settings_file *file);

#endif
