/* route/topic_regex: see topic_regex.h. PCRE2 asks for memory through callbacks, which give it the
 * arena's and take nothing back; what it keeps between matches grows to a size and stays there. */
#include "route/topic_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <assert.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
    MATCH_STEPS_MAX = 100000, /* a million takes some 10 ms */
    HEAP_KB_MAX = 1024
};

struct topic_regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *limits;
    struct span replacement;
};

static void *from_arena(size_t size, void *arena)
{
    return arena_alloc(arena, size);
}

static void keep(void *memory, void *arena)
{
    (void)memory;
    (void)arena;
}

static size_t digits(const char *at)
{
    size_t count = 0;
    while (at[count] >= '0' && at[count] <= '9')
        count++;
    return count;
}

/* at: behind a dollar. How many bytes belong to it; 0: they name no group. */
static size_t group_length(const pcre2_code *code, const char *at, struct arena *arena)
{
    uint32_t groups = 0;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &groups);
    bool braced = at[0] == '{';
    const char *name = at + (braced ? 1 : 0);
    size_t length = braced ? strcspn(name, "}") : digits(name);
    if (length == 0 || length > 32 || (braced && name[length] == '\0'))
        return 0;
    const char *text = arena_text(arena, (struct span){name, length});
    bool known = digits(text) == length
                     ? strtoul(text, NULL, 10) <= groups
                     : pcre2_substring_number_from_name(code, (PCRE2_SPTR)text) > 0;
    return known ? length + (braced ? 2 : 0) : 0;
}

static const char *check_replacement(const pcre2_code *code, const char *text, struct arena *arena)
{
    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at, '$')) {
        at++;
        size_t length = *at == '$' ? 1 : group_length(code, at, arena);
        if (length == 0)
            return arena_format(arena, "$%.40s names no group of the expression", at);
        at += length;
    }
    return NULL;
}

struct topic_regex *topic_regex_compile(const char *regex, const char *replacement,
                                        struct arena *arena, const char **why)
{
    assert(regex != NULL && replacement != NULL && why != NULL);
    pcre2_general_context *general = pcre2_general_context_create(from_arena, keep, arena);
    pcre2_compile_context *compile = pcre2_compile_context_create(general);
    int code = 0;
    PCRE2_SIZE at = 0;
    struct topic_regex *made = arena_alloc_zero(arena, sizeof *made);
    made->code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
                               PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &code, &at, compile);
    if (made->code == NULL) {
        PCRE2_UCHAR text[120];
        pcre2_get_error_message(code, text, sizeof text);
        *why = arena_format(arena, "byte %zu: %s", (size_t)at, (const char *)text);
        return NULL;
    }
    *why = check_replacement(made->code, replacement, arena);
    if (*why != NULL)
        return NULL;
    made->replacement = span_of(replacement);
    made->data = pcre2_match_data_create_from_pattern(made->code, general);
    made->limits = pcre2_match_context_create(general);
    pcre2_set_match_limit(made->limits, MATCH_STEPS_MAX);
    pcre2_set_heap_limit(made->limits, HEAP_KB_MAX);
    return made;
}

int topic_regex_apply(struct topic_regex *regex, struct span value, size_t max,
                      struct arena *scratch, struct span *name, struct error *err)
{
    assert(regex != NULL && value.ptr != NULL && name != NULL);
    PCRE2_SIZE len = max + 1;
    char *text = arena_alloc_bytes(scratch, len);
    int got = pcre2_substitute(regex->code, (PCRE2_SPTR)value.ptr, value.len, 0,
                               PCRE2_SUBSTITUTE_UNSET_EMPTY, regex->data, regex->limits,
                               (PCRE2_SPTR)regex->replacement.ptr, regex->replacement.len,
                               (PCRE2_UCHAR *)text, &len);
    if (got == 0) {
        *name = value;
        return 0;
    }
    *name = span_null();
    if (got > 0)
        *name = (struct span){text, len};
    if (got > 0 || got == PCRE2_ERROR_NOMEMORY)
        return 0;
    PCRE2_UCHAR why[120];
    pcre2_get_error_message(got, why, sizeof why);
    return error_data(err, REASON_ILLEGAL_TOPIC, "route_topic_regex: %s", (const char *)why);
}
