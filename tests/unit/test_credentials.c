#include "aws/credentials.h"

#include "aws/credentials_process.h"
#include "aws/sts_answer.h"
#include "base/mem.h"
#include "test.h"

#define MINUTE_MS (60 * (int64_t)1000)

static struct time_case {
    const char *name, *text;
    int64_t wall_ms; // -1: refused
} times[] = {
    {"UTC", "2026-11-22T15:00:00Z", 1795359600000},
    {"a fraction", "2026-11-22T15:00:00.123456Z", 1795359600000},
    {"no zone", "2026-11-22T15:00:00", 1795359600000},
    {"ahead of UTC", "2026-11-22T16:30:00+01:30", 1795359600000},
    {"behind UTC", "2026-11-22T14:00:00.5-01:00", 1795359600000},
    {"words", "tomorrow", -1},
    {"a date alone", "2026-11-22", -1},
    {"something behind it", "2026-11-22T15:00:00Zx", -1},
    {"empty", "", -1},
};

static void test_time(void **state)
{
    const struct time_case *c = *state;
    int64_t wall_ms = -1;

    assert_int_equal(credentials_read_time(c->text, &wall_ms), c->wall_ms >= 0);
    assert_int_equal(wall_ms, c->wall_ms);
}

static struct window_case {
    const char *name;
    int lifetime_min, left_min;
    enum credentials_window window;
} windows[] = {
    {"for ever", 0, 0, CREDENTIALS_FRESH},
    {"15 min, fresh", 15, 6, CREDENTIALS_FRESH},
    {"15 min, due", 15, 5, CREDENTIALS_ADVISORY},
    {"one hour, fresh", 60, 16, CREDENTIALS_FRESH},
    {"one hour, due", 60, 15, CREDENTIALS_ADVISORY},
    {"six hours, fresh", 360, 61, CREDENTIALS_FRESH},
    {"six hours, due", 360, 60, CREDENTIALS_ADVISORY},
    {"the last minute", 360, 1, CREDENTIALS_MANDATORY},
    {"expired", 60, -5, CREDENTIALS_MANDATORY},
};

static void test_window(void **state)
{
    const struct window_case *c = *state;
    int64_t fetched_ms = 1795359600000;
    int64_t expires_ms = fetched_ms + c->lifetime_min * MINUTE_MS;
    const struct credentials credentials = {
        .expires_at_ms = c->lifetime_min ? expires_ms : 0};

    assert_int_equal(credentials_window(&credentials, fetched_ms,
                                        expires_ms - c->left_min * MINUTE_MS),
                     c->window);
}

static struct json_case {
    const char *name, *text, *token_name;
    bool ok;
    const char *token;
    int64_t expires_at_ms;
} jsons[] = {
    {"a process",
     "{\"Version\":1,\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\","
     "\"SessionToken\":\"t\",\"Expiration\":\"2026-11-22T15:00:00Z\"}",
     "SessionToken", true, "t", 1795359600000},
    {"no token, no end", "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\"}",
     "Token", true, NULL, 0},
    {"explicit nulls",
     "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Token\":null,"
     "\"Expiration\":null}",
     "Token", true, NULL, 0},
    {"no secret", "{\"AccessKeyId\":\"a\"}", "Token", false, NULL, 0},
    {"an empty key", "{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\"}",
     "Token", false, NULL, 0},
    {"a number for a key", "{\"AccessKeyId\":1,\"SecretAccessKey\":\"s\"}",
     "Token", false, NULL, 0},
    {"no time",
     "{\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"s\",\"Expiration\":\"x\"}",
     "Token", false, NULL, 0},
    {"a list", "[]", "Token", false, NULL, 0},
    {"half of it", "{\"AccessKeyId\":\"a\"", "Token", false, NULL, 0},
};

static void test_json(void **state)
{
    const struct json_case *c = *state;
    struct credentials credentials = {0};
    struct error err = {0};
    bool ok = credentials_read_json(bytes_of(c->text), c->token_name,
                                    &credentials, &err);

    if (!c->ok) {
        assert_fails(ok, &err, ERROR_INVALID);
        assert_null(credentials.access_key);
        return;
    }
    assert_ok(ok, &err);
    assert_string_equal(credentials.access_key, "a");
    assert_string_equal(credentials.secret_key, "s");
    assert_int_equal(!credentials.session_token, !c->token);
    assert_int_equal(credentials.expires_at_ms, c->expires_at_ms);
    credentials_finish(&credentials);
}

#define STS(inner_)                                                            \
    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">" \
    "<AssumeRoleResult>" inner_ "</AssumeRoleResult></AssumeRoleResponse>"

static struct xml_case {
    const char *name, *text;
    bool ok;
} xmls[] = {
    {"whole",
     STS("<Credentials><SessionToken>t</SessionToken>\n"
         "<AccessKeyId>a</AccessKeyId><SecretAccessKey>s&amp;</SecretAccessKey>"
         "<Expiration>2026-11-22T15:00:00Z</Expiration></Credentials>"
         "<AssumedRoleUser><Arn>x</Arn></AssumedRoleUser>"),
     true},
    {"keys outside of Credentials",
     STS("<AccessKeyId>a</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"),
     false},
    {"no token",
     STS("<Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>s"
         "</SecretAccessKey><Expiration>2026-11-22T15:00:00Z</Expiration>"
         "</Credentials>"),
     false},
    {"no end",
     STS("<Credentials><SessionToken>t</SessionToken>"
         "<AccessKeyId>a</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
         "</Credentials>"),
     false},
    {"cut off", "<AssumeRoleResponse><AssumeRoleResult><Credentials>", false},
    {"JSON", "{}", false},
    {"empty", "", false},
};

static void test_xml(void **state)
{
    const struct xml_case *c = *state;
    struct credentials credentials = {0};
    struct error err = {0};
    bool ok = sts_answer_read(bytes_of(c->text), &credentials, &err);

    if (!c->ok) {
        assert_fails(ok, &err, ERROR_INVALID);
        assert_null(credentials.secret_key);
        return;
    }
    assert_ok(ok, &err);
    assert_string_equal(credentials.access_key, "a");
    assert_string_equal(credentials.secret_key, "s&");
    assert_string_equal(credentials.session_token, "t");
    assert_int_equal(credentials.expires_at_ms, 1795359600000);
    credentials_finish(&credentials);
}

static struct split_case {
    const char *name, *command;
    const char *words[6]; // none: refused or empty
    bool refused;
} splits[] = {
    {"one", "a", {"a"}, false},
    {"white space", "  a \t b  ", {"a", "b"}, false},
    {"quotes", "a 'b c' \"d e\"", {"a", "b c", "d e"}, false},
    {"joined quotes", "a'b'\"c\"d", {"abcd"}, false},
    {"an empty word", "a '' b", {"a", "", "b"}, false},
    {"backslashes",
     "a\\ b 'c\\d' \"e\\\"f\\g\"",
     {"a b", "c\\d", "e\"f\\g"},
     false},
    {"nothing of a shell", "a $B `c` | d", {"a", "$B", "`c`", "|", "d"}, false},
    {"empty", "   ", {NULL}, false},
    {"an open quote", "a 'b", {NULL}, true},
};

static void test_split(void **state)
{
    const struct split_case *c = *state;
    char **words = credentials_process_split(c->command);
    size_t i = 0;

    assert_int_equal(!words, c->refused);
    if (!words)
        return;
    for (; c->words[i]; i++) {
        assert_non_null(words[i]);
        assert_string_equal(words[i], c->words[i]);
    }
    assert_null(words[i]);
    credentials_process_free_words(words);
}

int main(void)
{
    return run_table("times", times, test_time) +
           run_table("windows", windows, test_window) +
           run_table("json", jsons, test_json) +
           run_table("xml", xmls, test_xml) +
           run_table("split", splits, test_split);
}
