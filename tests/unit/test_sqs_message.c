#include "source/sqs_message.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/mem.h"
#include "record/event.h"
#include "source/sqs_digest.h"
#include "test.h"

static const struct record_origin origin = {
    .kind = RECORD_SQS, .arn = "arn:aws:sqs:r:1:q", .region = "r"};

struct world {
    struct sqs_collect collect;
    struct record_list records, refused;
    struct error err;
};

static struct world *world_create(void)
{
    struct world *world = mem_calloc(1, sizeof(*world));

    sqs_collect_init(&world->collect);
    return world;
}

static void release_all(struct record_list *list)
{
    struct record *record;

    while ((record = record_list_take(list)))
        record_release(record);
}

static void world_destroy(struct world *world)
{
    release_all(&world->records);
    release_all(&world->refused);
    sqs_collect_finish(&world->collect);
    free(world);
}

static bool read_text(struct world *world, enum aws_protocol protocol,
                      const char *text)
{
    struct sqs_arrival arrival = {
        .origin = &origin, .received_ms = 1000, .visible_ms = 31000};
    struct buffer body;
    bool ok;

    // Exactly as much memory as there is text, so that a look beyond shows.
    buffer_init(&body, 1024 * 1024);
    body.size = body.capacity = strlen(text);
    body.data = mem_calloc(1, body.size ? body.size : 1);
    memcpy(body.data, text, body.size);
    ok = sqs_message_read(&world->collect, protocol, &arrival, &body,
                          &world->records, &world->refused, &world->err);
    assert_null(body.data);
    return ok;
}

static void assert_bytes(struct bytes bytes, const char *text)
{
    assert_int_equal(bytes.size, strlen(text));
    assert_memory_equal(bytes.data, text, bytes.size);
}

static struct bytes attribute(const struct record *record, const char *name)
{
    for (size_t i = 0; i < record->attribute_count; i++)
        if (bytes_equal(record->attributes[i].name, bytes_of(name)))
            return record->attributes[i].value;
    return (struct bytes){0};
}

static const struct record_message_attribute *
message_attribute(const struct record *record, const char *name)
{
    for (size_t i = 0; i < record->message_attribute_count; i++)
        if (bytes_equal(record->message_attributes[i].name, bytes_of(name)))
            return &record->message_attributes[i];
    fail_msg("no message attribute %s", name);
    return NULL;
}

// A message with everything, as AWS sends it, and as ElasticMQ sends it in XML.
#define EVERYTHING_JSON                                                       \
    "{\"Messages\":[{\"MessageId\":\"19dd0b57-b21e-4ac1-bd88-01bbb068cb78\"," \
    "\"ReceiptHandle\":\"AQEB+/==\",\"Body\":\"caf\\u00e9 \\\"x\\\"\\n\","    \
    "\"MD5OfBody\":\"46865ca943f431a9b165ee1f338e43c2\","                     \
    "\"Attributes\":{\"SenderId\":\"AIDAIENQZJOLO23YVJ4VO\","                 \
    "\"ApproximateFirstReceiveTimestamp\":\"1545082649185\","                 \
    "\"ApproximateReceiveCount\":\"3\",\"SentTimestamp\":\"1545082649183\","  \
    "\"MessageGroupId\":\"g1\",\"SequenceNumber\":\"18849496460467696128\"}," \
    "\"MessageAttributes\":{"                                                 \
    "\"customNumberTypeAttrib\":{\"DataType\":\"Number.float\","              \
    "\"StringValue\":\"4563442423554324324264524243.32543234\"},"             \
    "\"attribName1\":{\"StringValue\":\"attribValue 1\",\"DataType\":"        \
    "\"String\"},"                                                            \
    "\"binaryAttribute\":{\"BinaryValue\":\"SGVsbG8gYmluYXJ5IHdvcmxkIQ==\","  \
    "\"StringListValues\":[],\"DataType\":\"Binary\"}},"                      \
    "\"MD5OfMessageAttributes\":\"c932db14a896c663f83c260297d594ff\"}]}"
#define EVERYTHING_XML                                                      \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                          \
    "<ReceiveMessageResponse xmlns=\"http://queue.amazonaws.com/doc/"       \
    "2012-11-05/\">\n  <ReceiveMessageResult>\n    <Message>\n"             \
    "      <MessageId>19dd0b57-b21e-4ac1-bd88-01bbb068cb78</MessageId>\n"   \
    "      <ReceiptHandle>AQEB+/==</ReceiptHandle>\n"                       \
    "      <MD5OfBody>46865ca943f431a9b165ee1f338e43c2</MD5OfBody>\n"       \
    "      <Body>caf&#233; &quot;x&quot;&#xA;</Body>\n"                     \
    "      <Attribute><Name>SenderId</Name>"                                \
    "<Value>AIDAIENQZJOLO23YVJ4VO</Value></Attribute>\n"                    \
    "      <Attribute><Name>ApproximateFirstReceiveTimestamp</Name>"        \
    "<Value>1545082649185</Value></Attribute>\n"                            \
    "      <Attribute><Name>ApproximateReceiveCount</Name><Value>3</Value>" \
    "</Attribute>\n      <Attribute><Name>SentTimestamp</Name>"             \
    "<Value>1545082649183</Value></Attribute>\n"                            \
    "      <Attribute><Name>MessageGroupId</Name><Value>g1</Value>"         \
    "</Attribute>\n      <Attribute><Name>SequenceNumber</Name>"            \
    "<Value>18849496460467696128</Value></Attribute>\n"                     \
    "      <MessageAttribute><Name>customNumberTypeAttrib</Name><Value>"    \
    "<StringValue>4563442423554324324264524243.32543234</StringValue>"      \
    "<DataType>Number.float</DataType></Value></MessageAttribute>\n"        \
    "      <MessageAttribute><Name>attribName1</Name><Value>"               \
    "<DataType>String</DataType><StringValue>attribValue 1</StringValue>"   \
    "</Value></MessageAttribute>\n"                                         \
    "      <MessageAttribute><Name>binaryAttribute</Name><Value>"           \
    "<DataType>Binary</DataType>"                                           \
    "<BinaryValue>SGVsbG8gYmluYXJ5IHdvcmxkIQ==</BinaryValue>"               \
    "</Value></MessageAttribute>\n"                                         \
    "      <MD5OfMessageAttributes>c932db14a896c663f83c260297d594ff"        \
    "</MD5OfMessageAttributes>\n"                                           \
    "    </Message>\n  </ReceiveMessageResult>\n"                           \
    "  <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>\n"     \
    "</ReceiveMessageResponse>"

static struct everything_case {
    const char *name;
    enum aws_protocol protocol;
    const char *text;
} everything[] = {
    {"JSON", AWS_JSON_10, EVERYTHING_JSON},
    {"Query", AWS_QUERY, EVERYTHING_XML},
};

static void test_everything_arrives(void **state)
{
    const struct everything_case *c = *state;
    struct world *world = world_create();
    const struct record_message_attribute *binary;
    const struct record *record;

    assert_ok(read_text(world, c->protocol, c->text), &world->err);
    assert_int_equal(world->records.count, 1);
    record = world->records.first;
    assert_ptr_equal(record->origin, &origin);
    assert_bytes(record->id, "19dd0b57-b21e-4ac1-bd88-01bbb068cb78");
    assert_bytes(record->receipt_handle, "AQEB+/==");
    assert_bytes(record->data, "caf\xc3\xa9 \"x\"\n");
    assert_bytes(record->key, "g1");
    assert_true(record->arrived_at_ms == 1545082649183);
    assert_int_equal(record->receive_count, 3);
    assert_int_equal(record->received_ms, 1000);
    assert_int_equal(record->visible_ms, 31000);
    assert_int_equal(record->event_size, event_record_size(record));
    assert_int_equal(record->attribute_count, 6);
    assert_bytes(attribute(record, "SenderId"), "AIDAIENQZJOLO23YVJ4VO");
    assert_bytes(attribute(record, "SequenceNumber"), "18849496460467696128");
    assert_int_equal(record->message_attribute_count, 3);
    binary = message_attribute(record, "binaryAttribute");
    assert_true(binary->binary);
    assert_bytes(binary->value, "Hello binary world!");
    assert_bytes(binary->type, "Binary");
    assert_false(message_attribute(record, "attribName1")->binary);
    assert_bytes(message_attribute(record, "attribName1")->value,
                 "attribValue 1");
    assert_bytes(message_attribute(record, "customNumberTypeAttrib")->type,
                 "Number.float");
    world_destroy(world);
}

// One message, the members of which the row gives.
static struct shape_case {
    const char *name;
    enum aws_protocol protocol;
    const char *text;
    size_t records, refused;
    const char *refusal; // of the first refused
} shapes[] = {
    {"AWS: no messages", AWS_JSON_10, "{}", 0, 0, NULL},
    {"ElasticMQ: no messages", AWS_JSON_10, "{\"Messages\":[]}", 0, 0, NULL},
    {"goaws: no messages", AWS_JSON_10, "{\"Messages\":null}", 0, 0, NULL},
    {"no body at all", AWS_JSON_10, "", 0, 0, NULL},
    {"null as the whole", AWS_JSON_10, "null", 0, 0, NULL},
    {"keys absent", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"b\"}]}",
     1, 0, NULL},
    {"keys null", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"b\",\"MD5OfBody\":null,\"Attributes\":null,\"MessageAttributes\":null,"
     "\"MD5OfMessageAttributes\":null}]}",
     1, 0, NULL},
    {"unknown keys of every kind", AWS_JSON_10,
     "{\"x\":[1,{\"y\":null}],\"Messages\":[{\"MessageId\":\"m\",\"z\":true,"
     "\"ReceiptHandle\":\"r\",\"Body\":\"b\",\"MessageAttributes\":{\"a\":{"
     "\"DataType\":\"String\",\"StringValue\":\"v\",\"BinaryValue\":null,"
     "\"BinaryListValues\":[],\"w\":{}}}}],\"v\":-1.5e3}",
     1, 0, NULL},
    {"numbers where AWS has strings", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"b\",\"Attributes\":{\"ApproximateReceiveCount\":2}}]}",
     1, 0, NULL},
    {"an empty body", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"\",\"MD5OfBody\":\"d41d8cd98f00b204e9800998ecf8427e\"}]}",
     1, 0, NULL},
    {"an MD5 in capitals", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"msg\",\"MD5OfBody\":\"6E2BAAF3B97DBEEF01C0043275F9A0E7\"}]}",
     1, 0, NULL},
    {"a wrong MD5", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"msh\",\"MD5OfBody\":\"6e2baaf3b97dbeef01c0043275f9a0e7\"}]}",
     0, 1, "MD5OfBody"},
    {"half an MD5", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"msg\",\"MD5OfBody\":\"6e2baaf3b97dbeef\"}]}",
     0, 1, "MD5OfBody"},
    {"a wrong MD5 of attributes", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"b\",\"MessageAttributes\":{\"Foo\":{\"DataType\":\"String\","
     "\"StringValue\":\"Baz\"}},\"MD5OfMessageAttributes\":"
     "\"ae7155c6026991b6d54b11589678bf9c\"}]}",
     0, 1, "MD5OfMessageAttributes"},
    {"an MD5 of attributes that were not asked for", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"b\",\"MD5OfMessageAttributes\":\"ae7155c6026991b6d54b11589678bf9c\"}]}",
     1, 0, NULL},
    {"the others of a bad one are good", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m1\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"b\"},{\"MessageId\":\"m2\",\"ReceiptHandle\":\"r\",\"Body\":\"b\","
     "\"MD5OfBody\":\"x\"},{\"MessageId\":\"m3\",\"ReceiptHandle\":\"r\","
     "\"Body\":\"b\"}]}",
     2, 1, "MD5OfBody"},
    {"a BinaryValue that is no base64", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"b\",\"MessageAttributes\":{\"a\":{\"DataType\":\"Binary\","
     "\"BinaryValue\":\"?\"}}}]}",
     0, 1, "base64"},
    {"no receipt handle", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"Body\":\"b\"}]}", 0, 1,
     "no ReceiptHandle"},
    {"no id", AWS_JSON_10,
     "{\"Messages\":[{\"ReceiptHandle\":\"r\",\"Body\":\"b\"}]}", 0, 1,
     "no MessageId"},
    {"no body in a message", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\"}]}", 0, 1,
     "no Body"},
    {"eleven messages are one too many", AWS_JSON_10,
     "{\"Messages\":[{},{},{},{},{},{},{},{},{},{},{\"MessageId\":\"m\","
     "\"Attributes\":{\"a\":\"b\"},\"MessageAttributes\":{\"a\":{}}}]}",
     0, 10, "no MessageId"},
    {"Query: no messages", AWS_QUERY,
     "<ReceiveMessageResponse><ReceiveMessageResult/></ReceiveMessageResponse>",
     0, 0, NULL},
    {"Query: no body at all", AWS_QUERY, "", 0, 0, NULL},
    {"Query: two messages, CDATA, comments", AWS_QUERY,
     "<R><X><Message><MessageId>1</MessageId><ReceiptHandle>r</ReceiptHandle>"
     "<Body><![CDATA[<a>&]]> b</Body></Message><!-- c --><Message><MessageId>2"
     "</MessageId><ReceiptHandle>r</ReceiptHandle><Body></Body></Message></X>"
     "</R>",
     2, 0, NULL},
    {"Query: eleven messages are one too many", AWS_QUERY,
     "<R><Message><a/></Message><Message><a/></Message><Message><a/></Message>"
     "<Message><a/></Message><Message><a/></Message><Message><a/></Message>"
     "<Message><a/></Message><Message><a/></Message><Message><a/></Message>"
     "<Message><a/></Message><Message><MessageId>m</MessageId><Attribute>"
     "<Name>n</Name></Attribute></Message></R>",
     0, 10, "no MessageId"},
    {"Query: a wrong MD5", AWS_QUERY,
     "<R><Message><MessageId>m</MessageId><ReceiptHandle>r</ReceiptHandle>"
     "<Body>msh</Body><MD5OfBody>6e2baaf3b97dbeef01c0043275f9a0e7</MD5OfBody>"
     "</Message></R>",
     0, 1, "MD5OfBody"},
};

static void test_shape(void **state)
{
    const struct shape_case *c = *state;
    struct world *world = world_create();

    assert_ok(read_text(world, c->protocol, c->text), &world->err);
    assert_int_equal(world->records.count, c->records);
    assert_int_equal(world->refused.count, c->refused);
    if (c->refusal)
        assert_contains(sqs_collect_state(world->refused.first)->refusal,
                        c->refusal);
    world_destroy(world);
}

static struct broken_case {
    const char *name;
    enum aws_protocol protocol;
    const char *text, *why;
} broken[] = {
    {"cut short", AWS_JSON_10, "{\"Messages\":[{\"MessageId\":\"m", "ends"},
    {"cut after a message", AWS_JSON_10,
     "{\"Messages\":[{\"MessageId\":\"m\",\"ReceiptHandle\":\"r\",\"Body\":"
     "\"b\"}",
     "ends"},
    {"XML where JSON was asked for", AWS_JSON_10, "<html></html>",
     "not an object"},
    {"more behind the end", AWS_JSON_10, "{}{}", "follows"},
    {"an array", AWS_JSON_10, "[]", "not an object"},
    {"messages that are none", AWS_JSON_10, "{\"Messages\":\"none\"}",
     "not an array"},
    {"an error inside", AWS_JSON_10,
     "{\"__type\":\"com.amazonaws.sqs#InternalFailure\",\"message\":\"oh\"}",
     "InternalFailure: oh"},
    {"Query: cut short", AWS_QUERY, "<R><Message><Mess", "not XML"},
    {"Query: JSON", AWS_QUERY, "{}", "not XML"},
    {"Query: an unknown entity", AWS_QUERY, "<R><Message>&boo;</Message></R>",
     "not XML"},
    {"Query: a document type", AWS_QUERY,
     "<!DOCTYPE R [<!ENTITY a \"b\">]><R>&a;</R>", "document type"},
    {"Query: too deep", AWS_QUERY,
     "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>", "deeper"},
    {"Query: an error inside", AWS_QUERY,
     "<ErrorResponse><Error><Type>Sender</Type><Code>Oops</Code>"
     "<Message>oh</Message></Error></ErrorResponse>",
     "Oops: oh"},
};

static void test_broken(void **state)
{
    const struct broken_case *c = *state;
    struct world *world = world_create();

    assert_fails(read_text(world, c->protocol, c->text), &world->err,
                 ERROR_TRANSIENT);
    assert_contains(world->err.message, c->why);
    assert_int_equal(world->records.count + world->refused.count, 0);
    // The reader is as good as new.
    assert_ok(
        read_text(world, c->protocol,
                  c->protocol == AWS_QUERY ? EVERYTHING_XML : EVERYTHING_JSON),
        &world->err);
    assert_int_equal(world->records.count, 1);
    world_destroy(world);
}

static void test_every_cut_of_an_answer_is_refused(void **state)
{
    static const char *const texts[] = {EVERYTHING_JSON, EVERYTHING_XML};
    static const enum aws_protocol protocols[] = {AWS_JSON_10, AWS_QUERY};
    struct world *world = world_create();

    (void)state;
    for (size_t i = 0; i < 2; i++)
        for (size_t size = 1; size < strlen(texts[i]); size++) {
            AUTO_FREE char *cut = mem_strndup(texts[i], size);

            assert_false(read_text(world, protocols[i], cut));
        }
    world_destroy(world);
}

static void test_records_share_a_chunk_that_goes_with_the_last(void **state)
{
    struct world *world = world_create();
    struct record *first;

    (void)state;
    assert_ok(read_text(world, AWS_JSON_10,
                        "{\"Messages\":[{\"MessageId\":\"1\","
                        "\"ReceiptHandle\":\"r\",\"Body\":\"one\","
                        "\"Attributes\":{\"a\":\"1\"}},{\"MessageId\":\"2\","
                        "\"ReceiptHandle\":\"r\",\"Body\":\"two\","
                        "\"Attributes\":{\"b\":\"2\",\"c\":\"3\"}}]}"),
              &world->err);
    first = record_list_take(&world->records);
    assert_bytes(attribute(first, "a"), "1");
    record_release(first);
    assert_bytes(world->records.first->data, "two");
    assert_bytes(attribute(world->records.first, "c"), "3");
    world_destroy(world);
}

static struct digest_case {
    const char *name;
    struct record_message_attribute attributes[3];
    size_t count;
    const char *md5;
} digests[] = {
    {"String",
     {{.name = BYTES("Foo"), .type = BYTES("String"), .value = BYTES("Bar")}},
     1,
     "ae7155c6026991b6d54b11589678bf9c"},
    {"String with spaces",
     {{.name = BYTES("attribName1"),
       .type = BYTES("String"),
       .value = BYTES("attribValue 1")}},
     1,
     "19e27d4e946b072f3f58da80d94fd778"},
    {"Number with a custom type",
     {{.name = BYTES("customNumberTypeAttrib"),
       .type = BYTES("Number.float"),
       .value = BYTES("4563442423554324324264524243.32543234")}},
     1,
     "9fe1b90bbd9965bdf77bac517c7d2495"},
    {"Binary",
     {{.name = BYTES("binaryAttribute"),
       .type = BYTES("Binary"),
       .value = BYTES("Hello binary world!"),
       .binary = true}},
     1,
     "31a92b15d92f8db860eda32aceb656c3"},
    {"three, in any order",
     {{.name = BYTES("customNumberTypeAttrib"),
       .type = BYTES("Number.float"),
       .value = BYTES("4563442423554324324264524243.32543234")},
      {.name = BYTES("attribName1"),
       .type = BYTES("String"),
       .value = BYTES("attribValue 1")},
      {.name = BYTES("binaryAttribute"),
       .type = BYTES("Binary"),
       .value = BYTES("Hello binary world!"),
       .binary = true}},
     3,
     "c932db14a896c663f83c260297d594ff"},
};

static void test_digest_of_attributes(void **state)
{
    const struct digest_case *c = *state;
    struct digest *digest = digest_create();
    char text[SQS_DIGEST_TEXT];
    struct buffer scratch;

    buffer_init(&scratch, 1000);
    assert_true(
        sqs_digest_attributes(digest, c->attributes, c->count, &scratch, text));
    assert_string_equal(text, c->md5);
    buffer_finish(&scratch);
    digest_destroy(digest);
}

static void test_digest_of_a_body(void **state)
{
    struct digest *digest = digest_create();
    char text[SQS_DIGEST_TEXT];

    (void)state;
    assert_true(sqs_digest_body(digest, BYTES("msg"), text));
    assert_string_equal(text, "6e2baaf3b97dbeef01c0043275f9a0e7");
    digest_destroy(digest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut_of_an_answer_is_refused),
        cmocka_unit_test(test_records_share_a_chunk_that_goes_with_the_last),
        cmocka_unit_test(test_digest_of_a_body),
    };

    return run_table("everything", everything, test_everything_arrives) +
           run_table("shapes", shapes, test_shape) +
           run_table("broken", broken, test_broken) +
           run_table("digests", digests, test_digest_of_attributes) +
           cmocka_run_group_tests(tests, NULL, NULL);
}
