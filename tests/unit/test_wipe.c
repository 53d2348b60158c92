#include "aws/credentials.h"
#include "base/mem.h"
#include "test.h"

// What was overwritten before it was freed, one after the other.
static char wiped[256];

void __real_explicit_bzero(void *memory, size_t size);
void __wrap_explicit_bzero(void *memory, size_t size);
void __wrap_explicit_bzero(void *memory, size_t size)
{
    strncat(wiped, memory, sizeof(wiped) - strlen(wiped) - 1);
    strncat(wiped, ";", sizeof(wiped) - strlen(wiped) - 1);
    __real_explicit_bzero(memory, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(((const char *)memory)[i], 0);
}

static void test_credentials_are_wiped_before_they_are_freed(void **state)
{
    struct credentials credentials = {.access_key = mem_strdup("AKID"),
                                      .secret_key = mem_strdup("secret"),
                                      .session_token = mem_strdup("token")};
    struct credentials copy = {0};

    (void)state;
    credentials_copy(&copy, &credentials);
    wiped[0] = '\0';
    credentials_finish(&credentials);
    assert_string_equal(wiped, "AKID;secret;token;");
    wiped[0] = '\0';
    credentials_finish(&copy);
    assert_string_equal(wiped, "AKID;secret;token;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials_are_wiped_before_they_are_freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
