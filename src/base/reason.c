/* base/reason: the table that reason.def is made into. It holds no sentence: what an operator is
 * told of a reason is in docs/OPERATIONS.md, made from the same rows. */
#include "base/reason.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

struct row {
    const char *slug;
    unsigned kinds; /* a bit of each enum error_kind */
    enum exit_code exit_code;
    bool mend; /* is printed with it */
};

#define STOP (1U << ERROR_STOP)
#define DATA (1U << ERROR_DATA)
#define RETRY (1U << ERROR_RETRY)
#define MEND true
#define NOT_RUN(why) true
#define NONE false
#define REASON(name, slug, kinds, exit_code, mend, sentence)                                       \
    [REASON_##name] = {slug, kinds, exit_code, mend},

static const struct row table[REASON_COUNT] = {
    [REASON_NONE] = {"", 0, EXIT_OK, NONE},
#include "base/reason.def"
};

static const struct row *row_of(enum reason reason)
{
    assert(reason < REASON_COUNT);
    assert(table[reason].slug != NULL);
    return &table[reason];
}

const char *reason_slug(enum reason reason)
{
    return row_of(reason)->slug;
}

enum reason reason_find(const char *slug)
{
    assert(slug != NULL);
    for (enum reason reason = REASON_NONE + 1; reason < REASON_COUNT; reason++)
        if (strcmp(row_of(reason)->slug, slug) == 0)
            return reason;
    return REASON_NONE;
}

bool reason_has_kind(enum reason reason, enum error_kind kind)
{
    return (row_of(reason)->kinds & (1U << kind)) != 0;
}

bool reason_has_mend(enum reason reason)
{
    return row_of(reason)->mend;
}

enum exit_code reason_exit_code(enum reason reason, enum error_kind kind)
{
    assert(reason_has_kind(reason, kind));
    if (kind == ERROR_STOP)
        return row_of(reason)->exit_code;
    return kind == ERROR_DATA ? EXIT_DATA : EXIT_GAVE_UP;
}
