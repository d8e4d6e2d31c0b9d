/* progress/progress_internal: what encode and decode share. Internal to the room. */
#ifndef WALFERRY_PROGRESS_PROGRESS_INTERNAL_H
#define WALFERRY_PROGRESS_PROGRESS_INTERNAL_H

#include "progress/progress.h"

/* "2024-05-01T12:00:00.000000Z" and its NUL. */
#define PROGRESS_TIME_MAX 32

/* RFC 3339, UTC, microseconds. at_us: years 1970 to 9999. Returns text. */
const char *progress_time_format(int64_t at_us, char text[PROGRESS_TIME_MAX]);
/* Accepts what the other prints. */
bool progress_time_parse(struct span text, int64_t *at_us);

bool progress_mode_parse(struct span text, enum progress_mode *mode);

#endif
