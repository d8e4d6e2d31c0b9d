/* relay/guard: which messages of the stream are walferry's own, and what they ask for.
 *
 * sql/004_guard.sql puts a message into the log where DDL has changed what is published. Anybody
 * can emit one, so it proves nothing: whoever meets a guard stops and looks for himself. What it
 * names only tells where to look for what was put back. Pure; it knows neither where the relay is
 * nor what a look finds. */
#ifndef WALFERRY_RELAY_GUARD_H
#define WALFERRY_RELAY_GUARD_H

#include "model/change.h"
#include "recover/recover.h"

#include <stdbool.h>

enum guard_kind {
    GUARD_NOT_OURS, /* no message, or one of the application's */
    GUARD_STOP,     /* what is published has changed here, for this relay or for all */
    GUARD_IGNORED   /* ours, and nothing that this relay heeds: counted */
};

/* Prefixes: "walferry:<relay>", "walferry:*" (a guard that failed, for every relay), "walferry" (a
 * spacer); those of other relays are ignored. A guard's body is a JSON object with a member
 * "guard"; one that cannot be read may be of a guard (a name that is not UTF-8), and counts as one.
 * Fills *suspects, but for its xid, with the tables and the publication of whose lines its member
 * "gone" tells; with all, where that is missing or as long as it may be. */
enum guard_kind guard_of(const char *relay, const struct change *change,
                         struct fingerprint_suspects *suspects);

#endif
