/* admin/admin: the server. The pages are made in admin_page.c.
 *
 * libmicrohttpd is driven from one thread of ours and not from its own, because its time-out counts
 * silence only: a client that sends a byte now and then would keep its place for ever. After each
 * turn connections that are too old are shut down, and the library then sees their end. */
#include "admin/admin.h"

#include "admin/admin_files.h"
#include "admin/admin_listen.h"
#include "admin/admin_page.h"
#include "admin/admin_wish.h"
#include "base/clock.h"

#include <assert.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MS 500
/* Of one connection's request: line and headers. */
#define REQUEST_BYTES_MAX ((size_t)8192)

struct connection {
    int fd; /* -1: free */
    int64_t opened_us;
};

struct admin {
    struct admin_options o;
    struct MHD_Daemon *daemon;
    uint16_t port;
    int listen_fd;
    int stop_fd;
    int epoll_fd; /* the library's */
    atomic_bool stop;
    pthread_t thread;
    struct connection connections[ADMIN_CONNECTIONS_MAX];
};

/* ---- Answering ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, const struct admin_page *page,
                              const char *allow)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(page->body.len, page->body.ptr, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, "Content-Type", page->content_type);
    MHD_add_response_header(response, "Content-Security-Policy", ADMIN_POLICY);
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Connection", "close");
    if (allow != NULL)
        MHD_add_response_header(response, "Allow", allow);
    enum MHD_Result result = MHD_queue_response(connection, page->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *text,
                              const char *allow)
{
    struct admin_page page = {.status = status, .content_type = "text/plain", .body = BUF_EMPTY};
    buf_add_text(&page.body, text);
    enum MHD_Result result = answer(connection, &page, allow);
    buf_fini(&page.body);
    return result;
}

static bool has_body(struct MHD_Connection *connection)
{
    const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
    const char *coding =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
    return coding != NULL || (length != NULL && strcmp(length, "0") != 0);
}

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Does the client run on this machine? */
static bool is_near(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL)
        return false;
    if (info->client_addr->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)info->client_addr)->sin_addr.s_addr) >> 24 == 127;
    if (info->client_addr->sa_family != AF_INET6)
        return false;
    const struct in6_addr *at = &((const struct sockaddr_in6 *)info->client_addr)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(at) || (IN6_IS_ADDR_V4MAPPED(at) && at->s6_addr[12] == 127);
}

static enum MHD_Result reload(struct admin *admin, struct MHD_Connection *connection, bool post)
{
    const struct admin_wish_request request = {.post = post,
                                               .trusted = is_near(connection),
                                               .wish = header(connection, "Walferry-Reload"),
                                               .hash = header(connection, "Walferry-File"),
                                               .origin = header(connection, "Origin"),
                                               .site = header(connection, "Sec-Fetch-Site")};
    struct admin_page page;
    admin_wish(&request, admin->o.reloads, &page);
    enum MHD_Result result = answer(connection, &page, NULL);
    buf_fini(&page.body);
    return result;
}

/* Answers as soon as the headers are there: what a client would upload is never read. */
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
                                  const char *path, const char *method, const char *version,
                                  const char *data, size_t *data_bytes, void **state)
{
    struct admin *admin = context;
    (void)version, (void)data, (void)data_bytes, (void)state;
    bool reloads = admin->o.reloads != NULL && strcmp(path, "/reload") == 0;
    bool post = reloads && strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    if (!post && strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                      reloads ? "GET, HEAD or POST\n" : "GET or HEAD\n",
                      reloads ? "GET, HEAD, POST" : "GET, HEAD");
    if (has_body(connection))
        return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "no body, please\n", NULL);
    if (reloads)
        return reload(admin, connection, post);
    struct admin_page page;
    admin_page(path, &admin->o, &page);
    enum MHD_Result result = answer(connection, &page, NULL);
    buf_fini(&page.body);
    return result;
}

/* ---- Connections ---- */

static void on_connection(void *context, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode code)
{
    struct admin *admin = context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct connection *known = *state;
        if (known != NULL)
            known->fd = -1;
        return;
    }
    *state = NULL;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (int i = 0; i < ADMIN_CONNECTIONS_MAX && info != NULL && *state == NULL; i++) {
        if (admin->connections[i].fd < 0) {
            admin->connections[i] =
                (struct connection){.fd = info->connect_fd, .opened_us = clock_monotonic_us()};
            *state = &admin->connections[i];
        }
    }
}

static void hang_up_on_the_old(struct admin *admin)
{
    int64_t oldest_us = clock_monotonic_us() - admin->o.lifetime_ms * US_PER_MS;
    for (int i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        if (admin->connections[i].fd >= 0 && admin->connections[i].opened_us < oldest_us)
            shutdown(admin->connections[i].fd, SHUT_RDWR);
}

static int turn_ms(struct admin *admin)
{
    MHD_UNSIGNED_LONG_LONG wanted = TURN_MS;
    if (MHD_get_timeout(admin->daemon, &wanted) == MHD_YES && wanted < TURN_MS)
        return (int)wanted;
    return TURN_MS;
}

static void *serve(void *argument)
{
    struct admin *admin = argument;
    while (!atomic_load(&admin->stop)) {
        struct pollfd fds[2] = {{.fd = admin->epoll_fd, .events = POLLIN},
                                {.fd = admin->stop_fd, .events = POLLIN}};
        poll(fds, 2, turn_ms(admin));
        MHD_run(admin->daemon);
        hang_up_on_the_old(admin);
    }
    return NULL;
}

/* ---- Lifecycle ---- */

static int start(struct admin *admin, struct error *err)
{
    admin->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, admin, MHD_OPTION_LISTEN_SOCKET, admin->listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS_MAX,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)ADMIN_CONNECTIONS_PER_ADDRESS,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)ADMIN_SILENCE_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, REQUEST_BYTES_MAX, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, admin, MHD_OPTION_END);
    if (admin->daemon == NULL)
        return error_retry(err, REASON_ADMIN_START, "the admin server does not start");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(admin->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    assert(info != NULL);
    admin->epoll_fd = info->epoll_fd;
    if (pthread_create(&admin->thread, NULL, serve, admin) != 0)
        abort();
    return 0;
}

int admin_open(const struct admin_options *options, struct admin **admin, struct error *err)
{
    assert(options->config != NULL && options->status != NULL);
    assert(options->config->listen.text != NULL);
    *admin = NULL;
    if (strcmp(options->config->listen.text, "off") == 0)
        return 0;
    struct admin *made = calloc(1, sizeof *made);
    if (made == NULL)
        abort();
    made->o = *options;
    made->o.config = NULL;
    if (made->o.lifetime_ms == 0)
        made->o.lifetime_ms = ADMIN_LIFETIME_MS;
    for (int i = 0; i < ADMIN_CONNECTIONS_MAX; i++)
        made->connections[i].fd = -1;
    if (admin_listen(options->config->listen.text, &made->listen_fd, &made->port, err) < 0)
        goto err1;
    made->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (made->stop_fd < 0) {
        error_retry(err, REASON_NO_EVENTFD, "cannot make an eventfd");
        goto err2;
    }
    if (start(made, err) < 0)
        goto err3;
    *admin = made;
    return 0;
err3:
    close(made->stop_fd);
err2:
    if (made->daemon == NULL)
        close(made->listen_fd);
err1:
    free(made);
    return -1;
}

uint16_t admin_port(const struct admin *admin)
{
    assert(admin != NULL);
    return admin->port;
}

void admin_close(struct admin *admin)
{
    if (admin == NULL)
        return;
    atomic_store(&admin->stop, true);
    uint64_t one = 1;
    ssize_t done = write(admin->stop_fd, &one, sizeof one);
    (void)done; /* at worst the turn's time passes first */
    pthread_join(admin->thread, NULL);
    MHD_stop_daemon(admin->daemon); /* closes the listening socket, too */
    close(admin->stop_fd);
    free(admin);
}
