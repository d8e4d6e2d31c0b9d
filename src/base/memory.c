/* base/memory: see memory.h. */
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void *memory_checked(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

char *memory_copy(const char *text)
{
    return text != NULL ? memory_checked(strdup(text)) : NULL;
}
