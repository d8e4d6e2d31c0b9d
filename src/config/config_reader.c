/* config_reader: every error about the file goes through here, so that all of them look alike and
 * none hands a control character on. Knows no key and no value. */
#include "config/config_reader.h"

#include "config/config_table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What was in the file may be quoted, but must not steer a terminal. */
static void disarm(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            *text = '?';
}

int config_fail(struct error *err, const struct config_reader *reader, uint32_t line,
                const char *path, enum reason reason, const char *format, ...)
{
    char text[ERROR_TEXT_MAX], where[CONFIG_PATH_MAX + 16];
    const char *list = strstr(path, "[]");
    if (list != NULL)
        snprintf(where, sizeof where, "%.*s[%u]%s", (int)(list - path), path, reader->item,
                 list + 2);
    else
        snprintf(where, sizeof where, "%s", path);
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    disarm(where);
    disarm(text);
    return error_stop(err, reason, "%s:%u: %s%s%s", reader->file, line, where,
                      where[0] != '\0' ? ": " : "", text);
}
