/* recover/checks_table: the table of checks.def, and what its results are written with. */
#include "recover/checks_internal.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#define AFTER(name) (UINT64_C(1) << CHECK_##name)
const struct check_info check_table[CHECK_COUNT] = {
#define CHECK(name, slug, group, asker, level, mend, after, sentence)                              \
    [CHECK_##name] = {slug,          CHECK_GROUP_##group, CHECK_##asker,                           \
                      CHECK_##level, CHECK_MEND_##mend,   after,                                   \
                      sentence},
#include "recover/checks.def"
#undef CHECK
};
static_assert(CHECK_COUNT <= 64, "a bit for each");

const char *check_state_name(enum check_state state)
{
    static const char *const names[] = {"not_run", "passed", "warned", "failed", "not_applicable"};
    assert(state >= CHECK_NOT_RUN && state <= CHECK_NOT_APPLICABLE);
    return names[state];
}

const char *check_group_heading(enum check_group group)
{
    static const char *const headings[] = {
        "Configuration", "Source server", "Rights",    "Publication and tables",
        "Slot",          "Broker",        "Topics",    "Clocks",
        "Files",         "Libraries",     "Round trip"};
    assert(group >= CHECK_GROUP_CONFIGURATION && group < CHECK_GROUP_COUNT);
    return headings[group];
}

void checking_say(struct checking *c, enum check_id id, const char *format, ...)
{
    assert(id < CHECK_COUNT);
    va_list args;
    va_start(args, format);
    vsnprintf(c->checks->results[id].said, CHECK_SAID_MAX, format, args);
    va_end(args);
}

void checking_passes_over(struct checking *c, enum check_id id)
{
    assert(check_table[id].asker == CHECK_DOCTOR);
    c->checks->results[id].state = CHECK_NOT_APPLICABLE;
}

const char *doctor_bytes(int64_t bytes, char text[24])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double value = (double)(bytes < 0 ? 0 : bytes);
    size_t unit = 0;
    for (; value >= 1024 && unit < 4; unit++)
        value /= 1024;
    snprintf(text, 24, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return text;
}

int doctor_mend_setting(struct error *err, const char *name, const char *value)
{
    assert(name != NULL && value != NULL);
    error_hint(err, "as a superuser");
    return error_mend_sql(err, "ALTER SYSTEM SET %s = '%s'; SELECT pg_reload_conf();", name, value);
}

int doctor_mend_clock(struct error *err)
{
    error_hint(err, "on the host whose clock is wrong");
    return error_mend_shell(err, "timedatectl set-ntp true");
}
