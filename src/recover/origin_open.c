/* recover/origin_open: which origin a configuration means. The only file that names them all. */
#include "recover/origin_poll_internal.h"
#include "recover/origin_wal_internal.h"

#include <assert.h>

struct origin *origin_open(const struct origin_options *options)
{
    assert(options->config != NULL && options->application != NULL);
    assert(options->log != NULL);
    return options->config->source.mode == SOURCE_POLL ? origin_poll_open(options)
                                                       : origin_wal_open(options);
}
