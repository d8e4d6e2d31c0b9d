/* publish/kafka_failure: a publisher fails once.
 *
 * The first error that condemns it is kept, and every later call returns it (I5): what follows from
 * an error never hides it. It does not judge; kafka_report.c says which records are to blame. */
#include "publish/kafka_failure.h"

#include <assert.h>

int kafka_fail(struct kafka_failure *failure, const struct error *error, struct error *err)
{
    assert(error->kind != ERROR_NONE);
    if (!failure->failed) {
        failure->failed = true;
        failure->error = *error;
    }
    return err != NULL ? kafka_fail_again(failure, err) : -1;
}

int kafka_fail_again(const struct kafka_failure *failure, struct error *err)
{
    assert(failure->failed);
    *err = failure->error;
    return -1;
}
