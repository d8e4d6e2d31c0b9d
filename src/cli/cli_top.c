/* cli/cli_top: the command top: asks the admin port once a second and draws what it says. It asks
 * nobody else, so it does not disturb the servers, and needs no rights there. */
#include "cli/cli_answer.h"
#include "cli/cli_live.h"
#include "cli/cli_terminal.h"
#include "cli/cli_top_view.h"

#include "base/clock.h"
#include "base/waits.h"
#include "json/json_read.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define TURN_US US_PER_S

enum page { PAGE_STATUS, PAGE_METRICS, PAGE_HISTORY, PAGE_COUNT };

struct top {
    const struct config_admin *admin;
    struct json_tree *pages[PAGE_COUNT]; /* of the newest answer; NULL: none */
    struct json_tree *before;            /* metrics of the one before it */
    int64_t asked_us, between_us;
    struct error err; /* why there is no answer now */
};

/* ---- Asking ---- */

static int get(const struct config_admin *admin, const char *path, struct json_tree **tree,
               struct error *err)
{
    struct buf body = BUF_EMPTY;
    int status = 0;
    *tree = NULL;
    int result = live_get(admin, path, &status, &body, err);
    if (result == 0 && status == 401)
        result = error_retry(err, REASON_ADMIN_NO_ANSWER,
                             "the relay at %s asks for another token than admin.token of the file",
                             admin->listen.text);
    else if (result == 0 && status == 200)
        result = json_tree_parse(buf_span(&body), tree, err);
    buf_fini(&body);
    return result;
}

static void forget(struct json_tree **tree)
{
    json_tree_free(*tree);
    *tree = NULL;
}

/* Counters of another process begin anew. */
static bool is_same_process(const struct json_tree *a, const struct json_tree *b)
{
    uint64_t one = 0, other = 0;
    return json_tree_member_u64(a, "pid", &one) && json_tree_member_u64(b, "pid", &other) &&
           one == other;
}

static int ask(struct top *top)
{
    static const char *const paths[] = {"/status", "/metrics.json", "/history"};
    struct json_tree *pages[PAGE_COUNT] = {NULL};
    top->err = ERROR_INIT;
    int64_t now_us = clock_monotonic_us();
    for (int i = 0; i < PAGE_COUNT; i++) {
        if (get(top->admin, paths[i], &pages[i], &top->err) < 0 ||
            (i == PAGE_STATUS && json_tree_kind(pages[i]) != JSON_TREE_OBJECT)) {
            if (top->err.kind == ERROR_NONE)
                error_retry(&top->err, REASON_ADMIN_NO_ANSWER,
                            "what answers at the admin port %s is no relay",
                            top->admin->listen.text);
            for (int j = 0; j <= i; j++)
                forget(&pages[j]);
            return -1;
        }
    }
    forget(&top->before);
    if (is_same_process(top->pages[PAGE_STATUS], pages[PAGE_STATUS])) {
        top->before = top->pages[PAGE_METRICS];
        top->pages[PAGE_METRICS] = NULL;
    }
    for (int i = 0; i < PAGE_COUNT; i++) {
        forget(&top->pages[i]);
        top->pages[i] = pages[i];
    }
    top->between_us = now_us - top->asked_us;
    top->asked_us = now_us;
    return 0;
}

static void top_close(struct top *top)
{
    forget(&top->before);
    for (int i = 0; i < PAGE_COUNT; i++)
        forget(&top->pages[i]);
}

/* ---- Drawing ---- */

static bool speaks_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0')
            return strcasestr(value, "utf-8") != NULL || strcasestr(value, "utf8") != NULL;
    }
    return false;
}

static bool wants_colours(void)
{
    const char *no = getenv("NO_COLOR");
    return no == NULL || no[0] == '\0';
}

/* One that knows no cursor would show the sequences themselves. */
static bool has_screen(void)
{
    const char *kind = getenv("TERM");
    return isatty(STDOUT_FILENO) != 0 && kind != NULL && strcmp(kind, "dumb") != 0;
}

static void draw(const struct top *top, const struct top_screen *screen, struct buf *out)
{
    const struct top_data data = {.status = top->pages[PAGE_STATUS],
                                  .metrics = top->pages[PAGE_METRICS],
                                  .history = top->pages[PAGE_HISTORY],
                                  .before = top->before,
                                  .between_us = top->between_us,
                                  .wall_us = clock_wall_us(),
                                  .away = top->err.kind != ERROR_NONE ? top->err.text : NULL};
    top_view(&data, screen, out);
}

/* Two answers, since a rate has two ends. */
static int once(struct top *top, struct answer *answer, struct error *err)
{
    struct top_screen screen = {.columns = 120, .utf8 = speaks_utf8()};
    int rows;
    if (isatty(STDOUT_FILENO) != 0)
        terminal_size(&rows, &screen.columns);
    int result = ask(top);
    if (result == 0) {
        poll(NULL, 0, (int)(TURN_US / US_PER_MS));
        result = ask(top);
    }
    if (result == 0)
        draw(top, &screen, &answer->out);
    else
        *err = top->err;
    return result;
}

static int watch(struct top *top, struct error *err)
{
    struct terminal terminal;
    if (terminal_open(&terminal) < 0)
        return error_retry(err, REASON_NO_SIGNALFD, "cannot make a signalfd");
    struct top_screen screen = {.colours = wants_colours(), .utf8 = speaks_utf8()};
    enum terminal_event event = TERMINAL_TIME;
    bool there = true;
    int64_t due_us = clock_monotonic_us();
    while (event != TERMINAL_END && there) {
        struct buf lines = BUF_EMPTY;
        if (event == TERMINAL_TIME)
            (void)ask(top);
        terminal_size(&screen.rows, &screen.columns);
        draw(top, &screen, &lines);
        there = terminal_show(&lines);
        buf_fini(&lines);
        if (event == TERMINAL_TIME)
            due_us = clock_monotonic_us() + TURN_US;
        event = terminal_wait(&terminal, due_us);
    }
    terminal_close(&terminal);
    return 0;
}

int command_top(const struct args *args)
{
    struct answer answer;
    struct error err = ERROR_INIT;
    struct top top = {.err = ERROR_INIT};
    assert(args != NULL);
    if (answer_begin(&answer, args, true, &err) == 0) {
        top.admin = &answer.config->admin;
        if (strcmp(top.admin->listen.text, "off") == 0) {
            error_stop(&err, REASON_ADMIN_OFF, "admin.listen is off: there is no port to ask");
            error_hint(&err,
                       "set admin.listen to 127.0.0.1:9187; walferry status asks the servers");
        } else if (args_has(args, OPTION_ONCE) || !has_screen()) {
            if (once(&top, &answer, &err) < 0 && err.kind == ERROR_RETRY)
                error_hint(&err, "is the relay running, with this file? walferry status asks the "
                                 "servers");
        } else {
            waits_hold(answer.log.waits);
            (void)watch(&top, &err);
        }
    }
    top_close(&top);
    return answer_end(&answer, EXIT_OK, EXIT_NO, &err);
}
