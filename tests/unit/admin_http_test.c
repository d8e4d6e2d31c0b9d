/* admin/: the pages over real sockets, and clients that are slow, rude or many. */
#include "admin/admin.h"
#include "json/json_read.h"
#include "recover/checks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct server {
    struct metrics *metrics;
    struct status_cell cell;
    struct recent recent;
    struct log_ring problems;
    struct config_admin config;
    struct admin *admin;
};

static void server_start(struct server *s, int64_t lifetime_ms)
{
    struct error err = ERROR_INIT;
    s->metrics = metrics_open("orders", 0, NULL);
    status_cell_init(&s->cell);
    recent_init(&s->recent);
    log_ring_init(&s->problems);
    s->config = (struct config_admin){.listen = {.text = "127.0.0.1:0"}};
    const struct admin_options options = {.config = &s->config,
                                          .metrics = s->metrics,
                                          .status = &s->cell,
                                          .recent = &s->recent,
                                          .problems = &s->problems,
                                          .lifetime_ms = lifetime_ms};
    if (admin_open(&options, &s->admin, &err) < 0)
        fail_msg("%s", err.text);
    assert_non_null(s->admin);
}

static void server_stop(struct server *s)
{
    admin_close(s->admin);
    status_cell_fini(&s->cell);
    recent_fini(&s->recent);
    log_ring_fini(&s->problems);
    metrics_close(s->metrics);
}

static int dial(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* What the server says until it hangs up; waits for it no longer than 8 s. */
static char *read_all(int fd)
{
    struct buf reply = BUF_EMPTY;
    for (;;) {
        struct pollfd in = {.fd = fd, .events = POLLIN};
        if (poll(&in, 1, 8000) != 1)
            fail_msg("the server neither answers nor hangs up");
        ssize_t got = read(fd, buf_reserve(&reply, 4096), 4096);
        if (got <= 0)
            break;
        reply.len += (size_t)got;
    }
    close(fd);
    buf_text(&reply);
    return reply.ptr;
}

static char *ask(uint16_t port, const char *request)
{
    int fd = dial(port);
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    return read_all(fd);
}

static void assert_reply(uint16_t port, const char *request, const char *status, const char *part)
{
    char *reply = ask(port, request);
    char first[64];
    snprintf(first, sizeof first, "HTTP/1.1 %s", status);
    if (strncmp(reply, first, strlen(first)) != 0 || strstr(reply, part) == NULL)
        fail_msg("asked %s\nwanted %s … %s\ngot %s", request, status, part, reply);
    free(reply);
}

static void test_pages(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 0);
    uint16_t port = admin_port(s.admin);
    assert_reply(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200", "\r\n\r\nok\n");
    assert_reply(port, "GET /healthz?x=1 HTTP/1.1\r\nHost: x\r\n\r\n", "200", "\r\n\r\nok\n");
    assert_reply(port, "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "503", "\nnot ready: starting\n");
    assert_reply(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200",
                 "text/plain; version=0.0.4");
    assert_reply(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200",
                 "walferry_ready{relay=\"orders\"} 0\n");
    assert_reply(port, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", "404", "/healthz");
    server_stop(&s);
}

/* The page and its files, under a policy that lets it load those and nothing else. */
static void test_files(void **state)
{
    (void)state;
    static const char *const files[][3] = {
        {"/", "text/html; charset=utf-8", "<html lang=\"en\">"},
        {"/page.css", "text/css; charset=utf-8", "prefers-color-scheme"},
        {"/page.js", "text/javascript; charset=utf-8", "textContent"},
        {"/icon.svg", "image/svg+xml", "<svg "}};
    struct server s;
    server_start(&s, 0);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char request[64], type[64];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", files[i][0]);
        snprintf(type, sizeof type, "\r\nContent-Type: %s\r\n", files[i][1]);
        assert_reply(admin_port(s.admin), request, "200", type);
        assert_reply(admin_port(s.admin), request, "200", files[i][2]);
        assert_reply(admin_port(s.admin), request, "200",
                     "\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; ");
    }
    server_stop(&s);
}

static struct json_tree *ask_json(struct server *s, const char *path)
{
    char request[64];
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    char *reply = ask(admin_port(s->admin), request);
    struct json_tree *tree = NULL;
    struct error err = ERROR_INIT;
    if (json_tree_parse(span_of(strstr(reply, "\r\n\r\n") + 4), &tree, &err) < 0)
        fail_msg("%s in %s", err.text, reply);
    free(reply);
    return tree;
}

static void assert_member(const struct json_tree *tree, const char *name, const char *wanted)
{
    struct span value;
    if (!json_tree_member_string(tree, name, &value))
        fail_msg("no text %s", name);
    assert_string_equal(value.ptr, wanted);
}

static void test_events(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 0);
    struct recent_event event = {.topic = "<b>",
                                 .route = "orders",
                                 .partition = 2,
                                 .offset = -1,
                                 .position = {0x16B374D848, 3},
                                 .committed_wall_us = INT64_C(1700000000000000)};
    recent_text_set(&event.key, (struct span){"\xff\x00z", 3});
    recent_text_set(&event.type, span_null());
    recent_add_events(&s.recent, &event, 1);
    recent_text_set(&event.key, span_of("two"));
    recent_payload_set(&event, span_of("{\"a\":1}"));
    recent_add_events(&s.recent, &event, 1);
    struct json_tree *tree = ask_json(&s, "/events");
    const struct json_tree *events = json_tree_member(tree, "events");
    assert_int_equal(json_tree_count(events), 2);
    const struct json_tree *newest = json_tree_at(events, 0), *first = json_tree_at(events, 1);
    assert_member(newest, "key", "two");
    assert_member(newest, "payload", "{\"a\":1}");
    assert_member(first, "key", "\\xff007a"); /* no UTF-8: as PostgreSQL writes bytes */
    assert_member(first, "topic", "<b>");
    assert_member(first, "lsn", "16/B374D848");
    assert_member(first, "committed_at", "2023-11-14T22:13:20.000000Z");
    assert_true(json_tree_is_null(json_tree_member(first, "offset")));
    assert_true(json_tree_is_null(json_tree_member(first, "type")));
    assert_null(json_tree_member(first, "payload"));
    json_tree_free(tree);
    server_stop(&s);
}

static void test_history(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 0);
    recent_open_epoch(&s.recent, 4, 1000000);
    recent_close_epoch(&s.recent, "broker_down", 2000000);
    recent_open_epoch(&s.recent, 5, 3000000);
    recent_add_sample(&s.recent, &(struct recent_sample){.wall_us = 5000000, .lag_bytes = -1});
    log_ring_add(&s.problems, &(struct log_kept){.event = "epoch.failed", .reason = "broker_down"},
                 INT64_C(1700000000000000));
    struct json_tree *tree = ask_json(&s, "/history");
    const struct json_tree *epochs = json_tree_member(tree, "epochs");
    assert_int_equal(json_tree_count(epochs), 2);
    assert_true(json_tree_is_null(json_tree_member(json_tree_at(epochs, 0), "closed_at")));
    assert_member(json_tree_at(epochs, 1), "reason", "broker_down");
    const struct json_tree *samples = json_tree_member(tree, "samples");
    uint64_t at_ms = 0;
    assert_true(json_tree_member_u64(json_tree_at(samples, 0), "at_ms", &at_ms));
    assert_int_equal(at_ms, 5000);
    assert_true(json_tree_is_null(json_tree_member(json_tree_at(samples, 0), "lag_bytes")));
    const struct json_tree *problem = json_tree_at(json_tree_member(tree, "problems"), 0);
    assert_member(problem, "event", "epoch.failed");
    assert_member(problem, "level", "warn");
    json_tree_free(tree);
    recent_set_config(&s.recent, span_of("relay: orders\n"));
    assert_reply(admin_port(s.admin), "GET /config HTTP/1.1\r\nHost: x\r\n\r\n", "200",
                 "\r\n\r\nrelay: orders\n");
    server_stop(&s);
}

/* What doctor looks at, too, has doctor's name, and the paragraph of it. */
static void assert_named_in_the_table(const struct json_tree *checks)
{
    for (size_t i = 1; i < json_tree_count(checks); i++) {
        struct span name, see;
        char paragraph[64];
        const struct json_tree *check = json_tree_at(checks, i);
        assert_true(json_tree_member_string(check, "name", &name));
        assert_true(json_tree_member_string(check, "see", &see));
        enum check_id id = 0;
        while (id < CHECK_COUNT && strcmp(check_table[id].slug, name.ptr) != 0)
            id++;
        if (id == CHECK_COUNT)
            fail_msg("no check of recover/checks.def is %s", name.ptr);
        snprintf(paragraph, sizeof paragraph, "docs/DOCTOR.md#%s", name.ptr);
        assert_string_equal(see.ptr, paragraph);
    }
}

/* Who is not ready fails one of the checks, and nobody else does. */
static void test_checks(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 0);
    struct status status = {.state = STATE_STREAMING,
                            .source_fresh = true,
                            .publisher_fresh = true,
                            .source_up_wall_us = INT64_C(1700000000000000),
                            .origin_known = true,
                            .ready = true};
    static const char *const names[] = {"state", "session", "broker", "slot_state", "progress"};
    static const char *const why[] = {
        "held", "the database has not answered since 2023-11-14T22:13:20.000Z",
        "Kafka has not answered yet", "it is so", "it is so"};
    for (int failing = -1; failing < 5; failing++) {
        struct status now = status;
        now.state = failing == 0 ? STATE_HELD : STATE_STREAMING;
        now.source_fresh = failing != 1;
        now.publisher_fresh = failing != 2;
        now.risk = failing == 3 ? WAL_RISK_HIGH : WAL_RISK_FILLING;
        now.stands = failing == 4;
        snprintf(now.risky, sizeof now.risky, "%s", failing >= 3 ? "it is so" : "");
        status_cell_set(&s.cell, &now);
        struct json_tree *tree = ask_json(&s, "/status");
        const struct json_tree *checks = json_tree_member(tree, "checks");
        assert_int_equal(json_tree_count(checks), 5);
        assert_named_in_the_table(checks);
        for (int i = 0; i < 5; i++) {
            const struct json_tree *check = json_tree_at(checks, (size_t)i);
            bool ok = false;
            assert_member(check, "name", names[i]);
            assert_true(json_tree_member_bool(check, "ok", &ok));
            assert_int_equal(ok, i != failing);
            if (i == failing && i > 0)
                assert_member(check, "text", why[i]);
        }
        json_tree_free(tree);
    }
    server_stop(&s);
}

static void test_readiness(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 0);
    struct status status = {.state = STATE_BACKOFF, .last_error_reason = "broker_down"};
    snprintf(status.last_error, sizeof status.last_error, "no broker answers");
    status_cell_set(&s.cell, &status);
    assert_reply(
        admin_port(s.admin), "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "503",
        "\nnot ready: backoff: no broker answers\nfailed: session broker (docs/DOCTOR.md)\n");
    assert_reply(admin_port(s.admin), "GET /readyz.json HTTP/1.1\r\nHost: x\r\n\r\n", "503",
                 "{\"ready\":false,\"checks\":[{\"name\":\"state\",\"ok\":true");
    /* What it leads to hides no cause; of a stream that stands the last error may be of long ago.
     */
    snprintf(status.risky, sizeof status.risky, "progress stands for 9 s");
    status.stands = true;
    status_cell_set(&s.cell, &status);
    assert_reply(admin_port(s.admin), "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "503",
                 "\nnot ready: backoff: no broker answers; progress stands for 9 s\nfailed:");
    status.state = STATE_STREAMING;
    status_cell_set(&s.cell, &status);
    assert_reply(admin_port(s.admin), "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "503",
                 "\nnot ready: streaming: progress stands for 9 s\nfailed:");
    status.ready = true;
    status_cell_set(&s.cell, &status);
    assert_reply(admin_port(s.admin), "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n", "200",
                 "\r\n\r\nready\n");
    server_stop(&s);
}

static void test_methods_and_bodies(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 0);
    uint16_t port = admin_port(s.admin);
    char *head = ask(port, "HEAD /status HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(head, "200 OK"));
    assert_null(strstr(head, "{"));
    free(head);
    assert_reply(port, "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "405",
                 "Allow: GET, HEAD");
    assert_reply(port, "DELETE /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "405", "Allow: GET, HEAD");
    assert_reply(port, "GET /status HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", "413",
                 "no body");
    assert_reply(port, "GET /status HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                 "413", "no body");
    server_stop(&s);
}

static void test_status(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 0);
    struct status status = {.state = STATE_STREAMING,
                            .relay = "orders",
                            .origin = "walferry_orders",
                            .epochs = 1,
                            .generation = 7,
                            .committed = {.lsn = UINT64_C(0x16B374D848), .seq = 3},
                            .last_commit_wall_us = INT64_C(1700000000123456),
                            .origin_known = true,
                            .origin_state = "reserved",
                            .lag_bytes = 99,
                            .ready = true,
                            .last_error_reason = "fenced",
                            .last_error_wall_us = INT64_C(1700000000000000)};
    snprintf(status.last_error, sizeof status.last_error, "a \"quoted\" text");
    status_cell_set(&s.cell, &status);
    char *reply = ask(admin_port(s.admin), "GET /status HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_non_null(strstr(reply, "Content-Type: application/json"));
    struct json_tree *tree = NULL;
    struct error err = ERROR_INIT;
    if (json_tree_parse(span_of(strstr(reply, "\r\n\r\n") + 4), &tree, &err) < 0)
        fail_msg("%s in %s", err.text, reply);
    static const char *const texts[][2] = {
        {"state", "streaming"},          {"relay", "orders"},
        {"slot", "walferry_orders"},     {"position", "16/B374D848"},
        {"slot_wal_status", "reserved"}, {"last_commit_at", "2023-11-14T22:13:20.123456Z"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct span value;
        assert_true(json_tree_member_string(tree, texts[i][0], &value));
        assert_string_equal(value.ptr, texts[i][1]);
    }
    uint64_t number = 0;
    assert_true(json_tree_member_u64(tree, "generation", &number) && number == 7);
    assert_true(json_tree_member_u64(tree, "slot_lag_bytes", &number) && number == 99);
    assert_true(json_tree_is_null(json_tree_member(tree, "confirmed_lsn")));
    struct span text;
    assert_true(json_tree_member_string(json_tree_member(tree, "last_error"), "text", &text));
    assert_string_equal(text.ptr, "a \"quoted\" text");
    json_tree_free(tree);
    free(reply);
    server_stop(&s);
}

/* Every member that is promised is there from the first moment on. */
static void test_status_of_a_start(void **state)
{
    (void)state;
    static const char *const members[] = {"state",
                                          "relay",
                                          "slot",
                                          "publication",
                                          "guarantee",
                                          "instance",
                                          "system_identifier",
                                          "timeline",
                                          "generation",
                                          "epochs",
                                          "position",
                                          "confirmed_lsn",
                                          "received_lsn",
                                          "in_partial",
                                          "last_commit_at",
                                          "slot_lag_bytes",
                                          "slot_retained_bytes",
                                          "slot_wal_status",
                                          "ready",
                                          "last_error",
                                          "version"};
    struct server s;
    server_start(&s, 0);
    char *reply = ask(admin_port(s.admin), "GET /status HTTP/1.1\r\nHost: x\r\n\r\n");
    struct json_tree *tree = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(json_tree_parse(span_of(strstr(reply, "\r\n\r\n") + 4), &tree, &err), 0);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_tree_member(tree, members[i]) == NULL)
            fail_msg("no member %s in %s", members[i], reply);
    static const char *const unknown[] = {"\"timeline\":null", "\"generation\":null",
                                          "\"position\":null", "\"position_seq\":null",
                                          "\"in_partial\":null"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        if (strstr(reply, unknown[i]) == NULL)
            fail_msg("not %s in %s", unknown[i], reply);
    json_tree_free(tree);
    free(reply);
    server_stop(&s);
}

static void test_garbage(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 0);
    uint16_t port = admin_port(s.admin);
    free(ask(port, "\x16\x03\x01\x02\x00\r\n\r\n"));
    struct buf big = BUF_EMPTY;
    buf_add_text(&big, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Big: ");
    memset(buf_reserve(&big, 100000), 'a', 100000);
    big.len += 100000;
    buf_add_text(&big, "\r\n\r\n");
    int fd = dial(port);
    send(fd, big.ptr, big.len, MSG_NOSIGNAL); /* it may be cut off in the middle */
    close(fd);
    buf_fini(&big);
    assert_reply(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200", "ok");
    server_stop(&s);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A client that sends a byte now and then is never silent; its age ends it. */
static void test_trickle(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 1000);
    int fd = dial(admin_port(s.admin));
    int64_t began_ms = now_ms();
    bool ended = false;
    while (!ended && now_ms() - began_ms < 8000) {
        struct pollfd in = {.fd = fd, .events = POLLIN};
        send(fd, "G", 1, MSG_NOSIGNAL);
        ended = poll(&in, 1, 100) == 1;
    }
    assert_true(ended);
    assert_true(now_ms() - began_ms >= 900);
    close(fd);
    server_stop(&s);
}

/* All places taken by silent clients: a good one waits until they are hung up on, and no longer. */
static void test_crowd(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 1000);
    int crowd[40];
    for (int i = 0; i < 40; i++)
        crowd[i] = dial(admin_port(s.admin));
    poll(NULL, 0, 2000);
    assert_reply(admin_port(s.admin), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "200", "ok");
    for (int i = 0; i < 40; i++)
        close(crowd[i]);
    server_stop(&s);
}

static void test_close_with_clients(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 0);
    int fd = dial(admin_port(s.admin));
    int64_t began_ms = now_ms();
    server_stop(&s);
    assert_true(now_ms() - began_ms < 2000);
    close(fd);
}

static void test_off_and_bad_addresses(void **state)
{
    (void)state;
    struct status_cell cell;
    status_cell_init(&cell);
    struct config_admin config = {.listen = {.text = "off"}};
    const struct admin_options options = {.config = &config, .status = &cell};
    struct admin *admin = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(admin_open(&options, &admin, &err), 0);
    assert_null(admin);
    admin_close(admin);
    static const char *const bad[] = {"nonsense", "127.0.0.1:", "192.0.2.1:9187", "[::1:9"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        config.listen.text = bad[i];
        assert_int_equal(admin_open(&options, &admin, &err), -1);
        assert_int_equal(err.kind, ERROR_STOP);
        assert_int_equal(err.exit_code, EXIT_USAGE);
        assert_string_equal(reason_slug(err.reason), "admin_listen");
        assert_non_null(strstr(err.text, bad[i]));
        assert_non_null(strstr(err.hint, "off"));
    }
    status_cell_fini(&cell);
}

static void test_port_in_use(void **state)
{
    (void)state;
    struct server s;
    server_start(&s, 0);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", admin_port(s.admin));
    struct config_admin config = {.listen = {.text = address}};
    const struct admin_options options = {.config = &config, .status = &s.cell};
    struct admin *second = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(admin_open(&options, &second, &err), -1);
    char wanted[96];
    snprintf(wanted, sizeof wanted, "admin.listen: cannot listen on %s: Address already in use",
             address);
    assert_string_equal(err.text, wanted);
    server_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_readiness),
        cmocka_unit_test(test_methods_and_bodies),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_status_of_a_start),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_trickle),
        cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_close_with_clients),
        cmocka_unit_test(test_off_and_bad_addresses),
        cmocka_unit_test(test_port_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
