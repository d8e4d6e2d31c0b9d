/* cli/cli_live: one request, one answer that ends with the connection, and a ceiling for both time
 * and bytes: whatever listens there may not be a relay at all. It is no HTTP client for anything
 * else: no redirects, no chunks. */
#include "cli/cli_live.h"

#include "base/clock.h"
#include "cli/cli_answer.h"
#include "cli/cli_peer.h"
#include "json/json_read.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LIVE_US (INT64_C(2) * US_PER_S)
#define REPLY_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define READ_BYTES ((size_t)4096)

static int no_answer(struct error *err, const char *listen, const char *why)
{
    return error_retry(err, REASON_ADMIN_NO_ANSWER, "no answer from the admin port %s: %s", listen,
                       why);
}

/* What is asked for: a method and a path, and header lines besides those of any request. */
struct question {
    const char *method, *path, *headers;
};

static int send_request(struct peer *peer, const struct question *question,
                        const struct config_text *token)
{
    struct buf request = BUF_EMPTY;
    buf_add_format(&request, "%s %s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n%s",
                   question->method, question->path, question->headers);
    if (token->text != NULL)
        buf_add_format(&request, "Authorization: Bearer %s\r\n", token->text);
    buf_add_text(&request, "\r\n");
    int result = peer_send(peer, buf_span(&request));
    explicit_bzero(request.ptr, request.len);
    buf_fini(&request);
    return result;
}

static int exchange(struct peer *peer, const struct config_admin *admin,
                    const struct question *question, struct buf *reply, struct error *err)
{
    const char *listen = admin->listen.text;
    if (peer_open(peer, admin, clock_monotonic_us() + LIVE_US) < 0 ||
        send_request(peer, question, &admin->token) < 0)
        return no_answer(err, listen, peer->why);
    for (;;) {
        ssize_t got = peer_receive(peer, buf_reserve(reply, READ_BYTES), READ_BYTES);
        if (got == 0)
            return 0;
        if (got < 0)
            return no_answer(err, listen, peer->why);
        reply->len += (size_t)got;
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
    if (reply->len == 0)
        return no_answer(err, listen, "it hung up without a word; perhaps it speaks TLS");
    if (!http || end == NULL)
        return no_answer(err, listen, "that is not HTTP");
    *status = (text[9] - '0') * 100 + (text[10] - '0') * 10 + (text[11] - '0');
    size_t skip = (size_t)(end - text) + 4;
    buf_add(body, (struct span){text + skip, reply->len - skip});
    return 0;
}

static int ask(const struct config_admin *admin, const struct question *question, int *status,
               struct buf *body, struct error *err)
{
    assert(admin->listen.text != NULL && question->path != NULL);
    assert(status != NULL && body != NULL);
    struct peer peer;
    struct buf reply = BUF_EMPTY;
    int result = exchange(&peer, admin, question, &reply, err);
    if (result == 0)
        result = split(&reply, admin->listen.text, status, body, err);
    buf_fini(&reply);
    peer_close(&peer);
    return result;
}

int live_get(const struct config_admin *admin, const char *path, int *status, struct buf *body,
             struct error *err)
{
    const struct question question = {"GET", path, ""};
    return ask(admin, &question, status, body, err);
}

int live_post(const struct config_admin *admin, const char *path, const char *headers, int *status,
              struct buf *body, struct error *err)
{
    const struct question question = {"POST", path, headers};
    return ask(admin, &question, status, body, err);
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
    const struct config_admin *admin = &config->process->admin;
    const char *listen = admin->listen.text;
    struct buf body = BUF_EMPTY;
    struct json_tree *tree = NULL;
    struct error ignored = ERROR_INIT;
    uint64_t pid = 0;
    int status = 0;
    bool found = strcmp(listen, "off") != 0 &&
                 live_get(admin, "/status", &status, &body, &ignored) == 0 && status == 200 &&
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
