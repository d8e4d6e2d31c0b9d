/* recover/say: lines for a person, each whole. */
#include "recover/recover.h"

#include <stdarg.h>
#include <stdio.h>

void command_say(struct buf *out, const char *format, ...)
{
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_add_text(out, line);
    buf_add_char(out, '\n');
}
