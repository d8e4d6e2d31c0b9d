/* base/clock: which clock goes on while the machine is suspended. A namespace of times, where one
 * may be made, plays the suspended hour: its boot clock is ahead, its monotonic one is not. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define HOUR_US (3600 * US_PER_S)
#define CANNOT 77

static bool write_offset(void)
{
    static const char offset[] = "boottime 3600 0\n";
    int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool written = write(fd, offset, strlen(offset)) == (ssize_t)strlen(offset);
    close(fd);
    return written;
}

static int exit_code_of(pid_t child)
{
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Children of a process that made the namespace live in it. */
static void look_from_inside(int64_t boot_us, int64_t monotonic_us)
{
    if (unshare(CLONE_NEWTIME) < 0 || !write_offset())
        _exit(CANNOT);
    pid_t child = fork();
    if (child == 0) {
        bool boot = clock_boot_us() - boot_us >= HOUR_US;
        bool monotonic = clock_monotonic_us() - monotonic_us < HOUR_US;
        _exit(boot && monotonic ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void a_suspended_hour_passes_on_the_boot_clock_alone(void **state)
{
    (void)state;
    int64_t boot_us = clock_boot_us();
    int64_t monotonic_us = clock_monotonic_us();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        look_from_inside(boot_us, monotonic_us);
    int code = exit_code_of(child);
    if (code == CANNOT)
        skip();
    assert_int_equal(code, 0);
}

static void it_does_not_go_back(void **state)
{
    (void)state;
    int64_t before_us = clock_boot_us();
    clock_sleep_us(2 * US_PER_MS);
    assert_true(clock_boot_us() - before_us >= 2 * US_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_suspended_hour_passes_on_the_boot_clock_alone),
        cmocka_unit_test(it_does_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
