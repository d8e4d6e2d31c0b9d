/* base/error_cell: an error that one thread leaves for others to see. */
#ifndef WALFERRY_BASE_ERROR_CELL_H
#define WALFERRY_BASE_ERROR_CELL_H

#include "base/error.h"

#include <pthread.h>
#include <stdbool.h>

struct error_cell {
    pthread_mutex_t mutex;
    struct error error;
};

void error_cell_init(struct error_cell *cell); /* holds none */
/* In the place of what was there; one of kind ERROR_NONE takes it away. */
void error_cell_put(struct error_cell *cell, const struct error *err);
/* True where one is there; *err becomes it. Else *err stays as it is. */
bool error_cell_get(struct error_cell *cell, struct error *err);

#endif
