/* http/: the queue, the waits between attempts and their end, against a socket that answers what
 * the test says. Time is the test's. */
#include "http/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND INT64_C(1000000)

struct server {
    int listen_fd;
    int fd; /* of the request at hand; -1: none */
    char url[64];
    char request[4096]; /* the last one */
    size_t used;
};

static void serve(struct server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    socklen_t length = sizeof address;
    s->fd = -1;
    s->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(0, bind(s->listen_fd, (struct sockaddr *)&address, sizeof address));
    assert_int_equal(0, listen(s->listen_fd, 8));
    assert_int_equal(0, getsockname(s->listen_fd, (struct sockaddr *)&address, &length));
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/a?token=t", ntohs(address.sin_port));
    setenv("no_proxy", "127.0.0.1", 1);
}

static struct http *sender(const struct server *s, uint32_t queue_max, bool picky)
{
    static const struct http_pair headers[] = {{"X-Key", "k"}};
    const struct http_target target = {.url = s->url,
                                       .secret = "sixteen bytes or more",
                                       .headers = headers,
                                       .header_count = 1,
                                       .timeout_ms = 3000,
                                       .give_up_us = 20 * SECOND,
                                       .queue_max = queue_max,
                                       .picky = picky};
    return http_open(&target);
}

/* What has come of a request; one that is whole, whose body has 2 bytes, is answered. Never waits:
 * the sender is driven by the same thread. */
static void answer(struct server *s, const char *status)
{
    char text[128];
    if (s->fd < 0) {
        s->fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK);
        s->used = 0;
        return;
    }
    ssize_t got = read(s->fd, s->request + s->used, sizeof s->request - 1 - s->used);
    s->used += got > 0 ? (size_t)got : 0;
    s->request[s->used] = '\0';
    const char *end = strstr(s->request, "\r\n\r\n");
    if (end == NULL || strlen(end) < 4 + 2)
        return;
    int length = snprintf(text, sizeof text,
                          "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
    assert_int_equal(length, write(s->fd, text, (size_t)length));
    close(s->fd);
    s->fd = -1;
}

/* One attempt, answered so; NULL: the server is not asked. */
static struct http_result attempt(struct http *http, struct server *s, const char *status,
                                  int64_t now_us)
{
    struct http_result result = {.outcome = HTTP_NOTHING};
    for (int i = 0; i < 2000 && result.outcome == HTTP_NOTHING; i++) {
        http_step(http, now_us, 1614265330 * SECOND, 2, &result);
        if (status != NULL)
            answer(s, status);
    }
    return result;
}

static bool asked(struct http *http, struct server *s, int64_t now_us)
{
    struct http_result result;
    struct pollfd asked = {.fd = s->listen_fd, .events = POLLIN};
    for (int i = 0; i < 20; i++)
        http_step(http, now_us, 1, 1, &result);
    return poll(&asked, 1, 0) == 1;
}

static void sends_signed(void **state)
{
    (void)state;
    struct server s;
    serve(&s);
    struct http *http = sender(&s, 4, false);
    assert_true(http_put(http, SPAN_LITERAL("{}"), SECOND));
    struct http_result result = attempt(http, &s, "204 No Content", SECOND);
    assert_int_equal(result.outcome, HTTP_SENT);
    assert_int_equal(result.status, 204);
    assert_int_equal(http_waiting(http), 0);
    assert_memory_equal(s.request, "POST /a?token=t HTTP/1.1\r\n", 26);
    assert_non_null(strstr(s.request, "Content-Type: application/json\r\n"));
    assert_non_null(strstr(s.request, "X-Key: k\r\n"));
    assert_non_null(strstr(s.request, "webhook-timestamp: 1614265330\r\n"));
    assert_non_null(strstr(s.request, "webhook-id: msg_"));
    assert_non_null(strstr(s.request, "webhook-signature: v1,"));
    http_close(http);
    close(s.listen_fd);
}

static void waits_longer_and_longer_and_ends(void **state)
{
    (void)state;
    struct server s;
    serve(&s);
    struct http *http = sender(&s, 4, false);
    int64_t now_us = SECOND;
    assert_true(http_put(http, SPAN_LITERAL("{}"), now_us));
    for (int64_t most_us = SECOND; most_us <= 8 * SECOND; most_us *= 2) {
        assert_int_equal(attempt(http, &s, "404 Not Found", now_us).outcome, HTTP_RETRIED);
        assert_false(asked(http, &s, now_us + most_us / 2 - 10000));
        now_us += most_us;
    }
    struct http_result result = attempt(http, &s, "500 Oh", 21 * SECOND + 1);
    assert_int_equal(result.outcome, HTTP_GIVEN_UP);
    assert_string_equal(result.detail, "the server answered 500");
    assert_int_equal(http_waiting(http), 0);
    http_close(http);
    close(s.listen_fd);
}

static void some_answers_are_final(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        bool picky;
        enum http_outcome outcome;
    } cases[] = {{"410 Gone", false, HTTP_REFUSED},   {"400 Bad", false, HTTP_RETRIED},
                 {"400 Bad", true, HTTP_REFUSED},     {"302 Found", true, HTTP_REFUSED},
                 {"302 Found", false, HTTP_RETRIED},  {"429 Slower", true, HTTP_RETRIED},
                 {"503 Not now", true, HTTP_RETRIED}, {"401 Who", true, HTTP_RETRIED},
                 {"403 No", true, HTTP_RETRIED},      {"404 Not Found", true, HTTP_REFUSED}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server s;
        serve(&s);
        struct http *http = sender(&s, 4, cases[i].picky);
        assert_true(http_put(http, SPAN_LITERAL("{}"), SECOND));
        assert_int_equal(attempt(http, &s, cases[i].status, SECOND).outcome, cases[i].outcome);
        assert_int_equal(http_waiting(http), cases[i].outcome == HTTP_RETRIED);
        http_close(http);
        close(s.listen_fd);
    }
}

static void a_server_may_ask_for_time(void **state)
{
    (void)state;
    struct server s;
    serve(&s);
    struct http *http = sender(&s, 4, true);
    assert_true(http_put(http, SPAN_LITERAL("{}"), SECOND));
    (void)attempt(http, &s, "503 Not now\r\nRetry-After: 10", SECOND);
    assert_false(asked(http, &s, 10 * SECOND));
    assert_int_equal(attempt(http, &s, "200 OK", 11 * SECOND).outcome, HTTP_SENT);
    http_close(http);
    close(s.listen_fd);
}

/* But not for more than there is: the last attempt is made in time. */
static void a_server_cannot_ask_for_more_than_there_is(void **state)
{
    (void)state;
    struct server s;
    serve(&s);
    struct http *http = sender(&s, 4, true);
    assert_true(http_put(http, SPAN_LITERAL("{}"), SECOND));
    struct http_result result = attempt(http, &s, "429 Slower\r\nRetry-After: 3600", SECOND);
    assert_int_equal(result.outcome, HTTP_RETRIED);
    assert_false(asked(http, &s, 20 * SECOND));
    result = attempt(http, &s, "429 Slower\r\nRetry-After: 3600", 22 * SECOND);
    assert_int_equal(result.outcome, HTTP_GIVEN_UP);
    assert_int_equal(http_waiting(http), 0);
    http_close(http);
    close(s.listen_fd);
}

/* What a server sends without end, until the sender hangs up; how many bytes it took. As few lines
 * as can be: newer releases of libcurl count them, too. */
static size_t flood(struct http *http, struct server *s, const char *head,
                    struct http_result *result)
{
    static char bytes[64 * 1024];
    size_t sent = 0;
    bool begun = false;
    memset(bytes, 'y', sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i += 1024) {
        memcpy(bytes + i, "X:", 2);
        memcpy(bytes + i + 1022, "\r\n", 2);
    }
    *result = (struct http_result){.outcome = HTTP_NOTHING};
    for (int i = 0; i < 2000 && result->outcome == HTTP_NOTHING; i++) {
        http_step(http, SECOND, 1, 2, result);
        if (s->fd < 0) {
            s->fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK);
            continue;
        }
        if (!begun)
            (void)!write(s->fd, head, strlen(head));
        begun = true;
        ssize_t taken = send(s->fd, bytes, sizeof bytes, MSG_NOSIGNAL);
        sent += taken > 0 ? (size_t)taken : 0;
    }
    close(s->fd);
    s->fd = -1;
    return sent;
}

static void an_answer_without_end_is_cut(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        enum http_outcome outcome;
        const char *detail;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\n\r\n", HTTP_SENT, "the server answered 200"},
        {"HTTP/1.1 503 No\r\n\r\n", HTTP_RETRIED, "the server answered 503"},
        {"HTTP/1.1 200 OK\r\n", HTTP_RETRIED, "the server sent more than 64 KB of headers"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server s;
        struct http_result result;
        serve(&s);
        struct http *http = sender(&s, 4, true);
        assert_true(http_put(http, SPAN_LITERAL("{}"), SECOND));
        /* Beside what is read there is what the sockets hold. */
        assert_in_range(flood(http, &s, cases[i].head, &result), 1, 32 * 1024 * 1024);
        assert_int_equal(result.outcome, cases[i].outcome);
        assert_string_equal(result.detail, cases[i].detail);
        http_close(http);
        close(s.listen_fd);
    }
}

static void the_oldest_that_waits_goes(void **state)
{
    (void)state;
    struct server s;
    serve(&s);
    struct http *http = sender(&s, 2, false);
    assert_true(http_put(http, SPAN_LITERAL("{1"), SECOND));
    assert_true(asked(http, &s, SECOND)); /* it is under way */
    assert_true(http_put(http, SPAN_LITERAL("{2"), SECOND));
    assert_true(http_put(http, SPAN_LITERAL("{3"), SECOND));
    assert_false(http_put(http, SPAN_LITERAL("{4"), SECOND));
    static const char *const left[] = {"{1", "{3", "{4"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(attempt(http, &s, "200 OK", SECOND).outcome, HTTP_SENT);
        assert_string_equal(strstr(s.request, "\r\n\r\n") + 4, left[i]);
    }
    assert_int_equal(http_waiting(http), 0);
    http_close(http);
    close(s.listen_fd);
}

/* One more attempt each; nobody listens. */
static void an_end_is_in_a_hurry(void **state)
{
    (void)state;
    struct server s;
    serve(&s);
    struct http *http = sender(&s, 4, false);
    assert_true(http_put(http, SPAN_LITERAL("{1"), SECOND));
    assert_int_equal(attempt(http, &s, "500 Oh", SECOND).outcome, HTTP_RETRIED);
    assert_true(http_put(http, SPAN_LITERAL("{2"), SECOND));
    close(s.listen_fd);
    http_hurry(http);
    for (int i = 0; i < 2; i++) {
        struct http_result result = attempt(http, &s, NULL, SECOND);
        assert_int_equal(result.outcome, HTTP_GIVEN_UP);
        assert_non_null(strstr(result.detail, "connect"));
        assert_null(strstr(result.detail, "token"));
    }
    assert_int_equal(http_waiting(http), 0);
    http_close(http);
}

static void what_is_forgotten_is_not_sent(void **state)
{
    (void)state;
    struct server s;
    serve(&s);
    struct http *http = sender(&s, 4, false);
    assert_false(http_busy(http));
    assert_int_equal(http_forget(http), 0);
    assert_true(http_put(http, SPAN_LITERAL("{1"), SECOND));
    assert_true(http_put(http, SPAN_LITERAL("{2"), SECOND));
    assert_false(http_busy(http)); /* that something waits keeps nobody awake */
    assert_true(asked(http, &s, SECOND));
    assert_true(http_busy(http));
    assert_int_equal(http_forget(http), 2);
    assert_false(http_busy(http));
    assert_int_equal(http_waiting(http), 0);
    close(accept(s.listen_fd, NULL, NULL));
    assert_false(asked(http, &s, 2 * SECOND));
    assert_true(http_put(http, SPAN_LITERAL("{3"), 2 * SECOND));
    assert_int_equal(attempt(http, &s, "200 OK", 2 * SECOND).outcome, HTTP_SENT);
    assert_string_equal(strstr(s.request, "\r\n\r\n") + 4, "{3");
    http_close(http);
    close(s.listen_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sends_signed),
                                       cmocka_unit_test(waits_longer_and_longer_and_ends),
                                       cmocka_unit_test(some_answers_are_final),
                                       cmocka_unit_test(a_server_may_ask_for_time),
                                       cmocka_unit_test(a_server_cannot_ask_for_more_than_there_is),
                                       cmocka_unit_test(an_answer_without_end_is_cut),
                                       cmocka_unit_test(the_oldest_that_waits_goes),
                                       cmocka_unit_test(what_is_forgotten_is_not_sent),
                                       cmocka_unit_test(an_end_is_in_a_hurry)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
