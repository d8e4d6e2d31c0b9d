/* config_man: the key section of walferry.yaml(5), in mdoc(7). The page around it is written by
 * hand; see tools/config_gen.c for how the two are joined. */
#include "config/config.h"

#include "config/config_table.h"

#include <assert.h>

#define MAN_WIDTH 78

/* Does the line end at this space? Each sentence has a line of its own, as mdoc wants it. */
static bool breaks(const char *text, const char *space, size_t column)
{
    bool sentence = space - text > 1 && space[-1] == '.' && space[-2] != ' ';
    return sentence || column + 1 + strcspn(space + 1, " ") > MAN_WIDTH;
}

/* Text lines, without anything that roff would take for a request or an escape. */
static void add_text(struct buf *out, const char *text)
{
    size_t column = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (column == 0 && (*c == '.' || *c == '\''))
            buf_add_text(out, "\\&");
        column++;
        if (*c == '\\') {
            buf_add_text(out, "\\e");
        } else if (*c == ' ' && breaks(text, c, column)) {
            buf_add_char(out, '\n');
            column = 0;
        } else {
            buf_add_char(out, *c);
        }
    }
    buf_add_char(out, '\n');
}

/* An argument of a macro, in quotes. */
static void add_argument(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\\')
            buf_add_text(out, "\\e");
        else if (*c == '"')
            buf_add_text(out, "\\(dq");
        else
            buf_add_char(out, *c);
    }
    buf_add_char(out, '"');
}

static void add_facts(struct buf *out, const struct config_key *key)
{
    struct buf text = BUF_EMPTY;
    bool value = key->kind >= KEY_KIND_TEXT && (key->kind != KEY_KIND_TEXT || key->expect != NULL);
    if (value) {
        buf_add_text(&text, "Takes ");
        config_key_expect(key, &text);
        buf_add_text(&text, ". ");
    }
    if ((key->flags & REQUIRED) != 0)
        buf_add_text(&text, "Required. ");
    else if (key->fallback != NULL)
        buf_add_format(&text, "Default: %s. ", key->fallback[0] != '\0' ? key->fallback : "empty");
    if ((key->flags & RESTART) != 0)
        buf_add_text(&text, "A change needs a restart. ");
    while (text.len > 0 && text.ptr[text.len - 1] == ' ')
        text.len--;
    if (text.len > 0)
        add_text(out, buf_text(&text));
    buf_fini(&text);
}

static void add_key(struct buf *out, const struct config_key *key)
{
    buf_add_text(out, ".It Cm ");
    add_argument(out, key->path);
    buf_add_char(out, '\n');
    add_text(out, key->help);
    add_facts(out, key);
}

void config_write_man(struct buf *out)
{
    size_t count;
    assert(out != NULL);
    const struct config_key *keys = config_keys(&count);
    buf_add_text(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < count; i++)
        add_key(out, &keys[i]);
    buf_add_text(out, ".El\n.Ss Refused under kafka\n"
                      "These properties of librdkafka are refused, each for its reason.\n"
                      ".Bl -tag -width Ds\n");
    const struct config_refused *refused = config_refused_list(&count);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(out, ".It Cm ");
        add_argument(out, refused[i].name);
        buf_add_char(out, '\n');
        add_text(out, refused[i].reason);
    }
    buf_add_text(out, ".El\n");
    assert(out->len > 0);
}
