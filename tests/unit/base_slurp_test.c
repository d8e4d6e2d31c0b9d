/* base/slurp: files, and what is none: a pipe that nobody writes to, or only in a while. */
#include "base/slurp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static int make_pipe(void **state)
{
    (void)state;
    char directory[] = "/tmp/slurp-XXXXXX";
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/pipe", directory);
    return mkfifo(path, 0600);
}

static int remove_pipe(void **state)
{
    (void)state;
    unlink(path);
    *strrchr(path, '/') = '\0';
    return rmdir(path);
}

static void a_pipe_without_a_writer_is_not_waited_for_long(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    alarm(10);
    assert_int_equal(slurp_within(path, 100, 200, &out), -1);
    assert_int_equal(errno, ENODATA);
    assert_int_equal(out.len, 0);
    alarm(0);
    buf_fini(&out);
}

static void *write_slowly(void *unused)
{
    (void)unused;
    usleep(100000);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "one ", 4), 4);
    usleep(100000);
    assert_int_equal(write(fd, "two", 3), 3);
    close(fd);
    return NULL;
}

static void a_pipe_is_read_to_its_end(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    pthread_t writer;
    assert_int_equal(pthread_create(&writer, NULL, write_slowly, NULL), 0);
    assert_int_equal(slurp_within(path, 100, 5000, &out), 0);
    assert_string_equal(buf_text(&out), "one two");
    pthread_join(writer, NULL);
    buf_fini(&out);
}

static void who_keeps_it_open_is_not_waited_for_long(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(write(fd, "one", 3), 3);
    assert_int_equal(slurp_within(path, 100, 200, &out), -1);
    assert_int_equal(errno, ENODATA);
    close(fd);
    buf_fini(&out);
}

static void what_is_too_large_is_not_read(void **state)
{
    (void)state;
    struct buf out = BUF_EMPTY;
    assert_int_equal(slurp("/dev/zero", 100, &out), -1);
    assert_int_equal(errno, EFBIG);
    buf_reset(&out);
    assert_int_equal(slurp("/dev/null", 100, &out), 0);
    assert_int_equal(out.len, 0);
    assert_int_equal(slurp("/nowhere", 100, &out), -1);
    assert_int_equal(errno, ENOENT);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_without_a_writer_is_not_waited_for_long),
        cmocka_unit_test(a_pipe_is_read_to_its_end),
        cmocka_unit_test(who_keeps_it_open_is_not_waited_for_long),
        cmocka_unit_test(what_is_too_large_is_not_read)};
    return cmocka_run_group_tests(tests, make_pipe, remove_pipe);
}
