/* webhook/: an end that comes before the thread has looked again is told by what is in force by
 * then, and not by what was. */
#include "webhook/webhook.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

struct receiver {
    int fd;
    char url[64];
};

static struct receiver receiver(void)
{
    struct receiver r = {.fd = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    socklen_t length = sizeof address;
    assert_int_equal(0, bind(r.fd, (struct sockaddr *)&address, sizeof address));
    assert_int_equal(0, listen(r.fd, 8));
    assert_int_equal(0, getsockname(r.fd, (struct sockaddr *)&address, &length));
    snprintf(r.url, sizeof r.url, "http://127.0.0.1:%u/", ntohs(address.sin_port));
    setenv("no_proxy", "127.0.0.1", 1);
    return r;
}

static bool was_asked(const struct receiver *r)
{
    struct pollfd asked = {.fd = r->fd, .events = POLLIN};
    return poll(&asked, 1, 0) == 1;
}

static struct config_notify config_of(const struct receiver *r)
{
    return (struct config_notify){.url = {.text = r->url},
                                  .secret = {.text = "sixteen bytes or more"},
                                  .timeout_ms = 10000,
                                  .give_up_ms = 60000,
                                  .stuck_ms = 60000,
                                  .quiet_ms = 60000};
}

/* Of the request in the socket's buffer: nobody answers it. */
static void read_request(const struct receiver *r, char *request, size_t size)
{
    int fd = accept(r->fd, NULL, NULL);
    ssize_t got = recv(fd, request, size - 1, 0);
    assert_true(got > 0);
    request[got] = '\0';
    close(fd);
}

static void an_end_right_behind_a_reload_goes_to_the_new_address(void **state)
{
    (void)state;
    char request[4096];
    struct status_cell status;
    struct receiver before = receiver(), after = receiver();
    struct metrics *metrics = metrics_open("orders", 0, NULL);
    struct log log = {.level = LOG_ERROR, .fd = open("/dev/null", O_WRONLY | O_CLOEXEC)};
    struct error err = ERROR_INIT;
    struct config_notify config = config_of(&before), next = config_of(&after);
    const struct webhook_options options = {
        .config = &config, .metrics = metrics, .status = &status, .log = &log};
    status_cell_init(&status);
    (void)error_stop(&err, REASON_FENCED, "another one has taken over");
    struct webhook *webhook = webhook_open(&options);
    usleep(200000); /* it has looked, and will again in 800 ms */
    webhook_take(webhook, &next);
    assert_true(webhook_close(webhook, &err, clock_monotonic_us() + 500000));
    assert_false(was_asked(&before));
    assert_true(was_asked(&after));
    read_request(&after, request, sizeof request);
    if (strstr(request, "relay.stopped") == NULL ||
        strstr(request, "another one has taken over") == NULL)
        fail_msg("%s", request);
    assert_int_equal(metrics_get(metrics, METRIC_NOTIFY_DROPPED), 1);
    close(before.fd);
    close(after.fd);
    close(log.fd);
    status_cell_fini(&status);
    metrics_close(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_end_right_behind_a_reload_goes_to_the_new_address)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
