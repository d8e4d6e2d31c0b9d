/* progress/progress_internal: what encode and decode share. Internal to the module. */
#ifndef WALFERRY_PROGRESS_PROGRESS_INTERNAL_H
#define WALFERRY_PROGRESS_PROGRESS_INTERNAL_H

#include "progress/progress.h"

bool progress_mode_parse(struct span text, enum progress_mode *mode);

#endif
