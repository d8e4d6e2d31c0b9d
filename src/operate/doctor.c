/* operate/doctor: the results of all checks for a person, or as JSON. It knows no check by itself:
 * what is found, and what mends it, stands in the results. */
#include "operate/command.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PAGE "docs/DOCTOR.md#"
#define WARNING "warning: "

struct printing {
    const struct command_options *o;
    const struct doctor_options *doctor;
    const struct checks *checks;
    uint32_t counts[CHECK_NOT_APPLICABLE + 1];
};

/* As `check` says it, but for what the state says already. */
static const char *said(const struct check_result *result)
{
    const char *text = result->said;
    return strncmp(text, WARNING, strlen(WARNING)) == 0 ? text + strlen(WARNING) : text;
}

/* ---- For a person ---- */

static const char *word(enum check_state state)
{
    static const char *const words[] = {"----", "pass", "warn", "fail", ""};
    return words[state];
}

static void print_reason(const struct printing *p, enum check_id id)
{
    const struct check_result *result = &p->checks->results[id];
    bool has_error = result->err.kind != ERROR_NONE;
    command_say(p->o->out, "        %s", has_error ? result->err.text : said(result));
    struct buf advice = BUF_EMPTY;
    if (has_error)
        error_advice(&result->err, p->o->log->as, &advice);
    if (advice.len > 0)
        buf_add_format(p->o->out, "        %s\n", buf_text(&advice));
    buf_fini(&advice);
    command_say(p->o->out, "        see " PAGE "%s", check_table[id].slug);
}

static void print_check(const struct printing *p, enum check_id id)
{
    const struct check_result *result = &p->checks->results[id];
    const char *slug = check_table[id].slug;
    if (result->state == CHECK_NOT_RUN)
        command_say(p->o->out, "  ----  %s: not looked at, because %s has not passed", slug,
                    check_table[result->blocker].slug);
    else if (result->state == CHECK_PASSED && result->said[0] != '\0')
        command_say(p->o->out, "  pass  %s: %s", slug, result->said);
    else
        command_say(p->o->out, "  %s  %s: %s", word(result->state), slug, check_table[id].sentence);
    if (result->state == CHECK_WARNED || result->state == CHECK_FAILED)
        print_reason(p, id);
}

static bool is_shown(const struct printing *p, enum check_id id)
{
    enum check_state state = p->checks->results[id].state;
    if (state == CHECK_NOT_APPLICABLE)
        return false;
    return !p->doctor->brief || state == CHECK_WARNED || state == CHECK_FAILED;
}

static void print_group(const struct printing *p, enum check_group group)
{
    bool headed = false;
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        if (check_table[id].group != group || !is_shown(p, id))
            continue;
        if (!headed)
            command_say(p->o->out, "%s", check_group_heading(group));
        headed = true;
        print_check(p, id);
    }
}

static void print_text(const struct printing *p)
{
    for (enum check_group group = 0; group < CHECK_GROUP_COUNT; group++)
        print_group(p, group);
    command_say(p->o->out, "%u passed, %u warned, %u failed, %u not looked at",
                p->counts[CHECK_PASSED], p->counts[CHECK_WARNED], p->counts[CHECK_FAILED],
                p->counts[CHECK_NOT_RUN]);
}

/* ---- For a machine ---- */

static void write_mends(const struct printing *p, const struct error *err, struct json_writer *w)
{
    static const char *const kinds[] = {"", "command", "sql", "shell"};
    json_write_name(w, "mends");
    json_write_begin_array(w);
    for (size_t i = 0; i < ERROR_MENDS_MAX && err->mends[i].kind != MEND_NONE; i++) {
        struct buf line = BUF_EMPTY;
        error_mend_line(&err->mends[i], p->o->log->as, &line);
        json_write_begin_object(w);
        json_write_member_text(w, "kind", kinds[err->mends[i].kind]);
        json_write_member_string(w, "line", buf_span(&line));
        json_write_end_object(w);
        buf_fini(&line);
    }
    json_write_end_array(w);
}

static void write_check(const struct printing *p, enum check_id id, struct json_writer *w)
{
    const struct check_result *result = &p->checks->results[id];
    const struct error *err = &result->err;
    bool blocked = result->state == CHECK_NOT_RUN;
    const char *text = err->kind != ERROR_NONE ? err->text : said(result);
    json_write_begin_object(w);
    json_write_member_text(w, "check", check_table[id].slug);
    json_write_member_text(w, "group", check_group_heading(check_table[id].group));
    json_write_member_text(w, "state", check_state_name(result->state));
    json_write_member_text(w, "sentence", check_table[id].sentence);
    json_write_member_text(w, "text", text[0] != '\0' ? text : NULL);
    json_write_member_text(w, "reason", err->kind != ERROR_NONE ? reason_slug(err->reason) : NULL);
    json_write_member_text(w, "hint", err->hint[0] != '\0' ? err->hint : NULL);
    write_mends(p, err, w);
    json_write_member_text(w, "after", blocked ? check_table[result->blocker].slug : NULL);
    struct buf page = BUF_EMPTY;
    buf_add_format(&page, PAGE "%s", check_table[id].slug);
    json_write_member_string(w, "docs", buf_span(&page));
    buf_fini(&page);
    json_write_end_object(w);
}

static void print_json(const struct printing *p, enum check_state worst)
{
    struct json_writer w = json_writer(p->o->out);
    json_write_begin_object(&w);
    json_write_member_text(&w, "command", "doctor");
    json_write_member_text(&w, "worst", check_state_name(worst));
    for (enum check_state state = CHECK_NOT_RUN; state <= CHECK_FAILED; state++)
        json_write_member_u64(&w, check_state_name(state), p->counts[state]);
    json_write_name(&w, "checks");
    json_write_begin_array(&w);
    for (enum check_group group = 0; group < CHECK_GROUP_COUNT; group++)
        for (enum check_id id = 0; id < CHECK_COUNT; id++)
            if (check_table[id].group == group)
                write_check(p, id, &w);
    json_write_end_array(&w);
    json_write_end_object(&w);
    buf_add_char(p->o->out, '\n');
}

/* ---- Both ---- */

void relay_doctor(const struct command_options *o, const struct doctor_options *doctor,
                  enum check_state *worst, bool *away)
{
    assert(o->config != NULL && o->out != NULL && doctor != NULL);
    struct checks *checks = malloc(sizeof *checks);
    if (checks == NULL)
        abort();
    struct printing p = {.o = o, .doctor = doctor, .checks = checks};
    const struct checks_options options = {.asker = CHECK_DOCTOR,
                                           .round_trip = doctor->round_trip,
                                           .admin_connection = doctor->admin_connection};
    struct error ignored = ERROR_INIT;
    (void)relay_run_checks(o, &options, checks, &ignored);
    *worst = CHECK_PASSED;
    *away = true;
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        const struct check_result *result = &checks->results[id];
        p.counts[result->state]++;
        if (result->state == CHECK_FAILED && result->err.kind != ERROR_RETRY)
            *away = false;
        if (result->state != CHECK_NOT_APPLICABLE && result->state > *worst)
            *worst = result->state;
    }
    if (o->json)
        print_json(&p, *worst);
    else
        print_text(&p);
    free(checks);
}
