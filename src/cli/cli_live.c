/* cli/cli_live: one request, one answer that ends with the connection, and a ceiling for both time
 * and bytes: whatever listens there may not be a relay at all. It is no HTTP client for anything
 * else: no redirects, no chunks, no TLS. */
#include "cli/cli_live.h"

#include "base/clock.h"
#include "cli/cli_answer.h"
#include "json/json_read.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIVE_US (INT64_C(2) * US_PER_S)
#define REPLY_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define READ_BYTES ((size_t)4096)

static int no_answer(struct error *err, const char *listen, const char *why)
{
    return error_retry(err, REASON_ADMIN_NO_ANSWER, "no answer from the admin port %s: %s", listen,
                       why);
}

static bool wait_for(int fd, short events, int64_t deadline_us)
{
    int64_t left_us = deadline_us - clock_monotonic_us();
    struct pollfd one = {.fd = fd, .events = events};
    return left_us > 0 && poll(&one, 1, (int)(left_us / 1000) + 1) == 1;
}

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

/* host:port or [v6]:port; an empty host, 0.0.0.0 and :: reach this machine itself. */
static int dial(const char *listen, int64_t deadline_us, struct error *err)
{
    char host[256] = "";
    const char *colon = strrchr(listen, ':');
    const char *begin = listen[0] == '[' ? listen + 1 : listen;
    if (colon == NULL || colon - begin >= (ptrdiff_t)sizeof host)
        return no_answer(err, listen, "it is not host:port");
    size_t length = (size_t)(colon - begin);
    if (length > 0 && begin != listen && begin[length - 1] == ']')
        length--;
    memcpy(host, begin, length);
    host[length] = '\0';
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(length > 0 ? host : NULL, colon + 1, &hints, &found);
    if (code != 0)
        return no_answer(err, listen, gai_strerror(code));
    int fd = -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = try_connect(at, deadline_us);
    int saved = errno;
    freeaddrinfo(found);
    return fd >= 0 ? fd : no_answer(err, listen, strerror(saved));
}

/* What is asked for: a method and a path, and header lines besides those of any request. */
struct question {
    const char *method, *path, *headers;
};

static int exchange(int fd, const char *listen, const struct question *question,
                    int64_t deadline_us, struct buf *reply, struct error *err)
{
    struct buf request = BUF_EMPTY;
    buf_add_format(&request, "%s %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n%s\r\n",
                   question->method, question->path, question->headers);
    ssize_t sent = send(fd, request.ptr, request.len, MSG_NOSIGNAL);
    bool whole = sent == (ssize_t)request.len;
    buf_fini(&request);
    if (!whole)
        return no_answer(err, listen, "it hung up");
    for (;;) {
        if (!wait_for(fd, POLLIN, deadline_us))
            return no_answer(err, listen, "timed out");
        ssize_t got = recv(fd, buf_reserve(reply, READ_BYTES), READ_BYTES, 0);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            return no_answer(err, listen, strerror(errno));
        reply->len += got > 0 ? (size_t)got : 0;
        if (reply->len > REPLY_BYTES_MAX)
            return no_answer(err, listen, "it says too much");
    }
}

/* "HTTP/1.x NNN …", headers, an empty line, the body. */
static int split(struct buf *reply, const char *listen, int *status, struct buf *body,
                 struct error *err)
{
    const char *text = buf_text(reply);
    const char *end = strstr(text, "\r\n\r\n");
    bool http = strncmp(text, "HTTP/1.", 7) == 0 && reply->len > 12 && text[8] == ' ';
    for (int i = 9; http && i < 12; i++)
        http = text[i] >= '0' && text[i] <= '9';
    if (!http || end == NULL)
        return no_answer(err, listen, "that is not HTTP");
    *status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
    size_t skip = (size_t)(end - text) + 4;
    buf_add(body, (struct span){text + skip, reply->len - skip});
    return 0;
}

static int ask(const char *listen, const struct question *question, int *status, struct buf *body,
               struct error *err)
{
    assert(listen != NULL && question->path != NULL);
    assert(status != NULL && body != NULL);
    int64_t deadline_us = clock_monotonic_us() + LIVE_US;
    int fd = dial(listen, deadline_us, err);
    if (fd < 0)
        return -1;
    struct buf reply = BUF_EMPTY;
    int result = exchange(fd, listen, question, deadline_us, &reply, err);
    if (result == 0)
        result = split(&reply, listen, status, body, err);
    buf_fini(&reply);
    close(fd);
    return result;
}

int live_get(const char *listen, const char *path, int *status, struct buf *body, struct error *err)
{
    const struct question question = {"GET", path, ""};
    return ask(listen, &question, status, body, err);
}

int live_post(const struct config_admin *admin, const char *path, const char *headers, int *status,
              struct buf *body, struct error *err)
{
    const struct question question = {"POST", path, headers};
    return ask(admin->listen.text, &question, status, body, err);
}

/* ---- Which instance answers ---- */

static bool is_instance(const struct json_tree *tree, const char *relay, bool working,
                        uint64_t *pid)
{
    struct span name, state;
    *pid = 0;
    json_tree_member_u64(tree, "pid", pid);
    return json_tree_member_string(tree, "relay", &name) && span_equal(name, span_of(relay)) &&
           json_tree_member_string(tree, "state", &state) &&
           !span_equal(state, span_of("stopped")) &&
           !(working && span_equal(state, span_of("held")));
}

bool live_instance(const struct config_relay *config, bool working, char *text, size_t size)
{
    const char *listen = config->process->admin.listen.text;
    struct buf body = BUF_EMPTY;
    struct json_tree *tree = NULL;
    struct error ignored = ERROR_INIT;
    uint64_t pid = 0;
    int status = 0;
    bool found = strcmp(listen, "off") != 0 &&
                 live_get(listen, "/status", &status, &body, &ignored) == 0 && status == 200 &&
                 json_tree_parse(buf_span(&body), &tree, &ignored) == 0 &&
                 is_instance(tree, config->name.text, working, &pid);
    if (found)
        snprintf(text, size, "process %" PRIu64 ", which answers at %s", pid, listen);
    if (tree != NULL)
        json_tree_free(tree);
    buf_fini(&body);
    return found;
}

int answer_meet_living(struct answer *answer, struct error *err)
{
    char seen[320];
    bool found = live_instance(answer->relay, true, seen, sizeof seen);
    if (relay_meet_living(&answer->options, found ? seen : NULL,
                          args_has(answer->args, OPTION_TAKE_OVER), err) == 0)
        return 0;
    return err->reason == REASON_RELAY_RUNNING ? answer_mend_again(answer, OPTION_TAKE_OVER, err)
                                               : -1;
}
