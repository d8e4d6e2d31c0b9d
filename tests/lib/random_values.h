/* random_values: types, and an expression of SQL that gives random values of each, its edges among
 * them. The last ones are of the enum mood ('sad', 'so so', 'o,k"{}'), which the test makes. */
#ifndef WALFERRY_TESTS_RANDOM_VALUES_H
#define WALFERRY_TESTS_RANDOM_VALUES_H

#include <stddef.h>

struct random_value {
    const char *type;
    const char *value; /* g counts from 1, r is random() */
};

extern const struct random_value RANDOM_VALUES[];
extern const size_t RANDOM_VALUES_COUNT;

#endif
