/* decode_key: the key of a row is told from what the table was then and what it is now. A table is
 * written as a line: each column a name, with ! where it is part of the replica identity; of the
 * catalogue ~ for a dropped column, ? for one that the stream does not have, 1 and 2 for the places
 * of the key. */
#include "decode/decode_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { COLUMNS = 16 };

struct then_and_now {
    const char *what;
    char identity;
    const char *then;
    const char *now;
    const char *key; /* names of then; "": none; NULL: unknown */
};

static struct span next_word(const char **at)
{
    *at += strspn(*at, " ");
    struct span word = {*at, strcspn(*at, " ")};
    *at += word.len;
    return word;
}

static void read_then(const char *line, char identity, struct column *columns,
                      struct relation *relation)
{
    *relation = (struct relation){.identity = identity, .columns = columns};
    for (struct span word = next_word(&line); word.len > 0; word = next_word(&line)) {
        bool key = word.ptr[word.len - 1] == '!';
        word.len -= key;
        columns[relation->column_count++] =
            (struct column){.name = word, .key = key || identity == 'f'};
    }
}

static void read_now(const char *line, struct relation_fact *columns, struct relation_facts *facts)
{
    *facts = (struct relation_facts){.columns = columns};
    for (struct span word = next_word(&line); word.len > 0; word = next_word(&line)) {
        struct relation_fact fact = {.name = word};
        char last = word.ptr[word.len - 1];
        fact.dropped = last == '~';
        fact.unsent = last == '?';
        fact.key_place = last >= '1' && last <= '9' ? (uint32_t)(last - '0') : 0;
        fact.name.len -= fact.dropped || fact.unsent || fact.key_place > 0;
        columns[facts->count++] = fact;
    }
}

static void expect(const struct then_and_now *c)
{
    struct column then[COLUMNS];
    struct relation_fact now[COLUMNS];
    struct relation relation;
    struct relation_facts facts;
    struct key_alignment alignment;
    uint32_t columns[COLUMNS];
    char got[128] = "";

    read_then(c->then, c->identity, then, &relation);
    read_now(c->now, now, &facts);
    key_align(&relation, &facts, &alignment);
    int count = key_find(&relation, &facts, &alignment, columns);
    for (int i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), i > 0 ? " %.*s" : "%.*s",
                 SPAN_ARG(then[columns[i]].name));
    if ((count < 0) != (c->key == NULL) || (c->key != NULL && strcmp(got, c->key) != 0))
        fail_msg("%s: the key is %s, not %s", c->what, count < 0 ? "unknown" : got,
                 c->key != NULL ? c->key : "unknown");
}

static void expect_all(const struct then_and_now *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        expect(&cases[i]);
}

#define EXPECT_ALL(cases) expect_all(cases, sizeof(cases) / sizeof *(cases))

static void as_it_was(void **state)
{
    (void)state;
    static const struct then_and_now cases[] = {
        {"the order of the index", 'd', "b! a! c", "b2 a1 c", "a b"},
        {"under FULL", 'f', "b a c", "b2 a1 c", "a b"},
        {"another identity", 'i', "id code! n", "id1 code n", "id"},
        {"no key", 'f', "a b", "a b", ""},
        {"columns were added", 'f', "a b", "a1 b c d", "a"},
        {"columns of another were dropped long ago", 'f', "a b", "x~ a1 y~ b z~", "a"},
        {"a generated column", 'f', "a c", "a b? c1", "c"},
        {"no columns", 'f', "", "", ""},
    };
    EXPECT_ALL(cases);
}

static void renamed(void **state)
{
    (void)state;
    static const struct then_and_now cases[] = {
        {"the only column of the key", 'd', "id! n", "no1 n", "id"},
        {"one of two", 'd', "b! a! c", "b2 x1 c", "a b"},
        {"both", 'd', "b! a! c", "y2 x1 c", "a b"},
        {"one of two, under FULL", 'f', "b a c", "b2 x1 c", "a b"},
        {"all, and one was added", 'f', "b a", "y2 x1 c", "a b"},
        {"names were exchanged", 'f', "b a c", "a2 b1 c", "a b"},
        {"another column took the name", 'f', "id", "old_id id1", NULL},
        {"another column took the name, the key stayed", 'f', "id", "old_id1 id", "id"},
        {"a column was dropped long ago", 'f', "b a c", "x~ b2 z1 c", "a b"},
        {"exchanged, a column was dropped long ago", 'f', "b a c", "x~ a2 b1 c", "a b"},
        {"the last one, a column was dropped long ago", 'f', "a b", "x~ a z1", "b"},
        {"the last one, and one was dropped behind it", 'f', "a b", "a z1 x~", NULL},
    };
    EXPECT_ALL(cases);
}

static void dropped(void **state)
{
    (void)state;
    static const struct then_and_now cases[] = {
        {"a column beside the key", 'f', "a b c", "a1 b~ c", "a"},
        {"the last one", 'f', "a b", "a1 b~", "a"},
        {"the key, and nothing is one now", 'f', "a b", "a~ b", NULL},
        {"half of it", 'f', "a b c", "a b~ c", NULL},
        {"half of it, under DEFAULT", 'd', "a! b! c", "a b~ c", NULL},
        {"half of it, and the other is the key now", 'd', "a! b! c", "a1 b~ c", NULL},
        {"the only one, under DEFAULT", 'd', "a! b", "a~ b1", "a"},
        {"another one came for it", 'f', "a b", "a~ b c1", NULL},
        {"one that was made anew", 'f', "a b c", "a~ b c a1", NULL},
        {"one that was made anew beside the key", 'f', "id b c", "id1 b~ c b", "id"},
        {"the table", 'f', "a b", "", NULL},
        {"the table, under DEFAULT", 'd', "a! b", "", "a"},
        {"the table, with two columns in the key", 'd', "a! b!", "", NULL},
        {"the key was given to others, under DEFAULT", 'd', "a! b", "a b1", "a"},
    };
    EXPECT_ALL(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_it_was),
        cmocka_unit_test(renamed),
        cmocka_unit_test(dropped),
    };

    return cmocka_run_group_tests_name("decode_key", tests, NULL, NULL);
}
