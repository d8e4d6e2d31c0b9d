/* publish/kafka_port: whatever answers at a port, the question ends in time and without harm. What
 * real brokers answer is in tests/e2e/191. */
#include "publish/kafka_port.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 200

struct answering {
    int fd;
    uint16_t port;
    struct span answer; /* absent: says nothing, and keeps the connection */
    pthread_t thread;
};

static void *answer(void *arg)
{
    const struct answering *a = arg;
    char heard[256];
    int client, kept[8], count = 0;
    while ((client = accept(a->fd, NULL, NULL)) >= 0) {
        if (a->answer.ptr == NULL && count < 8) {
            kept[count++] = client;
            continue;
        }
        if (recv(client, heard, sizeof heard, 0) > 0)
            (void)!send(client, a->answer.ptr, a->answer.len, MSG_NOSIGNAL);
        close(client);
    }
    while (count > 0)
        close(kept[--count]);
    return NULL;
}

static void begin(struct answering *a, struct span what)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    *a = (struct answering){.fd = socket(AF_INET, SOCK_STREAM, 0), .answer = what};
    assert_int_equal(bind(a->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(a->fd, 8), 0);
    assert_int_equal(getsockname(a->fd, (struct sockaddr *)&address, &len), 0);
    a->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&a->thread, NULL, answer, a), 0);
}

static void end(struct answering *a)
{
    shutdown(a->fd, SHUT_RDWR);
    pthread_join(a->thread, NULL);
    close(a->fd);
}

static void expect(struct span what, enum kafka_port wanted)
{
    struct answering a;
    char address[64];
    begin(&a, what);
    snprintf(address, sizeof address, "plaintext://127.0.0.1:%u", a.port);
    int64_t began_us = clock_monotonic_us();
    assert_int_equal(kafka_port_ask(span_of(address), WAIT_MS), wanted);
    assert_true(clock_monotonic_us() - began_us < 10 * WAIT_MS * US_PER_MS);
    end(&a);
}

static void test_answers(void **state)
{
    (void)state;
    expect(span_null(), KAFKA_PORT_UNKNOWN);
    expect(SPAN_LITERAL(""), KAFKA_PORT_UNKNOWN);
    expect(SPAN_LITERAL("HTTP/1.1 400 Bad Request\r\n\r\n"), KAFKA_PORT_UNKNOWN);
    expect(SPAN_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), KAFKA_PORT_UNKNOWN);
    expect(SPAN_LITERAL("\0\0\0\1wfr1\0\0"), KAFKA_PORT_UNKNOWN);
    expect(SPAN_LITERAL("\0\0\0\6wfr1\0\0"), KAFKA_PORT_UNKNOWN);
    expect(SPAN_LITERAL("\0\0\0\6nope\0\0"), KAFKA_PORT_UNKNOWN);
    expect(SPAN_LITERAL("\x15\3\3\0\2\2\x28"), KAFKA_PORT_TLS);
    expect(SPAN_LITERAL("\x16\3\3\0\x31"), KAFKA_PORT_TLS);
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "", ":", "nothing", "127.0.0.1:", ":9092", "[::1]", "127.0.0.1:1"};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++)
        assert_int_equal(kafka_port_ask(span_of(addresses[i]), WAIT_MS), KAFKA_PORT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
