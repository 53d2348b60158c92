#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aws/client.h"
#include "aws_environment.h"
#include "aws_fixture.h"
#include "base/mem.h"
#include "test.h"
#include "text_file.h"

#define SOON_MS 10000 // more than enough for what must happen

#define KEYS_JSON(key_, token_name_)                              \
    "{\"Code\":\"Success\",\"Version\":1,\"AccessKeyId\":\"" key_ \
    "\",\"SecretAccessKey\":\"s\",\"" token_name_                 \
    "\":\"TOKEN\",\"Expiration\":\"2099-01-01T00:00:00Z\"}"

#define STS_XML(operation_)                                                 \
    "<" operation_ "Response xmlns=\"https://sts.amazonaws.com/doc/"        \
    "2011-06-15/\"><" operation_ "Result><Credentials>"                     \
    "<AccessKeyId>STSKEY</AccessKeyId><SecretAccessKey>s</SecretAccessKey>" \
    "<SessionToken>TOKEN</SessionToken>"                                    \
    "<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"           \
    "</" operation_ "Result></" operation_ "Response>"

// The fixture's server is SQS; these have a second one, which hands out
// credentials.
struct second {
    struct aws_fixture *f;
    struct http_server *server;
};

static int set_up(void **state)
{
    struct second *s = mem_calloc(1, sizeof(*s));
    void *fixture;

    (void)aws_fixture_set_up(&fixture);
    aws_environment_set("AWS_ACCESS_KEY_ID", NULL);
    aws_environment_set("AWS_SECRET_ACCESS_KEY", NULL);
    s->f = fixture;
    s->server = http_server_create(NULL);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct second *s = *state;
    void *fixture = s->f;

    (void)aws_fixture_tear_down(&fixture);
    http_server_destroy(s->server);
    free(s);
    return 0;
}

static void answer(struct second *s, int status, const char *body)
{
    http_server_push(s->server,
                     &(struct http_answer){.status = status, .body = body});
}

static void config_file(struct second *s, const char *text)
{
    char *path = text_file_write(s->f->folder, "config", text);

    aws_environment_set("AWS_CONFIG_FILE", path);
    free(path);
}

static void assert_signed_by(struct second *s, size_t index, const char *key)
{
    char *credential = mem_printf("Credential=%s/", key);

    assert_header_contains(s->f->server, index, "Authorization", credential);
    free(credential);
}

static void call_works(struct second *s)
{
    struct aws_reply reply;

    aws_fixture_call(s->f, &reply);
    assert_ok(reply.ok, &reply.error);
    aws_reply_finish(&reply);
}

static void call_fails(struct second *s, const char *message_part)
{
    struct aws_reply reply;

    aws_fixture_call(s->f, &reply);
    assert_false(reply.ok);
    assert_contains(reply.error.message, message_part);
    aws_reply_finish(&reply);
}

// ---- a container's endpoint

static void use_container(struct second *s)
{
    char *url = mem_printf("%s/v2/keys", http_server_url(s->server));

    aws_environment_set("AWS_CONTAINER_CREDENTIALS_FULL_URI", url);
    free(url);
}

static void test_container_with_a_token_from_a_file(void **state)
{
    struct second *s = *state;
    char *path = text_file_write(s->f->folder, "token", "letmein\n");

    use_container(s);
    aws_environment_set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "not this");
    aws_environment_set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path);
    answer(s, 500, "");
    answer(s, 200, KEYS_JSON("CONTAINER", "Token"));
    call_works(s);
    assert_signed_by(s, 0, "CONTAINER");
    assert_header(s->f->server, 0, "X-Amz-Security-Token", "TOKEN");
    assert_header(s->server, 1, "Authorization", "letmein");
    free(path);
}

static void test_container_that_refuses(void **state)
{
    struct second *s = *state;

    use_container(s);
    http_server_default(s->server, &(struct http_answer){.status = 403});
    call_fails(s, "credentials from the container's endpoint: GET http://");
    call_fails(s, "HTTP 403");
    assert_int_equal(http_server_count(s->f->server), 0);
}

static void test_proxies_are_passed_by_for_the_container(void **state)
{
    struct second *s = *state;
    struct error err = {0};

    use_container(s);
    aws_environment_set("http_proxy", "http://127.0.0.1:1");
    answer(s, 200, KEYS_JSON("CONTAINER", "Token"));
    free(s->f->config.endpoint_url); // of AWS, so that credentials are wanted
    s->f->config.endpoint_url = NULL;
    aws_environment_set("AWS_REGION", "eu-west-1");
    assert_ok(aws_fixture_open_session(s->f, &err), &err);
    assert_ok(aws_session_check_credentials(s->f->session, &err), &err);
}

static void test_a_token_with_a_line_break_is_not_sent(void **state)
{
    struct second *s = *state;

    use_container(s);
    aws_environment_set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nX: y");
    call_fails(s, "line break");
    assert_int_equal(http_server_count(s->server), 0);
}

// ---- the instance's metadata

static void use_instance(struct second *s)
{
    struct error err = {0};

    aws_environment_set("AWS_EC2_METADATA_SERVICE_ENDPOINT",
                        http_server_url(s->server));
    free(s->f->config.endpoint_url);
    s->f->config.endpoint_url = NULL;
    aws_environment_set("AWS_REGION", "eu-west-1");
    assert_ok(aws_fixture_open_session(s->f, &err), &err);
}

static void test_instance_metadata_by_token(void **state)
{
    struct second *s = *state;
    struct error err = {0};
    char *request;

    answer(s, 200, "IMDSTOKEN");
    answer(s, 200, "worker-role\n");
    answer(s, 200, KEYS_JSON("INSTANCE", "Token"));
    use_instance(s);
    assert_ok(aws_session_check_credentials(s->f->session, &err), &err);
    request = http_server_request(s->server, 0);
    assert_memory_equal(request, "PUT /latest/api/token HTTP", 26);
    free(request);
    assert_header(s->server, 0, "X-aws-ec2-metadata-token-ttl-seconds",
                  "21600");
    request = http_server_request(s->server, 2);
    assert_contains(
        request,
        "GET /latest/meta-data/iam/security-credentials/worker-role HTTP");
    free(request);
    assert_header(s->server, 2, "X-aws-ec2-metadata-token", "IMDSTOKEN");
}

static void test_instance_metadata_without_token(void **state)
{
    struct second *s = *state;
    struct error err = {0};
    char *request;

    answer(s, 405, "");
    answer(s, 200, "worker-role");
    answer(s, 200, KEYS_JSON("INSTANCE", "Token"));
    use_instance(s);
    assert_ok(aws_session_check_credentials(s->f->session, &err), &err);
    request = http_server_request(s->server, 1);
    assert_null(http_request_header(request, "X-aws-ec2-metadata-token"));
    free(request);
}

static struct instance_case {
    const char *name;
    struct http_answer answers[3];
    bool v1_disabled;
    const char *message;
} instances[] = {
    {.name = "a token's 400 is final",
     .answers = {{.status = 400}},
     .message = "HTTP 400 to the token's PUT"},
    {.name = "no token and no IMDSv1",
     .answers = {{.status = 403}},
     .v1_disabled = true,
     .message = "HTTP 403 to the token's PUT"},
    {.name = "no role",
     .answers = {{.body = "T"}, {.status = 404}},
     .message = "the instance has no role"},
    {.name = "no keys yet",
     .answers = {{.body = "T"},
                 {.body = "role"},
                 {.body = "{\"Code\":\"Failed\"}"}},
     .message = "no keys for role role (yet)"},
    {.name = "HTML",
     .answers = {{.body = "T"}, {.body = "role"}, {.body = "<html>"}},
     .message = "the answer is not a JSON object"},
    {.name = "nobody there",
     .answers = {{.fault = HTTP_DROP}, {.fault = HTTP_DROP}},
     .message = "closed the connection without an answer"},
};

static void test_instance_that_fails(void **state)
{
    const struct instance_case *c = *state;
    struct second *s;
    struct error err = {0};
    void *fixture;

    (void)set_up(&fixture);
    s = fixture;
    if (c->v1_disabled)
        aws_environment_set("AWS_EC2_METADATA_V1_DISABLED", "true");
    for (size_t i = 0; i < 3; i++)
        http_server_push(s->server, &c->answers[i]);
    use_instance(s);
    assert_false(aws_session_check_credentials(s->f->session, &err));
    assert_contains(err.message, "credentials from the instance's metadata");
    assert_contains(err.message, c->message);
    (void)tear_down(&fixture);
}

// A token that does not come in time is done without: the hop limit.
static void test_instance_whose_token_does_not_get_through(void **state)
{
    struct second *s = *state;
    struct error err = {0};

    http_server_push(s->server, &(struct http_answer){.fault = HTTP_HOLD});
    answer(s, 200, "worker-role");
    answer(s, 200, KEYS_JSON("INSTANCE", "Token"));
    use_instance(s);
    assert_ok(aws_session_check_credentials(s->f->session, &err), &err);
}

static void
test_without_credentials_servers_that_are_not_aws_get_dummies(void **state)
{
    struct second *s = *state;

    call_works(s);
    assert_signed_by(s, 0, "000000000000");
}

// ---- STS

static void use_sts(struct second *s)
{
    s->f->config.endpoint_urls.sts = mem_strdup(http_server_url(s->server));
}

static void test_a_role_is_assumed_with_signed_credentials(void **state)
{
    struct second *s = *state;
    char *request;

    use_sts(s);
    config_file(s, "[default]\n"
                   "role_arn = arn:aws:iam::123456789012:role/worker\n"
                   "source_profile = base\nexternal_id = e&f\n"
                   "role_session_name = me\nduration_seconds = 900\n"
                   "[profile base]\naws_access_key_id = BASE\n"
                   "aws_secret_access_key = s\naws_session_token = BT\n");
    answer(s, 500, "");
    answer(s, 200, STS_XML("AssumeRole"));
    call_works(s);
    assert_signed_by(s, 0, "STSKEY");
    assert_header(s->f->server, 0, "X-Amz-Security-Token", "TOKEN");
    request = http_server_request(s->server, 1);
    assert_string_equal(http_request_body(request),
                        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3A"
                        "aws%3Aiam%3A%3A123456789012%3Arole%2Fworker&"
                        "RoleSessionName=me&DurationSeconds=900&"
                        "ExternalId=e%26f");
    free(request);
    assert_header_contains(s->server, 1, "Authorization", "Credential=BASE/");
    assert_header_contains(s->server, 1, "Authorization",
                           "/us-east-1/sts/aws4_request");
    assert_header(s->server, 1, "X-Amz-Security-Token", "BT");
    assert_string_equal(aws_session_account(s->f->session), "123456789012");
}

static void test_a_web_identity_is_not_signed_and_read_anew(void **state)
{
    struct second *s = *state;
    char *path = text_file_write(s->f->folder, "identity", "eyJ.first\n");
    char *request;

    use_sts(s);
    aws_environment_set("AWS_WEB_IDENTITY_TOKEN_FILE", path);
    aws_environment_set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod");
    answer(s, 200, STS_XML("AssumeRoleWithWebIdentity"));
    call_works(s);
    assert_signed_by(s, 0, "STSKEY");
    request = http_server_request(s->server, 0);
    assert_contains(http_request_body(request),
                    "Action=AssumeRoleWithWebIdentity&");
    assert_contains(http_request_body(request), "&WebIdentityToken=eyJ.first");
    assert_contains(http_request_body(request), "&RoleSessionName=pollard-");
    assert_null(http_request_header(request, "Authorization"));
    free(request);

    free(text_file_write(s->f->folder, "identity", "eyJ.second\n"));
    http_server_push(
        s->f->server,
        &(struct http_answer){.status = 403,
                              .body = "{\"__type\":\"ExpiredToken\"}"});
    answer(s, 200, STS_XML("AssumeRoleWithWebIdentity"));
    call_fails(s, "ExpiredToken"); // the same keys again: no better
    request = http_server_request(s->server, 1);
    assert_contains(http_request_body(request), "&WebIdentityToken=eyJ.second");
    free(request);
    free(path);
}

static void test_sts_that_denies(void **state)
{
    struct second *s = *state;

    use_sts(s);
    config_file(s, "[default]\nrole_arn = arn:aws:iam::1:role/x\n"
                   "source_profile = default\naws_access_key_id = BASE\n"
                   "aws_secret_access_key = s\n");
    http_server_default(
        s->server,
        &(struct http_answer){
            .status = 403,
            .body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>"
                    "not authorized to perform sts:AssumeRole</Message>"
                    "</Error></ErrorResponse>"});
    call_fails(s, "credentials from STS AssumeRole: arn:aws:iam::1:role/x: "
                  "POST http://");
    call_fails(s, "AccessDenied: not authorized to perform sts:AssumeRole");
}

// ---- a process

static void use_process(struct second *s, const char *command)
{
    char *text = mem_printf("[default]\ncredential_process = %s\n", command);

    config_file(s, text);
    free(text);
}

// Hands out KEY1, KEY2, ... : a counter in a file.
static void use_counting_process(struct second *s)
{
    char *path = text_file_write(
        s->f->folder, "script",
        "n=$(cat \"$1\" 2>/dev/null || echo 0); n=$((n + 1)); echo $n >\"$1\"\n"
        "echo \"{\\\"Version\\\":1,\\\"AccessKeyId\\\":\\\"KEY$n\\\",\"\n"
        "echo '\"SecretAccessKey\":\"s\"}'\n");
    char *command =
        mem_printf("/bin/sh '%s' \"%s/count er\"", path, s->f->folder);

    use_process(s, command);
    free(command);
    free(path);
}

static void test_a_process_is_run_without_a_shell(void **state)
{
    struct second *s = *state;

    use_process(s, "/bin/echo '{\"Version\":1,\"AccessKeyId\":\"ECHO\","
                   "\"SecretAccessKey\":\"$HOME;\"}'");
    call_works(s);
    assert_signed_by(s, 0, "ECHO");
}

static void test_expired_credentials_are_fetched_anew(void **state)
{
    struct second *s = *state;

    use_counting_process(s);
    call_works(s);
    assert_signed_by(s, 0, "KEY1");
    http_server_push(
        s->f->server,
        &(struct http_answer){
            .status = 400, .body = "{\"__type\":\"ExpiredTokenException\"}"});
    call_works(s);
    assert_signed_by(s, 1, "KEY1");
    assert_signed_by(s, 2, "KEY2");
}

static struct process_case {
    const char *name, *command, *message;
} processes[] = {
    {"no such program", "/nonexistent/program a", "cannot run /nonexistent"},
    {"it fails", "/bin/sh -c 'echo first >&2; echo second >&2; exit 3'",
     "/bin/sh: exit status 3: first"},
    {"it is killed", "/bin/sh -c 'kill -9 $$'", "ended by signal 9"},
    {"a signal that we ignore", "/bin/sh -c 'kill -PIPE $$'",
     "ended by signal 13"},
    {"no JSON", "/bin/echo hello", "\"Version\": 1"},
    {"another version", "/bin/echo '{\"Version\":2}'", "\"Version\": 1"},
    {"no keys", "/bin/echo '{\"Version\":1}'", "lacks AccessKeyId"},
    {"endless output", "/bin/sh -c 'head -c 1000000 /dev/zero'",
     "over 65536 bytes"},
    {"a key that would be a header",
     "/bin/echo '{\"Version\":1,\"AccessKeyId\":\"a\\r\\nX: y\","
     "\"SecretAccessKey\":\"s\"}'",
     "a character that none has"},
};

static void test_process_that_fails(void **state)
{
    const struct process_case *c = *state;
    struct second *s;
    void *fixture;

    (void)set_up(&fixture);
    s = fixture;
    use_process(s, c->command);
    call_fails(s, c->message);
    assert_int_equal(http_server_count(s->f->server), 0);
    (void)tear_down(&fixture);
}

// The session does not wait for it. What the process started is ended too: it
// holds a pipe open, whose end we see.
static void test_closing_ends_a_process_that_hangs(void **state)
{
    struct second *s = *state;
    struct aws_request request = aws_fixture_request();
    char *path = mem_printf("%s/pipe", s->f->folder);
    char *command = mem_printf("/bin/sh -c 'sleep 1000 >\"%s\" & echo x "
                               ">\"%s\"; wait'",
                               path, path);
    struct pollfd pipe = {.events = POLLIN};
    char text[8];

    assert_int_equal(mkfifo(path, 0600), 0);
    pipe.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(pipe.fd >= 0);
    use_process(s, command);
    aws_fixture_open(s->f);
    aws_client_send(s->f->client, &request);
    assert_int_equal(poll(&pipe, 1, SOON_MS), 1);
    assert_int_equal(read(pipe.fd, text, sizeof(text)), 2);

    aws_client_destroy(s->f->client);
    aws_session_destroy(s->f->session);
    s->f->client = NULL;
    s->f->session = NULL;
    assert_int_equal(poll(&pipe, 1, SOON_MS), 1);
    assert_true(pipe.revents & POLLHUP);
    (void)close(pipe.fd);
    free(command);
    free(path);
}

// ---- keys of a profile

static void test_keys_that_were_renewed_in_the_file_are_used(void **state)
{
    struct second *s = *state;

    config_file(s, "[default]\naws_access_key_id = OLD\n"
                   "aws_secret_access_key = s\n");
    call_works(s);
    config_file(s, "[default]\naws_access_key_id = NEW\n"
                   "aws_secret_access_key = s\n");
    http_server_push(
        s->f->server,
        &(struct http_answer){
            .status = 403,
            .body = "{\"__type\":\"UnrecognizedClientException\"}"});
    call_works(s);
    assert_signed_by(s, 1, "OLD");
    assert_signed_by(s, 2, "NEW");
}

// ---- sessions

static struct session_case {
    const char *name;
    const char *config;
    const char *variables[4][2];
    const char *profile; // of our configuration
    bool endpoint;       // one is configured
    const char *region;  // NULL: refused
    const char *message;
} sessions[] = {
    {.name = "an endpoint and nothing else",
     .endpoint = true,
     .region = "us-east-1"},
    {.name = "nothing", .message = "no region: set aws.region"},
    {.name = "AWS_REGION goes before AWS_DEFAULT_REGION",
     .variables = {{"AWS_DEFAULT_REGION", "r-2"}, {"AWS_REGION", "r-1"}},
     .region = "r-1"},
    {.name = "the profile's region",
     .config = "[default]\nregion = r-3\n",
     .region = "r-3"},
    {.name = "the named profile's region",
     .config = "[default]\nregion = r-3\n[profile x]\nregion = r-4\n",
     .variables = {{"AWS_PROFILE", "x"}},
     .region = "r-4"},
    {.name = "our own profile goes before the environment's",
     .config = "[profile x]\nregion = r-3\n[profile y]\nregion = r-4\n",
     .variables = {{"AWS_PROFILE", "x"}},
     .profile = "y",
     .region = "r-4"},
    {.name = "a profile that is not there",
     .config = "",
     .variables = {{"AWS_PROFILE", "x"}},
     .endpoint = true,
     .message = "aws: profile \"x\" is in neither"},
    {.name = "a profile that is broken",
     .config = "[default]\naws_access_key_id = a\n",
     .endpoint = true,
     .message = "aws: profile default: aws_secret_access_key is missing"},
    {.name = "a region that is none",
     .variables = {{"AWS_REGION", "eu-west-1\r\nX: y"}},
     .message = "is no region name"},
    {.name = "an endpoint that is none",
     .variables = {{"AWS_ENDPOINT_URL", "localhost:1"}, {"AWS_REGION", "r"}},
     .message = "aws: endpoint"},
    {.name = "a CA bundle that is not there",
     .endpoint = true,
     .variables = {{"AWS_CA_BUNDLE", "/nonexistent/ca.pem"}},
     .message = "CA bundle /nonexistent/ca.pem: No such file"},
    {.name = "a CA bundle that is none",
     .variables = {{"AWS_CA_BUNDLE", "/dev/null"}, {"AWS_REGION", "r"}},
     .message = "CA bundle /dev/null: no PEM certificate in it"},
    {.name = "attempts that are no number",
     .endpoint = true,
     .variables = {{"AWS_MAX_ATTEMPTS", "many"}},
     .message = "is not 1 to 100"},
    {.name = "a CA bundle that nobody needs",
     .endpoint = true,
     .variables = {{"AWS_CA_BUNDLE", "/dev/null"}},
     .region = "us-east-1"},
};

static void test_session(void **state)
{
    const struct session_case *c = *state;
    struct second *s;
    struct error err = {0};
    void *fixture;
    bool ok;

    (void)set_up(&fixture);
    s = fixture;
    if (c->config)
        config_file(s, c->config);
    for (size_t i = 0; i < 4 && c->variables[i][0]; i++)
        aws_environment_set(c->variables[i][0], c->variables[i][1]);
    s->f->config.profile = mem_strdup(c->profile);
    if (!c->endpoint) {
        free(s->f->config.endpoint_url);
        s->f->config.endpoint_url = NULL;
    }
    ok = aws_fixture_open_session(s->f, &err);
    if (c->region) {
        assert_ok(ok, &err);
        assert_string_equal(aws_session_region(s->f->session), c->region);
        assert_string_equal(aws_session_account(s->f->session), "000000000000");
    } else {
        assert_fails(ok, &err, ERROR_INVALID);
        assert_contains(err.message, c->message);
    }
    (void)tear_down(&fixture);
}

#define WITH_SERVERS(test_) \
    cmocka_unit_test_setup_teardown(test_, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVERS(test_container_with_a_token_from_a_file),
        WITH_SERVERS(test_container_that_refuses),
        WITH_SERVERS(test_proxies_are_passed_by_for_the_container),
        WITH_SERVERS(test_a_token_with_a_line_break_is_not_sent),
        WITH_SERVERS(test_instance_metadata_by_token),
        WITH_SERVERS(test_instance_metadata_without_token),
        WITH_SERVERS(test_instance_whose_token_does_not_get_through),
        WITH_SERVERS(
            test_without_credentials_servers_that_are_not_aws_get_dummies),
        WITH_SERVERS(test_a_role_is_assumed_with_signed_credentials),
        WITH_SERVERS(test_a_web_identity_is_not_signed_and_read_anew),
        WITH_SERVERS(test_sts_that_denies),
        WITH_SERVERS(test_a_process_is_run_without_a_shell),
        WITH_SERVERS(test_expired_credentials_are_fetched_anew),
        WITH_SERVERS(test_closing_ends_a_process_that_hangs),
        WITH_SERVERS(test_keys_that_were_renewed_in_the_file_are_used),
    };

    return run_table("instances", instances, test_instance_that_fails) +
           run_table("processes", processes, test_process_that_fails) +
           run_table("sessions", sessions, test_session) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
