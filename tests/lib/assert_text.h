/* assert_text: assertions on spans and errors that print what they found; behind cmocka.h. */
#ifndef WALFERRY_TESTS_ASSERT_TEXT_H
#define WALFERRY_TESTS_ASSERT_TEXT_H

#include "base/error.h"
#include "base/span.h"

#define assert_span(value, text)                                                                   \
    do {                                                                                           \
        struct span found_ = (value);                                                              \
        if (found_.ptr == NULL)                                                                    \
            fail_msg("%s is absent, not \"%s\"", #value, (text));                                  \
        if (!span_equal_text(found_, (text)))                                                      \
            fail_msg("%s is \"%.*s\", not \"%s\"", #value, SPAN_ARG(found_), (text));              \
    } while (0)

#define assert_absent(value) assert_null((value).ptr)

/* kind, reason and the whole text. */
#define assert_error(err, wanted_kind, wanted_reason, wanted_text)                                 \
    do {                                                                                           \
        assert_int_equal((err).kind, (wanted_kind));                                               \
        assert_string_equal(reason_slug((err).reason), (wanted_reason));                           \
        assert_string_equal((err).text, (wanted_text));                                            \
    } while (0)

/* Hint and mends in one line, of a walferry that was started as such. */
#define assert_advice(err, wanted)                                                                 \
    do {                                                                                           \
        struct buf advice_ = BUF_EMPTY;                                                            \
        error_advice(&(err), NULL, &advice_);                                                      \
        assert_string_equal(buf_text(&advice_), (wanted));                                         \
        buf_fini(&advice_);                                                                        \
    } while (0)
#define assert_advice_contains(err, wanted)                                                        \
    do {                                                                                           \
        struct buf advice_ = BUF_EMPTY;                                                            \
        error_advice(&(err), NULL, &advice_);                                                      \
        assert_non_null(strstr(buf_text(&advice_), (wanted)));                                     \
        buf_fini(&advice_);                                                                        \
    } while (0)

#endif
