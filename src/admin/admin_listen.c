/* admin/admin_listen: the socket is made here and not by the HTTP library, because a refused
 * address must be reported with the system's own reason. It accepts nothing. */
#include "admin/admin_listen.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A crowd that comes at once is let in at once, and sorted inside. */
#define BACKLOG 1024

static int fail(struct error *err, const char *address, const char *why)
{
    error_stop(err, REASON_ADMIN_LISTEN, "admin.listen: cannot listen on %s: %s", address, why);
    return error_hint(err, "give admin.listen another address, as in 127.0.0.1:9188, or off");
}

/* Splits at the last colon; brackets around an IPv6 address go. */
static int split(const char *address, char host[256], const char **port)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon[1] == '\0')
        return -1;
    size_t length = (size_t)(colon - address);
    if (length >= 2 && address[0] == '[' && colon[-1] == ']') {
        address++;
        length -= 2;
    }
    if (length >= 256)
        return -1;
    memcpy(host, address, length);
    host[length] = '\0';
    *port = colon + 1;
    return 0;
}

static int listen_on(const struct addrinfo *at)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage at;
    socklen_t length = sizeof at;
    if (getsockname(fd, (struct sockaddr *)&at, &length) < 0)
        return 0;
    if (at.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
    return ntohs(((struct sockaddr_in *)&at)->sin_port);
}

int admin_listen(const char *address, int *fd, uint16_t *port, struct error *err)
{
    assert(address != NULL);
    assert(fd != NULL && port != NULL);
    char host[256] = "";
    const char *service = NULL;
    if (split(address, host, &service) < 0)
        return fail(err, address, "it is not host:port");
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(host[0] != '\0' ? host : NULL, service, &hints, &found);
    if (code != 0)
        return fail(err, address, gai_strerror(code));
    *fd = -1;
    for (const struct addrinfo *at = found; at != NULL && *fd < 0; at = at->ai_next)
        *fd = listen_on(at);
    int saved = errno;
    freeaddrinfo(found);
    if (*fd < 0)
        return fail(err, address, strerror(saved));
    *port = port_of(*fd);
    return 0;
}

bool admin_is_loopback(const struct sockaddr *address)
{
    if (address == NULL)
        return false;
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 ==
               IN_LOOPBACKNET;
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(six) ||
           (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == IN_LOOPBACKNET);
}

bool admin_listens_on_loopback(int fd)
{
    struct sockaddr_storage at;
    socklen_t length = sizeof at;
    assert(fd >= 0);
    return getsockname(fd, (struct sockaddr *)&at, &length) == 0 &&
           admin_is_loopback((const struct sockaddr *)&at);
}
