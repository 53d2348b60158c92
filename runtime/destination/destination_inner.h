/*
 * destination_inner: what the kinds of destination (SQS, SNS, ...) share. For
 * this room only. Each exports one table; destination.c allocates its struct
 * zeroed, keeps the outbox and the calls, and asks the table what to write and
 * what an answer means.
 *
 * Threads: the poller's.
 */
#ifndef POLLARD_DESTINATION_INNER_H
#define POLLARD_DESTINATION_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/client.h"
#include "aws/sqs_request.h"
#include "base/bytes.h"
#include "base/log.h"
#include "destination/destination.h"
#include "destination/outbox.h"
#include "destination/target.h"

enum destination_kind { DESTINATION_LOOKUP, DESTINATION_SEND };

enum verdict {
    VERDICT_MISSING, // the answer does not mention it
    VERDICT_ACCEPTED,
    VERDICT_AGAIN,   // the server's fault
    VERDICT_REFUSED, // ours: trying again will hardly help
};

struct verdicts { // of the parcels of a call, by their place in it
    enum verdict of[OUTBOX_MOST];
    char why[512]; // of the last that failed
};

struct send { // one call in flight
    struct send *next, **link;
    enum aws_protocol protocol;
    size_t count;
    struct parcel *parcels[]; // NULL: withdrawn meanwhile
};

struct destination_ops {
    enum target_kind kind;
    size_t size;  // of the implementation's struct
    size_t calls; // in flight at the most
    struct outbox_limits limits;

    /* The base members are in place, but for the outbox, whose limits may still
     * be changed. `name` is the target's. On failure close is called. NULL:
     * nothing to do. */
    bool (*open)(struct destination *destination, struct bytes name,
                 const struct destination_options *options,
                 struct outbox_limits *limits, struct error *err);

    /* Move on with what must be known before anything is sent. True once it
     * is. NULL: nothing must. */
    bool (*prepare)(struct destination *destination, int64_t now_ms);
    /* With prepare: when it wants to be called next. */
    int64_t (*prepare_deadline_ms)(const struct destination *destination);
    /* With prepare: a DESTINATION_LOOKUP call finished. */
    void (*prepare_reply)(struct destination *destination,
                          struct aws_reply *reply, int64_t now_ms);

    /* Could this ever be accepted? NULL: anything can. */
    bool (*check)(const struct destination *destination,
                  const struct emission *emission, struct error *err);

    /* A new delivery. NULL: nothing to do. */
    void (*accept)(struct destination *destination, struct shipment *shipment);

    /* Put one where it goes, at once; instead of write and read. ERROR_INVALID
     * is a refusal, all else will be tried again. */
    bool (*put)(struct destination *destination, const struct parcel *parcel,
                struct error *err);

    /* The request of a call: service, protocol, operation, path and body. */
    void (*write)(struct destination *destination, const struct send *send,
                  struct aws_request *request);

    /* The answer to it. */
    bool (*read)(const struct send *send, struct buffer *body,
                 struct verdicts *verdicts, struct error *err);

    /* The queue or stream does not exist (any more). NULL: nothing to do. */
    void (*lost)(struct destination *destination, const struct error *why,
                 int64_t now_ms);

    /* Frees what open made. NULL: nothing. */
    void (*close)(struct destination *destination);
};

struct destination { // first member of every implementation
    const struct destination_ops *ops;

    // Set by destination_open, never changed.
    struct aws_session *session; // borrowed
    struct aws_client *client;   // borrowed
    const struct clock *clock;   // borrowed
    struct log log;              // says which destination
    char *arn;                   // owned
    size_t calls;                // in flight at the most

    // Poller thread only.
    struct outbox outbox;
    bool is_prepared;
    bool is_failing;    // what it was sent last was not accepted
    struct send *sends; // owned; in flight
    size_t in_flight;
    struct random random;
    struct buffer scratch; // owned; texts of a request, until it was sent
    struct log_repeat failed_said, refused_said;
};

/* Where a parcel is put in a bucket or a folder; the same at each attempt. */
void destination_name(const struct parcel *parcel, struct buffer *out);

/* The attributes of the record that a message is made of. Returns how many. */
#define DESTINATION_ATTRIBUTES 10 // SQS takes no more
size_t
destination_attributes(const struct emission *emission,
                       struct sqs_attribute attributes[DESTINATION_ATTRIBUTES]);

/* Of what is put or posted. Static text. */
const char *destination_content_type(const struct emission *emission);

/* May a message of SQS or SNS have this text? */
bool destination_is_text(struct bytes text);

/* All of a call were accepted. */
bool destination_all_accepted(const struct send *send,
                              struct verdicts *verdicts);

extern const struct destination_ops destination_sqs, destination_kinesis,
    destination_sns, destination_s3, destination_file, destination_http;

#endif
