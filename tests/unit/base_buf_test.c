/* base/buf: a byte string that grows. */
#include "base/buf.h"

#include "base/bigendian.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "assert_text.h"

static void test_building(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    assert_span(buf_span(&buf), "");
    buf_add(&buf, span_null());
    buf_add_text(&buf, "ab");
    buf_add_char(&buf, 'c');
    buf_add_format(&buf, "-%d-%s", 12, "x");
    assert_span(buf_span(&buf), "abc-12-x");
    assert_string_equal(buf_text(&buf), "abc-12-x");
    assert_int_equal(buf.len, 8);
    buf_reset(&buf);
    assert_string_equal(buf_text(&buf), "");
    buf_fini(&buf);
    assert_null(buf.ptr);
}

static void test_big_endian(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    buf_add_u8(&buf, 0xFE);
    buf_add_u16(&buf, 0x0102);
    buf_add_u32(&buf, 0x03040506);
    buf_add_u64(&buf, UINT64_C(0x0708090A0B0C0D0E));
    const unsigned char wanted[] = {0xFE, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
    assert_int_equal(buf.len, sizeof wanted);
    assert_memory_equal(buf.ptr, wanted, sizeof wanted);
    assert_int_equal(bigendian_u16(buf.ptr + 1), 0x0102);
    assert_int_equal(bigendian_u32(buf.ptr + 3), 0x03040506);
    assert_int_equal(bigendian_u64(buf.ptr + 7), UINT64_C(0x0708090A0B0C0D0E));
    buf_fini(&buf);
}

static void test_growth(void **state)
{
    (void)state;
    struct buf buf = BUF_EMPTY;
    for (unsigned i = 0; i < 100000; i++)
        buf_add_char(&buf, (char)('a' + i % 26));
    assert_int_equal(buf.len, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buf.ptr[i], 'a' + i % 26);
    size_t size = buf.size;
    buf_reset(&buf);
    assert_int_equal(buf.size, size);
    char *room = buf_reserve(&buf, 1000000);
    memset(room, 'x', 1000000);
    buf.len += 1000000;
    assert_int_equal(buf_span(&buf).len, 1000000);
    buf_fini(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_building),
        cmocka_unit_test(test_big_endian),
        cmocka_unit_test(test_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
