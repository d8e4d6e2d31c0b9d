/* model/header_name: the headers that walferry writes itself. All of them begin alike, and no route
 * may set one that does. What they say is in docs/MESSAGES.md. */
#ifndef WALFERRY_MODEL_HEADER_NAME_H
#define WALFERRY_MODEL_HEADER_NAME_H

#include "base/span.h"

#define HEADER_PREFIX "walferry-"
#define HEADER_ID HEADER_PREFIX "id"         /* the default of delivery.id_header */
#define HEADER_PART HEADER_PREFIX "part"     /* of a transaction that is committed in parts */
#define HEADER_TIME HEADER_PREFIX "time"     /* where the topic does not take the event's own */
#define HEADER_REPLAY HEADER_PREFIX "replay" /* number of the command that sent it again */
#define HEADER_LETTER HEADER_PREFIX "letter" /* no letter, but what became of one */
#define HEADER_TRUNCATED HEADER_PREFIX "truncated" /* field, and bytes of the value before */
#define HEADER_CLAIM HEADER_PREFIX "claim"         /* id of the value's row in walferry.claim */
/* Of dead letters. */
#define HEADER_ERROR_REASON HEADER_PREFIX "error-reason" /* slug of base/reason.def */
#define HEADER_ERROR_MESSAGE HEADER_PREFIX "error-message"
#define HEADER_ERROR_ROUTE HEADER_PREFIX "error-route"
#define HEADER_ERROR_TOPIC HEADER_PREFIX "error-topic" /* where the event was to go */
#define HEADER_ERROR_TABLE HEADER_PREFIX "error-table" /* schema.table, or message:<prefix> */
#define HEADER_ERROR_LSN HEADER_PREFIX "error-lsn"     /* final LSN of BEGIN */
#define HEADER_ERROR_XID HEADER_PREFIX "error-xid"
#define HEADER_ERROR_TRUNCATED HEADER_PREFIX "error-truncated" /* bytes of the value left out */

static inline bool header_name_is_ours(struct span name)
{
    return span_starts_with(name, SPAN_LITERAL(HEADER_PREFIX));
}

#endif
