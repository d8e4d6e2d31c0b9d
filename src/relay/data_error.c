/* relay/data_error: see data_error.h. It counts and words; it does not log, because reader and
 * writer are told apart by their log events. */
#include "relay/data_error.h"

#include <assert.h>

bool data_error_skips(const struct data_error *at, char id[CHANGE_ID_TEXT_MAX], struct error *err)
{
    assert(at->route != NULL);
    assert(err->kind == ERROR_DATA);
    change_id_format(at->system_identifier, at->id, id);
    metrics_add_reason(at->metrics, METRIC_ERRORS, "data", 1);
    if (at->route->on_error == ON_ERROR_SKIP) {
        metrics_add_route(at->metrics, METRIC_SKIPPED, at->route_index, 1);
        return true;
    }
    error_wrap(err, "route %s, change %s", at->route->name.text, id);
    /* What is wrong is most often the file or the topic; to pass the change over loses it. */
    struct buf cause = BUF_EMPTY;
    error_advice(err, NULL, &cause);
    if (cause.len == 0)
        buf_add_format(&cause, "mend route %s in the file, or what its rows hold",
                       at->route->name.text);
    error_hint(err, "%s, and start again; only to lose this change for good", buf_text(&cause));
    buf_fini(&cause);
    error_mend(err, "skip %s", id);
    return false;
}
