/* source_until: what begins its commit before the end is handed on, whole, and nothing else; the
 * end is one MARK, whatever shows that it is reached. */
#include "source/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scripted_source.h"

#define END 0x5000

struct fixture {
    struct scripted_source script;
    struct source *until;
    struct error err;
    struct change change;
};

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){.err = ERROR_INIT};
    script_init(&f.script, 0x1000);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    source_close(f->until, 0);
    script_fini(&f->script);
    return 0;
}

static void begin(struct fixture *f)
{
    f->until = source_until(&f->script.base, END);
}

static void gives(struct fixture *f, enum change_op op)
{
    assert_int_equal(source_next(f->until, 1, &f->change, &f->err), STEP_DONE);
    assert_int_equal(f->change.op, op);
}

/* Then it is over, and the inner source is not asked again. */
static void ends(struct fixture *f)
{
    gives(f, CHANGE_MARK);
    assert_int_equal(f->change.position.lsn, END);
    assert_int_equal(f->change.position.seq, 0);
    uint32_t nexts = f->script.nexts;
    assert_int_equal(source_next(f->until, 1, &f->change, &f->err), STEP_WAIT);
    assert_int_equal(f->script.nexts, nexts);
    int fd = 0;
    int64_t deadline_us = 0;
    source_wait(f->until, &fd, &deadline_us);
    assert_int_equal(fd, -1);
    assert_true(deadline_us > 1000000); /* no bytes that wait keep the loop awake */
}

static void what_commits_before_the_end_is_whole(void **state)
{
    struct fixture *f = *state;
    script_transaction(&f->script, END - 1, 2);
    script_transaction(&f->script, END + 0x20, 1);
    begin(f);
    gives(f, CHANGE_BEGIN);
    gives(f, CHANGE_INSERT);
    gives(f, CHANGE_INSERT);
    gives(f, CHANGE_COMMIT); /* although that is beyond it: the commit record begins before */
    ends(f);
}

static void what_commits_at_the_end_is_beyond(void **state)
{
    struct fixture *f = *state;
    script_transaction(&f->script, END, 1);
    begin(f);
    ends(f);
}

static void a_mark_before_the_end_is_one(void **state)
{
    struct fixture *f = *state;
    script_mark(&f->script, END - 1, false);
    script_mark(&f->script, END + 0x100, true);
    begin(f);
    gives(f, CHANGE_MARK);
    assert_int_equal(f->change.position.lsn, END - 1);
    ends(f);
}

static void the_end_itself_is_not_confirmed_to_the_server(void **state)
{
    struct fixture *f = *state;
    script_transaction(&f->script, 0x4000, 1);
    script_mark(&f->script, END, false);
    begin(f);
    source_confirm(f->until, (struct position){0x4010, 0}, span_null());
    assert_int_equal(f->script.confirms, 1);
    source_confirm(f->until, (struct position){END, 0}, span_null());
    assert_int_equal(f->script.confirms, 1);
}

static void a_failure_is_passed_on(void **state)
{
    struct fixture *f = *state;
    (void)error_retry(&f->script.failure, REASON_STREAM_ENDED, "it broke");
    begin(f);
    assert_int_equal(source_next(f->until, 1, &f->change, &f->err), STEP_FAILED);
    assert_int_equal(f->err.reason, REASON_STREAM_ENDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_commits_before_the_end_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(what_commits_at_the_end_is_beyond, setup, teardown),
        cmocka_unit_test_setup_teardown(a_mark_before_the_end_is_one, setup, teardown),
        cmocka_unit_test_setup_teardown(the_end_itself_is_not_confirmed_to_the_server, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_failure_is_passed_on, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
