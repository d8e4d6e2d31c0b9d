/* assert_contains: a text holds a part, and a failure prints both. Include after cmocka.h. */
#ifndef WALFERRY_TESTS_ASSERT_CONTAINS_H
#define WALFERRY_TESTS_ASSERT_CONTAINS_H

#include <string.h>

#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        if (strstr((text), (part)) == NULL)                                                        \
            fail_msg("\"%s\" is not in \"%s\"", (part), (text));                                   \
    } while (0)

#endif
