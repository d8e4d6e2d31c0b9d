/* base/error_cell: see error_cell.h. Copied under a mutex that is held for nothing else. */
#include "base/error_cell.h"

#include <assert.h>

void error_cell_init(struct error_cell *cell)
{
    assert(cell != NULL);
    *cell = (struct error_cell){.mutex = PTHREAD_MUTEX_INITIALIZER, .error = ERROR_INIT};
}

void error_cell_put(struct error_cell *cell, const struct error *err)
{
    assert(cell != NULL && err != NULL);
    pthread_mutex_lock(&cell->mutex);
    cell->error = *err;
    pthread_mutex_unlock(&cell->mutex);
}

bool error_cell_get(struct error_cell *cell, struct error *err)
{
    assert(cell != NULL && err != NULL);
    pthread_mutex_lock(&cell->mutex);
    bool there = cell->error.kind != ERROR_NONE;
    if (there)
        *err = cell->error;
    pthread_mutex_unlock(&cell->mutex);
    return there;
}
