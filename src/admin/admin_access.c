/* admin/admin_access: reads one header and compares. */
#include "admin/admin_access.h"

#include "base/arena.h"
#include "types/types.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* The loop runs over what was presented, whatever the token is, and never ends early. */
static bool same_secret(const char *token, struct span given)
{
    size_t length = strlen(token);
    volatile unsigned char differs = given.len != length;
    for (size_t i = 0; i < given.len; i++)
        differs |= (unsigned char)((unsigned char)given.ptr[i] ^ (unsigned char)token[i % length]);
    return differs == 0;
}

/* What follows the scheme, without blanks around it; absent where it is another scheme. */
static struct span of_scheme(const char *header, const char *scheme)
{
    size_t length = strlen(scheme);
    if (strncasecmp(header, scheme, length) != 0 || header[length] != ' ')
        return span_null();
    struct span given = span_of(header + length + strspn(header + length, " "));
    while (given.len > 0 && given.ptr[given.len - 1] == ' ')
        given.len--;
    return given;
}

static bool is_password(const char *token, struct span coded)
{
    struct arena arena;
    struct span pair;
    arena_init(&arena, 1024, 1024);
    const char *colon = NULL;
    if (types_from_base64(coded, &arena, &pair) && pair.len > 0)
        colon = memchr(pair.ptr, ':', pair.len);
    bool same = false;
    if (colon != NULL)
        same =
            same_secret(token, (struct span){colon + 1, pair.len - (size_t)(colon + 1 - pair.ptr)});
    if (colon != NULL)
        explicit_bzero((char *)pair.ptr, pair.len);
    arena_fini(&arena);
    return same;
}

bool admin_may_read(const char *token, const char *header)
{
    if (token == NULL)
        return true;
    assert(token[0] != '\0');
    if (header == NULL)
        return false;
    struct span bearer = of_scheme(header, "Bearer");
    if (bearer.ptr != NULL)
        return same_secret(token, bearer);
    struct span basic = of_scheme(header, "Basic");
    return basic.ptr != NULL && is_password(token, basic);
}

bool admin_is_open(const char *path)
{
    assert(path != NULL);
    return strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0;
}

bool admin_is_own_host(const char *host)
{
    if (host == NULL || host[0] == '[')
        return true;
    size_t length = strcspn(host, ":");
    return memchr(host, '.', length) == NULL || strspn(host, "0123456789.") == length;
}
