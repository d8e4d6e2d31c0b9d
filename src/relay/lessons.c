/* relay/lessons: see the header. It does not know how an epoch does what it says: relay/open hands
 * it to the source, relay/epoch to the reader. */
#include "relay/lessons.h"

#include <assert.h>
#include <stddef.h>

void lessons_learn(struct lessons *lessons, struct pace *pace, const struct error *err, bool moved)
{
    assert(lessons != NULL && pace != NULL && err != NULL);
    assert(lessons->patience >= 1 && lessons->patience <= PATIENCE_MAX);
    if (moved)
        *lessons = LESSONS_INIT;
    if (err->kind != ERROR_RETRY)
        return;
    pace_failed(pace, err->reason);
    if (err->reason == REASON_SERVER_SILENT && lessons->patience < PATIENCE_MAX)
        lessons->patience *= 2;
    if (err->reason == REASON_STALLED)
        lessons->patient = true;
}
