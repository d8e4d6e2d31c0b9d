/* libFuzzer harness of the JSON slicer, held against jansson: what one takes as an object, the
 * other takes, with the same number of members; every value is JSON again; every string can be
 * unescaped as jansson does it or holds half of a surrogate pair. What is written can be read back.
 *
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Isrc tests/fuzz/json_fuzz.c \
 *       src/json/[a-z]*.c src/base/[a-z]*.c -ljansson -lpthread -o json_fuzz
 *   ./json_fuzz -max_total_time=60 CORPUS */
#include "json/json_read.h"
#include "json/json_slice.h"
#include "json/json_write.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* What jansson refuses and the slicer does not: numbers beyond its types, lone surrogates and zero
 * characters inside values that are passed on as they are, and members of the same name. */
static bool is_lenient(const char *why)
{
    return strstr(why, "too big") != NULL || strstr(why, "overflow") != NULL ||
           strstr(why, "Unicode") != NULL || strstr(why, "\\u0000") != NULL ||
           strstr(why, "NUL byte") != NULL || strstr(why, "duplicate") != NULL;
}

static void check_string(struct span text, struct arena *arena)
{
    struct buf out = BUF_EMPTY;
    struct json_writer w = json_writer(&out);
    struct json_tree *tree = NULL;
    struct error err = ERROR_INIT;
    struct span again;
    json_write_string(&w, text);
    if (memchr(text.ptr, '\0', text.len) == NULL) {
        require(json_tree_parse(buf_span(&out), &tree, &err) == 0);
        require(json_tree_string(tree, &again) && span_equal(again, text));
        json_tree_free(tree);
    }
    struct span inside = {buf_span(&out).ptr + 1, out.len - 2};
    require(json_slice_unescape(inside, arena, &again, &err) == 0 && span_equal(again, text));
    buf_fini(&out);
}

static void check_value(const struct json_member *member, struct arena *arena)
{
    struct error err = ERROR_INIT;
    struct json_tree *tree = NULL;
    struct span text;
    if (json_slice_unescape(member->name, arena, &text, &err) == 0)
        check_string(text, arena);
    if (member->kind == JSON_KIND_STRING) {
        if (json_slice_unescape(member->value, arena, &text, &err) == 0)
            check_string(text, arena);
        return;
    }
    if (json_tree_parse(member->value, &tree, &err) < 0)
        require(is_lenient(err.text));
    json_tree_free(tree);
}

/* The number of members, or -1. */
static int slice_all(struct span json, struct arena *arena, struct error *err)
{
    struct json_slice slice;
    struct json_member member;
    int count = 0, got;
    if (json_slice_open(&slice, json, err) < 0)
        return -1;
    while ((got = json_slice_next(&slice, &member, err)) > 0) {
        require(member.value.ptr >= json.ptr);
        require(member.value.ptr + member.value.len <= json.ptr + json.len);
        check_value(&member, arena);
        count++;
    }
    return got < 0 ? -1 : count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span json = {size > 0 ? (const char *)data : "", size};
    struct error err = ERROR_INIT, why = ERROR_INIT;
    struct json_tree *tree = NULL;
    struct arena arena;
    arena_init(&arena, 1024, 1024);
    int count = slice_all(json, &arena, &err);
    int parsed = json_tree_parse(json, &tree, &why);
    if (count >= 0 && parsed < 0)
        require(is_lenient(why.text));
    if (count >= 0 && parsed == 0)
        require(json_tree_count(tree) == (size_t)count);
    if (count < 0 && json_tree_kind(tree) == JSON_TREE_OBJECT)
        require(strstr(err.text, "nested too deeply") != NULL);
    json_tree_free(tree);
    arena_fini(&arena);
    return 0;
}
