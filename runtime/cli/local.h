/*
 * local: `pollard local`: the embedded server by itself, until a signal.
 *
 * Threads: the main thread; the server has its own.
 */
#ifndef POLLARD_CLI_LOCAL_H
#define POLLARD_CLI_LOCAL_H

/* argv[0] is the subcommand. Returns an exit code of sysexits.h. */
int local_main(int argc, char **argv);

#endif
