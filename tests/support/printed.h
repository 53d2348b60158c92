/*
 * printed: what goes to standard output while a test looks.
 */
#ifndef POLLARD_PRINTED_H
#define POLLARD_PRINTED_H

struct printed {
    int saved, memory; // descriptors
};

void printed_begin(struct printed *printed);

/* Standard output as it was, and what was printed since. Caller frees. */
char *printed_end(struct printed *printed);

#endif
