/* cli/cli_config: the command config: what is in force of a file, or a file made from a Debezium
 * connector (cli_debezium.c). Reaches no server. */
#include "cli/cli_answer.h"

#include <assert.h>
#include <string.h>

static int check_words(const struct args *args, struct error *err)
{
    bool migrates = strcmp(args->operand, "migrate-from-debezium") == 0;
    if (!migrates && strcmp(args->operand, "show") != 0) {
        error_stop(err, REASON_USAGE, "config: there is no %.40s", args->operand);
        return error_hint(err, "say: walferry config show");
    }
    if (migrates == (args->file != NULL) && (migrates || !args_has(args, OPTION_PARTIAL)))
        return 0;
    if (migrates)
        error_stop(err, REASON_USAGE, "config migrate-from-debezium needs a FILE");
    else
        error_stop(err, REASON_USAGE, "config show: unexpected %s",
                   args->file != NULL ? args->file : "--partial");
    return error_hint(err, "see: walferry config --help");
}

static void show(struct answer *answer)
{
    if (args_has(answer->args, OPTION_JSON)) {
        config_write_effective_json(answer->config, &answer->out);
        buf_add_char(&answer->out, '\n');
    } else {
        buf_add_format(&answer->out, "# %s, as it is in force\n", answer->config->path);
        config_write_effective(answer->config, &answer->out);
    }
}

int command_config(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    assert(args->operand != NULL);
    bool shows = strcmp(args->operand, "show") == 0;
    if (answer_begin(&answer, args, false, &err) == 0 && check_words(args, &err) == 0 &&
        (!shows || answer_begin(&answer, args, true, &err) == 0)) {
        if (shows)
            show(&answer);
        else
            (void)answer_migrate(&answer, &err);
    }
    return answer_end(&answer, EXIT_OK, EXIT_NO, &err);
}
