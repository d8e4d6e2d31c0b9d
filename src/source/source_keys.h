/* source/source_keys: asks the catalogue what identifies the rows of a table, because the stream
 * only says what its replica identity is. Internal to the module.
 *
 * The key of an event decides to which partition it goes, so unlike a type it is never guessed: a
 * question that is not answered is an error. */
#ifndef WALFERRY_SOURCE_SOURCE_KEYS_H
#define WALFERRY_SOURCE_SOURCE_KEYS_H

#include "pg/pg.h"
#include "source/source.h"

struct key_lookup {
    const char *connection; /* NULL: nothing is ever asked */
    const char *const *password_command;
    char application[80];
    int64_t bound_us;
    struct pg_question *question; /* NULL: none is under way */
    int64_t deadline_us;          /* of the question */
};

void key_lookup_init(struct key_lookup *lookup, const struct stream_options *options);
void key_lookup_fini(struct key_lookup *lookup);

/* 1: rows of the relation may go on; what was learnt is in it. 0: an answer is awaited; call again
 * once the question's descriptor is readable, or at its deadline. -1: ERROR_RETRY. beside: the
 * session that streams. */
int key_lookup_step(struct key_lookup *lookup, const struct pg_replication *beside,
                    struct stream *stream, const struct relation *relation, int64_t now_us,
                    struct error *err);
/* While an answer is awaited: its descriptor, and *deadline_us where that is not earlier. */
void key_lookup_wait(const struct key_lookup *lookup, int *fd, int64_t *deadline_us);

#endif
