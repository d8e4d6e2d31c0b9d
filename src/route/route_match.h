/* route/route_match: `from:` of a route, compiled: a table, a glob over tables, or the prefix of
 * logical messages. Internal to the module.
 *
 * In a glob * stands for any run of characters, the empty one too, and ? for one character; neither
 * crosses the dot between schema and table, which is the first one. A part in double quotes is
 * SQL's own quoting ("" is a quote): it is no glob, and dots in it are its own. Names are compared
 * as the catalogue has them, case and all. */
#ifndef WALFERRY_ROUTE_ROUTE_MATCH_H
#define WALFERRY_ROUTE_ROUTE_MATCH_H

#include "base/arena.h"
#include "base/error.h"
#include "base/span.h"
#include "config/config.h"

#include <stdint.h>

struct route_match {
    bool of_message;
    bool schema_glob; /* it has a * or ? */
    bool table_glob;
    struct span prefix; /* of messages; compared whole */
    struct span schema;
    struct span table;
};

/* Points into the config and the arena. path: of the key, for messages. ERROR_STOP, EXIT_USAGE,
 * "bad_from". */
int route_match_compile(const struct config_text *from, const char *path, struct arena *arena,
                        struct route_match *out, struct error *err);
bool route_match_table(const struct route_match *match, struct span schema, struct span table);
bool route_match_message(const struct route_match *match, struct span prefix);
/* Does a take everything that b takes? May say no where only a closer look at two globs would tell.
 */
bool route_match_covers(const struct route_match *a, const struct route_match *b);
/* Does the text fit the glob? Both are UTF-8. */
bool route_match_glob(struct span glob, struct span text);

#endif
