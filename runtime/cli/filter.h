/*
 * filter: `pollard filter test`: which events does a pattern, or a trigger's
 * filters, match, and why.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_CLI_FILTER_H
#define POLLARD_CLI_FILTER_H

int filter_main(int argc, char **argv);

#endif
