#include <stddef.h>

#include "aws/client.h"
#include "base/clock.h"
#include "source/kinesis_calls.h"
#include "source/kinesis_inner.h"

#define REQUEST_LIMIT (64u * 1024)

static enum aws_protocol protocol(const struct kinesis_source *self)
{
    return aws_session_kinesis_protocol(self->session) == AWS_KINESIS_JSON
               ? AWS_JSON_11
               : AWS_CBOR_11;
}

static void put_call(struct kinesis_source *self, enum shard_call call,
                     struct aws_request *request)
{
    bool cbor = request->protocol == AWS_CBOR_11;

    switch (call) {
    case SHARD_CALL_ITERATOR:
        request->operation = "GetShardIterator";
        self->asked_wall_ms = aws_session_server_ms(self->session, AWS_KINESIS,
                                                    clock_wall_ms(self->clock));
        kinesis_put_iterator_call(&request->body, cbor, self->stream,
                                  self->origin.shard, &self->reader.start);
        break;
    case SHARD_CALL_RECORDS:
        request->operation = "GetRecords";
        request->memory = chunk_spares_body(&self->spares);
        kinesis_put_records_call(&request->body, cbor, self->reader.iterator,
                                 self->reader.limit);
        break;
    case SHARD_CALL_SHARDS:
        request->operation = "ListShards";
        request->protocol = AWS_JSON_11;
        shard_look_put_call(&self->look, &request->body, self->stream);
        break;
    case SHARD_CALL_NONE:
        break;
    }
}

static void send_call(struct kinesis_source *self, enum shard_call call)
{
    // One attempt: the reader knows better than the client when to try again.
    struct aws_request request = {.service = AWS_KINESIS,
                                  .protocol = protocol(self),
                                  .max_attempts = 1,
                                  .owner = self,
                                  .kind = (int)call};

    buffer_init(&request.body, REQUEST_LIMIT);
    put_call(self, call, &request);
    self->asked_cbor = request.protocol == AWS_CBOR_11;
    aws_client_send(self->client, &request);
}

void kinesis_send_next(struct kinesis_source *self,
                       const struct shard_ahead *ahead, int64_t now_ms)
{
    enum shard_call call = shard_reader_next(&self->reader, ahead, now_ms);

    if (call != SHARD_CALL_NONE)
        send_call(self, call);
}
