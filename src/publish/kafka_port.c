/* publish/kafka_port: see kafka_port.h. Every question has a connection of its own but the second
 * of plain Kafka, because a broker closes what it does not understand. */
#include "publish/kafka_port.h"

#include "base/bigendian.h"
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ILLEGAL_SASL_STATE = 34,
    UNSUPPORTED_SASL_MECHANISM = 33,
    HEAD_BYTES = 10, /* size, correlation id, error code */
    ANSWER_MAX = 64 * 1024
};

/* ---- The socket ---- */

/* "ssl://[::1]:9092" → "::1", "9092". */
static bool split(struct span address, char host[256], char port[8])
{
    char text[300];
    snprintf(text, sizeof text, "%.*s", SPAN_ARG(address));
    char *scheme = strstr(text, "://");
    char *name = scheme != NULL ? scheme + 3 : text;
    char *colon = strrchr(name, ':');
    if (colon == NULL)
        return false;
    *colon = '\0';
    size_t len = strlen(name);
    bool bracketed = len >= 2 && name[0] == '[' && name[len - 1] == ']';
    snprintf(host, 256, "%.*s", (int)(bracketed ? len - 2 : len), name + (bracketed ? 1 : 0));
    snprintf(port, 8, "%s", colon + 1);
    return host[0] != '\0' && port[0] != '\0';
}

static bool is_ready(int fd, short events, int wait_ms)
{
    struct pollfd poller = {.fd = fd, .events = events};
    return poll(&poller, 1, wait_ms) > 0;
}

static int try_address(const struct addrinfo *info, int wait_ms)
{
    int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK,
                    info->ai_protocol);
    if (fd < 0)
        return -1;
    int failed = connect(fd, info->ai_addr, info->ai_addrlen) == 0 ? 0 : errno;
    socklen_t len = sizeof failed;
    if (failed == EINPROGRESS && (!is_ready(fd, POLLOUT, wait_ms) ||
                                  getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) < 0))
        failed = ETIMEDOUT;
    if (failed == 0)
        return fd;
    close(fd);
    return -1;
}

static int open_socket(struct span address, int wait_ms)
{
    char host[256], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    if (!split(address, host, port) || getaddrinfo(host, port, &hints, &list) != 0)
        return -1;
    int fd = -1;
    for (const struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next)
        fd = try_address(at, wait_ms);
    freeaddrinfo(list);
    return fd;
}

static bool say(int fd, const char *bytes, size_t len)
{
    return send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* The first `len` bytes of what comes. */
static bool hear(int fd, char *bytes, size_t len, int wait_ms)
{
    int64_t deadline_us = clock_monotonic_us() + wait_ms * US_PER_MS;
    size_t got = 0;
    while (got < len) {
        int64_t left_us = deadline_us - clock_monotonic_us();
        if (left_us <= 0 || !is_ready(fd, POLLIN, (int)(left_us / US_PER_MS) + 1))
            return false;
        ssize_t one = recv(fd, bytes + got, len - got, 0);
        if (one <= 0)
            return false;
        got += (size_t)one;
    }
    return true;
}

/* ---- Plain Kafka ---- */

/* The error code of the answer, or -1: it is none of Kafka's. What follows the code is read, too.
 */
static int ask_kafka(int fd, struct span request, int wait_ms)
{
    char head[HEAD_BYTES], rest[512];
    if (!say(fd, request.ptr, request.len) || !hear(fd, head, sizeof head, wait_ms))
        return -1;
    uint32_t size = bigendian_u32(head);
    if (size < HEAD_BYTES - 4 || size > ANSWER_MAX || memcmp(head + 4, request.ptr + 8, 4) != 0)
        return -1;
    for (size_t left = size + 4 - HEAD_BYTES; left > 0;) {
        size_t part = left < sizeof rest ? left : sizeof rest;
        if (!hear(fd, rest, part, wait_ms))
            return -1;
        left -= part;
    }
    return bigendian_u16(head + 8);
}

/* ApiVersions and SaslHandshake: size, key, version, correlation id, no client id; then a mechanism
 * that nobody has. */
static const struct span api_versions = {"\0\0\0\x0a\0\x12\0\0wfr1\xff\xff", 14};
static const struct span sasl_handshake = {"\0\0\0\x0d\0\x11\0\1wfr2\xff\xff\0\1?", 17};

/* The socket is closed. */
static enum kafka_port ask_in_plain(int fd, int wait_ms)
{
    enum kafka_port port = KAFKA_PORT_UNKNOWN;
    if (ask_kafka(fd, api_versions, wait_ms) >= 0) {
        int code = ask_kafka(fd, sasl_handshake, wait_ms);
        if (code == ILLEGAL_SASL_STATE)
            port = KAFKA_PORT_PLAINTEXT;
        else if (code == UNSUPPORTED_SASL_MECHANISM)
            port = KAFKA_PORT_SASL;
    }
    close(fd);
    return port;
}

/* ---- TLS ---- */

/* A ClientHello as RFC 8446 (4.1.2) has it, of TLS 1.3 and 1.2 at once and with an empty key share:
 * a server asks for another (1.3), says hello (1.2) or sends an alert, and each is a record of TLS.
 * One without extensions is closed by newer servers without a word. */
static bool speaks_tls(struct span address, int wait_ms)
{
    static const char hello[] =
        "\x16\3\1\0\x73\1\0\0\x6f\3\3"       /* record, message, version */
        "0123456789abcdef0123456789abcdef\0" /* random, no session */
        "\0\x10\x13\1\x13\2\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\0\x9c\0\x2f" /* ciphers */
        "\1\0\0\x36"                                                     /* no compression */
        "\0\x0a\0\x08\0\6\0\x1d\0\x17\0\x18"                             /* supported_groups */
        "\0\x0d\0\x08\0\6\4\3\x08\4\4\1"                                 /* signature_algorithms */
        "\0\x0b\0\2\1\0"                                                 /* ec_point_formats */
        "\0\x17\0\0\xff\1\0\1\0" /* extended_master_secret, renegotiation_info */
        "\0\x2b\0\5\4\3\4\3\3"   /* supported_versions */
        "\0\x33\0\2\0\0";        /* key_share */
    _Static_assert(sizeof hello - 1 == 5 + 0x73 && 0x73 == 4 + 0x6f, "the two lengths");
    char answer[3];
    int fd = open_socket(address, wait_ms);
    if (fd < 0)
        return false;
    bool heard = say(fd, hello, sizeof hello - 1) && hear(fd, answer, sizeof answer, wait_ms);
    close(fd);
    return heard && (answer[0] == 0x16 || answer[0] == 0x15) && answer[1] == 3;
}

enum kafka_port kafka_port_ask(struct span address, int wait_ms)
{
    assert(address.ptr != NULL && wait_ms > 0);
    int fd = open_socket(address, wait_ms);
    if (fd < 0)
        return KAFKA_PORT_UNKNOWN; /* nor would anybody answer in TLS */
    enum kafka_port port = ask_in_plain(fd, wait_ms);
    if (port == KAFKA_PORT_UNKNOWN && speaks_tls(address, wait_ms))
        port = KAFKA_PORT_TLS;
    return port;
}
