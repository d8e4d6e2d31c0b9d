/* base/span: a view of bytes owned by somebody else.
 *
 * Inside the pipeline there are no NUL-terminated strings: a length comes from the wire and travels
 * with the pointer. A span with ptr NULL is "absent" (SQL NULL, no key, tombstone); a span of
 * length 0 with a non-NULL ptr is "empty". The two differ on Kafka's wire. */
#ifndef WALFERRY_BASE_SPAN_H
#define WALFERRY_BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct span {
    const char *ptr;
    size_t len;
};

#define SPAN_LITERAL(text) ((struct span){(text), sizeof(text) - 1})
/* For printf: printf("%.*s", SPAN_ARG(s)). A precision is an int, so callers keep texts short. */
#define SPAN_ARG(s) (int)(s).len, (s).ptr != NULL ? (s).ptr : ""

static inline struct span span_null(void)
{
    return (struct span){NULL, 0};
}

static inline struct span span_of(const char *text)
{
    return (struct span){text, text != NULL ? strlen(text) : 0};
}

static inline bool span_equal(struct span a, struct span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_equal_text(struct span a, const char *text)
{
    return span_equal(a, span_of(text));
}

static inline bool span_starts_with(struct span s, struct span prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

#endif
