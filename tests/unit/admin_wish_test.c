/* /reload: who may ask, one wish at a time, and what is told of it. */
#include "admin/admin_wish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static unsigned ask(struct reload_cell *cell, const struct admin_wish_request *request,
                    const char *part)
{
    struct admin_page page;
    admin_wish(request, cell, &page);
    if (strstr(buf_text(&page.body), part) == NULL)
        fail_msg("%u %s, and not %s", page.status, buf_text(&page.body), part);
    buf_fini(&page.body);
    return page.status;
}

#define ASK(...) (&(struct admin_wish_request){.post = true, __VA_ARGS__})
#define LOOK (&(struct admin_wish_request){.post = false})

static void who_may_ask(void **state)
{
    (void)state;
    struct reload_cell cell;
    reload_cell_init(&cell);
    assert_int_equal(ask(&cell, ASK(.wish = "take"), "only from the machine"), 403);
    assert_int_equal(ask(&cell, ASK(.trusted = true, .wish = "take", .origin = "null"), "browser"),
                     403);
    assert_int_equal(ask(&cell, ASK(.trusted = true, .wish = "take", .site = "none"), "browser"),
                     403);
    assert_int_equal(ask(&cell, ASK(.trusted = true), "Walferry-Reload"), 400);
    assert_int_equal(ask(&cell, ASK(.trusted = true, .wish = "drop"), "Walferry-Reload"), 400);
    assert_int_equal(
        ask(&cell, ASK(.trusted = true, .wish = "show", .hash = "0123456789abcdef0"), "hash"), 400);
    assert_int_equal(ask(&cell, LOOK, "{\"number\":0,\"state\":\"none\",\"file\":null"), 200);
    assert_int_equal(ask(&cell, ASK(.trusted = true, .wish = "show"), "{\"number\":1}"), 202);
    reload_cell_fini(&cell);
}

static void one_at_a_time(void **state)
{
    (void)state;
    struct reload_cell cell;
    struct reload wish;
    reload_cell_init(&cell);
    assert_false(reload_cell_next(&cell, &wish));
    assert_int_equal(
        ask(&cell, ASK(.trusted = true, .wish = "take", .hash = "0123456789abcdef"), "1"), 202);
    assert_int_equal(ask(&cell, ASK(.trusted = true, .wish = "take"), "the hash"), 400);
    assert_int_equal(ask(&cell, ASK(.trusted = true, .wish = "show"), "under way"), 409);
    assert_true(reload_cell_next(&cell, &wish));
    assert_false(wish.show);
    assert_string_equal(wish.hash, "0123456789abcdef");
    reload_cell_set(&cell, wish.number, RELOAD_OPENING, NULL);
    assert_false(reload_cell_next(&cell, &wish));
    assert_int_equal(ask(&cell, ASK(.trusted = true, .wish = "show"), "2"), 202);
    reload_cell_fini(&cell);
}

/* A signal comes in between; what is said of the older wish is not heard. */
static void the_newest_counts(void **state)
{
    (void)state;
    struct reload_cell cell;
    struct error err = ERROR_INIT;
    reload_cell_init(&cell);
    assert_int_equal(reload_cell_ask(&cell, false, NULL, false), 1);
    assert_int_equal(reload_cell_ask(&cell, false, NULL, false), 0);
    assert_int_equal(reload_cell_ask(&cell, false, NULL, true), 2);
    reload_cell_set(&cell, 1, RELOAD_TAKEN, NULL);
    reload_cell_read(&cell, 1, "old", SPAN_LITERAL("[]"));
    assert_int_equal(ask(&cell, LOOK, "{\"number\":2,\"state\":\"asked\",\"file\":null"), 200);
    reload_cell_read(&cell, 2, "w.yaml", SPAN_LITERAL("[7]"));
    error_stop(&err, REASON_NEEDS_RESTART, "a change of \"relay\"");
    error_hint(&err, "put it back");
    reload_cell_set(&cell, 2, RELOAD_REFUSED, &err);
    assert_int_equal(ask(&cell, LOOK,
                         "{\"number\":2,\"state\":\"refused\",\"file\":\"w.yaml\",\"changes\":[7],"
                         "\"error\":{\"kind\":\"stop\",\"reason\":\"needs_restart\",\"text\":\"a "
                         "change of \\\"relay\\\"\",\"hint\":\"put it back\"}}\n"),
                     200);
    reload_cell_fini(&cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_may_ask),
                                       cmocka_unit_test(one_at_a_time),
                                       cmocka_unit_test(the_newest_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
