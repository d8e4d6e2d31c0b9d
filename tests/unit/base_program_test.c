/* base/program: a program is run without a shell, and is never waited for without end. */
#include "base/program.h"

#include "assert_contains.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int run_within(const char *const *arguments, int64_t timeout_ms, const atomic_bool *stop,
                      struct buf *said, struct error *err)
{
    *said = BUF_EMPTY;
    *err = ERROR_INIT;
    struct program_options options = {.arguments = arguments,
                                      .given_by = "source.password_command",
                                      .wanted = "the password",
                                      .reason = REASON_PASSWORD_COMMAND,
                                      .timeout_ms = timeout_ms,
                                      .stop = stop};
    int result = program_run(&options, said, err);
    /* Whatever has come of it, nobody is left to be reaped. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    return result;
}

static int run(const char *script, struct buf *said, struct error *err)
{
    const char *arguments[] = {"sh", "-c", script, NULL};
    return run_within(arguments, 5000, NULL, said, err);
}

static void says(const char *script, const char *expected)
{
    struct buf said;
    struct error err;
    int result = run(script, &said, &err);
    if (result < 0)
        fail_msg("%s: %s", script, err.text);
    assert_string_equal(buf_text(&said), expected);
    program_forget(&said);
}

static void fails(const char *script, const char *expected)
{
    struct buf said;
    struct error err;
    assert_int_equal(run(script, &said, &err), -1);
    assert_int_equal(said.len, 0);
    assert_int_equal(err.kind, ERROR_RETRY);
    assert_int_equal(err.reason, REASON_PASSWORD_COMMAND);
    assert_string_equal(err.text, expected);
    assert_string_equal(err.hint, "run it by hand as the user of walferry: it must print the "
                                  "password and nothing else, and end with 0 within 5 s");
}

static void test_one_newline_goes(void **state)
{
    (void)state;
    says("echo secret", "secret");
    says("printf secret", "secret");
    says("printf 'secret\\r\\n'", "secret");
    says("printf 'secret\\n\\n'", "secret\n");
    says("printf ' two words \\n'", " two words ");
    says("echo secret; echo aside >&2", "secret");
}

static void test_arguments_meet_no_shell(void **state)
{
    (void)state;
    struct buf said;
    struct error err;
    const char *const arguments[] = {"printf", "%s|%s", "$HOME `id`", "; exit 3", NULL};
    assert_int_equal(run_within(arguments, 5000, NULL, &said, &err), 0);
    assert_string_equal(buf_text(&said), "$HOME `id`|; exit 3");
    program_forget(&said);
}

static void test_what_is_no_password(void **state)
{
    (void)state;
    fails("exit 0", "source.password_command: sh printed nothing");
    fails("echo", "source.password_command: sh printed nothing");
    fails("printf 'a\\0b'", "source.password_command: sh printed a NUL character");
    fails("head -c 70000 /dev/zero | tr '\\0' x; sleep 60",
          "source.password_command: sh prints more than 64 KB");
    fails("kill -KILL $$", "source.password_command: sh was ended by signal 9");
}

static void test_sixty_four_kilobytes_are_taken(void **state)
{
    (void)state;
    struct buf said;
    struct error err;
    assert_int_equal(run("head -c 65535 /dev/zero | tr '\\0' x; echo", &said, &err), 0);
    assert_int_equal(said.len, 65535);
    program_forget(&said);
}

static void test_the_exit_code_and_what_it_says(void **state)
{
    (void)state;
    fails("echo 'no such role:' >&2; echo '  orders' >&2; exit 254",
          "source.password_command: sh ended with exit code 254; it says: no such role: orders");
    fails("exit 1", "source.password_command: sh ended with exit code 1");
}

static void test_the_secret_is_told_to_nobody(void **state)
{
    (void)state;
    fails(
        "echo hunter2; echo 'got hunter2, then lost it' >&2; exit 1",
        "source.password_command: sh ended with exit code 1; it says: got (hidden), then lost it");
    fails("echo 'a b'; echo 'pw=a b.' >&2; exit 1",
          "source.password_command: sh ended with exit code 1; it says: pw=(hidden).");
    fails("echo '{\"token\":\"eyJhbGciOi\"}'; echo '+ curl -H eyJhbGciOi' >&2; exit 2",
          "source.password_command: sh ended with exit code 2; it says: + curl -H (hidden)");
    fails("echo '{\"token\":\"eyJhbGciOi\"}'; echo 'Bearer:eyJhbGciOi!' >&2; exit 2",
          "source.password_command: sh ended with exit code 2; it says: (hidden)");
}

static void test_much_is_said_aside(void **state)
{
    (void)state;
    struct buf said;
    struct error err;
    assert_int_equal(run("i=0; while [ $i -lt 20000 ]; do echo filling >&2; i=$((i+1)); done; "
                         "echo the end >&2; exit 1",
                         &said, &err),
                     -1);
    assert_contains(err.text, "; it says: …");
    assert_contains(err.text, "filling the end");
    assert_true(strlen(err.text) < 600);
}

static bool is_there(const char *pid_file)
{
    char text[32] = "";
    FILE *file = fopen(pid_file, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    int pid = atoi(text);
    assert_true(pid > 1);
    for (int i = 0; i < 100 && kill(pid, 0) == 0; i++) {
        char name[64], stat[256] = "";
        snprintf(name, sizeof name, "/proc/%d/stat", pid);
        FILE *of = fopen(name, "r");
        if (of == NULL || fgets(stat, sizeof stat, of) == NULL || strstr(stat, ") Z ") != NULL) {
            if (of != NULL)
                fclose(of);
            return false; /* whoever adopted it has not looked yet */
        }
        fclose(of);
        clock_sleep_us(10000);
    }
    return kill(pid, 0) == 0;
}

static void test_its_group_ends_with_the_time(void **state)
{
    (void)state;
    char file[] = "/tmp/walferry-program-XXXXXX", script[128];
    close(mkstemp(file));
    snprintf(script, sizeof script, "sleep 60 & echo $! > %s; echo waiting >&2; wait", file);
    const char *const arguments[] = {"sh", "-c", script, NULL};
    struct buf said;
    struct error err;
    int64_t began_us = clock_monotonic_us();
    assert_int_equal(run_within(arguments, 400, NULL, &said, &err), -1);
    assert_true(clock_monotonic_us() - began_us < 3 * US_PER_S);
    assert_string_equal(err.text, "source.password_command: sh did not end within 400 ms; it says: "
                                  "waiting");
    assert_false(is_there(file));
    unlink(file);
}

static void *stop_soon(void *stop)
{
    clock_sleep_us(100000);
    atomic_store((atomic_bool *)stop, true);
    return NULL;
}

static void test_a_stop_ends_it(void **state)
{
    (void)state;
    atomic_bool stop = false;
    pthread_t thread;
    struct buf said;
    struct error err;
    const char *const arguments[] = {"sleep", "60", NULL};
    int64_t began_us = clock_monotonic_us();
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, &stop), 0);
    assert_int_equal(run_within(arguments, 0, &stop, &said, &err), -1);
    assert_true(clock_monotonic_us() - began_us < 2 * US_PER_S);
    assert_int_equal(err.reason, REASON_STOPPING);
    pthread_join(thread, NULL);
}

/* What it leaves behind keeps its output open, and is waited for by nobody. */
static void test_one_that_leaves_another_behind(void **state)
{
    (void)state;
    int64_t began_us = clock_monotonic_us();
    says("sleep 3 & echo secret", "secret");
    assert_true(clock_monotonic_us() - began_us < 2 * US_PER_S);
}

/* One that closes its output and lingers is waited for, and ended with its time. */
static void test_one_that_closes_its_output(void **state)
{
    (void)state;
    says("echo secret; exec >&- 2>&-; sleep 0.2", "secret");
}

static void test_it_gets_nothing_of_ours(void **state)
{
    (void)state;
    int open_one = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */
    assert_true(open_one >= 3);
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    signal(SIGPIPE, SIG_IGN);
    says("ls /proc/self/fd | tr '\\n' ' '; grep SigBlk /proc/self/status | tr -d '\\t'; "
         "grep SigIgn /proc/self/status | tail -c 8",
         "0 1 2 3 SigBlk:0000000000000000\n0000000"); /* 3 is ls's own */
    fails("cat", "source.password_command: sh printed nothing");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    close(open_one);
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void test_none_that_can_be_started(void **state)
{
    (void)state;
    static const struct {
        const char *program, *text;
    } cases[] = {
        {"/nowhere/at/all", "source.password_command: /nowhere/at/all cannot be started: No such "
                            "file or directory"},
        {"no-such-program-at-all", "source.password_command: no-such-program-at-all cannot be "
                                   "started: No such file or directory"},
        {"/etc/passwd", "source.password_command: /etc/passwd cannot be started: Permission "
                        "denied"},
    };
    int before = open_descriptors();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf said;
        struct error err;
        const char *const arguments[] = {cases[i].program, "--token", NULL};
        assert_int_equal(run_within(arguments, 5000, NULL, &said, &err), -1);
        assert_string_equal(err.text, cases[i].text);
        assert_contains(err.hint, "there is no shell");
    }
    assert_int_equal(open_descriptors(), before);
}

static void test_nothing_is_left_open(void **state)
{
    (void)state;
    int before = open_descriptors();
    for (int i = 0; i < 20; i++)
        says("echo secret", "secret");
    fails("exit 1", "source.password_command: sh ended with exit code 1");
    assert_int_equal(open_descriptors(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_newline_goes),
        cmocka_unit_test(test_arguments_meet_no_shell),
        cmocka_unit_test(test_what_is_no_password),
        cmocka_unit_test(test_sixty_four_kilobytes_are_taken),
        cmocka_unit_test(test_the_exit_code_and_what_it_says),
        cmocka_unit_test(test_the_secret_is_told_to_nobody),
        cmocka_unit_test(test_much_is_said_aside),
        cmocka_unit_test(test_its_group_ends_with_the_time),
        cmocka_unit_test(test_a_stop_ends_it),
        cmocka_unit_test(test_one_that_leaves_another_behind),
        cmocka_unit_test(test_one_that_closes_its_output),
        cmocka_unit_test(test_it_gets_nothing_of_ours),
        cmocka_unit_test(test_none_that_can_be_started),
        cmocka_unit_test(test_nothing_is_left_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
