/* route/route_match: which tables and messages a `from:` takes; how it is read is config/'s.
 * Internal to the module. */
#ifndef WALFERRY_ROUTE_ROUTE_MATCH_H
#define WALFERRY_ROUTE_ROUTE_MATCH_H

#include "config/config.h"

bool route_match_table(const struct config_from *match, struct span schema, struct span table);
bool route_match_message(const struct config_from *match, struct span prefix);
/* Does a take everything that b takes? May say no where only a closer look at two globs would tell.
 */
bool route_match_covers(const struct config_from *a, const struct config_from *b);
/* Is there a text that both globs match? Both are ASCII. */
bool route_match_globs_meet(struct span a, struct span b);
/* Does the text fit the glob? Both are UTF-8. */
bool route_match_glob(struct span glob, struct span text);

#endif
