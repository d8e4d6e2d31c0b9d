/* cli/cli_config: the command config: what is in force of a file. Reaches no server. */
#include "cli/cli_answer.h"

#include <assert.h>
#include <string.h>

static int check_operand(const struct args *args, struct error *err)
{
    if (strcmp(args->operand, "show") == 0)
        return 0;
    error_stop(err, REASON_USAGE, "config: there is no %.40s", args->operand);
    return error_hint(err, "say: walferry config show");
}

int command_config(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    assert(args->operand != NULL);
    if (answer_begin(&answer, args, true, &err) == 0 && check_operand(args, &err) == 0) {
        if (args_has(args, OPTION_JSON)) {
            config_write_effective_json(answer.config, &answer.out);
            buf_add_char(&answer.out, '\n');
        } else {
            buf_add_format(&answer.out, "# %s, as it is in force\n", answer.config->path);
            config_write_effective(answer.config, &answer.out);
        }
    }
    return answer_end(&answer, EXIT_OK, EXIT_NO, &err);
}
