/* model/reload_cell: the newest wish that a running relay read its file again, and what became of
 * it, under a mutex. admin/ and the signals put wishes in, cli/ and relay/ write what became of
 * them, admin/ reads that. A wish is known by its number; what is said of an older one is not
 * heard. */
#ifndef WALFERRY_MODEL_RELOAD_CELL_H
#define WALFERRY_MODEL_RELOAD_CELL_H

#include "base/buf.h"
#include "base/error.h"

#include <pthread.h>
#include <stdint.h>

enum reload_state {
    RELOAD_NONE,     /* nobody has asked since the start */
    RELOAD_ASKED,    /* not looked at yet */
    RELOAD_SHOWN,    /* it was to be shown only, and would be taken over */
    RELOAD_OPENING,  /* the next epoch is to open with it */
    RELOAD_DEFERRED, /* once a split transaction has ended */
    RELOAD_TAKEN,    /* an epoch is open with it */
    RELOAD_REFUSED   /* the file before it is in force */
};

#define RELOAD_HASH_MAX 17

struct reload {
    uint64_t number; /* of the wish; 0: none */
    enum reload_state state;
    bool show;                  /* only what it would change */
    char hash[RELOAD_HASH_MAX]; /* of the file that is meant; "": of whatever stands there */
    char file[1024];            /* "": not known yet */
    struct error err;           /* of RELOAD_REFUSED */
    struct buf changes;         /* JSON; empty: not known */
};

struct reload_cell {
    pthread_mutex_t mutex;
    int fd; /* an eventfd, readable while a wish waits to be looked at, and after
               reload_cell_wake(); -1: there was none left */
    struct reload reload;
};

void reload_cell_init(struct reload_cell *cell);
void reload_cell_fini(struct reload_cell *cell);

/* A new wish. hash NULL: of whatever stands there. What became of the one before is not heard of
 * any more: it may wait for a server that never comes. force: also where that was not looked at
 * yet. 0: it was not; else its number. */
uint64_t reload_cell_ask(struct reload_cell *cell, bool show, const char *hash, bool force);
/* The wish that waits to be looked at: false where there is none. *wish has no changes. */
bool reload_cell_next(struct reload_cell *cell, struct reload *wish);
/* The file that was read for it, and what it changes: JSON, or empty. */
void reload_cell_read(struct reload_cell *cell, uint64_t number, const char *file,
                      struct span changes);
/* Whoever looks for wishes has something else to look at: what goes by the file in force. */
void reload_cell_wake(struct reload_cell *cell);
/* err: of RELOAD_REFUSED, else NULL. */
void reload_cell_set(struct reload_cell *cell, uint64_t number, enum reload_state state,
                     const struct error *err);
/* A copy, with `changes` of its own. */
void reload_cell_get(struct reload_cell *cell, struct reload *reload);

const char *reload_state_name(enum reload_state state);

#endif
