#include "aws_environment.h"

#include <unistd.h>

#include "base/mem.h"
#include "test.h"

static bool is_unwanted(const char *variable)
{
    static const char *const names[] = {
        "AWS_",         "http_proxy=", "https_proxy=",
        "HTTPS_PROXY=", "all_proxy=",  "ALL_PROXY="};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strncmp(variable, names[i], strlen(names[i])))
            return true;
    return false;
}

void aws_environment_clear(void)
{
    for (size_t i = 0; environ[i];) {
        if (!is_unwanted(environ[i])) {
            i++;
            continue;
        }
        char *name = mem_strndup(environ[i], strcspn(environ[i], "="));

        assert_int_equal(unsetenv(name), 0); // moves the rest up
        free(name);
    }
    aws_environment_set("AWS_CONFIG_FILE", "/nonexistent/config");
    aws_environment_set("AWS_SHARED_CREDENTIALS_FILE",
                        "/nonexistent/credentials");
}

void aws_environment_set(const char *name, const char *value)
{
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}
