/* cli/cli_teardown: the command teardown: says what it would do, asks, does it. Topics stay; events
 * are not walferry's to delete. */
#include "cli/cli_answer.h"

static int look_ask_do(struct answer *answer, struct error *err)
{
    const char *admin = answer->args->values[OPTION_ADMIN_CONNECTION];
    if (relay_teardown(&answer->options, admin, false, err) < 0)
        return -1;
    if (answer_meet_living(answer, err) < 0 ||
        answer_confirm(answer, "tear the relay down", err) < 0)
        return -1;
    answer_flush(answer);
    return relay_teardown(&answer->options, admin, true, err);
}

int command_teardown(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    if (answer_begin(&answer, args, true, &err) == 0)
        (void)look_ask_do(&answer, &err);
    return answer_end(&answer, EXIT_OK, EXIT_GAVE_UP, &err);
}
