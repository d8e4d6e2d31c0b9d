/* source/source_types: asks the catalogue for the types of the columns that a stream describes.
 * Internal to the module.
 *
 * The first row after a description waits for it, so that all rows of a table are rendered alike;
 * the connection is kept alive meanwhile. It takes a quarter of wal_sender_timeout at most. Where
 * nothing can be learnt the types stay unknown, which is text, and nothing ends. The catalogue
 * tells of now and not of the time of the row; what the stream itself says of a type stands above
 * it. */
#ifndef WALFERRY_SOURCE_SOURCE_TYPES_H
#define WALFERRY_SOURCE_SOURCE_TYPES_H

#include "pg/pg.h"
#include "types/types.h"

struct type_lookup {
    const char *connection; /* NULL: nothing is ever asked */
    const char *const *password_command;
    char application[80];
    int64_t bound_us;
    struct pg_question *question; /* NULL: none is under way */
    int64_t deadline_us;          /* of the question */
    uint64_t failures;
    struct error failure; /* the newest */
};

struct stream_options;
void type_lookup_init(struct type_lookup *lookup, const struct stream_options *options);
void type_lookup_fini(struct type_lookup *lookup);

/* True: rows may go on, whatever was learnt. False: an answer is awaited; call again once the
 * question's descriptor is readable, or at its deadline. beside: the session that streams. */
bool type_lookup_step(struct type_lookup *lookup, const struct pg_replication *beside,
                      struct type_registry *types, int64_t now_us);
/* While an answer is awaited: its descriptor, and *deadline_us where that is not earlier. */
void type_lookup_wait(const struct type_lookup *lookup, int *fd, int64_t *deadline_us);

#endif
