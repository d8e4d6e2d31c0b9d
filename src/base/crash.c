/* base/crash: the counter is the one piece of process-wide state in the program, and only test
 * builds have it. It does nothing in a release, and nothing without WALFERRY_CRASH_AT. */
#include "base/crash.h"

#ifdef WALFERRY_TEST
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void crash_point(const char *point)
{
    static atomic_int passages;
    const char *wanted = getenv("WALFERRY_CRASH_AT");
    if (wanted == NULL)
        return;
    size_t length = strlen(point);
    if (strncmp(wanted, point, length) != 0 || (wanted[length] != ':' && wanted[length] != '\0'))
        return;
    long at = wanted[length] == ':' ? strtol(wanted + length + 1, NULL, 10) : 1;
    if (atomic_fetch_add(&passages, 1) + 1 == at)
        kill(getpid(), SIGKILL);
}
#else
typedef int crash_is_empty_in_release_builds;
#endif
