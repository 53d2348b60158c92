/*
 * store_contract_inner: what the files of the store contract share: the tests
 * of sessions and leases (store_contract.c) and of tumbling windows
 * (store_contract_windows.c).
 */
#ifndef POLLARD_STORE_CONTRACT_INNER_H
#define POLLARD_STORE_CONTRACT_INNER_H

#include "store/store.h"
#include "store_contract.h"
#include "test.h"

#define STREAM "clicks"

/* Where there is an `err`. */
#define assert_result(call_, result_)                                      \
    do {                                                                   \
        enum store_result got_ = (call_);                                  \
        if (got_ != (result_))                                             \
            fail_msg("%s: result %d: %s", #call_, (int)got_, err.message); \
    } while (0)

#define CONTRACT(test_)                                                \
    {                                                                  \
        .name = #test_, .test_func = test_,                            \
        .setup_func = store_contract_begin,                            \
        .teardown_func = store_contract_end, .initial_state = contract \
    }

int store_contract_begin(void **state);
int store_contract_end(void **state);

/* One more store that has joined. */
struct store *store_contract_join(void **state, const char *session);
/* A lease that starts at TRIM_HORIZON. parents: JSON array or NULL. */
void store_contract_create(struct store *store, const char *shard,
                           const char *parents);
/* Its row, which must be there. Caller finishes. */
struct lease_row store_contract_find(struct store *store, const char *shard);

int store_contract_run_windows(struct store_contract *contract);

#endif
