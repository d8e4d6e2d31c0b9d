/* relay/data_error: what a route's on_error makes of a change that cannot be published.
 *
 * One rule for the reader (routing, encoding) and the writer (the publisher's refusals): counted,
 * and passed over or the end of the relay with the line that passes it over. */
#ifndef WALFERRY_RELAY_DATA_ERROR_H
#define WALFERRY_RELAY_DATA_ERROR_H

#include "config/config.h"
#include "metrics/metrics.h"
#include "model/change_id.h"

struct data_error {
    const struct config_route *route;
    uint32_t route_index;
    struct metrics *metrics; /* may be NULL */
    uint64_t system_identifier;
    struct change_id id;
};

/* err: of kind ERROR_DATA. Fills id. True: passed over; the caller logs it and clears *err. False:
 * *err names route and change, and its hint is the skip line. */
bool data_error_skips(const struct data_error *at, char id[CHANGE_ID_TEXT_MAX], struct error *err);

#endif
