#include "aws_fixture.h"

#include "aws_environment.h"
#include "base/clock.h"
#include "base/mem.h"
#include "test.h"

int aws_fixture_set_up(void **state)
{
    struct aws_fixture *f = mem_calloc(1, sizeof(*f));

    aws_environment_clear();
    aws_environment_set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    aws_environment_set("AWS_SECRET_ACCESS_KEY", "secret");
    f->folder = test_folder_create();
    f->server = http_server_create(NULL);
    f->config.endpoint_url = mem_strdup(http_server_url(f->server));
    *state = f;
    return 0;
}

int aws_fixture_tear_down(void **state)
{
    struct aws_fixture *f = *state;

    aws_client_destroy(f->client);
    aws_session_destroy(f->session);
    http_server_destroy(f->server);
    test_folder_remove(f->folder);
    free(f->config.endpoint_url);
    free(f->config.endpoint_urls.sqs);
    free(f->config.endpoint_urls.sts);
    free(f->config.region);
    free(f->config.profile);
    free(f->config.ca_bundle);
    free(f);
    return 0;
}

bool aws_fixture_open_session(struct aws_fixture *f, struct error *err)
{
    f->session = aws_session_create(
        &(struct aws_session_options){
            .config = &f->config, .clock = clock_system(), .log = &f->log},
        err);
    return f->session != NULL;
}

void aws_fixture_open(struct aws_fixture *f)
{
    struct error err = {0};

    assert_ok(aws_fixture_open_session(f, &err), &err);
    f->client =
        aws_client_create(&(struct aws_client_options){.session = f->session,
                                                       .clock = clock_system(),
                                                       .log = &f->log,
                                                       .seed = 1});
}

struct aws_request aws_fixture_request(void)
{
    struct aws_request request = {.service = AWS_SQS,
                                  .protocol = AWS_JSON_10,
                                  .operation = "ReceiveMessage"};

    buffer_init(&request.body, 1024);
    buffer_append_text(&request.body, "{\"QueueUrl\":\"q\"}");
    return request;
}

void aws_fixture_call(struct aws_fixture *f, struct aws_reply *reply)
{
    struct aws_request request = aws_fixture_request();

    if (!f->client)
        aws_fixture_open(f);
    (void)aws_client_call(f->client, &request, NULL, reply);
}
