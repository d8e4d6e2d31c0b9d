/* model/status: see status.h. Only the names of states: they are what /status and the metrics
 * show. */
#include "model/status.h"

#include <assert.h>

const char *relay_state_name(enum relay_state state)
{
    static const char *const names[] = {"starting", "streaming", "backoff",
                                        "held",     "stopping",  "stopped"};
    assert(state <= STATE_STOPPED);
    return names[state];
}

const char *wal_risk_name(enum wal_risk risk)
{
    static const char *const names[] = {"none", "filling", "at_risk", "lost"};
    assert(risk >= WAL_RISK_NONE && risk <= WAL_RISK_LOST);
    return names[risk];
}
