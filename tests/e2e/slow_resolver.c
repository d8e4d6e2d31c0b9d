/* LD_PRELOAD: a name server that does not answer while the file $SLOW_RESOLVER exists, or only what
 * is asked of names that hold $SLOW_NAMES. getaddrinfo then returns after 30 s, as with
 * resolv.conf's defaults, and nothing can interrupt it. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");
    const char *path = getenv("SLOW_RESOLVER"), *only = getenv("SLOW_NAMES");
    if (only != NULL && (node == NULL || strstr(node, only) == NULL))
        path = NULL;
    for (int tries = 0; path != NULL && tries < 300 && access(path, F_OK) == 0; tries++)
        usleep(100000);
    return real(node, service, hints, result);
}
