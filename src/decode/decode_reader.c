/* decode_reader: the rare paths of the cursor; the hot ones are inline in the header. */
#include "decode/decode_reader.h"

#include "base/time.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

void reader_fail(struct reader *r, const char *format, ...)
{
    assert(r->at >= r->start && r->at <= r->end);
    assert(format != NULL);
    if (r->failed)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(r->problem, sizeof r->problem, format, args);
    va_end(args);
    r->failed = true;
    r->failed_at = (size_t)(r->at - r->start);
    r->at = r->end;
}

int64_t read_time(struct reader *r)
{
    int64_t time = (int64_t)read_u64(r);
    int64_t unix_us;
    if (__builtin_add_overflow(time, POSTGRES_EPOCH_US, &unix_us)) {
        reader_fail(r, "a time out of range");
        return 0;
    }
    return unix_us;
}
