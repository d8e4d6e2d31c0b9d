/* base/address: see address.h. What a login may hold is known by where it ends: the last @ in front
 * of what ends it (RFC 3986, section 3.2) or the word. Quotes do not: an apostrophe may stand in a
 * password, and libcurl takes the others, too. */
#include "base/address.h"

#include <assert.h>

/* The end of a login that begins there, or NULL. */
static const char *end_of_login(const char *from, const char *end)
{
    const char *found = NULL;
    for (const char *at = from; at < end && strchr("/?# \t\r\n", *at) == NULL; at++)
        if (*at == '@')
            found = at;
    return found;
}

void address_hide_logins(struct span text, struct buf *out)
{
    assert(out != NULL && (text.ptr != NULL || text.len == 0));
    const char *at = text.ptr, *end = text.ptr + text.len, *found;
    while (at < end && (found = memmem(at, (size_t)(end - at), "://", 3)) != NULL) {
        const char *login = end_of_login(found + 3, end);
        buf_add(out, (struct span){at, (size_t)(found + 3 - at)});
        if (login != NULL)
            buf_add_text(out, "(hidden)");
        at = login != NULL ? login : found + 3;
    }
    buf_add(out, (struct span){at, (size_t)(end - at)});
}
