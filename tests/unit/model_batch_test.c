/* model/batch: what circulates between reader and writer. */
#include "model/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void put(struct batch *batch, const char *key, const char *value)
{
    struct message *message = batch_next(batch);
    assert_int_equal(message->partition, -1);
    assert_null(message->key.ptr);
    message->topic = SPAN_LITERAL("t");
    message->key = span_of(key);
    message->value = span_of(value);
    batch_add(batch);
}

static void test_counting(void **state)
{
    (void)state;
    struct batch batch;
    batch_init(&batch, 3, 1024);
    put(&batch, "k", "value");
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.bytes, MESSAGE_OVERHEAD_BYTES + 6);
    struct header headers[] = {{SPAN_LITERAL("ab"), SPAN_LITERAL("cde")},
                               {SPAN_LITERAL("f"), span_null()}};
    struct message *message = batch_next(&batch);
    message->topic = SPAN_LITERAL("t");
    message->headers = headers;
    message->header_count = 2;
    batch_add(&batch);
    assert_int_equal(batch.bytes, 2 * (MESSAGE_OVERHEAD_BYTES + HEADER_OVERHEAD_BYTES + 6) + 6);
    put(&batch, NULL, NULL);
    batch_truncate(&batch, 1);
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.bytes, MESSAGE_OVERHEAD_BYTES + 6);
    batch_truncate(&batch, 1);
    batch_truncate(&batch, 0);
    assert_int_equal(batch.bytes, 0);
    batch_fini(&batch);
}

static void test_reset_forgets_all_but_memory(void **state)
{
    (void)state;
    struct batch batch;
    batch_init(&batch, 2, 1024);
    char *bytes = arena_alloc_bytes(&batch.arena, 100);
    put(&batch, "a", "b");
    batch.end = (struct position){7, 8};
    batch.partial.final_lsn = 9;
    batch.resume = SPAN_LITERAL("{}");
    batch.ends_txn = batch.mark = true;
    batch.transactions = 3;
    batch.outstanding = 0;
    batch.committed.lsn = 5;
    batch.opened_us = 77;
    struct message *messages = batch.messages;
    batch_reset(&batch);
    assert_int_equal(batch.count, 0);
    assert_int_equal(batch.bytes, 0);
    assert_int_equal(batch.capacity, 2);
    assert_ptr_equal(batch.messages, messages);
    assert_int_equal(batch.end.lsn, 0);
    assert_int_equal(batch.partial.final_lsn, 0);
    assert_null(batch.resume.ptr);
    assert_false(batch.ends_txn || batch.mark);
    assert_int_equal(batch.transactions, 0);
    assert_int_equal(batch.committed.lsn, 0);
    assert_int_equal(batch.opened_us, 0);
    assert_ptr_equal(arena_alloc_bytes(&batch.arena, 100), bytes);
    /* A message that was there before is not seen through. */
    put(&batch, "c", "d");
    batch_fini(&batch);
    assert_null(batch.messages);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_reset_forgets_all_but_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
