#include "supervisor/settings.h"

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/problems.h"

#include "settings_file.h"
#include "test.h"

#define HEAD "version: 1\ntriggers:\n  a:\n    handler: {library: a.so}\n"
#define QUEUE HEAD "    source: {sqs: {queue: q}}\n"
#define FIFO HEAD "    source: {sqs: {queue: q.fifo}}\n"
#define STREAM HEAD "    source: {kinesis: {stream: s}}\n"
#define START STREAM "    starting_position: TRIM_HORIZON\n"
#define SOURCE(source_) HEAD "    source: {" source_ "}\n"

static struct settings_case {
    const char *name, *text;
    const char *problems; // all of them, in order; "": good
} cases[] = {
    {"the least queue", QUEUE, ""},
    {"the least stream", START, ""},
    {"empty", "", "0:0: the file is empty\n"},
    {"a list", "- 1\n",
     "1:1: a list, not a mapping; allowed here: version, aws, store, log, "
     "stop_grace, handlers, triggers\n"},
    {"no version",
     "triggers: {a: {source: {sqs: {queue: q}}, handler: "
     "{library: a}}}\n",
     "1:1: version: missing. The version of this format, which is 1.\n"},
    {"another version", "version: 2\n" QUEUE,
     "1:10: version: 2 is not allowed: 1\n"
     "2:1: version: given twice, the first time on line 1\n"},
    {"no triggers", "version: 1\n",
     "1:1: triggers: missing. Triggers by name: what Lambda calls event source "
     "mappings. The name, 1 to 64 letters, digits, `-` and `_`, stands in logs "
     "and on the command line.\n"},
    {"empty triggers", "version: 1\ntriggers:\n",
     "2:10: triggers: at least one is wanted\n"},
    {"triggers as a list", "version: 1\ntriggers: [a]\n",
     "2:11: triggers: a list, not a mapping of names\n"},
    {"a source that is a word", HEAD "    source: q\n",
     "5:13: triggers.a.source: a single value, not a mapping; allowed here: "
     "sqs, kinesis, dynamodb, arn\n"},
    {"an ARN where Lambda has it",
     HEAD "    EventSourceArn: arn:aws:sqs:r:123456789012:q\n",
     "3:3: triggers.a.source: missing. The queue or stream that records come "
     "from.\n"
     "5:5: triggers.a.EventSourceArn: unknown key; did you mean "
     "source.arn?\n"},
    {"the same trigger twice", QUEUE "  a: {}\n",
     "6:3: triggers.a: given twice, the first time on line 3\n"},
    {"a name with a space",
     "version: 1\ntriggers: {a b: {source: {sqs: {queue: q}}, handler: "
     "{library: a}}}\n",
     "2:12: triggers: the name \"a b\" is not allowed: 1 to 64 letters, "
     "digits, - and _\n"},
    {"a section to come", QUEUE "admin: {listen: none}\n",
     "6:1: admin: not implemented in this version of pollard\n"},

    {"no source", HEAD,
     "3:3: triggers.a.source: missing. The queue or stream that records come "
     "from.\n"},
    {"two sources", SOURCE("sqs: {queue: q}, kinesis: {stream: s}"),
     "5:5: triggers.a.source: exactly one of these must be given: sqs, "
     "kinesis, dynamodb, arn\n"},
    {"a queue by two names", SOURCE("sqs: {queue: q, queue_url: 'http://h/q'}"),
     "5:14: triggers.a.source.sqs: exactly one of these must be given: "
     "queue_url, queue\n"},
    {"a bad queue name", SOURCE("sqs: {queue: a/b}"),
     "5:27: triggers.a.source.sqs.queue: \"a/b\" is not allowed: 1 to 80 "
     "letters, digits, - and _, and perhaps .fifo at the end\n"},
    {"a URL without a queue", SOURCE("sqs: {queue_url: 'http://host:1'}"),
     "5:31: triggers.a.source.sqs.queue_url: \"http://host:1\" does not end "
     "with a queue's name\n"},
    {"no URL", SOURCE("sqs: {queue_url: 'host/q'}"),
     "5:31: triggers.a.source.sqs.queue_url: \"host/q\" is not allowed: a URL "
     "that begins with http:// or https://\n"},
    {"a bad stream name", SOURCE("kinesis: {stream: 'a b'}"),
     "5:32: triggers.a.source.kinesis.stream: \"a b\" is not allowed: 1 to "
     "128 letters, digits, -, _ and .\n"},
    {"no ARN", SOURCE("arn: orders"),
     "5:19: triggers.a.source.arn: \"orders\" is no ARN: "
     "arn:aws:SERVICE:REGION:ACCOUNT:NAME\n"},
    {"an ARN without account", SOURCE("arn: 'arn:aws:sqs:eu-west-1::q'"),
     "5:19: triggers.a.source.arn: \"arn:aws:sqs:eu-west-1::q\" lacks its "
     "region or an account of 12 digits\n"},
    {"an ARN of another service",
     SOURCE("arn: 'arn:aws:ec2:eu-west-1:123456789012:q'"),
     "5:19: triggers.a.source.arn: \"ec2\" is no service known here: sqs, "
     "kinesis or dynamodb\n"},
    {"an ARN of a service to come",
     SOURCE("arn: 'arn:aws:sns:eu-west-1:123456789012:topic'"),
     "5:19: triggers.a.source.arn: sns is not implemented in this version "
     "of pollard: sqs, kinesis or dynamodb\n"},
    {"a table's ARN",
     SOURCE("arn: 'arn:aws:dynamodb:eu-west-1:123456789012:table/orders'"),
     "5:19: triggers.a.source.arn: \"table/orders\" is no stream of a table: "
     "...:ACCOUNT:table/NAME/stream/LABEL (or name the table: `source: "
     "{dynamodb: {table: NAME}}`)\n"},
    {"an ARN of another kind as a table's stream",
     SOURCE("dynamodb: {stream_arn: 'arn:aws:sqs:r:123456789012:q'}"),
     "5:37: triggers.a.source.dynamodb.stream_arn: "
     "\"arn:aws:sqs:r:123456789012:q\" is no stream of a table\n"},
    {"a bad table name", SOURCE("dynamodb: {table: 't'}"),
     "5:32: triggers.a.source.dynamodb.table: \"t\" is not allowed: 3 to 255 "
     "letters, digits, -, _ and .\n"},
    {"a table and a stream",
     SOURCE("dynamodb: {table: t12, stream_arn: 'arn:aws:dynamodb:r:"
            "123456789012:table/t12/stream/l'}"),
     "3:3: triggers.a.starting_position: missing; a stream needs it: "
     "TRIM_HORIZON, LATEST or AT_TIMESTAMP\n"
     "5:14: triggers.a.source.dynamodb: exactly one of these must be given: "
     "stream_arn, table\n"},
    {"a table from a time on",
     SOURCE("dynamodb: {table: orders}") "    starting_position: AT_TIMESTAMP\n"
                                         "    starting_position_timestamp: "
                                         "2026-11-22T10:00:00Z\n"
                                         "    deaggregate: auto\n",
     "6:24: triggers.a.starting_position: unsupported starting position: a "
     "DynamoDB stream has TRIM_HORIZON and LATEST\n"
     "8:18: triggers.a.deaggregate: only a Kinesis stream has it\n"},
    {"trimmed data of another stream",
     SOURCE("kinesis: {stream: clicks}") "    starting_position: LATEST\n"
                                         "    on_trimmed_data: stop\n",
     "7:22: triggers.a.on_trimmed_data: only a DynamoDB stream has it\n"},
    {"an ARN of no stream", SOURCE("arn: 'arn:aws:kinesis:r:123456789012:s'"),
     "5:19: triggers.a.source.arn: \"s\" is no stream: "
     "...:ACCOUNT:stream/NAME\n"},
    {"a consumer's ARN without its creation",
     SOURCE("arn: 'arn:aws:kinesis:r:123456789012:stream/s/consumer/c'"),
     "5:19: triggers.a.source.arn: "
     "\"arn:aws:kinesis:r:123456789012:stream/s/consumer/c\" is no consumer: "
     "arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/NAME:CREATION\n"},
    {"a consumer's name that is none",
     SOURCE("kinesis: {stream: s, consumer: 'c/d'}"),
     "5:45: triggers.a.source.kinesis.consumer: \"c/d\" is not allowed: 1 to "
     "128 letters, digits, -, _ and .\n"},
    {"no consumer to register",
     SOURCE("kinesis: {stream: s, register_consumer: true}"),
     "5:54: triggers.a.source.kinesis.register_consumer: there is no consumer "
     "to register: kinesis.consumer names it\n"},

    {"no handler", "version: 1\ntriggers: {a: {source: {sqs: {queue: q}}}}\n",
     "2:12: triggers.a.handler: missing. A name from `handlers`, or the same "
     "mapping in place.\n"},
    {"a handler without library",
     "version: 1\ntriggers: {a: {source: {sqs: {queue: q}}, handler: {}}}\n",
     "2:43: triggers.a.handler.library: missing. The shared object with the "
     "handler; a relative path begins at the folder of this file.\n"},
    {"a handler that is a list",
     "version: 1\ntriggers: {a: {source: {sqs: {queue: q}}, handler: [b]}}\n",
     "2:52: triggers.a.handler: a name or a mapping is wanted\n"},
    {"an unknown handler",
     "version: 1\ntriggers: {a: {source: {sqs: {queue: q}}, handler: b}}\n",
     "2:52: triggers.a.handler: \"b\" is not defined under handlers (a library "
     "in place is written {library: PATH})\n"},
    {"a handler that is nearly known",
     "version: 1\nhandlers: {orders: {library: a.so}}\ntriggers: {a: {source: "
     "{sqs: {queue: q}}, handler: order}}\n",
     "3:52: triggers.a.handler: \"order\" is not defined under handlers; did "
     "you mean orders?\n"},
    {"a named handler's mistake is told once",
     "version: 1\nhandlers: {h: {library: a.so, timeout: 16m, isolation: "
     "process}}\ntriggers:\n  a: {source: {sqs: {queue: q}}, handler: h}\n  "
     "b: {source: {sqs: {queue: r}}, handler: h}\n",
     "2:40: handlers.h.timeout: \"16m\" is not allowed: 100ms to 15m\n"
     "2:56: handlers.h.isolation: process: not implemented in this version of "
     "pollard\n"},
    {"handlers as a list", QUEUE "handlers: [a]\n",
     "6:11: handlers: a list, not a mapping of names\n"},

    {"a large batch with a window",
     QUEUE "    batch_size: 10000\n    maximum_batching_window_in_seconds: 1\n",
     ""},
    {"a large batch without a window", QUEUE "    batch_size: 11\n",
     "6:17: triggers.a.batch_size: over 10, a queue needs "
     "maximum_batching_window_in_seconds, 1 to 300\n"},
    {"a large batch with a wrong window",
     QUEUE "    batch_size: 11\n    maximum_batching_window_in_seconds: 301\n",
     "7:41: triggers.a.maximum_batching_window_in_seconds: 301 is not "
     "allowed: 0 to 300\n"},
    {"a large batch of a stream", START "    batch_size: 10000\n", ""},
    {"a FIFO queue", FIFO "    batch_size: 10\n", ""},
    {"a FIFO queue with much",
     FIFO "    batch_size: 11\n    "
          "maximum_batching_window_in_seconds: 1\n",
     "6:17: triggers.a.batch_size: 11 is not allowed: 1 to 10 for a FIFO "
     "queue\n"
     "7:41: triggers.a.maximum_batching_window_in_seconds: a FIFO queue has no "
     "batching window\n"},
    {"a queue with a start", QUEUE "    starting_position: LATEST\n",
     "6:24: triggers.a.starting_position: only a stream has it\n"},
    {"a stream without a start", STREAM,
     "3:3: triggers.a.starting_position: missing; a stream needs it: "
     "TRIM_HORIZON, LATEST or AT_TIMESTAMP\n"},
    {"a start in lower case", STREAM "    starting_position: latest\n",
     "6:24: triggers.a.starting_position: \"latest\" is not allowed: "
     "TRIM_HORIZON, LATEST or AT_TIMESTAMP\n"},
    {"a start at a time",
     STREAM "    starting_position: AT_TIMESTAMP\n"
            "    starting_position_timestamp: 1700000000\n",
     ""},
    {"a start without its time", STREAM "    starting_position: AT_TIMESTAMP\n",
     "3:3: triggers.a.starting_position_timestamp: missing; AT_TIMESTAMP needs "
     "it\n"},
    {"a time without its start",
     START "    starting_position_timestamp: 1700000000\n",
     "7:34: triggers.a.starting_position_timestamp: only with "
     "starting_position: AT_TIMESTAMP\n"},
    {"a start in the future",
     STREAM "    starting_position: AT_TIMESTAMP\n"
            "    starting_position_timestamp: 2999-01-01T00:00:00Z\n",
     "7:34: triggers.a.starting_position_timestamp: lies in the future\n"},
    {"what only queues have",
     START "    scaling_config: {maximum_concurrency: 1}\n"
           "    provisioned_poller_config: {minimum_pollers: 1}\n"
           "    visibility_timeout: 1m\n    visibility_heartbeat: true\n",
     "7:21: triggers.a.scaling_config: only a queue has it\n"
     "8:32: triggers.a.provisioned_poller_config: only a queue has it\n"
     "9:25: triggers.a.visibility_timeout: only a queue has it\n"
     "10:27: triggers.a.visibility_heartbeat: only a queue has it\n"},
    {"concurrency and pollers together",
     QUEUE "    ScalingConfig: {MaximumConcurrency: 1}\n"
           "    ProvisionedPollerConfig: {MinimumPollers: 2, MaximumPollers: "
           "2}\n",
     ""},
    {"pollers upside down",
     QUEUE "    provisioned_poller_config: {minimum_pollers: 3, "
           "maximum_pollers: 2}\n",
     "6:32: triggers.a.provisioned_poller_config: minimum_pollers is over "
     "maximum_pollers\n"},
    {"pollers out of range are told once",
     QUEUE "    provisioned_poller_config: {minimum_pollers: 3, "
           "maximum_pollers: 0}\n",
     "6:70: triggers.a.provisioned_poller_config.maximum_pollers: 0 is not "
     "allowed: 1 to 10000\n"},
    {"a visibility shorter than the handler",
     QUEUE "    visibility_timeout: "
           "2s\n",
     "6:25: triggers.a.visibility_timeout: 2s is shorter than the handler's "
     "timeout, 3s: a message would come back while it is handled (or set "
     "visibility_heartbeat)\n"},
    {"but with a heartbeat",
     QUEUE "    visibility_timeout: 2s\n    visibility_heartbeat: true\n", ""},
    {"a visibility of no whole seconds",
     QUEUE "    visibility_timeout: "
           "3500ms\n",
     "6:25: triggers.a.visibility_timeout: SQS counts in whole seconds\n"},
    {"a backoff upside down", QUEUE "    retry_backoff: {base: 6m}\n",
     "6:20: triggers.a.retry_backoff: base is over maximum\n"},
    {"a destination that is no ARN",
     QUEUE "    destination_config: {on_success: {destination: done}}\n",
     "6:52: triggers.a.destination_config.on_success.destination: \"done\" is "
     "no destination: the ARN of an SQS queue, an SNS topic or an S3 bucket, "
     "file:///folder/ or https://...\n"},
    {"twins by name",
     "version: 1\nhandlers: {h: {library: a.so}}\ntriggers:\n  a: {source: "
     "{sqs: {queue: q}}, handler: h}\n  b: {source: {arn: "
     "'arn:aws:sqs:r:123456789012:q'}, handler: h}\n",
     "5:3: triggers.b: takes from the same source for the same handler as a, "
     "which is on line 4; Lambda refuses that, too: make one trigger of them, "
     "or give each a handler of its own\n"},
    {"twins in place",
     QUEUE "  b: {source: {sqs: {queue: q}}, handler: "
           "{library: ./a.so}}\n",
     "6:3: triggers.b: takes from the same source for the same handler as a, "
     "which is on line 3; Lambda refuses that, too: make one trigger of them, "
     "or give each a handler of its own\n"},
    {"one of the twins is off",
     QUEUE "  b: {enabled: false, source: {sqs: {queue: q}}, handler: "
           "{library: a.so}}\n",
     ""},
    {"one source for two handlers",
     START "  b: {starting_position: LATEST, source: {kinesis: {stream: s}}, "
           "handler: {library: b.so}}\n",
     ""},
    {"one handler for two sources",
     QUEUE "  b: {source: {sqs: {queue: r}}, handler: {library: a.so}}\n", ""},
    {"one name on two servers",
     HEAD "    source: {sqs: {queue_url: 'http://one/q'}}\n  b: {source: {sqs: "
          "{queue_url: 'http://two/q'}}, handler: {library: a.so}}\n",
     ""},

    {"a region with a space", QUEUE "aws: {region: eu west}\n",
     "6:15: aws.region: \"eu west\" is not allowed: a region's name, as "
     "eu-west-1\n"},
    {"endpoints without scheme or with a secret",
     QUEUE "AWS:\n  endpoint_url: 'localhost:9324'\n"
           "  endpoint_urls: {sqs: 'http://me:secret@h', STS: 'ftp://h'}\n",
     "7:17: aws.endpoint_url: \"localhost:9324\" is not allowed: a URL that "
     "begins with http:// or https://\n"
     "8:24: aws.endpoint_urls.sqs: a URL without user, password, query and "
     "fragment is wanted\n"
     "8:51: aws.endpoint_urls.sts: \"ftp://h\" is not allowed: a URL that "
     "begins with http:// or https://\n"},
    {"a heartbeat too slow for its lease", QUEUE "store: {heartbeat: 4s}\n",
     "6:20: store.heartbeat: a heartbeat of 4s is too slow for a "
     "lease_duration of 10s: at most 3s\n"},
    {"a lease too short for the heartbeat",
     QUEUE "store: {lease_duration: 4s}\n",
     "6:25: store.lease_duration: a heartbeat of 3s is too slow for a "
     "lease_duration of 4s: at most 1s\n"},
    {"a lease and its heartbeat",
     QUEUE "store: {lease_duration: 4s, heartbeat: 1s}\n", ""},
    {"stores to come", QUEUE "store: {postgres: {url: x}, dynamodb: {}}\n",
     "6:9: store.postgres: not implemented in this version of pollard\n"
     "6:29: store.dynamodb: not implemented in this version of pollard\n"},
    {"an application with a slash", QUEUE "store: {application: a/b}\n",
     "6:22: store.application: \"a/b\" is not allowed: 1 to 128 letters, "
     "digits, -, _ and .\n"},

    {"mistakes everywhere, in the file's order",
     "version: one\n"
     "log: {level: loud, format: xml}\n"
     "stop_grace: 30\n"
     "triggers:\n"
     "  a:\n"
     "    source: {sqs: {queue: q}}\n"
     "    handler: none\n"
     "    batch_size: 20000\n"
     "    bath_size: 3\n"
     "    kms_key_arn: k\n"
     "  b:\n"
     "    source: {kinesis: {stream: s, consumer: c}}\n"
     "    handler: {library: b.so, memory: 1MiB}\n"
     "    visibility_timeout: ${POLLARD_UNSET}\n"
     "  a: {}\n",
     "1:10: version: \"one\" is not allowed: a whole number, 1\n"
     "2:14: log.level: \"loud\" is not allowed: debug, info, warn or error\n"
     "2:28: log.format: \"xml\" is not allowed: auto, text or json\n"
     "3:13: stop_grace: 30 is not allowed: a duration with its unit (500ms, "
     "30s, 5m, 2h), 100ms to 1h\n"
     "7:14: triggers.a.handler: \"none\" is not defined under handlers (a "
     "library in place is written {library: PATH})\n"
     "8:17: triggers.a.batch_size: 20000 is not allowed: 1 to 10000\n"
     "9:5: triggers.a.bath_size: unknown key; did you mean batch_size?\n"
     "10:18: triggers.a.kms_key_arn: \"k\" is no ARN: "
     "arn:aws:kms:REGION:ACCOUNT:key/ID\n"
     "11:3: triggers.b.starting_position: missing; a stream needs it: "
     "TRIM_HORIZON, LATEST or AT_TIMESTAMP\n"
     "13:30: triggers.b.handler.memory: not implemented in this version of "
     "pollard\n"
     "14:25: triggers.b.visibility_timeout: the environment variable "
     "POLLARD_UNSET is not set, and there is no default (${NAME:-default})\n"
     "14:25: triggers.b.visibility_timeout: only a queue has it\n"
     "15:3: triggers.a: given twice, the first time on line 5\n"},
};

static void test_case(void **state)
{
    const struct settings_case *c = *state;
    struct settings_file *fixture = settings_file_create(c->text);
    struct settings *settings = settings_file_load(fixture);
    AUTO_FREE char *problems = settings_file_told(fixture);

    assert_string_equal(problems, c->problems);
    assert_int_equal(settings != NULL, !*c->problems);
    settings_destroy(settings);
    settings_file_destroy(fixture);
}

static void test_defaults_of_a_queue(void **state)
{
    struct settings_file *fixture = settings_file_create(QUEUE);
    struct settings *settings = settings_file_load_good(fixture);
    const struct trigger_config *trigger = &settings->triggers[0];
    AUTO_FREE char *library = mem_printf("%s/a.so", fixture->folder);
    AUTO_FREE char *store = mem_printf("%s/pollard.db", fixture->folder);

    (void)state;
    assert_string_equal(settings->path, fixture->path);
    assert_int_equal(settings->version, 1);
    assert_int_equal(settings->stop_grace_ms, 25000);
    assert_string_equal(settings->store.sqlite.path, store);
    assert_string_equal(settings->store.application, "pollard");
    assert_int_equal(settings->store.lease_duration_ms, 10000);
    assert_int_equal(settings->store.heartbeat_ms, 3000);
    assert_int_equal(settings->store.checkpoint_interval_ms, 1000);
    assert_int_equal(settings->aws.sqs_protocol, AWS_SQS_AUTO);
    assert_int_equal(settings->aws.response_limit, 32 << 20);
    assert_null(settings->aws.region);
    assert_int_equal(settings->trigger_count, 1);
    assert_string_equal(trigger->name, "a");
    assert_int_equal(trigger->line, 3);
    assert_true(trigger->enabled);
    assert_int_equal(trigger->source.type, SOURCE_TYPE_SQS);
    assert_string_equal(trigger->source.name, "q");
    assert_string_equal(trigger->handler.library, library);
    assert_null(trigger->handler.settings);
    assert_null(trigger->handler_name);
    assert_int_equal(trigger->handler.timeout_ms, 3000);
    assert_int_equal(trigger->batch_size, 10);
    assert_int_equal(trigger->maximum_batching_window_in_seconds, 0);
    assert_int_equal(trigger->scaling_config.maximum_concurrency, 0);
    assert_int_equal(trigger->provisioned_poller_config.minimum_pollers, 1);
    assert_int_equal(trigger->provisioned_poller_config.maximum_pollers, 200);
    assert_int_equal(trigger->starting_position, TRIGGER_START_NONE);
    assert_int_equal(trigger->visibility_timeout_ms, -1);
    assert_false(trigger->visibility_heartbeat);
    assert_false(trigger->retry_backoff.given);
    assert_int_equal(trigger->retry_backoff.base_ms, 1000);
    assert_int_equal(trigger->retry_backoff.maximum_ms, 300000);
    assert_null(trigger->destination_config.on_success.destination);
    settings_destroy(settings);
    settings_file_destroy(fixture);
}

static void test_everything_set(void **state)
{
    struct settings_file *fixture = settings_file_create(
        "version: 1\n"
        "aws: {region: eu-west-1, profile: p, endpoint_url: 'http://h:1', "
        "endpoint_urls: {kinesis: 'https://k/'}, ca_bundle: ca.pem, "
        "sqs_protocol: query, connect_timeout: 1s, response_limit: 64MiB}\n"
        "store: {sqlite: {path: /x/y.db}, application: app, lease_duration: "
        "20s, heartbeat: 2s, checkpoint_interval: 100ms}\n"
        "log: {level: debug, format: json, payloads: true}\n"
        "stop_grace: 10s\n"
        "handlers: {h: {library: /h.so, settings: {a: [1]}, timeout: 1m}}\n"
        "triggers:\n"
        "  clicks:\n"
        "    enabled: false\n"
        "    source: {arn: 'arn:aws-cn:kinesis:cn-1:123456789012:stream/c'}\n"
        "    handler: h\n"
        "    starting_position: AT_TIMESTAMP\n"
        "    starting_position_timestamp: 2026-01-01T00:00:00Z\n"
        "    retry_backoff: {base: 2s, maximum: 4s}\n"
        "    destination_config: {on_success: {destination: "
        "'arn:aws:sqs:eu-west-1:123456789012:d'}}\n"
        "  orders:\n"
        "    source: {sqs: {queue_url: 'http://h:1/000000000000/o.fifo'}}\n"
        "    handler: h\n"
        "    scaling_config: {maximum_concurrency: 4}\n"
        "    provisioned_poller_config: {minimum_pollers: 2, maximum_pollers: "
        "3}\n"
        "    visibility_timeout: 2m\n");
    struct settings *settings = settings_file_load_good(fixture);
    const struct trigger_config *clicks = &settings->triggers[0];
    const struct trigger_config *orders = &settings->triggers[1];

    (void)state;
    assert_string_equal(settings->aws.endpoint_urls.kinesis, "https://k/");
    assert_int_equal(settings->aws.sqs_protocol, AWS_SQS_QUERY);
    assert_string_equal(settings->store.sqlite.path, "/x/y.db");
    assert_int_equal(settings->log.format, 2);
    assert_true(settings->log.payloads);
    assert_false(clicks->enabled);
    assert_int_equal(clicks->source.type, SOURCE_TYPE_KINESIS);
    assert_string_equal(clicks->source.name, "c");
    assert_string_equal(clicks->handler_name, "h");
    assert_int_equal(clicks->handler.timeout_ms, 60000);
    assert_int_equal(json_array_size(json_object_get(
                         (json_t *)clicks->handler.settings, "a")),
                     1);
    assert_int_equal(clicks->batch_size, 100);
    assert_int_equal(clicks->starting_position_timestamp_ms, 1767225600000);
    assert_true(clicks->retry_backoff.given);
    assert_string_equal(clicks->destination_config.on_success.destination,
                        "arn:aws:sqs:eu-west-1:123456789012:d");
    assert_string_equal(orders->source.name, "o.fifo");
    assert_string_equal(orders->handler.library, "/h.so");
    assert_int_equal(orders->visibility_timeout_ms, 120000);
    assert_int_equal(orders->provisioned_poller_config.maximum_pollers, 3);
    settings_destroy(settings);
    settings_file_destroy(fixture);
}

static void test_a_service_managers_folder_holds_the_store(void **state)
{
    struct settings_file *fixture = settings_file_create(QUEUE);
    struct settings *settings;

    (void)state;
    setenv("STATE_DIRECTORY", "/var/lib/pollard", 1);
    settings = settings_file_load_good(fixture);
    unsetenv("STATE_DIRECTORY");
    assert_string_equal(settings->store.sqlite.path,
                        "/var/lib/pollard/pollard.db");
    settings_destroy(settings);
    settings_file_destroy(fixture);
}

static void test_relative_paths_begin_at_the_files_folder(void **state)
{
    struct settings_file *fixture = settings_file_create(QUEUE);
    AUTO_FREE char *library = mem_printf("%s/a.so", fixture->folder);
    AUTO_FREE char *here = getcwd(NULL, 0);
    struct settings *settings;

    (void)state;
    assert_int_equal(chdir(fixture->folder), 0);
    settings = settings_load("pollard.yaml", &fixture->problems);
    assert_int_equal(chdir(here), 0);
    assert_non_null(settings);
    assert_string_equal(settings->path, fixture->path);
    assert_string_equal(settings->triggers[0].handler.library, library);
    settings_destroy(settings);
    settings_file_destroy(fixture);
}

static struct change_case {
    const char *name, *text;
    bool equal;
} changes[] = {
    {"nothing", QUEUE, true},
    {"its place", "# moved\n" QUEUE, true},
    {"a default written out", QUEUE "    batch_size: 10\n", true},
    {"the handler by name",
     "version: 1\nhandlers: {h: {library: a.so}}\ntriggers: {a: {source: {sqs: "
     "{queue: q}}, handler: h}}\n",
     true},
    {"the batch size", QUEUE "    batch_size: 9\n", false},
    {"the queue", SOURCE("sqs: {queue: r}"), false},
    {"the handler's settings",
     "version: 1\ntriggers: {a: {source: {sqs: {queue: q}}, handler: {library: "
     "a.so, settings: {x: 1}}}}\n",
     false},
    {"the backoff, to what it would be", QUEUE "    retry_backoff: {}\n",
     false},
    {"off", QUEUE "    enabled: false\n", false},
};

// A reload swaps what changed, and nothing else. Both files stand in one
// folder, since paths are compared absolute.
static void test_change(void **state)
{
    const struct change_case *c = *state;
    struct settings_file *fixture = settings_file_create(QUEUE);
    struct settings *before = settings_file_load_good(fixture), *after;
    FILE *file = fopen(fixture->path, "w");

    assert_true(fputs(c->text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    after = settings_file_load_good(fixture);
    assert_int_equal(
        trigger_config_equal(&before->triggers[0], &after->triggers[0]),
        c->equal);
    settings_destroy(before);
    settings_destroy(after);
    settings_file_destroy(fixture);
}

static void test_every_example_is_good(void **state)
{
    glob_t found;

    (void)state;
    assert_int_equal(glob("config/*.yaml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct problems problems;
        struct settings *settings;

        problems_init(&problems);
        settings = settings_load(found.gl_pathv[i], &problems);
        problems_print(&problems, stderr);
        assert_non_null(settings);
        settings_destroy(settings);
        problems_finish(&problems);
    }
    globfree(&found);
}

// The list of problems may be one that has them already.
static void test_a_wrong_file_stays_wrong_when_told_again(void **state)
{
    struct settings_file *fixture = settings_file_create(HEAD);

    (void)state;
    assert_null(settings_file_load(fixture));
    assert_null(settings_file_load(fixture));
    assert_int_equal(fixture->problems.count, 1);
    settings_file_destroy(fixture);
}

static void test_many_triggers(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct settings_file *fixture;
    struct settings *settings;

    (void)state;
    (void)fputs("version: 1\nhandlers: {h: {library: h.so}}\ntriggers:\n", out);
    for (int i = 0; i < 1000; i++)
        (void)fprintf(out, "  t%d: {source: {sqs: {queue: q%d}}, handler: h}\n",
                      i, i);
    (void)fclose(out);
    fixture = settings_file_create(text);
    settings = settings_file_load_good(fixture);
    assert_int_equal(settings->trigger_count, 1000);
    assert_string_equal(settings->triggers[999].source.name, "q999");
    settings_destroy(settings);
    settings_file_destroy(fixture);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_of_a_queue),
        cmocka_unit_test(test_everything_set),
        cmocka_unit_test(test_a_service_managers_folder_holds_the_store),
        cmocka_unit_test(test_relative_paths_begin_at_the_files_folder),
        cmocka_unit_test(test_every_example_is_good),
        cmocka_unit_test(test_a_wrong_file_stays_wrong_when_told_again),
        cmocka_unit_test(test_many_triggers),
    };

    unsetenv("POLLARD_UNSET");
    unsetenv("STATE_DIRECTORY");
    return run_table("settings", cases, test_case) +
           run_table("change", changes, test_change) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
