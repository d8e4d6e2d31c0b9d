/* model/reload_cell: see reload_cell.h. One wish at a time, and no history. */
#include "model/reload_cell.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void reload_cell_init(struct reload_cell *cell)
{
    *cell = (struct reload_cell){.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    pthread_mutex_init(&cell->mutex, NULL);
}

void reload_cell_fini(struct reload_cell *cell)
{
    if (cell->fd >= 0)
        close(cell->fd);
    buf_fini(&cell->reload.changes);
    pthread_mutex_destroy(&cell->mutex);
}

void reload_cell_wake(struct reload_cell *cell)
{
    uint64_t one = 1;
    ssize_t done = cell->fd >= 0 ? write(cell->fd, &one, sizeof one) : 0;
    (void)done; /* it is readable already */
}

uint64_t reload_cell_ask(struct reload_cell *cell, bool show, const char *hash, bool force)
{
    uint64_t number = 0;
    pthread_mutex_lock(&cell->mutex);
    struct reload *r = &cell->reload;
    if (cell->fd >= 0 && (force || r->state != RELOAD_ASKED)) {
        number = r->number + 1;
        buf_fini(&r->changes);
        *r = (struct reload){.number = number, .state = RELOAD_ASKED, .show = show};
        snprintf(r->hash, sizeof r->hash, "%s", hash != NULL ? hash : "");
        reload_cell_wake(cell);
    }
    pthread_mutex_unlock(&cell->mutex);
    return number;
}

bool reload_cell_next(struct reload_cell *cell, struct reload *wish)
{
    uint64_t count;
    pthread_mutex_lock(&cell->mutex);
    ssize_t got = cell->fd >= 0 ? read(cell->fd, &count, sizeof count) : 0;
    (void)got;
    *wish = cell->reload;
    wish->changes = BUF_EMPTY;
    pthread_mutex_unlock(&cell->mutex);
    return wish->state == RELOAD_ASKED;
}

void reload_cell_read(struct reload_cell *cell, uint64_t number, const char *file,
                      struct span changes)
{
    assert(file != NULL);
    pthread_mutex_lock(&cell->mutex);
    struct reload *r = &cell->reload;
    if (r->number == number) {
        snprintf(r->file, sizeof r->file, "%s", file);
        buf_reset(&r->changes);
        buf_add(&r->changes, changes);
    }
    pthread_mutex_unlock(&cell->mutex);
}

void reload_cell_set(struct reload_cell *cell, uint64_t number, enum reload_state state,
                     const struct error *err)
{
    assert((err != NULL) == (state == RELOAD_REFUSED));
    pthread_mutex_lock(&cell->mutex);
    struct reload *r = &cell->reload;
    if (r->number == number) {
        r->state = state;
        r->err = err != NULL ? *err : ERROR_INIT;
    }
    pthread_mutex_unlock(&cell->mutex);
}

void reload_cell_get(struct reload_cell *cell, struct reload *reload)
{
    pthread_mutex_lock(&cell->mutex);
    *reload = cell->reload;
    reload->changes = BUF_EMPTY;
    buf_add(&reload->changes, buf_span(&cell->reload.changes));
    pthread_mutex_unlock(&cell->mutex);
}

const char *reload_state_name(enum reload_state state)
{
    static const char *const names[] = {"none",     "asked", "shown",  "opening",
                                        "deferred", "taken", "refused"};
    assert(state <= RELOAD_REFUSED);
    return names[state];
}
