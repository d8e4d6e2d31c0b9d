/* recover/origin_poll_judge: whose shape of a claimed table the record has where several routes
 * take it. */
#include "recover/origin_poll_internal.h"

#include "json/json_write.h"
#include "source/claim_options.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_text.h"

#define ROUTES 3

struct fixture {
    struct config_route routes[ROUTES];
    struct config_relay config;
    struct found found;
    struct buf resume;
    struct error err;
};

static struct config_route route(const char *from, const char *pending)
{
    return (struct config_route){.from.text = from,
                                 .claim = {.key.text = "id",
                                           .done = POLL_DONE_UPDATE,
                                           .column.text = "status",
                                           .pending.text = pending}};
}

/* The record has the shape of public.outbox as NEW rows were finished. */
static int judge(struct fixture *f, const char *first, const char *first_pending,
                 const char *second, const char *second_pending)
{
    const struct config_route recorded = route("public.outbox", "NEW");
    const struct relation relation = {.schema = SPAN_LITERAL("public"),
                                      .name = SPAN_LITERAL("outbox")};
    struct buf name = BUF_EMPTY;
    char shape[9];
    *f = (struct fixture){.routes = {route("message:said", "NEW"), route(first, first_pending),
                                     route(second, second_pending)}};
    f->config.name.text = "orders";
    f->config.source.poll.strategy = POLL_CLAIM;
    f->config.routes.items = f->routes;
    f->config.routes.count = ROUTES;
    poll_table_name(&relation, &name);
    snprintf(shape, sizeof shape, "%08" PRIx32, claim_shape(&recorded.claim));
    struct json_writer w = json_writer(&f->resume);
    json_write_begin_object(&w);
    json_write_name(&w, "ids");
    json_write_begin_object(&w);
    json_write_end_object(&w);
    json_write_name(&w, "xid");
    json_write_null(&w);
    json_write_member_text(&w, "flushed", "0/10");
    json_write_name(&w, "shapes");
    json_write_begin_object(&w);
    json_write_member_text(&w, buf_text(&name), shape);
    json_write_end_object(&w);
    json_write_end_object(&w);
    buf_fini(&name);
    f->found.have_progress = true;
    f->found.progress.mode = PROGRESS_POLL;
    f->found.progress.resume = buf_span(&f->resume);
    int result = claim_judge_start(&f->config, &f->found, 0x20, &f->err);
    buf_fini(&f->resume);
    return result;
}

static int agrees(const char *first, const char *first_pending, const char *second,
                  const char *second_pending)
{
    struct fixture f;
    int result = judge(&f, first, first_pending, second, second_pending);
    if (result < 0 && f.err.reason != REASON_MODE_CHANGED)
        fail_msg("%s", f.err.text);
    return result;
}

static void the_first_route_of_a_table_counts(void **state)
{
    (void)state;
    assert_int_equal(agrees("public.outbox", "NEW", "public.outbox", "LATER"), 0);
    assert_int_equal(agrees("public.other", "LATER", "public.outbox", "NEW"), 0);
    assert_int_equal(agrees("public.outbox", "LATER", "public.outbox", "NEW"), -1);
    assert_int_equal(agrees("public.other", "NEW", "public.outbox", "LATER"), -1);
}

/* Which tables it takes is not known yet. */
static void what_stands_behind_a_glob_is_judged_later(void **state)
{
    (void)state;
    assert_int_equal(agrees("public.out*", "NEW", "public.outbox", "LATER"), 0);
    assert_int_equal(agrees("public.outbox", "LATER", "public.out*", "NEW"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_route_of_a_table_counts),
        cmocka_unit_test(what_stands_behind_a_glob_is_judged_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
