/* recover/mark: whose a publication is, by its comment. Relay x and relay x_changes have a
 * publication of the same name. */
#include "recover/recover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static enum publication_owner owner(const char *relay, enum router_share share, const char *comment)
{
    return publication_owner(relay, share, span_of(comment));
}

static void what_a_comment_says(void **state)
{
    (void)state;
    struct buf mark = BUF_EMPTY;
    publication_mark("x", ROUTER_CHANGES, &mark);
    assert_string_equal(buf_text(&mark), "walferry relay x: change routes");
    assert_int_equal(publication_owner("x", ROUTER_CHANGES, buf_span(&mark)), PUBLICATION_OURS);
    buf_fini(&mark);
    assert_int_equal(owner("x", ROUTER_INSERTS, "walferry relay x: outbox routes"),
                     PUBLICATION_OURS);
    assert_int_equal(owner("x_changes", ROUTER_INSERTS, "walferry relay x: change routes"),
                     PUBLICATION_OF_ANOTHER_SHARE);
    assert_int_equal(owner("x", ROUTER_CHANGES, "walferry relay x_changes: outbox routes"),
                     PUBLICATION_OF_ANOTHER_SHARE);
    assert_int_equal(owner("y", ROUTER_INSERTS, "walferry relay x: outbox routes"),
                     PUBLICATION_OF_ANOTHER);
    assert_int_equal(owner("x", ROUTER_INSERTS, ""), PUBLICATION_UNMARKED);
    assert_int_equal(owner("x", ROUTER_INSERTS, "ours: change routes"), PUBLICATION_UNMARKED);
    assert_int_equal(owner("x", ROUTER_INSERTS, "walferry relay x"), PUBLICATION_UNMARKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_comment_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
