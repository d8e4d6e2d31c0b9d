/* model/position: how far a relay is in the write-ahead log.
 *
 * lsn is the end LSN of a Commit message, or the LSN of a non-transactional message or of a
 * keepalive (PostgreSQL 15 documentation, 55.5.3 and 55.9). seq is 0 at such a place; inside the
 * transaction that follows it, seq is the number of its changes that are done (rows, truncates and
 * messages, from 1). Positions are totally ordered by (lsn, seq). lsn 0 means "none". */
#ifndef WALFERRY_MODEL_POSITION_H
#define WALFERRY_MODEL_POSITION_H

#include "base/span.h"

#include <stdint.h>

struct position {
    uint64_t lsn;
    uint64_t seq;
};

/* "FFFFFFFF/FFFFFFFF" and its NUL. */
#define LSN_TEXT_MAX 18

/* <0, 0 or >0, as strcmp. */
int position_compare(struct position a, struct position b);
/* PostgreSQL's form: two hexadecimal halves, "16/B374D848". Returns text. */
const char *lsn_format(uint64_t lsn, char text[LSN_TEXT_MAX]);
/* Accepts what lsn_format prints, in either case; false where it is anything else. */
bool lsn_parse(struct span text, uint64_t *lsn);

#endif
