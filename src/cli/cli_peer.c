/* cli/cli_peer: non-blocking from the first step on, because a deadline counts for all of them.
 * Of OpenSSL it asks for the encryption and the peer's certificate; that this is the right one is
 * seen here, byte by byte. */
#include "cli/cli_peer.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fail(struct peer *peer, const char *why)
{
    snprintf(peer->why, sizeof peer->why, "%s", why);
    return -1;
}

static bool wait_for(int fd, short events, int64_t deadline_us)
{
    int64_t left_us = deadline_us - clock_monotonic_us();
    struct pollfd one = {.fd = fd, .events = events};
    return left_us > 0 && poll(&one, 1, (int)(left_us / 1000) + 1) == 1;
}

/* ---- Connect ---- */

static int try_connect(const struct addrinfo *at, int64_t deadline_us)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int code = connect(fd, at->ai_addr, at->ai_addrlen) == 0 ? 0 : errno;
    if (code == EINPROGRESS) {
        socklen_t length = sizeof code;
        if (!wait_for(fd, POLLOUT, deadline_us))
            code = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length) < 0)
            code = errno;
    }
    if (code == 0)
        return fd;
    close(fd);
    errno = code;
    return -1;
}

static int dial(struct peer *peer, const char *listen)
{
    char host[256] = "";
    const char *colon = strrchr(listen, ':');
    const char *begin = listen[0] == '[' ? listen + 1 : listen;
    if (colon == NULL || colon - begin >= (ptrdiff_t)sizeof host)
        return fail(peer, "it is not host:port");
    size_t length = (size_t)(colon - begin);
    if (length > 0 && begin != listen && begin[length - 1] == ']')
        length--;
    memcpy(host, begin, length);
    host[length] = '\0';
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(length > 0 ? host : NULL, colon + 1, &hints, &found);
    if (code != 0)
        return fail(peer, gai_strerror(code));
    for (const struct addrinfo *at = found; at != NULL && peer->fd < 0; at = at->ai_next)
        peer->fd = try_connect(at, peer->deadline_us);
    int saved = errno;
    freeaddrinfo(found);
    return peer->fd >= 0 ? 0 : fail(peer, strerror(saved));
}

/* ---- TLS ---- */

/* What OpenSSL, the system or the clock has against it. */
static int fail_tls(struct peer *peer, int code)
{
    unsigned long said = ERR_peek_last_error();
    const char *reason = said != 0 ? ERR_reason_error_string(said) : NULL;
    if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
        return fail(peer, "timed out");
    if (!SSL_is_init_finished(peer->tls)) {
        snprintf(peer->why, sizeof peer->why, "it does not speak TLS as admin.tls_cert says (%s)",
                 reason != NULL ? reason : "it hung up");
        return -1;
    }
    return fail(peer, reason != NULL ? reason : "it hung up");
}

/* After a call that gave `result`: true where it is worth another try, once something has come. */
static bool again(struct peer *peer, int result, int *code)
{
    *code = SSL_get_error(peer->tls, result);
    if (*code != SSL_ERROR_WANT_READ && *code != SSL_ERROR_WANT_WRITE)
        return false;
    return wait_for(peer->fd, *code == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, peer->deadline_us);
}

/* Its first certificate must be the first one of the file. */
static int know_the_peer(struct peer *peer, const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        snprintf(peer->why, sizeof peer->why, "admin.tls_cert: %s: %s", path, strerror(errno));
        return -1;
    }
    X509 *ours = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    X509 *theirs = SSL_get1_peer_certificate(peer->tls);
    bool same = ours != NULL && theirs != NULL && X509_cmp(ours, theirs) == 0;
    X509_free(ours);
    X509_free(theirs);
    if (same)
        return 0;
    snprintf(peer->why, sizeof peer->why,
             "its certificate is not that of %s (if the file is newer, reload the relay: SIGHUP)",
             path);
    return -1;
}

static int secure(struct peer *peer, const char *certificate)
{
    peer->context = SSL_CTX_new(TLS_client_method());
    peer->tls = peer->context != NULL ? SSL_new(peer->context) : NULL;
    if (peer->tls == NULL || SSL_set_fd(peer->tls, peer->fd) != 1)
        return fail(peer, "no TLS can be had from OpenSSL");
    SSL_set_min_proto_version(peer->tls, TLS1_2_VERSION);
    SSL_set_options(peer->tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
    int code = SSL_ERROR_NONE, result;
    do {
        ERR_clear_error();
        result = SSL_connect(peer->tls);
    } while (result != 1 && again(peer, result, &code));
    return result == 1 ? know_the_peer(peer, certificate) : fail_tls(peer, code);
}

/* ---- Both ways ---- */

int peer_open(struct peer *peer, const struct config_admin *admin, int64_t deadline_us)
{
    assert(peer != NULL);
    assert(admin->listen.text != NULL);
    *peer = (struct peer){.fd = -1, .deadline_us = deadline_us};
    if (dial(peer, admin->listen.text) < 0)
        return -1;
    return admin->tls_cert.text != NULL ? secure(peer, admin->tls_cert.text) : 0;
}

/* A request is small, and the first thing that is sent: the socket takes it whole. */
int peer_send(struct peer *peer, struct span bytes)
{
    assert(bytes.len > 0);
    if (peer->tls == NULL)
        return send(peer->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL) == (ssize_t)bytes.len
                   ? 0
                   : fail(peer, "it hung up");
    int code = SSL_ERROR_NONE, result;
    do {
        ERR_clear_error();
        result = SSL_write(peer->tls, bytes.ptr, (int)bytes.len);
    } while (result <= 0 && again(peer, result, &code));
    return result > 0 ? 0 : fail_tls(peer, code);
}

static ssize_t receive_tls(struct peer *peer, char *into, size_t size)
{
    int code = SSL_ERROR_NONE, result;
    do {
        ERR_clear_error();
        result = SSL_read(peer->tls, into, (int)size);
    } while (result <= 0 && again(peer, result, &code));
    if (result > 0 || code == SSL_ERROR_ZERO_RETURN)
        return result > 0 ? result : 0;
    return fail_tls(peer, code);
}

ssize_t peer_receive(struct peer *peer, char *into, size_t size)
{
    assert(size > 0);
    if (peer->tls != NULL)
        return receive_tls(peer, into, size);
    for (;;) {
        if (!wait_for(peer->fd, POLLIN, peer->deadline_us))
            return fail(peer, "timed out");
        ssize_t got = recv(peer->fd, into, size, 0);
        if (got >= 0)
            return got;
        if (errno != EAGAIN && errno != EINTR)
            return fail(peer, strerror(errno));
    }
}

void peer_close(struct peer *peer)
{
    SSL_free(peer->tls);
    SSL_CTX_free(peer->context);
    if (peer->fd >= 0)
        close(peer->fd);
}
