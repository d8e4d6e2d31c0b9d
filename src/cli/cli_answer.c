/* cli/cli_answer: begins and ends a command, and prints what it has to say. It decides nothing: the
 * exit code is the error's or the command's own.
 *
 * The one static variable of the program is here: a signal handler is given no context, so the flag
 * that SIGINT raises must be found through it. It only points; the flag belongs to the command. */
#include "cli/cli_answer.h"

#include "base/slurp.h"
#include "base/waits.h"
#include "json/json_write.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static atomic_bool *_Atomic interrupted;

static void on_signal(int number)
{
    (void)number;
    atomic_bool *flag = atomic_load(&interrupted);
    if (flag != NULL)
        atomic_store(flag, true);
}

static void take_signals(atomic_bool *flag)
{
    atomic_store(&interrupted, flag);
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&ignore.sa_mask);
    sigaction(SIGPIPE, &ignore, NULL);
}

/* Under --json nobody is there to be told. */
static void begin_waits(struct answer *answer)
{
    char who[64];
    if (args_has(answer->args, OPTION_JSON))
        return;
    snprintf(who, sizeof who, "walferry %s", answer->args->command->name);
    answer->log.waits = waits_open();
    waits_tell(answer->log.waits, who, STDERR_FILENO);
}

int answer_begin(struct answer *answer, const struct args *args, bool with_config,
                 struct error *err)
{
    assert(answer != NULL && args != NULL);
    *answer = (struct answer){.args = args,
                              .as = {.program = args->program},
                              .log = {.level = LOG_WARN, .format = LOG_LOGFMT, .fd = STDERR_FILENO},
                              .out = BUF_EMPTY};
    answer->log.as = &answer->as;
    take_signals(&answer->stop);
    if (with_config) {
        if (config_open(args->values[OPTION_CONFIG], &answer->config, err) < 0)
            return -1;
        answer->log.format = answer->config->log.format;
        answer->as.file = answer->config->path;
        answer->relay = config_only_relay(answer->config);
        answer->log.relay = answer->relay->name.text;
        begin_waits(answer);
    }
    answer->options = (struct command_options){.config = answer->relay,
                                               .log = &answer->log,
                                               .stop = &answer->stop,
                                               .json = args_has(args, OPTION_JSON),
                                               .out = &answer->out};
    return 0;
}

void answer_print_error(const struct error *err, const struct invocation *as)
{
    assert(err->kind != ERROR_NONE);
    struct buf advice = BUF_EMPTY;
    error_advice(err, as, &advice);
    fprintf(stderr, "walferry: %s\n", err->text);
    if (advice.len > 0)
        fprintf(stderr, "hint: %s\n", buf_text(&advice));
    buf_fini(&advice);
}

void answer_print(const struct buf *out)
{
    fwrite(buf_span(out).ptr, 1, out->len, stdout);
    fflush(stdout);
}

/* Who reads may take as long as he likes, and a pager has the terminal meanwhile. */
void answer_print_part(struct answer *answer)
{
    struct waits *waits = answer->log.waits;
    bool held = waits_held(waits);
    waits_hold(waits);
    answer_print(&answer->out);
    buf_reset(&answer->out);
    if (!held)
        waits_go_on(waits);
}

void answer_flush(struct answer *answer)
{
    if (args_has(answer->args, OPTION_JSON))
        return;
    answer_print_part(answer);
}

static void write_lines(struct json_writer *w, struct span text)
{
    json_write_name(w, "lines");
    json_write_begin_array(w);
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t length = end != NULL ? (size_t)(end - text.ptr) : text.len;
        json_write_string(w, (struct span){text.ptr, length});
        size_t used = end != NULL ? length + 1 : length;
        text = (struct span){text.ptr + used, text.len - used};
    }
    json_write_end_array(w);
}

static void write_error(struct json_writer *w, const struct error *err, const struct invocation *as)
{
    struct buf advice = BUF_EMPTY;
    error_advice(err, as, &advice);
    json_write_member_error(w, err, advice.len > 0 ? buf_text(&advice) : NULL);
    buf_fini(&advice);
}

/* A command that spoke JSON itself has said it all; the lines of the others are wrapped. */
static void print_json(const struct answer *answer, const struct error *err)
{
    struct span said = buf_span(&answer->out);
    if (answer->printed || (err->kind == ERROR_NONE && said.len > 0 && said.ptr[0] == '{')) {
        answer_print(&answer->out);
        return;
    }
    struct buf text = BUF_EMPTY;
    struct json_writer w = json_writer(&text);
    json_write_begin_object(&w);
    json_write_member_text(&w, "command", answer->args->command->name);
    json_write_member_bool(&w, "ok", err->kind == ERROR_NONE);
    write_lines(&w, said);
    if (err->kind != ERROR_NONE)
        write_error(&w, err, &answer->as);
    json_write_end_object(&w);
    buf_add_char(&text, '\n');
    answer_print(&text);
    buf_fini(&text);
}

int answer_end(struct answer *answer, int code, int code_if_transient, const struct error *err)
{
    assert(answer != NULL && err != NULL);
    waits_close(answer->log.waits);
    answer->log.waits = NULL;
    if (args_has(answer->args, OPTION_JSON))
        print_json(answer, err);
    else
        answer_print(&answer->out);
    if (err->kind != ERROR_NONE) {
        answer_print_error(err, &answer->as);
        code = err->kind == ERROR_STOP ? (int)err->exit_code : code_if_transient;
    }
    atomic_store(&interrupted, NULL);
    buf_fini(&answer->out);
    config_close(answer->config);
    answer->config = NULL;
    return code;
}

int answer_mend_again(const struct answer *answer, enum option more, struct error *err)
{
    struct buf line = BUF_EMPTY;
    args_again(answer->args, more, "", &line);
    error_mend(err, "%s", buf_text(&line));
    buf_fini(&line);
    return -1;
}

int answer_read(const char *path, size_t max, struct buf *out)
{
    assert(path != NULL && out != NULL);
    bool standard = strcmp(path, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = slurp_fd(fd, max, out), why = errno;
    if (!standard)
        close(fd);
    errno = why;
    return result;
}

int answer_confirm(struct answer *answer, const char *question, struct error *err)
{
    if (args_has(answer->args, OPTION_YES))
        return 0;
    if (args_has(answer->args, OPTION_JSON) || isatty(STDIN_FILENO) == 0) {
        error_stop(err, REASON_NOT_CONFIRMED, "%s? nobody is there to be asked", question);
        error_hint(err, "if that is meant");
        return answer_mend_again(answer, OPTION_YES, err);
    }
    answer_flush(answer);
    waits_hold(answer->log.waits);
    fprintf(stderr, "%s [y/N] ", question);
    char line[16] = "";
    bool yes = fgets(line, sizeof line, stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
    if (yes && !atomic_load(&answer->stop)) {
        waits_go_on(answer->log.waits);
        return 0;
    }
    return error_stop(err, REASON_DECLINED, "nothing was changed");
}
