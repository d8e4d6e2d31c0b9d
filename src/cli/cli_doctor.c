/* cli/cli_doctor: the command doctor. The exit code says the worst that was found: 0, nothing
 * failed; 1, something did; 6, servers were away, and nothing else is known to be wrong. */
#include "cli/cli_answer.h"

#include <assert.h>
#include <string.h>

/* -o json is --json by another name. */
static int read_output(struct args *args, struct doctor_options *options, struct error *err)
{
    const char *form = args->values[OPTION_OUTPUT];
    if (form == NULL)
        return 0;
    if (strcmp(form, "json") == 0) {
        args->values[OPTION_JSON] = "";
        return 0;
    }
    options->brief = strcmp(form, "short") == 0;
    if (options->brief)
        return 0;
    error_stop(err, REASON_USAGE, "doctor: there is no output %.40s", form);
    return error_hint(err, "say -o short or -o json");
}

int command_doctor(const struct args *given)
{
    assert(given != NULL);
    struct args args = *given;
    struct answer answer;
    struct error err = ERROR_INIT;
    struct doctor_options options = {.round_trip = args_has(&args, OPTION_PROBE),
                                     .admin_connection = args.values[OPTION_ADMIN_CONNECTION]};
    enum check_state worst = CHECK_PASSED;
    bool away = false;
    struct error usage = ERROR_INIT;
    int known = read_output(&args, &options, &usage);
    if (answer_begin(&answer, &args, known == 0, &err) == 0 && known == 0)
        relay_doctor(&answer.options, &options, &worst, &away);
    int code = worst == CHECK_FAILED ? (away ? EXIT_GAVE_UP : EXIT_NO) : EXIT_OK;
    if (worst == CHECK_WARNED && args_has(&args, OPTION_STRICT))
        code = EXIT_NO;
    return answer_end(&answer, code, EXIT_GAVE_UP, known < 0 ? &usage : &err);
}
