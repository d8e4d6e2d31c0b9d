/* cli/cli_check: the command check. What is checked, and in which order, is operate/'s; exit code 6
 * says that a server was away, so that a pipeline can tell "no" from "not now". */
#include "cli/cli_answer.h"

#include "base/waits.h"

#include <errno.h>

/* What a person writes by hand, or a test does. */
#define SAMPLE_BYTES_MAX (64 * 1024 * 1024)

static int read_all(const char *path, struct buf *out, struct error *err)
{
    if (answer_read(path, SAMPLE_BYTES_MAX, out) == 0)
        return 0;
    return error_stop(err, REASON_SAMPLE, "%s: %s", path,
                      errno == EFBIG ? "larger than 64MB" : strerror(errno));
}

static void check_sample(struct answer *answer, const char *path, uint32_t *failed,
                         struct error *err)
{
    if (args_has(answer->args, OPTION_CONNECT)) {
        error_stop(err, REASON_USAGE, "--sample asks nobody, and --connect does");
        error_hint(err, "give one of them");
        return;
    }
    struct buf json = BUF_EMPTY;
    if (strcmp(path, "-") == 0)
        waits_hold(answer->log.waits); /* somebody may be writing */
    if (read_all(path, &json, err) == 0 &&
        relay_sample(&answer->options, buf_span(&json), failed, err) < 0 &&
        err->reason == REASON_SAMPLE)
        (void)error_wrap(err, "%s", path);
    buf_fini(&json);
}

int command_check(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    uint32_t failed = 0;
    if (answer_begin(&answer, args, true, &err) == 0) {
        if (args_has(args, OPTION_SAMPLE))
            check_sample(&answer, args->values[OPTION_SAMPLE], &failed, &err);
        else
            (void)relay_check(&answer.options, args_has(args, OPTION_CONNECT), &err);
    }
    return answer_end(&answer, failed > 0 ? EXIT_NO : EXIT_OK, EXIT_GAVE_UP, &err);
}
