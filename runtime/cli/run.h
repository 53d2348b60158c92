/* run: `pollard run`: the worker. */
#ifndef POLLARD_RUN_H
#define POLLARD_RUN_H

int run_main(int argc, char **argv);

#endif
