/* operate/controldata: see controldata.h. Labels and forms: pg_controldata.c, the same from 14 to
 * 18. */
#include "operate/controldata.h"

#include "model/position.h"

#include <assert.h>
#include <stdio.h>

/* What stands behind the label at the beginning of a line, and blanks; absent: no such line. */
static struct span value_of(struct span text, const char *label)
{
    struct span wanted = span_of(label);
    while (text.len > 0) {
        const char *newline = memchr(text.ptr, '\n', text.len);
        struct span line = {text.ptr, newline != NULL ? (size_t)(newline - text.ptr) : text.len};
        size_t taken = line.len + (newline != NULL ? 1 : 0);
        text = (struct span){text.ptr + taken, text.len - taken};
        if (!span_starts_with(line, wanted))
            continue;
        line = (struct span){line.ptr + wanted.len, line.len - wanted.len};
        while (line.len > 0 && line.ptr[0] == ' ')
            line = (struct span){line.ptr + 1, line.len - 1};
        while (line.len > 0 && strchr(" \r", line.ptr[line.len - 1]) != NULL)
            line.len--;
        return line;
    }
    return span_null();
}

/* Digits up to `end`, which is behind them; the rest of the text is left. */
static bool take_number(struct span *text, char end, uint64_t *value)
{
    size_t i = 0;
    *value = 0;
    for (; i < text->len && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++)
        if (__builtin_mul_overflow(*value, (uint64_t)10, value) ||
            __builtin_add_overflow(*value, (uint64_t)(text->ptr[i] - '0'), value))
            return false;
    bool ends = end == '\0' ? i == text->len : i < text->len && text->ptr[i] == end;
    size_t taken = i < text->len ? i + 1 : i;
    *text = (struct span){text->ptr + taken, text->len - taken};
    return i > 0 && ends;
}

int controldata_read(struct span text, const char *name, struct controldata *out, struct error *err)
{
    assert(name != NULL && out != NULL);
    struct span system = value_of(text, "Database system identifier:");
    struct span state = value_of(text, "Database cluster state:");
    struct span end = value_of(text, "Latest checkpoint location:");
    struct span xid = value_of(text, "Latest checkpoint's NextXID:");
    uint64_t epoch = 0, low = 0;
    *out = (struct controldata){.shut_down = span_equal_text(state, "shut down")};
    if (state.ptr != NULL && take_number(&system, '\0', &out->system_identifier) &&
        lsn_parse(end, &out->end_lsn) && out->end_lsn != 0 && take_number(&xid, ':', &epoch) &&
        epoch <= UINT32_MAX && take_number(&xid, '\0', &low) && low <= UINT32_MAX) {
        out->next_xid = epoch << 32 | low;
        return 0;
    }
    *out = (struct controldata){.end_lsn = 0};
    error_stop(err, REASON_USAGE, "%s is not what pg_controldata prints", name);
    return error_hint(err, "give a file with all that it said of the old cluster after its "
                           "shutdown: LC_ALL=C pg_controldata OLD_DIRECTORY > old.txt");
}
