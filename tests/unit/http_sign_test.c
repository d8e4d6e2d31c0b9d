/* http/http_sign: the example of Standard Webhooks, and secrets of each form; what openssl and
 * Python's hmac give is what is expected. */
#include "http/http_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void signs_as_the_specification_does(void **state)
{
    (void)state;
    static const struct {
        const char *secret, *signature;
    } cases[] = {
        {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
         "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
        {"sixteen bytes or more", "v1,vB/RcK3DsQmBfdulwjqHua0e/e4naSfxEXJYPP7Oxtk="},
        {"whsec_c2l4dGVlbiBieXRlcyBvciBtb3Jl", "v1,vB/RcK3DsQmBfdulwjqHua0e/e4naSfxEXJYPP7Oxtk="},
        {"whsec_c2l4dGVlbiBieXRlcyBvciBtb3JlIQ==", /* padded */
         "v1,/ITEfdjepIt7MnoJ153/GiKGW/S0AIWSxncc3L3Nblg="},
        {"whsec_no base64 at all", "v1,1VcdQJCQSSK46FnZyWTe40z818smwKo3Lc9NFrz/N/U="},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_EMPTY;
        http_sign(cases[i].secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                  SPAN_LITERAL("{\"test\": 2432232314}"), &out);
        assert_string_equal(buf_text(&out), cases[i].signature);
        buf_fini(&out);
    }
}

static void ids_differ(void **state)
{
    (void)state;
    char a[HTTP_ID_MAX], b[HTTP_ID_MAX];
    http_sign_id(a);
    http_sign_id(b);
    assert_int_equal(strlen(a), 4 + 32);
    assert_memory_equal(a, "msg_", 4);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signs_as_the_specification_does),
                                       cmocka_unit_test(ids_differ)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
