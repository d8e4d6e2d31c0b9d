/* admin/admin_live: what the page is drawn from, besides /status and /metrics.json: the newest
 * events, epochs, samples and bad lines, and the checks behind readiness. Pure: it writes JSON from
 * copies. Internal to the module. */
#ifndef WALFERRY_ADMIN_ADMIN_LIVE_H
#define WALFERRY_ADMIN_ADMIN_LIVE_H

#include "base/log_ring.h"
#include "json/json_write.h"
#include "model/recent.h"
#include "model/status.h"

/* The names of the checks that do not pass, each with a space before it. */
void admin_add_failed(const struct status *status, struct buf *out);
/* An array: whether each check behind /readyz passes, and where it is explained. The names of those
 * that `doctor` knows, too, are its names (recover/checks.def). Ready is who passes all of them. */
void admin_write_checks(struct json_writer *w, const struct status *status);
/* The body of /events: newest first. */
void admin_events_json(const struct recent_lists *lists, struct buf *out);
/* The body of /history. kept: newest first. */
void admin_history_json(const struct recent_lists *lists, const struct log_kept *kept,
                        uint32_t count, struct buf *out);

/* RFC 3339 in UTC; 0: null. */
void admin_write_time(struct json_writer *w, const char *name, int64_t wall_us);
/* In PostgreSQL's form; 0: null. */
void admin_write_lsn(struct json_writer *w, const char *name, uint64_t lsn);

#endif
