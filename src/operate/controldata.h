/* operate/controldata: what pg_controldata said of a cluster, as far as `rebase --upgraded` rests
 * on it. */
#ifndef WALFERRY_OPERATE_CONTROLDATA_H
#define WALFERRY_OPERATE_CONTROLDATA_H

#include "base/error.h"
#include "base/span.h"

#include <stdint.h>

#define CONTROLDATA_BYTES_MAX ((size_t)64 * 1024)

struct controldata {
    uint64_t system_identifier;
    uint64_t end_lsn;  /* "Latest checkpoint location"; 0: nothing was read */
    uint64_t next_xid; /* of that checkpoint, with the epoch */
    bool shut_down;    /* it was a primary, and stopped in order */
};

/* text: all that it printed, in English; name: what stands for it in messages. ERROR_STOP,
 * EXIT_USAGE where a line is missing or says something else than a number. */
int controldata_read(struct span text, const char *name, struct controldata *out,
                     struct error *err);

#endif
