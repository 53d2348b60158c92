#include "aws/profiles.h"

#include <sys/stat.h>

#include "test.h"
#include "text_file.h"

struct files {
    char *folder, *config, *credentials;
    struct profiles *profiles;
};

static void load(struct files *files, const char *config,
                 const char *credentials)
{
    struct error err = {0};

    files->folder = test_folder_create();
    files->config = text_file_write(files->folder, "config", config);
    files->credentials =
        text_file_write(files->folder, "credentials", credentials);
    files->profiles = profiles_load(files->config, files->credentials, &err);
    assert_ok(files->profiles, &err);
}

static void unload(struct files *files)
{
    profiles_destroy(files->profiles);
    test_folder_remove(files->folder);
    free(files->config);
    free(files->credentials);
}

static void test_both_files_are_merged_and_credentials_win(void **state)
{
    struct files files;

    (void)state;
    load(&files,
         "[default]\nregion = r0\n"
         "[profile x]\nregion = r1\naws_access_key_id = old\n"
         "[profile \"a b\"]\nregion = r2\n",
         "[x]\naws_access_key_id = new\n[y]\nregion = r3\n");
    assert_string_equal(profiles_get(files.profiles, "default", "region"),
                        "r0");
    assert_string_equal(profiles_get(files.profiles, "x", "region"), "r1");
    assert_string_equal(profiles_get(files.profiles, "x", "aws_access_key_id"),
                        "new");
    assert_string_equal(profiles_get(files.profiles, "a b", "region"), "r2");
    assert_string_equal(profiles_get(files.profiles, "y", "region"), "r3");
    assert_string_equal(profiles_get(files.profiles, "y", "REGION"), "r3");
    assert_null(profiles_get(files.profiles, "z", "region"));
    assert_true(profiles_has(files.profiles, "y"));
    assert_false(profiles_has(files.profiles, "z"));
    unload(&files);
}

static void test_a_bare_section_of_the_config_file_is_no_profile(void **state)
{
    struct files files;

    (void)state;
    load(&files, "[x]\nregion = r1\n[sso-session s]\nregion = r2\n", "");
    assert_false(profiles_has(files.profiles, "x"));
    assert_false(profiles_has(files.profiles, "s"));
    unload(&files);
}

static void test_profile_default_goes_before_default(void **state)
{
    struct files files;

    (void)state;
    load(&files, "[profile default]\nregion = r1\n[default]\nregion = r2\n",
         "");
    assert_string_equal(profiles_get(files.profiles, "default", "region"),
                        "r1");
    unload(&files);
}

static void test_services_are_found_through_the_profile(void **state)
{
    struct files files;

    (void)state;
    load(&files,
         "[default]\nservices = local\nendpoint_url = u0\n"
         "[services local]\nsqs =\n  endpoint_url = u1\n"
         "kinesis =\n  endpoint_url = u2\n",
         "");
    assert_string_equal(
        profiles_get_service(files.profiles, "default", "sqs", "endpoint_url"),
        "u1");
    assert_string_equal(profiles_get_service(files.profiles, "default",
                                             "kinesis", "endpoint_url"),
                        "u2");
    assert_null(
        profiles_get_service(files.profiles, "default", "sts", "endpoint_url"));
    assert_null(
        profiles_get_service(files.profiles, "x", "sqs", "endpoint_url"));
    unload(&files);
}

static void test_missing_files_are_empty(void **state)
{
    struct error err = {0};
    struct profiles *profiles =
        profiles_load("/nonexistent/config", NULL, &err);

    (void)state;
    assert_ok(profiles, &err);
    assert_false(profiles_has(profiles, "default"));
    profiles_destroy(profiles);
}

static void test_a_broken_file_is_refused_by_name_and_line(void **state)
{
    char *folder = test_folder_create();
    char *path = text_file_write(folder, "config", "[default]\noops\n");
    struct error err = {0};

    (void)state;
    assert_fails(profiles_load(path, NULL, &err), &err, ERROR_INVALID);
    assert_contains(err.message, path);
    assert_contains(err.message, "line 2");
    assert_fails(profiles_load(NULL, folder, &err), &err, ERROR_INVALID);
    test_folder_remove(folder);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_files_are_merged_and_credentials_win),
        cmocka_unit_test(test_a_bare_section_of_the_config_file_is_no_profile),
        cmocka_unit_test(test_profile_default_goes_before_default),
        cmocka_unit_test(test_services_are_found_through_the_profile),
        cmocka_unit_test(test_missing_files_are_empty),
        cmocka_unit_test(test_a_broken_file_is_refused_by_name_and_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
