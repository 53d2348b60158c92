/*
 * failed: `pollard failed list|show|replay`: what on_failure wrote into a
 * folder, and what to do with it.
 *
 * Threads: the main thread.
 */
#ifndef POLLARD_FAILED_H
#define POLLARD_FAILED_H

int failed_main(int argc, char **argv);

#endif
