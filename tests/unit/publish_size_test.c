/* publish/kafka_size: the bytes of a message as a record batch of its own. The numbers are Kafka's:
 * 61 bytes before the records, a record's fields with lengths as zigzag varints (Kafka
 * documentation, "Record Batch", "Record"). The contract tests ask a broker. */
#include "publish/kafka_size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int64_t bytes_of(size_t key, size_t value)
{
    struct message message = {.key = {"", key}, .value = {"", value}};
    return kafka_message_bytes(&message, 0);
}

static void an_empty_message(void **state)
{
    (void)state;
    /* length, attributes, timestamp delta, offset delta, key length, value length, header count */
    assert_int_equal(bytes_of(0, 0), 61 + 7);
    assert_int_equal(bytes_of(1, 1), 61 + 9);
}

static void lengths_grow_with_what_they_count(void **state)
{
    (void)state;
    assert_int_equal(bytes_of(0, 57), 61 + 7 + 57); /* a record of 63 bytes */
    assert_int_equal(bytes_of(0, 58), 61 + 8 + 58); /* of 64: its length takes two bytes */
    assert_int_equal(bytes_of(0, 63), 61 + 8 + 63);
    assert_int_equal(bytes_of(0, 64), 61 + 9 + 64);    /* and so does the value's */
    assert_int_equal(bytes_of(64, 64), 61 + 10 + 128); /* and the key's */
    assert_int_equal(bytes_of(0, 1 << 20), 61 + 13 + (1 << 20));
}

static void headers_count_with_both_their_lengths(void **state)
{
    (void)state;
    struct header headers[] = {{SPAN_LITERAL("id"), SPAN_LITERAL("12345")},
                               {SPAN_LITERAL("part"), SPAN_LITERAL("")}};
    struct message message = {.header_count = 2, .headers = headers};
    assert_int_equal(kafka_message_bytes(&message, 0), 61 + 7 + (1 + 2 + 1 + 5) + (1 + 4 + 1));
}

static void the_true_time_is_a_header_more(void **state)
{
    (void)state;
    struct message message = {.header_count = 0};
    int64_t header = 1 + (int64_t)strlen("walferry-time") + 1 + 13;
    assert_int_equal(kafka_message_bytes(&message, 13), 61 + 7 + header);
    assert_int_equal(kafka_message_bytes_max(&message), 61 + 7 + header + 20 - 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_message),
        cmocka_unit_test(lengths_grow_with_what_they_count),
        cmocka_unit_test(headers_count_with_both_their_lengths),
        cmocka_unit_test(the_true_time_is_a_header_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
