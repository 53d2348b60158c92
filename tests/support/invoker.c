#include "invoker.h"

#include <jansson.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "test.h"

#define WAIT_SECONDS 10

static const struct record_origin queue = {
    .kind = RECORD_SQS,
    .arn = "arn:aws:sqs:us-east-1:000000000000:queue",
    .region = "us-east-1",
};

static const struct record_origin shard = {
    .kind = RECORD_KINESIS,
    .arn = "arn:aws:kinesis:us-east-1:000000000000:stream/stream",
    .region = "us-east-1",
    .shard = "shardId-000000000000",
    .identity = "arn:aws:iam::000000000000:role/pollard",
};

static void wake(void *context)
{
    struct invoker *invoker = context;

    pthread_mutex_lock(&invoker->lock);
    invoker->mail_is_there = true;
    pthread_cond_signal(&invoker->arrived);
    pthread_mutex_unlock(&invoker->lock);
}

bool invoker_init(struct invoker *invoker, const char *library,
                  const char *settings, int64_t concurrency,
                  const struct clock *clock, struct error *err)
{
    *invoker = (struct invoker){
        .config = {.library = mem_strdup(library),
                   .settings = settings ? json_loads(settings, 0, NULL) : NULL,
                   .timeout_ms = INVOKER_TIMEOUT_MS},
        .sink = {.fd = memfd_create("log", MFD_CLOEXEC),
                 .level = LOG_LEVEL_DEBUG},
    };
    invoker->log.sink = &invoker->sink;
    pthread_mutex_init(&invoker->lock, NULL);
    pthread_cond_init(&invoker->arrived, NULL);
    mailbox_init(&invoker->inbox, wake, invoker);
    invoker->handler = handler_open(
        &(struct handler_options){
            .config = &invoker->config,
            .trigger = "races",
            .concurrency = concurrency,
            .clock = clock,
            .log = &invoker->log,
        },
        err);
    return invoker->handler != NULL;
}

void invoker_finish(struct invoker *invoker)
{
    if (invoker->handler) {
        handler_stop(invoker->handler);
        assert_true(
            handler_join(invoker->handler,
                         clock_now_ms(clock_system()) + WAIT_SECONDS * 1000));
        handler_close(invoker->handler);
    }
    mailbox_finish(&invoker->inbox);
    pthread_cond_destroy(&invoker->arrived);
    pthread_mutex_destroy(&invoker->lock);
    (void)close(invoker->sink.fd);
    json_decref(invoker->config.settings);
    free(invoker->config.library);
}

struct invocation *invoker_wait(struct invoker *invoker)
{
    struct timespec until;
    int rc = 0;

    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_SECONDS;
    pthread_mutex_lock(&invoker->lock);
    while (!invoker->mail_is_there && rc == 0)
        rc = pthread_cond_timedwait(&invoker->arrived, &invoker->lock, &until);
    invoker->mail_is_there = false;
    pthread_mutex_unlock(&invoker->lock);
    if (rc)
        fail_msg("no invocation came back within %d s", WAIT_SECONDS);
    return (struct invocation *)mailbox_take(&invoker->inbox);
}

char *invoker_logged(const struct invoker *invoker)
{
    struct stat status;
    char *text;

    assert_int_equal(fstat(invoker->sink.fd, &status), 0);
    text = mem_calloc((size_t)status.st_size + 1, 1);
    assert_int_equal(pread(invoker->sink.fd, text, (size_t)status.st_size, 0),
                     status.st_size);
    return text;
}

static struct shipment *create(struct invoker *invoker, enum record_kind kind)
{
    struct shipment *shipment = mem_calloc(1, sizeof(*shipment));

    for (size_t i = 0; i < 10; i++) {
        shipment->records[i] = &shipment->record[i];
        shipment->record[i] = (struct record){
            .origin = kind == RECORD_SQS ? &queue : &shard,
            .id = bytes_of("id"),
            .arrived_at_ms = 1700000000000,
            .receive_count = 1,
        };
    }
    shipment->invocation = (struct invocation){
        .records = shipment->records,
        .trigger = "races",
        .reply_to = &invoker->inbox,
        .timeout_ms = INVOKER_TIMEOUT_MS,
    };
    return shipment;
}

struct shipment *shipment_create(struct invoker *invoker, enum record_kind kind,
                                 const char *const *texts)
{
    struct shipment *shipment = create(invoker, kind);

    for (; *texts; texts++) {
        assert_true(shipment->invocation.count < 10);
        shipment->record[shipment->invocation.count++].data = bytes_of(*texts);
    }
    return shipment;
}

struct shipment *shipment_of_script(struct invoker *invoker,
                                    const struct script *script, size_t count)
{
    struct shipment *shipment = create(invoker, RECORD_SQS);

    shipment->script = script;
    shipment->record[0].data = (struct bytes){(const char *)&shipment->script,
                                              sizeof(shipment->script)};
    shipment->invocation.count = count;
    return shipment;
}

void shipment_destroy(struct shipment *shipment)
{
    outcome_finish(&shipment->invocation.outcome);
    free(shipment);
}

void shipment_run(struct invoker *invoker, struct shipment *shipment)
{
    handler_start(invoker->handler, &shipment->invocation);
    assert_ptr_equal(invoker_wait(invoker), &shipment->invocation);
}
