/* relay/circuit: the memory limit is shared out, and everything starts at the reader's side. */
#include "relay/circuit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void all_batches_start_empty(void **state)
{
    (void)state;
    struct circuit circuit;
    struct error err = ERROR_INIT;
    assert_int_equal(circuit_open(&circuit, 100, 3, 8 << 20, &err), 0);
    assert_int_equal(channel_count(circuit.empty), CIRCUIT_BATCHES);
    assert_int_equal(channel_count(circuit.full), 0);
    assert_int_equal(circuit.events_max, 100);
    assert_int_equal(circuit.bytes_max, (8 << 20) / CIRCUIT_BATCHES);
    for (int i = 0; i < CIRCUIT_BATCHES; i++) {
        struct batch *batch = channel_take(circuit.empty);
        assert_ptr_equal(batch, &circuit.batches[i]);
        assert_int_equal(batch->capacity, 103);
        assert_int_equal(batch->count, 0);
    }
    assert_null(channel_take(circuit.empty));
    assert_false(channel_finished(circuit.empty, NULL));
    circuit_close(&circuit);
}

static void closing_is_legal_before_open_and_twice(void **state)
{
    (void)state;
    struct circuit circuit = {.full = NULL};
    struct error err = ERROR_INIT;
    circuit_close(&circuit);
    assert_int_equal(circuit_open(&circuit, 1, 0, CIRCUIT_BATCHES, &err), 0);
    circuit_close(&circuit);
    assert_null(circuit.full);
    assert_null(circuit.empty);
    circuit_close(&circuit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_batches_start_empty),
        cmocka_unit_test(closing_is_legal_before_open_and_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
