/* libFuzzer harness of route/: the first line of the input is a topic template, the second a key
 * template, the rest a column's value and a message's content. A template is refused with file and
 * line or compiled; an event has a legal topic; the same row gives the same event twice.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc -Itests/lib \
 *       tests/fuzz/template_fuzz.c tests/lib/route_fixture.c src/route/[a-z]*.c src/types/[a-z]*.c
 * \
 *       src/json/[a-z]*.c src/model/[a-z]*.c src/base/[a-z]*.c src/config/[a-z]*.c -ljansson -lyaml
 * \ -lpthread -o template_fuzz
 *   ./template_fuzz -max_total_time=60 CORPUS */
#include "model/topic_name.h"
#include "route_fixture.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Cuts a line off, NUL-terminated and without zero bytes inside, as the configuration gives it. */
static const char *take_line(struct span *rest, struct arena *arena)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != '\n')
        len++;
    struct span line = {rest->ptr, len};
    size_t used = len < rest->len ? len + 1 : len;
    *rest = (struct span){rest->ptr + used, rest->len - used};
    return arena_text(arena, line);
}

static void check_event(struct route_fixture *f, int got)
{
    if (got < 0) {
        require(f->err.kind == ERROR_DATA && f->err.text[0] != '\0');
        return;
    }
    require(got == 1);
    struct error err = ERROR_INIT;
    require(topic_name_check(f->event.topic, &err) == 0);
    require(f->event.topic.ptr[f->event.topic.len] == '\0');
    require(!span_starts_with(f->event.topic, SPAN_LITERAL("__")));
    require(f->event.key.cell.value.bytes.ptr != NULL || f->configs[0].key.text[0] == '\0');
}

static void route_twice(struct route_fixture *f)
{
    int first = route_fixture_route(f);
    struct span topic = first > 0 ? arena_copy(&f->scratch, f->event.topic) : span_null();
    struct span key = f->event.key.cell.value.bytes;
    check_event(f, first);
    require(route_fixture_next(f) == 0);
    int second = route_fixture_route(f);
    require(second == first);
    if (first > 0)
        require(span_equal(topic, f->event.topic) &&
                span_equal(key, f->event.key.cell.value.bytes));
}

static void try(const char *topic, const char *key, struct span rest, const char *from)
{
    struct route_fixture f;
    route_fixture_init(&f);
    f.configs[0].from = route_fixture_text(from);
    f.configs[0].topic = route_fixture_text(topic);
    f.configs[0].key = route_fixture_text(key);
    f.configs[0].columns.headers = route_fixture_text("headers");
    route_fixture_set(&f, "headers", "");
    route_fixture_cell(&f, "headers")->bytes = rest;
    route_fixture_set(&f, "aggregatetype", "");
    route_fixture_cell(&f, "aggregatetype")->bytes = rest;
    if (route_fixture_open(&f) < 0) {
        require(f.err.kind == ERROR_STOP && f.err.exit_code == EXIT_USAGE);
        require(strncmp(f.err.text, "shop.yaml:7: routes[0].", 23) == 0);
    } else {
        if (strncmp(from, "message:", 8) == 0) {
            route_fixture_message(&f, "m", "");
            f.change.message.content = rest;
        }
        route_twice(&f);
        route_fixture_set(&f, "headers", "{}");
        route_twice(&f);
    }
    route_fixture_fini(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    arena_init(&arena, 1024, 1024);
    struct span rest = {size > 0 ? (const char *)data : "", size};
    const char *topic = take_line(&rest, &arena);
    const char *key = take_line(&rest, &arena);
    try(topic, key, rest, "public.outbox");
    try(topic, key, rest, "message:m");
    arena_fini(&arena);
    return 0;
}
