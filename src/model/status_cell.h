/* model/status_cell: one struct status under a mutex. relay/ writes it whole, admin/ reads it
 * whole. */
#ifndef WALFERRY_MODEL_STATUS_CELL_H
#define WALFERRY_MODEL_STATUS_CELL_H

#include "model/status.h"

#include <pthread.h>

struct status_cell {
    pthread_mutex_t mutex;
    struct status status;
    uint64_t written; /* how often; under the mutex */
};

void status_cell_init(struct status_cell *cell);
void status_cell_fini(struct status_cell *cell);
void status_cell_set(struct status_cell *cell, const struct status *status);
/* Returns how often it has been written: a number that stands means that nobody writes. */
uint64_t status_cell_get(struct status_cell *cell, struct status *status);

#endif
