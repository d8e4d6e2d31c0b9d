/* pg_quote: names and texts inside a statement. Standard strings and UTF-8 are pinned by the
 * session, so a quote is always one byte. Knows no session, so whoever makes SQL or a hint that
 * holds SQL may use it. */
#include "pg/pg.h"

#include <assert.h>
#include <string.h>

static void add_doubling(struct buf *out, struct span text, char quote, bool backslash)
{
    buf_add_char(out, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote || (backslash && text.ptr[i] == '\\'))
            buf_add_char(out, text.ptr[i]);
        buf_add_char(out, text.ptr[i]);
    }
    buf_add_char(out, quote);
}

void pg_quote_identifier(struct buf *out, struct span name)
{
    assert(out != NULL);
    assert(name.len == 0 || memchr(name.ptr, '\0', name.len) == NULL);
    add_doubling(out, name, '"', false);
}

/* E'…' where there is a backslash: right whatever standard_conforming_strings is. */
void pg_quote_literal(struct buf *out, struct span text)
{
    assert(out != NULL);
    assert(text.len == 0 || memchr(text.ptr, '\0', text.len) == NULL);
    bool backslash = text.len > 0 && memchr(text.ptr, '\\', text.len) != NULL;
    if (backslash)
        buf_add_char(out, 'E');
    add_doubling(out, text, '\'', backslash);
}
