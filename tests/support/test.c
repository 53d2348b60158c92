#include "test.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"

int test_run_table(const char *group, void *cases, size_t stride, size_t count,
                   CMUnitTestFunction test)
{
    struct CMUnitTest *tests = mem_calloc(count, sizeof(*tests));
    int failed;

    for (size_t i = 0; i < count; i++) {
        char *row = (char *)cases + i * stride;

        tests[i].name = *(const char **)(void *)row;
        tests[i].test_func = test;
        tests[i].initial_state = row;
    }
    failed = _cmocka_run_group_tests(group, tests, count, NULL, NULL);
    free(tests);
    return failed;
}

char *test_folder_create(void)
{
    char *folder = mem_strdup("/tmp/pollard-test-XXXXXX");

    assert_non_null(mkdtemp(folder));
    return folder;
}

char *test_folder_create_fast(void)
{
    char *folder = mem_strdup("/dev/shm/pollard-test-XXXXXX");

    if (mkdtemp(folder))
        return folder;
    free(folder);
    return test_folder_create();
}

static int remove_one(const char *path, const struct stat *status, int type,
                      struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

void test_folder_remove(char *folder)
{
    if (folder)
        (void)nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}
