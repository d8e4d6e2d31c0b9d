/* model/status_cell: see status_cell.h. It copies and keeps nothing else: no history, no change
 * that is told to anybody. */
#include "model/status_cell.h"

#include <assert.h>

void status_cell_init(struct status_cell *cell)
{
    *cell = (struct status_cell){.status = {.state = STATE_STARTING}};
    pthread_mutex_init(&cell->mutex, NULL);
}

void status_cell_fini(struct status_cell *cell)
{
    pthread_mutex_destroy(&cell->mutex);
}

void status_cell_set(struct status_cell *cell, const struct status *status)
{
    assert(status != &cell->status);
    pthread_mutex_lock(&cell->mutex);
    cell->status = *status;
    cell->written++;
    pthread_mutex_unlock(&cell->mutex);
}

uint64_t status_cell_get(struct status_cell *cell, struct status *status)
{
    assert(status != &cell->status);
    pthread_mutex_lock(&cell->mutex);
    *status = cell->status;
    uint64_t written = cell->written;
    pthread_mutex_unlock(&cell->mutex);
    return written;
}
