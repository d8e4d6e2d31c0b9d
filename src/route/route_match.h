/* route/route_match: `from:` of a route, compiled: a table, a glob over tables, or the prefix of
 * logical messages. Internal to the room.
 *
 * In a glob * stands for any run of characters, the empty one too, and ? for one character; neither
 * crosses the dot between schema and table, which is the first one. Names are compared as the
 * catalogue has them, case and all. */
#ifndef WALFERRY_ROUTE_ROUTE_MATCH_H
#define WALFERRY_ROUTE_ROUTE_MATCH_H

#include "base/error.h"
#include "base/span.h"
#include "config/config.h"

#include <stdint.h>

struct route_match {
    bool of_message;
    bool glob;          /* one of the two has a * or ? */
    struct span prefix; /* of messages; compared whole */
    struct span schema;
    struct span table;
};

/* Points into the config. path: of the key, for messages. ERROR_STOP, EXIT_USAGE, "bad_from". */
int route_match_compile(const struct config_text *from, const char *path, struct route_match *out,
                        struct error *err);
bool route_match_table(const struct route_match *match, struct span schema, struct span table);
bool route_match_message(const struct route_match *match, struct span prefix);
/* Does the text fit the glob? Both are UTF-8. */
bool route_match_glob(struct span glob, struct span text);

#endif
