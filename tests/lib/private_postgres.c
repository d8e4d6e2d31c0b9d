/* private_postgres: see private_postgres.h. The postmaster is a child of the test program and asked
 * by the kernel to quit when its parent dies, so that an aborted test leaves no server behind. */
#include "private_postgres.h"

#include "base/clock.h"
#include "pg/pg.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_TIMEOUT_US (60 * US_PER_S)
#define ARGS_MAX 16

static _Noreturn void die(const char *what, const char *text)
{
    fprintf(stderr, "private_postgres: %s: %s\n", what, text);
    abort();
}

static bool find_programs(struct private_postgres *s)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0) {
        fprintf(stderr, "skipped: no PostgreSQL server programs in /usr/lib/postgresql\n");
        return false;
    }
    const char *path = found.gl_pathv[found.gl_pathc - 1];
    snprintf(s->bin, sizeof s->bin, "%.*s", (int)(strrchr(path, '/') - path), path);
    globfree(&found);
    return true;
}

static int free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        die("no free port", "bind");
    close(fd);
    return ntohs(address.sin_port);
}

/* In the child: the unprivileged user, a quiet output, and an end with the parent. */
static void become_server(const char *output, pid_t parent)
{
    if (geteuid() == 0) {
        const struct passwd *user = getpwnam("postgres");
        if (user == NULL || setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 ||
            setuid(user->pw_uid) != 0)
            _exit(126);
    }
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (getppid() != parent)
        _exit(125);
    int fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    setenv("LC_ALL", "C", 1);
    if (chdir("/") != 0)
        _exit(124);
}

/* args: without the program's name, ended by NULL. That name is handed on as the whole path,
 * because PostgreSQL looks for its other programs beside argv[0], and for a bare name in PATH. */
static pid_t spawn(const struct private_postgres *s, const char *program, const char *const *args)
{
    char path[256], output[128];
    const char *whole[ARGS_MAX + 2] = {path};
    for (size_t i = 0; args[i] != NULL; i++) {
        if (i == ARGS_MAX)
            die("too many arguments for", program);
        whole[i + 1] = args[i];
    }
    snprintf(path, sizeof path, "%s/%s", s->bin, program);
    snprintf(output, sizeof output, "%s/%s.log", s->dir, program);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0)
        die("fork", program);
    if (pid == 0) {
        become_server(output, parent);
        execv(path, (char *const *)whole);
        _exit(127);
    }
    return pid;
}

void private_postgres_write(const struct private_postgres *s, const char *name, const char *text)
{
    char path[160];
    snprintf(path, sizeof path, "%s/data/%s", s->dir, name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        die("cannot write", path);
    const struct passwd *user = getpwnam("postgres");
    if (geteuid() == 0 && user != NULL && fchown(fd, user->pw_uid, user->pw_gid) != 0)
        die("cannot chown", path);
    close(fd);
}

static void make_cluster(struct private_postgres *s, const char *conf, const char *hba)
{
    char data[96], text[4096];
    snprintf(data, sizeof data, "%s/data", s->dir);
    const char *const args[] = {"-D",
                                data,
                                "-U",
                                "postgres",
                                "-A",
                                "trust",
                                "-N",
                                "-E",
                                "UTF8",
                                "--no-locale",
                                "--no-instructions",
                                "--wal-segsize=1",
                                NULL};
    int status = 0;
    if (waitpid(spawn(s, "initdb", args), &status, 0) < 0 || status != 0)
        die("initdb failed, see", s->dir);
    snprintf(text, sizeof text,
             "port = %d\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '%s'\n"
             "fsync = off\nshared_buffers = 8MB\nautovacuum = off\nwal_level = logical\n"
             "max_connections = 20\nmax_wal_size = 64MB\nmin_wal_size = 2MB\n%s\n",
             s->port, s->dir, conf != NULL ? conf : "");
    private_postgres_write(s, "postgresql.conf", text);
    if (hba != NULL)
        private_postgres_write(s, "pg_hba.conf", hba);
}

void private_postgres_resume(struct private_postgres *s)
{
    char data[96];
    snprintf(data, sizeof data, "%s/data", s->dir);
    const char *const args[] = {"-D", data, NULL};
    s->pid = spawn(s, "postgres", args);
    struct pg_options options = {
        .connection = private_postgres_dsn(s, "postgres", ""),
        .application_name = "private_postgres",
    };
    struct error err = ERROR_INIT;
    struct pg_connection *connection = NULL;
    int64_t deadline_us = clock_monotonic_us() + START_TIMEOUT_US;
    while (pg_open(&options, &connection, &err) < 0) {
        if (waitpid(s->pid, NULL, WNOHANG) != 0 || clock_monotonic_us() > deadline_us)
            die("the server does not start", err.text);
        clock_sleep_us(20000);
    }
    pg_close(connection);
}

bool private_postgres_start(struct private_postgres *s, const char *conf, const char *hba)
{
    *s = (struct private_postgres){0};
    if (!find_programs(s))
        return false;
    snprintf(s->dir, sizeof s->dir, "/tmp/walferry-test-XXXXXX");
    if (mkdtemp(s->dir) == NULL)
        die("mkdtemp", s->dir);
    const struct passwd *user = getpwnam("postgres");
    if (geteuid() == 0 && (user == NULL || chown(s->dir, user->pw_uid, user->pw_gid) != 0))
        die("no user postgres for", s->dir);
    s->port = free_port();
    make_cluster(s, conf, hba);
    private_postgres_resume(s);
    return true;
}

void private_postgres_halt(struct private_postgres *s, int signal_number)
{
    if (s->pid == 0)
        return;
    kill(s->pid, signal_number);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

void private_postgres_stop(struct private_postgres *s)
{
    if (s->dir[0] == '\0')
        return;
    private_postgres_halt(s, SIGQUIT);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/rm", "rm", "-rf", s->dir, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    s->dir[0] = '\0';
}

/* ---- Asking it ---- */

const char *private_postgres_dsn(const struct private_postgres *s, const char *user,
                                 const char *more)
{
    static char texts[8][256];
    static unsigned turn;
    char *text = texts[turn++ % 8];
    snprintf(text, sizeof texts[0], "host=127.0.0.1 port=%d user=%s dbname=postgres %s", s->port,
             user, more);
    return text;
}

const char *private_postgres_ask(const struct private_postgres *s, const char *query)
{
    static char text[1024];
    struct pg_options options = {
        .connection = private_postgres_dsn(s, "postgres", ""),
        .application_name = "private_postgres",
        .timeout_ms = 30000,
    };
    struct error err = ERROR_INIT;
    struct pg_connection *connection = NULL;
    struct pg_result *result = NULL;
    if (pg_open(&options, &connection, &err) < 0 ||
        pg_query(connection, query, 0, NULL, &result, &err) < 0)
        die(query, err.text);
    text[0] = '\0';
    if (pg_result_rows(result) > 0)
        snprintf(text, sizeof text, "%.*s", SPAN_ARG(pg_result_cell(result, 0, 0)));
    pg_result_free(result);
    pg_close(connection);
    return text;
}

void private_postgres_sql(const struct private_postgres *s, const char *statement)
{
    struct pg_options options = {
        .connection = private_postgres_dsn(s, "postgres", ""),
        .application_name = "private_postgres",
        .timeout_ms = 30000,
    };
    struct error err = ERROR_INIT;
    struct pg_connection *connection = NULL;
    if (pg_open(&options, &connection, &err) < 0 || pg_exec(connection, statement, &err) < 0)
        die(statement, err.text);
    pg_close(connection);
}
