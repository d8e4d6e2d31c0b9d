/* frames: what real servers sent, through the real stream and decoder, against the dump that was
 * read and found right; of the corpus of tests/compat it is one dump for all majors, without what
 * only one server has: places, times and numbers. tests/golden/capture.py makes the .frames files;
 * GOLDEN_WRITE=1 writes the .expected files from what comes out now, for a person to read the
 * difference. */
#include "source/source.h"

#include "change_dump.h"
#include "pgoutput_encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SEEN_MAX 512

struct seen {
    const struct relation *relation;
    uint64_t version;
};

static void path_of(char path[512], const char *name, const char *suffix)
{
    const char *slash = strrchr(__FILE__, '/');

    snprintf(path, 512, "%.*s/%s.%s", (int)(slash - __FILE__), __FILE__, name, suffix);
}

static struct buf read_file(const char *path)
{
    struct buf content = BUF_EMPTY;
    FILE *file = fopen(path, "rb");

    if (file == NULL)
        fail_msg("%s cannot be read (tests run in the source directory)", path);
    size_t count;

    do {
        count = fread(buf_reserve(&content, 4096), 1, 4096, file);
        content.len += count;
    } while (count > 0);
    fclose(file);
    return content;
}

static uint64_t number(const char *bytes, int width)
{
    uint64_t value = 0;

    for (int i = 0; i < width; i++)
        value = value << 8 | (unsigned char)bytes[i];
    return value;
}

/* A relation is dumped where it is first seen in a version, before its change. */
static void dump_new(struct buf *dump, struct seen *seen, const struct relation *relation)
{
    size_t i = 0;

    while (seen[i].relation != NULL && seen[i].relation != relation)
        i++;
    assert_true(i < SEEN_MAX - 1);
    if (seen[i].relation == relation && seen[i].version == relation->version)
        return;
    seen[i] = (struct seen){relation, relation->version};
    dump_relation(dump, relation);
}

static void dump_frames(const struct buf *frames, struct buf *dump)
{
    struct error err = ERROR_INIT;
    struct seen seen[SEEN_MAX] = {{NULL, 0}};
    struct change change;
    const struct stream_options options = {.start = {number(frames->ptr, 8), 0}};
    struct stream *stream = stream_open(&options);

    for (size_t at = 8; at < frames->len;) {
        size_t len = number(frames->ptr + at, 4);

        assert_true(at + 4 + len <= frames->len);
        if (stream_feed(stream, (struct span){frames->ptr + at + 4, len}, 0, &err) != 0)
            fail_msg("%s", err.text);
        while (stream_next(stream, &change) == 1) {
            for (uint32_t i = 0; i < change.truncate.count; i++)
                dump_new(dump, seen, change.truncate.relations[i]);
            if (change.relation != NULL)
                dump_new(dump, seen, change.relation);
            dump_change(dump, &change);
        }
        at += 4 + len;
    }
    assert_false(stream_in_transaction(stream));
    stream_close(stream);
}

static void write_file(const char *path, const struct buf *content)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(content->ptr, 1, content->len, file), content->len);
    assert_int_equal(fclose(file), 0);
}

static void first_difference(const char *path, const struct buf *got, const struct buf *expected)
{
    size_t line = 1, start = 0, i = 0;

    while (i < got->len && i < expected->len && got->ptr[i] == expected->ptr[i])
        if (got->ptr[i++] == '\n') {
            line++;
            start = i;
        }
    if (i == got->len && i == expected->len)
        return;
    fail_msg("%s:%zu differs\n     got: %.*s\nexpected: %.*s", path, line,
             (int)strcspn(got->ptr + start, "\n"), got->ptr + start,
             (int)strcspn(expected->ptr + start, "\n"), expected->ptr + start);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The oid of a type that was made by somebody becomes N. */
static void add_without_oids(struct buf *out, struct span line)
{
    for (size_t i = 0, end; i < line.len; i = end) {
        for (end = i; end < line.len && is_digit(line.ptr[end]);)
            end++;
        if (end == i || line.ptr[i == 0 ? 0 : i - 1] != ':' || end - i != 5)
            end = end > i ? end : i + 1;
        else if (strncmp(line.ptr + i, "16384", 5) >= 0) {
            buf_add_char(out, 'N');
            continue;
        }
        buf_add(out, (struct span){line.ptr + i, end - i});
    }
    buf_add_char(out, '\n');
}

/* " from…until" is gone; what comes behind `until` stays from the next blank on. */
static struct span cut(struct span line, const char *from, const char *until, struct buf *made)
{
    const char *at = memmem(line.ptr, line.len, from, strlen(from));
    const char *end = line.ptr + line.len;
    const char *behind = at == NULL ? NULL : memmem(at, (size_t)(end - at), until, strlen(until));
    if (behind == NULL)
        return line;
    behind = memchr(behind + 1, ' ', (size_t)(end - behind - 1));
    buf_reset(made);
    buf_add(made, (struct span){line.ptr, (size_t)(at - line.ptr)});
    if (behind != NULL)
        buf_add(made, (struct span){behind, (size_t)(end - behind)});
    return buf_span(made);
}

/* Relations and their changes, as every server has them. PostgreSQL 14 has no numeric(2,5). */
static void keep_what_all_have(struct buf *dump)
{
    struct buf out = BUF_EMPTY, made[2] = {BUF_EMPTY, BUF_EMPTY};
    for (const char *at = buf_text(dump); *at != '\0';) {
        struct span line = {at, strcspn(at, "\n")};
        at += line.len + 1;
        if (span_starts_with(line, SPAN_LITERAL("BEGIN")) ||
            span_starts_with(line, SPAN_LITERAL("COMMIT")) ||
            span_starts_with(line, SPAN_LITERAL("MARK")) ||
            memmem(line.ptr, line.len, "t.of_numeric_2_5", 16) != NULL)
            continue;
        line = cut(line, " oid=", " oid=", &made[0]);
        line = cut(line, " position=", " time=", &made[1]);
        add_without_oids(&out, line);
    }
    buf_fini(&made[0]);
    buf_fini(&made[1]);
    buf_fini(dump);
    *dump = out;
}

static void compare_with(const char *name, const char *expected_name, bool all_majors)
{
    char frames_path[512], expected_path[512];

    path_of(frames_path, name, "frames");
    path_of(expected_path, expected_name, "expected");
    struct buf frames = read_file(frames_path);
    struct buf dump = BUF_EMPTY;

    dump_frames(&frames, &dump);
    if (all_majors)
        keep_what_all_have(&dump);
    if (getenv("GOLDEN_WRITE") != NULL)
        write_file(expected_path, &dump);
    struct buf expected = read_file(expected_path);

    buf_text(&dump);
    buf_text(&expected);
    first_difference(expected_path, &dump, &expected);
    buf_fini(&frames);
    buf_fini(&dump);
    buf_fini(&expected);
}

static void compare(const char *name)
{
    compare_with(name, name, false);
}

/* Every type with its edges, every operation and identity, structure that changes. */
static void the_corpus(void **state)
{
    (void)state;
    compare_with("pg14_corpus", "corpus", true);
    compare_with("pg15_corpus", "corpus", true);
    compare_with("pg18_corpus", "corpus", true);
}

static void postgres_14(void **state)
{
    (void)state;
    compare("pg14");
    compare("pg14_binary");
}

static void postgres_15(void **state)
{
    (void)state;
    compare("pg15");
    compare("pg15_binary");
}

static void postgres_18(void **state)
{
    (void)state;
    compare("pg18");
    compare("pg18_binary");
}

/* The test encoder against real servers: what it writes for a Begin or a Commit is what they send.
 */
static void the_encoder_writes_what_servers_send(void **state)
{
    (void)state;
    char path[512];

    path_of(path, "pg15", "frames");
    struct buf frames = read_file(path);
    struct buf again = BUF_EMPTY;
    int compared = 0;

    for (size_t at = 8; at < frames.len;) {
        size_t len = number(frames.ptr + at, 4);
        const char *frame = frames.ptr + at + 4;
        const char *m = frame + 25;
        const int64_t epoch_us = INT64_C(946684800000000);

        buf_reset(&again);
        if (frame[0] == 'k')
            write_keepalive(&again, number(frame + 1, 8), (int64_t)number(frame + 9, 8) + epoch_us,
                            frame[17] != 0);
        else if (m[0] == 'B')
            write_begin(&again, number(m + 1, 8), (int64_t)number(m + 9, 8) + epoch_us,
                        (uint32_t)number(m + 17, 4));
        else if (m[0] == 'C')
            write_commit(&again, number(m + 2, 8), number(m + 10, 8),
                         (int64_t)number(m + 18, 8) + epoch_us);
        at += 4 + len;
        if (again.len == 0)
            continue;
        size_t header = frame[0] == 'k' ? 0 : 25;

        assert_int_equal(again.len, len - header);
        assert_memory_equal(again.ptr, frame + header, again.len);
        compared++;
    }
    assert_true(compared > 40);
    buf_fini(&frames);
    buf_fini(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(postgres_14),
        cmocka_unit_test(postgres_15),
        cmocka_unit_test(postgres_18),
        cmocka_unit_test(the_corpus),
        cmocka_unit_test(the_encoder_writes_what_servers_send),
    };

    return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
