/* cli/cli_rebase: the command rebase: first look and say, then ask, then do. What would be lost or
 * repeated is found by operate/; here is only the order, so that nothing is changed unasked. */
#include "cli/cli_answer.h"

#include "model/position.h"

#include <errno.h>
#include <string.h>

static int parse_target(const char *text, struct rebase_options *wish)
{
    wish->to = text;
    if (strcmp(text, "slot") == 0 || strcmp(text, "beginning") == 0) {
        wish->target = REBASE_HERE;
        return 0;
    }
    if (strcmp(text, "new-slot") == 0 || strcmp(text, "now") == 0) {
        wish->target = REBASE_ANEW;
        return 0;
    }
    if (strcmp(text, "guard") == 0) {
        wish->target = REBASE_GUARD;
        return 0;
    }
    wish->target = REBASE_LSN;
    return strncmp(text, "lsn:", 4) == 0 && lsn_parse(span_of(text + 4), &wish->lsn) &&
                   wish->lsn != 0
               ? 0
               : -1;
}

static int parse_upgraded(const struct args *args, struct rebase_options *wish, struct error *err)
{
    const char *text = args->values[OPTION_UPGRADED];
    if (text != NULL && wish->target != REBASE_HERE && wish->target != REBASE_ANEW) {
        error_stop(err, REASON_USAGE, "rebase: --upgraded goes with --to slot or --to new-slot");
        return error_hint(err, "slot where pg_upgrade has kept it (17 and later), else new-slot");
    }
    if (text == NULL)
        return 0;
    struct buf said = BUF_EMPTY;
    int result = 0;
    if (answer_read(text, CONTROLDATA_BYTES_MAX, &said) < 0) {
        error_stop(err, REASON_CONFIG_FILE, "%s: %s", text, strerror(errno));
        result = error_hint(err, "--upgraded takes a file with what pg_controldata said of the old "
                                 "cluster, not its LSN");
    } else
        result = controldata_read(buf_span(&said), text, &wish->old, err);
    buf_fini(&said);
    return result;
}

static int parse_wish(const struct args *args, struct rebase_options *wish, struct error *err)
{
    const char *to = args->values[OPTION_TO];
    *wish = (struct rebase_options){.accept_loss = args_has(args, OPTION_ACCEPT_LOSS),
                                    .accept_repeat = args_has(args, OPTION_ACCEPT_REPEAT)};
    if (to == NULL) {
        error_stop(err, REASON_USAGE,
                   "rebase needs --to slot, new-slot, guard or lsn:X, or of polling "
                   "beginning or now");
        return error_hint(err, "see: walferry rebase --help");
    }
    if (parse_target(to, wish) < 0) {
        error_stop(err, REASON_USAGE,
                   "rebase: --to %s is not slot, new-slot, guard or lsn:X, nor "
                   "beginning or now",
                   to);
        return error_hint(err, "an LSN reads like this: lsn:16/B374D848");
    }
    return parse_upgraded(args, wish, err);
}

static int look_ask_do(struct answer *answer, struct rebase_options *wish, struct error *err)
{
    if (relay_rebase(&answer->options, wish, err) < 0)
        return -1;
    if (answer_meet_living(answer, err) < 0 || answer_confirm(answer, "rebase the relay", err) < 0)
        return -1;
    answer_flush(answer);
    wish->apply = true;
    return relay_rebase(&answer->options, wish, err);
}

int command_rebase(const struct args *args)
{
    struct answer answer;
    struct rebase_options wish;
    struct error err = ERROR_INIT;
    if (answer_begin(&answer, args, false, &err) == 0 && parse_wish(args, &wish, &err) == 0 &&
        answer_begin(&answer, args, true, &err) == 0)
        (void)look_ask_do(&answer, &wish, &err);
    return answer_end(&answer, EXIT_OK, EXIT_GAVE_UP, &err);
}
