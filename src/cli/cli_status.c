/* cli/cli_status: the command status. The servers are asked by operate/, the running relay here;
 * that nobody runs is an answer and no error. */
#include "cli/cli_answer.h"
#include "cli/cli_live.h"

#include <string.h>

static bool has_admin(const struct config *config)
{
    return strcmp(config->admin.listen.text, "off") != 0;
}

/* --ready: the text of /readyz is the answer. */
static int ask_ready(struct answer *answer, bool *ready, struct error *err)
{
    if (!has_admin(answer->config)) {
        error_stop(err, REASON_ADMIN_OFF, "admin.listen is off: there is no port to ask");
        return error_hint(err, "set admin.listen to 127.0.0.1:9187, or use status without --ready");
    }
    int status = 0;
    if (live_get(&answer->config->admin, "/readyz", &status, &answer->out, err) < 0)
        return -1;
    *ready = status == 200;
    return 0;
}

static void ask_all(struct answer *answer, bool *ready)
{
    struct buf live = BUF_EMPTY;
    struct error ignored = ERROR_INIT;
    int status = 0;
    bool answered = has_admin(answer->config) &&
                    live_get(&answer->config->admin, "/status", &status, &live, &ignored) == 0;
    while (live.len > 0 && live.ptr[live.len - 1] == '\n')
        live.len--;
    struct span text = answered && status == 200 ? buf_span(&live) : span_null();
    relay_status(&answer->options, text, ready);
    buf_fini(&live);
}

int command_status(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    bool ready = false;
    if (answer_begin(&answer, args, true, &err) == 0) {
        if (args_has(args, OPTION_READY))
            (void)ask_ready(&answer, &ready, &err);
        else
            ask_all(&answer, &ready);
    }
    return answer_end(&answer, ready ? EXIT_OK : EXIT_NO, EXIT_NO, &err);
}
