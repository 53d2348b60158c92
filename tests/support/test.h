/*
 * test: what every test file needs: cmocka in the right order, tables of cases,
 * and assertions on `struct error`.
 */
#ifndef POLLARD_TEST_H
#define POLLARD_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

/* The call worked; otherwise its message is shown. */
#define assert_ok(call_, err_)                           \
    do {                                                 \
        if (!(call_))                                    \
            fail_msg("%s: %s", #call_, (err_)->message); \
    } while (0)

/* The call failed with this code. */
#define assert_fails(call_, err_, code_)                                  \
    do {                                                                  \
        assert_false(call_);                                              \
        if ((err_)->code != (code_))                                      \
            fail_msg("%s: %s: %s", #call_, error_code_name((err_)->code), \
                     (err_)->message);                                    \
    } while (0)

#define assert_contains(text_, part_)                                     \
    do {                                                                  \
        if (!strstr((text_), (part_)))                                    \
            fail_msg("\"%s\" does not contain \"%s\"", (text_), (part_)); \
    } while (0)

/* Run one test function over an array of structs that begin with
 * `const char *name`; each row is reported under its own name. */
#define run_table(group_, cases_, test_)                    \
    test_run_table((group_), (cases_), sizeof((cases_)[0]), \
                   sizeof(cases_) / sizeof((cases_)[0]), (test_))
int test_run_table(const char *group, void *cases, size_t stride, size_t count,
                   CMUnitTestFunction test);

/* A fresh folder under /tmp, removed with everything in it by the second.
 * Caller frees. */
char *test_folder_create(void);
/* The same in memory where there is such a place: a sync costs nothing. */
char *test_folder_create_fast(void);
void test_folder_remove(char *folder);

#endif
