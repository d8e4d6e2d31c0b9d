/* admin/admin: the server. The pages are made in admin_page.c.
 *
 * libmicrohttpd is driven from one thread of ours and not from its own, because its time-out counts
 * silence only: a client that sends a byte now and then would keep its place for ever. After each
 * turn connections that are too old or too many are shut down, and the library then sees their end.
 *
 * Token and certificate belong to a service: a reload opens the next one on the same socket, and
 * only then closes the one at hand. */
#include "admin/admin.h"

#include "admin/admin_access.h"
#include "admin/admin_files.h"
#include "admin/admin_listen.h"
#include "admin/admin_page.h"
#include "admin/admin_places.h"
#include "admin/admin_tls.h"
#include "admin/admin_wish.h"
#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define TURN_MS 500
/* Of one connection's request: line and headers. */
#define REQUEST_BYTES_MAX ((size_t)8192)
/* Who has been hung up on keeps a place until the library has seen it. */
#define PLACES (ADMIN_CONNECTIONS_MAX + 64)
/* A crowd of clients shall not take the processor from the pipeline. */
#define NICE 5

/* What the library says while a service starts. */
struct words {
    bool closed;
    char text[256];
};

struct service {
    struct MHD_Daemon *daemon;
    struct words *words; /* its own: the one before it may be serving still */
    int epoll_fd;        /* the library's */
    char *token;         /* NULL: none is asked for */
    uint64_t pem;        /* a hash of certificate and key; 0: no TLS */
};

struct admin {
    struct admin_options o;
    struct service service;
    uint16_t port;
    int listen_fd;
    int stop_fd;
    atomic_bool stop;
    pthread_t thread;
    struct places places;
    struct place items[PLACES];
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
    if (page->status == MHD_HTTP_UNAUTHORIZED) {
        MHD_add_response_header(response, "WWW-Authenticate", ADMIN_CHALLENGE_BEARER);
        MHD_add_response_header(response, "WWW-Authenticate", ADMIN_CHALLENGE_BASIC);
    }
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

static const struct sockaddr *client_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info != NULL ? info->client_addr : NULL;
}

/* Where a token is asked for, who has come so far has presented it. */
static enum MHD_Result reload(struct admin *admin, struct MHD_Connection *connection, bool post)
{
    const struct admin_wish_request request = {.post = post,
                                               .trusted = admin->service.token != NULL ||
                                                          admin_is_loopback(client_of(connection)),
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

/* What only this machine reaches, a page that is open in a browser here reaches, too, under its own
 * name, and may then read the answer. */
static bool is_led_here(const struct admin *admin, struct MHD_Connection *connection,
                        const char *path)
{
    return admin->service.token == NULL && !admin_is_open(path) && strcmp(path, "/metrics") != 0 &&
           admin_is_loopback(client_of(connection)) &&
           !admin_is_own_host(header(connection, "Host"));
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
    bool trusted = admin_may_read(admin->service.token, header(connection, "Authorization"));
    if (!trusted && !admin_is_open(path))
        return refuse(connection, MHD_HTTP_UNAUTHORIZED, "the token, please\n", NULL);
    if (is_led_here(admin, connection, path))
        return refuse(connection, MHD_HTTP_FORBIDDEN,
                      "by address or as localhost; under another name only with admin.token\n",
                      NULL);
    if (reloads)
        return reload(admin, connection, post);
    struct admin_page page;
    admin_page(path, &admin->o, &page);
    if (!trusted && page.status != MHD_HTTP_OK) { /* names of servers may stand in it */
        buf_reset(&page.body);
        buf_add_text(&page.body, "not ready; why is told to who presents the token\n");
    }
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
        places_leave(*state);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    int fd = info != NULL ? info->connect_fd : -1; /* from 1.0 on the next question writes there */
    *state = fd < 0 ? NULL
                    : places_take(&admin->places, fd, client_of(connection), clock_monotonic_us());
}

static void hang_up_on_some(struct admin *admin)
{
    int64_t oldest_us = clock_monotonic_us() - admin->o.lifetime_ms * US_PER_MS;
    struct place *place;
    while ((place = places_evict(&admin->places, oldest_us)) != NULL)
        shutdown(place->fd, SHUT_RDWR);
}

static int turn_ms(struct admin *admin)
{
    MHD_UNSIGNED_LONG_LONG wanted = TURN_MS;
    if (MHD_get_timeout(admin->service.daemon, &wanted) == MHD_YES && wanted < TURN_MS)
        return (int)wanted;
    return TURN_MS;
}

static void *serve(void *argument)
{
    struct admin *admin = argument;
    setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + NICE);
    while (!atomic_load(&admin->stop)) {
        struct pollfd fds[2] = {{.fd = admin->service.epoll_fd, .events = POLLIN},
                                {.fd = admin->stop_fd, .events = POLLIN}};
        poll(fds, 2, turn_ms(admin));
        MHD_run(admin->service.daemon);
        hang_up_on_some(admin);
    }
    return NULL;
}

/* ---- A service ---- */

/* Why the library does not start; what it says later, of clients, is nobody's concern. */
static void on_words(void *context, const char *format, va_list values)
{
    struct words *words = context;
    if (words->closed)
        return;
    vsnprintf(words->text, sizeof words->text, format, values);
    words->text[strcspn(words->text, "\r\n")] = '\0';
}

static struct MHD_Daemon *start_daemon(struct admin *admin, const struct admin_pem *pem, int fd,
                                       struct words *words)
{
    bool tls = pem->key.len > 0;
    struct MHD_OptionItem of_tls[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, pem->key.ptr},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, pem->certificate.ptr},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)ADMIN_TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL}};
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0), 0, NULL,
                            NULL, on_request, admin, MHD_OPTION_EXTERNAL_LOGGER, on_words, words,
                            MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)PLACES, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)ADMIN_SILENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            REQUEST_BYTES_MAX, MHD_OPTION_NOTIFY_CONNECTION, on_connection, admin,
                            MHD_OPTION_ARRAY, tls ? of_tls : of_tls + 3, MHD_OPTION_END);
}

/* The library closes the socket that it is given, so it is given one of its own. */
static int service_start(struct admin *admin, const struct config_admin *config,
                         const struct admin_pem *pem, struct service *service, struct error *err)
{
    bool tls = pem->key.len > 0;
    if (tls && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
        return admin_pem_refused(config, "this libmicrohttpd was built without TLS", err);
    int fd = fcntl(admin->listen_fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return error_retry(err, REASON_ADMIN_START, "the admin server does not start: %s",
                           strerror(errno));
    struct words *words = service->words;
    service->daemon = start_daemon(admin, pem, fd, words);
    words->closed = true;
    if (service->daemon == NULL) {
        close(fd);
        return tls ? admin_pem_refused(config, words->text, err)
                   : error_retry(err, REASON_ADMIN_START, "the admin server does not start: %s",
                                 words->text);
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(service->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    assert(info != NULL);
    service->epoll_fd = info->epoll_fd;
    service->pem = admin_pem_hash(pem);
    return 0;
}

static int service_open(struct admin *admin, const struct config_admin *config,
                        const struct admin_pem *pem, struct service *service, struct error *err)
{
    *service = (struct service){.epoll_fd = -1, .words = calloc(1, sizeof *service->words)};
    if (service->words == NULL)
        abort();
    if (service_start(admin, config, pem, service, err) < 0) {
        free(service->words);
        return -1;
    }
    if (config->token.text != NULL && (service->token = strdup(config->token.text)) == NULL)
        abort();
    return 0;
}

static void service_close(struct service *service)
{
    MHD_stop_daemon(service->daemon);
    free(service->words);
    if (service->token != NULL)
        explicit_bzero(service->token, strlen(service->token));
    free(service->token);
}

/* ---- Lifecycle ---- */

static void begin(struct admin *admin)
{
    atomic_store(&admin->stop, false);
    if (pthread_create(&admin->thread, NULL, serve, admin) != 0)
        abort();
}

static void halt(struct admin *admin)
{
    atomic_store(&admin->stop, true);
    uint64_t one = 1;
    ssize_t done = write(admin->stop_fd, &one, sizeof one);
    pthread_join(admin->thread, NULL);
    done = read(admin->stop_fd, &one, sizeof one);
    (void)done; /* at worst the turn's time passes first */
}

static struct admin *make(const struct admin_options *options)
{
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == NULL)
        abort();
    admin->o = *options;
    admin->o.config = NULL;
    if (admin->o.lifetime_ms == 0)
        admin->o.lifetime_ms = ADMIN_LIFETIME_MS;
    places_init(&admin->places, admin->items, PLACES, ADMIN_CONNECTIONS_MAX,
                ADMIN_CONNECTIONS_PER_ADDRESS);
    return admin;
}

int admin_open(const struct admin_options *options, struct admin **admin, struct error *err)
{
    assert(options->config != NULL && options->status != NULL);
    assert(options->config->listen.text != NULL);
    *admin = NULL;
    if (strcmp(options->config->listen.text, "off") == 0)
        return 0;
    struct admin *made = make(options);
    struct admin_pem pem;
    if (admin_listen(options->config->listen.text, &made->listen_fd, &made->port, err) < 0)
        goto err1;
    made->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (made->stop_fd < 0) {
        error_retry(err, REASON_NO_EVENTFD, "cannot make an eventfd");
        goto err2;
    }
    int result = admin_pem_read(options->config, &pem, err);
    if (result == 0)
        result = service_open(made, options->config, &pem, &made->service, err);
    admin_pem_fini(&pem);
    if (result < 0)
        goto err3;
    begin(made);
    *admin = made;
    return 0;
err3:
    close(made->stop_fd);
err2:
    close(made->listen_fd);
err1:
    free(made);
    return -1;
}

static bool is_same(const struct service *service, const struct config_admin *config,
                    const struct admin_pem *pem)
{
    const char *token = config->token.text;
    bool known = token == NULL ? service->token == NULL
                               : service->token != NULL && strcmp(service->token, token) == 0;
    return known && service->pem == admin_pem_hash(pem);
}

static void swap(struct admin *admin, const struct service *next)
{
    halt(admin);
    service_close(&admin->service);
    admin->service = *next;
    begin(admin);
}

int admin_reload(struct admin *admin, const struct config_admin *config, struct error *err)
{
    assert(config != NULL && config->listen.text != NULL);
    assert(admin == NULL || admin->service.daemon != NULL);
    struct service next;
    struct admin_pem pem;
    if (admin == NULL)
        return 0;
    int result = admin_pem_read(config, &pem, err);
    bool same = result == 0 && is_same(&admin->service, config, &pem);
    if (result == 0 && !same)
        result = service_open(admin, config, &pem, &next, err);
    admin_pem_fini(&pem);
    if (result == 0 && !same)
        swap(admin, &next);
    return result;
}

uint16_t admin_port(const struct admin *admin)
{
    assert(admin != NULL);
    assert(admin->port != 0);
    return admin->port;
}

bool admin_is_exposed(const struct admin *admin)
{
    return admin != NULL && admin->service.token == NULL &&
           !admin_listens_on_loopback(admin->listen_fd);
}

void admin_close(struct admin *admin)
{
    if (admin == NULL)
        return;
    halt(admin);
    service_close(&admin->service);
    close(admin->listen_fd);
    close(admin->stop_fd);
    free(admin);
}
