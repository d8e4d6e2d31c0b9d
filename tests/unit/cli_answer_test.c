/* cli/cli_answer: who reads an answer slowly is told nothing beside it. */
#include "cli/cli_answer.h"

#include "base/waits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than a pipe holds. */
#define ANSWER_BYTES ((size_t)1 << 20)

static void *print(void *of)
{
    answer_print_part(of);
    return NULL;
}

static void test_a_slow_reader(void **state)
{
    (void)state;
    int said[2], told[2], before = dup(STDOUT_FILENO);
    assert_int_equal(pipe(said), 0);
    assert_int_equal(pipe(told), 0);
    fflush(stdout);
    dup2(said[1], STDOUT_FILENO);
    struct answer answer = {.log = {.waits = waits_open()}};
    waits_tell(answer.log.waits, "walferry dead-letter", told[1]);
    memset(buf_reserve(&answer.out, ANSWER_BYTES), 'x', ANSWER_BYTES);
    answer.out.len = ANSWER_BYTES;
    pthread_t printer;
    assert_int_equal(pthread_create(&printer, NULL, print, &answer), 0);
    struct pollfd line = {.fd = told[0], .events = POLLIN};
    int while_printing = poll(&line, 1, 3000);
    char *text = malloc(ANSWER_BYTES);
    for (size_t got = 0; got < ANSWER_BYTES;) {
        ssize_t some = read(said[0], text, ANSWER_BYTES - got);
        if (some <= 0)
            break;
        got += (size_t)some;
    }
    pthread_join(printer, NULL);
    dup2(before, STDOUT_FILENO);
    close(before);
    assert_int_equal(while_printing, 0);
    assert_int_equal(answer.out.len, 0);
    /* Then it goes on; but what was held before still is. */
    assert_int_equal(poll(&line, 1, 4000), 1);
    waits_hold(answer.log.waits);
    answer_print_part(&answer);
    assert_true(waits_held(answer.log.waits));
    waits_close(answer.log.waits);
    free(text);
    buf_fini(&answer.out);
    for (int i = 0; i < 2; i++) {
        close(said[i]);
        close(told[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_slow_reader)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
