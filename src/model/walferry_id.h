/* model/walferry_id: the name of a place in the stream of changes, the same after any restart.
 *
 *   <system_identifier>-<16 hex digits: final LSN of BEGIN>-<ordinal>[.<n>]
 *
 * It goes out in the id header, into logs, and comes back through `walferry skip`. The ".<n>" tells
 * the second and further events of one change apart; a parsed id never has it, because what is
 * skipped is a change. Formatting costs no printf: it runs once for every message. */
#ifndef WALFERRY_MODEL_WALFERRY_ID_H
#define WALFERRY_MODEL_WALFERRY_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 20 + 1 + 16 + 1 + 20 + 1 + 10 digits and dashes at most, and the NUL: 70; rounded up. */
#define WALFERRY_ID_MAX 72

/* Without the ".<n>" of a second event. Returns text. */
const char *walferry_id_format(uint64_t system_identifier, uint64_t final_lsn, uint64_t ordinal,
                               char text[WALFERRY_ID_MAX]);
/* With ".<event>" where event (from 1) is above 1. Returns the length; the NUL stands behind it. */
size_t walferry_id_format_event(uint64_t system_identifier, uint64_t final_lsn, uint64_t ordinal,
                                uint32_t event, char text[WALFERRY_ID_MAX]);
/* Reads what walferry_id_format printed; false, and nothing set, where it is anything else. */
bool walferry_id_parse(const char *text, uint64_t *system_identifier, uint64_t *final_lsn,
                       uint64_t *ordinal);

#endif
