/*
 * script: how a test drives handler fixtures. The data of a batch's first
 * record is a pointer to a struct script, which handle() runs.
 */
#ifndef POLLARD_SCRIPT_H
#define POLLARD_SCRIPT_H

#include <pollard/handler.h>

struct script {
    int (*run)(const struct pollard_host *host,
               const struct pollard_batch *batch, void *context);
    void *context;
};

#endif
