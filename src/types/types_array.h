/* types/types_array: an array's text, element by element. Internal to the module.
 *
 * "{1,NULL,\"a\\\"b\"}", "{{1,2},{3,4}}", "[0:1]={5,6}" (PostgreSQL, array_out). Bounds are passed
 * over; nested arrays are told by their brackets. The reader trusts nothing: a text that is no
 * array ends in ARRAY_BROKEN. */
#ifndef WALFERRY_TYPES_TYPES_ARRAY_H
#define WALFERRY_TYPES_TYPES_ARRAY_H

#include "base/arena.h"
#include "model/type.h"

#include <stdint.h>

#define ARRAY_DEPTH_MAX 6 /* PostgreSQL's MAXDIM */

enum array_step { ARRAY_OPEN, ARRAY_CLOSE, ARRAY_ELEMENT, ARRAY_NULL, ARRAY_END, ARRAY_BROKEN };

struct array_reader {
    const char *at;
    const char *end;
    char delimiter;
    uint32_t depth;   /* open brackets */
    bool wants_value; /* behind a "{", a delimiter, or at the beginning */
    bool fresh;       /* behind a "{": it may be closed at once */
};

/* pg_type.typdelim: ';' of box, ':' of PostGIS' geometry and geography, ',' of all others. */
char array_delimiter(const struct type *element);
struct array_reader array_reader(struct span text, char delimiter);
/* ELEMENT: *element is its text without quotes, in the text or the arena. */
enum array_step array_reader_next(struct array_reader *reader, struct arena *arena,
                                  struct span *element);

#endif
