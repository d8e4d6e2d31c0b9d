/* publish/partitioner: a key's partition is the Java client's. The table was printed by
 * org.apache.kafka.common.utils.Utils.murmur2 and BuiltInPartitioner.partitionForKey of
 * kafka-clients 4.1.0; the last keys are random bytes. */
#include "publish/partitioner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const int32_t counts[] = {1, 3, 12, 1000};

static const struct vector {
    const char *key;
    size_t length;
    int32_t murmur2;
    int32_t partitions[4];
} vectors[] = {
    {"", 0, 275646681, {0, 0, 9, 681}},
    {"a", 1, -1563381124, {0, 1, 4, 524}},
    {"ab", 2, 316155434, {0, 2, 2, 434}},
    {"abc", 3, 479470107, {0, 0, 3, 107}},
    {"abcd", 4, -1323649548, {0, 2, 8, 100}},
    {"abcde", 5, 461995741, {0, 1, 1, 741}},
    {"21", 2, -973932308, {0, 0, 0, 340}},
    {"foobar", 6, -790332482, {0, 0, 6, 166}},
    {"a-little-bit-long-string", 24, -985981536, {0, 2, 8, 112}},
    {"a-little-bit-longer-string", 26, -1486304829, {0, 2, 11, 819}},
    {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 48, -58897971, {0, 2, 5, 677}},
    {"1", 1, -1993445489, {0, 0, 3, 159}},
    {"42", 2, 417700972, {0, 1, 4, 972}},
    {"1000000", 7, -1399446429, {0, 2, 11, 219}},
    {"5f0c8e7c-9d5b-4c1e-8f57-2f7d9a4b1c3d", 36, 1477688359, {0, 1, 7, 359}},
    {"order-000000001", 15, -476524973, {0, 0, 3, 675}},
    {"caf\303\251", 5, -1358007374, {0, 0, 6, 274}},
    {"\346\227\245\346\234\254\350\252\236", 9, 1431860170, {0, 1, 10, 170}},
    {"\360\237\232\200", 4, 761778625, {0, 1, 1, 625}},
    {"\000", 1, 375494588, {0, 2, 8, 588}},
    {"\000\000\000\000", 4, 850957120, {0, 1, 4, 120}},
    {"\377", 1, -311467685, {0, 0, 3, 963}},
    {"\200\201\202", 3, -1975640061, {0, 2, 11, 587}},
    {"\377\376\375\374\373\372\371", 7, -166236347, {0, 0, 9, 301}},
    {"\0304w\243", 4, -1691559809, {0, 0, 3, 839}},
    {"9\013w\002\011\323*Y]J\230}A\364\263\345\222G\032\276\005", 21, 43872606, {0, 0, 6, 606}},
    {"\000\026\027Z\241G", 6, -538764239, {0, 0, 9, 409}},
    {"\337\177\256@\277\347\223\331\374\355R\262", 12, 686023019, {0, 2, 11, 19}},
    {"\345\304\312\257\026o\302\355\316", 9, 1814480814, {0, 0, 6, 814}},
    {"\351D\263\035\007\005\346\310\267\034", 10, 1823745562, {0, 1, 10, 562}},
    {"i0X\262.\335\024y\361\2252\227\341\310", 14, 1232950809, {0, 0, 9, 809}},
    {"6L\364a\263\027\311\237\356aL", 11, -462366046, {0, 1, 10, 602}},
    {"\217\201N", 3, -2063534542, {0, 1, 10, 106}},
    {"\224\252!P\204x\221\327]\250\335\335\304d4\257\353Px\032", 20, 1428526399, {0, 1, 7, 399}},
    {"\263\243\363p~\253yG", 8, 2062896073, {0, 1, 1, 73}},
    {"\266lI\230\000\332d\032\042\244 \356\231", 13, -1431921903, {0, 2, 5, 745}},
    {"\311\303\217\277z\342*\000\244\027Ld", 12, -1832867708, {0, 0, 0, 940}},
    {"\2301", 2, 1070347460, {0, 2, 8, 460}},
    {"\261\303\242v", 4, 112026283, {0, 1, 7, 283}},
    {"4}\330r\213#Bs\024\236\266\351\273\017\365\364\021\032\002\034\232",
     21,
     -847880146,
     {0, 1, 10, 502}},
    {"2O\012\354\0119Z2", 8, -856701018, {0, 2, 2, 630}},
    {"\342", 1, -612542667, {0, 2, 5, 981}},
    {"Ls\272\234\231`\310\013j!L", 11, -963515517, {0, 2, 11, 131}},
    {"\225\260\030\012\230\353\250\374\351\277\212\201\233\001\365R",
     16,
     -713948549,
     {0, 0, 3, 99}},
    {"\254\324\331ZafY", 7, 548519196, {0, 0, 0, 196}},
    {"\326\077\315\367DR", 6, 2012150647, {0, 1, 7, 647}},
    {"A\232e\022P\017\313\301\202\341\3570r", 13, -1417998029, {0, 0, 3, 619}},
    {"\375\007\255AeSU\205\267c\025W\202\202", 14, 1105804950, {0, 0, 6, 950}},
};

static void every_vector_of_the_java_client(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        struct span key = {vectors[i].key, vectors[i].length};
        for (size_t c = 0; c < 4; c++)
            assert_int_equal(partition_for_key(key, counts[c]), vectors[i].partitions[c]);
        /* The largest count shows the whole hash, its sign bit cleared. */
        assert_int_equal(partition_for_key(key, INT32_MAX),
                         (vectors[i].murmur2 & INT32_MAX) % INT32_MAX);
    }
}

static void an_unaligned_key_is_the_same_key(void **state)
{
    (void)state;
    char bytes[] = "xa-little-bit-long-string";
    struct span key = {bytes + 1, sizeof bytes - 2};
    assert_int_equal(partition_for_key(key, 1000), 112);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_of_the_java_client),
        cmocka_unit_test(an_unaligned_key_is_the_same_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
