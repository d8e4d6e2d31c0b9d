/* base/address: logins in addresses, wherever these stand in a text. */
#include "base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void logins_are_hidden(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } CASES[] = {
        {"", ""},
        {"://", "://"},
        {"no address, me@home", "no address, me@home"},
        {"http://h:1/a?b=c@d", "http://h:1/a?b=c@d"},
        {"http://u:p@h:1/a", "http://(hidden)@h:1/a"},
        {"http://token@h", "http://(hidden)@h"},
        {"http://u:p@ss@h", "http://(hidden)@h"},
        {"from \"https://u:p@h/t\": (-1), then ssl://b:9093/1 and x@y",
         "from \"https://(hidden)@h/t\": (-1), then ssl://b:9093/1 and x@y"},
        {"a://b@c d://e@f", "a://(hidden)@c d://(hidden)@f"},
        {"a://b@", "a://(hidden)@"},
        {"http://u:it's@h/a", "http://(hidden)@h/a"},
        {"from \"https://u:a\"b<c>@h/t\": no", "from \"https://(hidden)@h/t\": no"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct buf out = BUF_EMPTY;
        address_hide_logins(span_of(CASES[i].text), &out);
        assert_string_equal(buf_text(&out), CASES[i].shown);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(logins_are_hidden)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
