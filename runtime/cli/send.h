/*
 * send: `pollard send TRIGGER [FILE|-]`: puts what it reads into the queue or
 * the stream that the trigger reads from, a message or record for each line.
 *
 * Threads: the main thread; one call at a time, each bounded by the client's
 * timeout.
 */
#ifndef POLLARD_SEND_H
#define POLLARD_SEND_H

int send_main(int argc, char **argv);

#endif
