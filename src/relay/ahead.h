/* relay/ahead: a source around a source, which reads ahead so that jq is asked about many rows
 * together.
 *
 * Changes come out as they went in, in their order, one a call. Rows, BEGIN, COMMIT and MARK are
 * copied; anything else, and a row that is large, is the last that is read before it was handed on,
 * so that it need not be copied. What is kept is bounded in changes and in bytes. A relation that
 * is described anew meanwhile is another relation for the rows behind that: each row keeps its own.
 * Positions are only carried: nothing is confirmed that was not handed on and published. */
#ifndef WALFERRY_RELAY_AHEAD_H
#define WALFERRY_RELAY_AHEAD_H

#include "route/route.h"
#include "source/source.h"

/* Takes the source over. The router must outlive it, and is best one that looks ahead. The source
 * may be one that writes no resume: what that says would be of a change that was not handed on. */
struct source *ahead_open(struct source *inner, struct router *router);

#endif
