/* admin/admin_access: who may read. Pure. Internal to the module.
 *
 * Without a token, everybody who reaches the port. With one: whoever presents it as Authorization:
 * Bearer TOKEN (RFC 6750, 2.1), or as the password of Basic with any user (RFC 7617), which is what
 * a browser asks for by itself. */
#ifndef WALFERRY_ADMIN_ADMIN_ACCESS_H
#define WALFERRY_ADMIN_ADMIN_ACCESS_H

#include <stdbool.h>

/* What WWW-Authenticate says beside a 401, one header each. */
#define ADMIN_CHALLENGE_BEARER "Bearer realm=\"walferry\""
#define ADMIN_CHALLENGE_BASIC "Basic realm=\"walferry, any user, the token as password\""

/* token NULL: anybody. header: of Authorization, or NULL. What is presented is compared in a time
 * that depends on its own length alone. */
bool admin_may_read(const char *token, const char *header);
/* Paths that are answered without the token: what a probe of Kubernetes asks, which can present no
 * secret but one that stands in its manifest. */
bool admin_is_open(const char *path);
/* Can Host be no name that somebody else gave this address (DNS rebinding)? An address, or a name
 * without a dot, as localhost. NULL, which no browser sends, is none. */
bool admin_is_own_host(const char *host);

#endif
