/* cli/: asking the admin port, whatever listens there. */
#include "cli/cli_live.h"

#include "admin/admin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct stub {
    int fd;
    char address[32];
    const char *reply; /* NULL: says nothing and keeps the connection */
    pthread_t thread;
    int client;
};

static void *stub_main(void *argument)
{
    struct stub *stub = argument;
    stub->client = accept(stub->fd, NULL, NULL);
    if (stub->reply == NULL)
        return NULL;
    char request[256];
    ssize_t got = read(stub->client, request, sizeof request);
    (void)got;
    send(stub->client, stub->reply, strlen(stub->reply), MSG_NOSIGNAL);
    close(stub->client);
    stub->client = -1;
    return NULL;
}

static void stub_start(struct stub *stub, const char *reply)
{
    *stub = (struct stub){.reply = reply, .client = -1};
    stub->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    assert_int_equal(bind(stub->fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(stub->fd, 4), 0);
    assert_int_equal(getsockname(stub->fd, (struct sockaddr *)&at, &length), 0);
    snprintf(stub->address, sizeof stub->address, "127.0.0.1:%u", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&stub->thread, NULL, stub_main, stub), 0);
}

static void stub_stop(struct stub *stub)
{
    pthread_join(stub->thread, NULL);
    if (stub->client >= 0)
        close(stub->client);
    close(stub->fd);
}

static void assert_no_answer(const char *reply, const char *why)
{
    struct stub stub;
    struct buf body = BUF_EMPTY;
    struct error err = ERROR_INIT;
    int status = 0;
    stub_start(&stub, reply);
    assert_int_equal(live_get(&(struct config_admin){.listen = {.text = stub.address}}, "/status",
                              &status, &body, &err),
                     -1);
    char text[128];
    snprintf(text, sizeof text, "no answer from the admin port %s: %s", stub.address, why);
    assert_string_equal(err.text, text);
    assert_string_equal(reason_slug(err.reason), "admin_no_answer");
    assert_int_equal(err.kind, ERROR_RETRY);
    stub_stop(&stub);
    buf_fini(&body);
}

static void test_a_relay(void **state)
{
    (void)state;
    struct status_cell cell;
    status_cell_init(&cell);
    struct config_admin config = {.listen = {.text = "127.0.0.1:0"}};
    const struct admin_options options = {.config = &config, .status = &cell};
    struct admin *admin = NULL;
    struct error err = ERROR_INIT;
    assert_int_equal(admin_open(&options, &admin, &err), 0);
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", admin_port(admin));
    int status = 0;
    struct buf body = BUF_EMPTY;
    assert_int_equal(live_get(&(struct config_admin){.listen = {.text = address}}, "/readyz",
                              &status, &body, &err),
                     0);
    assert_int_equal(status, 503);
    assert_string_equal(buf_text(&body),
                        "not ready: starting\nfailed: session broker (docs/DOCTOR.md)\n");
    buf_fini(&body);
    admin_close(admin);
    status_cell_fini(&cell);
}

static void test_others(void **state)
{
    (void)state;
    assert_no_answer("SSH-2.0-OpenSSH_9.2\r\n", "that is not HTTP");
    assert_no_answer("HTTP/1.1 2x0 OK\r\n\r\n", "that is not HTTP");
    assert_no_answer("HTTP/1.1 200 OK\r\n", "that is not HTTP");
    assert_no_answer("", "it hung up without a word; perhaps it speaks TLS");
    assert_no_answer(NULL, "timed out");
}

static void test_nobody(void **state)
{
    (void)state;
    struct stub stub;
    stub_start(&stub, "");
    char address[32];
    snprintf(address, sizeof address, "%s", stub.address);
    int status = 0;
    struct buf body = BUF_EMPTY;
    struct error err = ERROR_INIT;
    assert_int_equal(
        live_get(&(struct config_admin){.listen = {.text = address}}, "/", &status, &body, &err),
        -1);
    stub_stop(&stub);
    assert_int_equal(
        live_get(&(struct config_admin){.listen = {.text = address}}, "/", &status, &body, &err),
        -1);
    assert_non_null(strstr(err.text, "Connection refused"));
    assert_int_equal(
        live_get(&(struct config_admin){.listen = {.text = "nonsense"}}, "/", &status, &body, &err),
        -1);
    assert_non_null(strstr(err.text, "it is not host:port"));
    buf_fini(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_relay),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
