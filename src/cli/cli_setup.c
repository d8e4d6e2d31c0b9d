/* cli/cli_setup: the command setup. Its steps are recover/'s, because `run --setup` takes them,
 * too; it asks nobody, because a second setup changes nothing. --progress-version is another
 * matter: it fences, so it wants --take-over beside a running relay; so is --switch-to
 * (cli_switch.c). */
#include "cli/cli_answer.h"

#include <string.h>

static int refuse_beside_switch(const struct args *args, struct error *err)
{
    if (!args_has(args, OPTION_PRINT_SQL) && !args_has(args, OPTION_PROGRESS_VERSION))
        return 0;
    error_stop(err, REASON_USAGE, "setup: --switch-to does nothing of what else setup does");
    return error_hint(err, "leave out --print-sql and --progress-version");
}

static int refuse_beside_version(const struct args *args, struct error *err)
{
    if (args_has(args, OPTION_SWITCH_TO))
        return refuse_beside_switch(args, err);
    if (args_has(args, OPTION_YES))
        return error_stop(err, REASON_USAGE, "setup: only --switch-to asks anything");
    if (!args_has(args, OPTION_PROGRESS_VERSION))
        return args_has(args, OPTION_TAKE_OVER)
                   ? error_stop(err, REASON_USAGE,
                                "setup: only --progress-version and --switch-to take over")
                   : 0;
    if (!args_has(args, OPTION_PRINT_SQL) && !args_has(args, OPTION_ADMIN_CONNECTION))
        return 0;
    error_stop(err, REASON_USAGE, "setup: --progress-version does nothing of what setup does");
    return error_hint(err, "leave out --print-sql and --admin-connection");
}

static int refuse_beside_debezium(const struct args *args, struct error *err)
{
    static const enum option OTHERS[] = {OPTION_PRINT_SQL,        OPTION_ADMIN_CONNECTION,
                                         OPTION_PROGRESS_VERSION, OPTION_SWITCH_TO,
                                         OPTION_TAKE_OVER,        OPTION_YES};
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++)
        if (args_has(args, OTHERS[i]))
            return error_stop(err, REASON_USAGE, "setup: --from-debezium does not go with --%s",
                              option_table[OTHERS[i]].name);
    return 0;
}

static int refuse_both(const struct args *args, struct error *err)
{
    if (args_has(args, OPTION_FROM_DEBEZIUM))
        return refuse_beside_debezium(args, err);
    if (refuse_beside_version(args, err) < 0)
        return -1;
    if (!args_has(args, OPTION_PRINT_SQL) || !args_has(args, OPTION_ADMIN_CONNECTION))
        return 0;
    error_stop(err, REASON_USAGE, "setup: --print-sql changes nothing");
    return error_hint(err, "leave out --admin-connection");
}

static int set_version(struct answer *answer, struct error *err)
{
    const char *text = answer->args->values[OPTION_PROGRESS_VERSION];
    if (strlen(text) == 1 && text[0] >= '1' && text[0] <= '0' + PROGRESS_VERSION) {
        if (answer_meet_living(answer, err) < 0)
            return -1;
        return relay_setup_version(&answer->options, (uint32_t)(text[0] - '0'), err);
    }
    error_stop(err, REASON_USAGE, "setup: --progress-version %s is no version of the record", text);
    return error_hint(err, "this program knows 1 to %d", PROGRESS_VERSION);
}

int command_setup(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    if (answer_begin(&answer, args, true, &err) == 0 && refuse_both(args, &err) == 0) {
        if (args_has(args, OPTION_PRINT_SQL))
            (void)relay_print_sql(&answer.options, &err);
        else if (args_has(args, OPTION_FROM_DEBEZIUM))
            (void)answer_from_debezium(&answer, &err);
        else if (args_has(args, OPTION_SWITCH_TO))
            (void)answer_switch(&answer, &err);
        else if (args_has(args, OPTION_PROGRESS_VERSION))
            (void)set_version(&answer, &err);
        else
            (void)relay_setup(&answer.options, args->values[OPTION_ADMIN_CONNECTION], &err);
    }
    return answer_end(&answer, EXIT_OK, EXIT_GAVE_UP, &err);
}
