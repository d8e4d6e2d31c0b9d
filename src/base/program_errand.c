/* base/program_errand: see program_errand.h. Nothing is shared while the thread runs but its stop
 * flag; the rest is read once it is joined. */
#include "base/program_errand.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct program_errand {
    struct program_options options;
    pthread_t thread;
    atomic_bool stop;
    int fd;
    bool joined;
    int result; /* with what follows, the thread's until it is joined */
    struct buf said;
    struct error err;
};

static void *errand_main(void *of)
{
    struct program_errand *e = of;
    e->result = program_run(&e->options, &e->said, &e->err);
    uint64_t one = 1;
    ssize_t written = write(e->fd, &one, sizeof one);
    assert(written == sizeof one);
    (void)written;
    return NULL;
}

int program_errand_open(const struct program_options *options, struct program_errand **errand,
                        struct error *err)
{
    assert(options != NULL && errand != NULL);
    struct program_errand *e = calloc(1, sizeof *e);
    if (e == NULL)
        abort();
    *e = (struct program_errand){.options = *options,
                                 .said = BUF_EMPTY,
                                 .err = ERROR_INIT,
                                 .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    e->options.stop = &e->stop;
    if (e->fd < 0) {
        error_retry(err, REASON_NO_EVENTFD, "cannot make an eventfd: %s", strerror(errno));
    } else if (pthread_create(&e->thread, NULL, errand_main, e) != 0) {
        error_retry(err, REASON_NO_THREAD, "cannot start a thread");
        close(e->fd);
    } else {
        *errand = e;
        return 0;
    }
    free(e);
    return -1;
}

int program_errand_fd(const struct program_errand *e)
{
    assert(e != NULL);
    return e->fd;
}

static void join(struct program_errand *e)
{
    if (!e->joined)
        pthread_join(e->thread, NULL);
    e->joined = true;
}

int program_errand_take(struct program_errand *e, struct buf *said, struct error *err)
{
    assert(e != NULL && said != NULL);
    join(e);
    if (e->result < 0) {
        *err = e->err;
    } else {
        (void)buf_reserve(said, e->said.len + 1); /* buf_text() then leaves no copy behind */
        buf_add(said, buf_span(&e->said));
    }
    return e->result;
}

void program_errand_close(struct program_errand *e)
{
    if (e == NULL)
        return;
    atomic_store(&e->stop, true);
    join(e);
    close(e->fd);
    program_forget(&e->said);
    free(e);
}
