/*
 * store_contract: what every kind of store must do, as tests that know only
 * store.h. A kind's own test file runs them on it.
 */
#ifndef POLLARD_STORE_CONTRACT_H
#define POLLARD_STORE_CONTRACT_H

struct clock;
struct store;

struct store_contract {
    /* Before and after each test: an empty place for stores. */
    void (*begin)(void *context);
    void (*end)(void *context);
    /* Open one more store on that place; never NULL. */
    struct store *(*open)(void *context, const char *application,
                          const char *session);
    void *context;
};

/* Returns the number of failed tests. */
int store_contract_run(struct store_contract *contract);

#endif
