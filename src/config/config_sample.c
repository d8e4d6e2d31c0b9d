/* config_sample: the annotated sample file. Every key of the table stands in it with its default or
 * a likely value; those whose default depends on the relay's name, or that are not used unless they
 * are named, are commented out ("#key:", without a space), so that copying the file pins nothing.
 */
#include "config/config.h"

#include "config/config_table.h"

#include <assert.h>

#define SAMPLE_WIDTH 96

static void add_spaces(struct buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_add_char(out, ' ');
}

/* Text as comment lines. */
static void add_comment(struct buf *out, size_t indent, struct span text)
{
    size_t column = 0; /* no line yet */
    while (text.len > 0) {
        const char *space = memchr(text.ptr, ' ', text.len);
        size_t word = space != NULL ? (size_t)(space - text.ptr) : text.len;
        if (column == 0 || column + 1 + word > SAMPLE_WIDTH) {
            if (column > 0)
                buf_add_char(out, '\n');
            add_spaces(out, indent);
            buf_add_char(out, '#');
            column = indent + 1;
        }
        buf_add_char(out, ' ');
        buf_add(out, (struct span){text.ptr, word});
        column += 1 + word;
        word += space != NULL;
        text = (struct span){text.ptr + word, text.len - word};
    }
    buf_add_char(out, '\n');
}

/* Not so where the help has said it, or where the rule is only about length. */
static bool worth_telling(const struct config_key *key)
{
    switch (key->kind) {
    case KEY_KIND_NUMBER:
    case KEY_KIND_COUNT:
    case KEY_KIND_SIZE:
    case KEY_KIND_TEXTS:
        return true;
    case KEY_KIND_CHOICE:
        return strchr(key->words, '|') != NULL;
    case KEY_KIND_TEXT:
        return key->rule != NULL && key->rule[0] != '.';
    default:
        return false;
    }
}

static void add_help(struct buf *out, size_t indent, const struct config_key *key)
{
    struct buf text = BUF_EMPTY, more = BUF_EMPTY;
    buf_add_text(&text, key->help);
    if (worth_telling(key))
        config_key_expect(key, &more);
    if ((key->flags & RESTART) != 0)
        buf_add_text(&more,
                     more.len > 0 ? "; a change needs a restart" : "A change needs a restart");
    if (more.len > 0)
        buf_add_format(&text, " (%s)", buf_text(&more));
    add_comment(out, indent, buf_span(&text));
    buf_fini(&text);
    buf_fini(&more);
}

/* The value that the sample shows for the key that a default names in <>. */
static const char *named_sample(struct span name)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++)
        if (span_equal_text(name, config_key_name(&keys[i])))
            return keys[i].sample != NULL ? keys[i].sample : keys[i].fallback;
    return "";
}

static void add_default(struct buf *out, const struct config_key *key)
{
    const char *text = key->fallback;
    bool bare = key->kind != KEY_KIND_TEXT ||
                (text[0] != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz_-.<>")] == '\0');
    if (!bare)
        buf_add_char(out, '"');
    const char *open = strchr(text, '<'), *close = strchr(text, '>');
    if (open != NULL && close != NULL) {
        buf_add(out, (struct span){text, (size_t)(open - text)});
        buf_add_text(out, named_sample((struct span){open + 1, (size_t)(close - open) - 1}));
        text = close + 1;
    }
    buf_add_text(out, text);
    if (!bare)
        buf_add_char(out, '"');
}

/* Lines of YAML, each indented below its key. */
static void add_lines(struct buf *out, size_t indent, const char *mark, const char *lines)
{
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        add_spaces(out, indent);
        buf_add_text(out, mark);
        add_spaces(out, 2);
        buf_add(out, (struct span){lines, length});
        buf_add_char(out, '\n');
        lines += length + (lines[length] == '\n');
    }
}

static bool commented_out(const struct config_key *key)
{
    if (key->kind < KEY_KIND_PAIRS)
        return false;
    if (key->fallback == NULL)
        return (key->flags & (REQUIRED | SHOWN)) == 0;
    return (key->flags & SHOWN) == 0 && strstr(key->fallback, "<relay>") != NULL;
}

static void add_mapping(struct buf *out, const char *parent, size_t indent, bool item);

static void add_key(struct buf *out, const struct config_key *key, size_t indent, bool dash)
{
    char below[CONFIG_PATH_MAX];
    add_help(out, indent, key);
    add_spaces(out, dash ? indent - 2 : indent);
    if (dash)
        buf_add_text(out, "- ");
    const char *mark = (key->flags & OTHER) != 0 ? "# " : commented_out(key) ? "#" : "";
    buf_add_format(out, "%s%s:", mark, config_key_name(key));
    if (key->kind < KEY_KIND_TEXT) {
        buf_add_char(out, '\n');
        if (key->kind == KEY_KIND_PAIRS) {
            add_lines(out, indent, mark, key->sample);
            return;
        }
        bool list = key->kind == KEY_KIND_LIST;
        config_key_below(key, below);
        add_mapping(out, below, indent + (list ? 4 : 2), list);
        return;
    }
    buf_add_char(out, ' ');
    if (key->sample != NULL)
        buf_add_text(out, key->sample);
    else
        add_default(out, key);
    buf_add_char(out, '\n');
}

static void add_mapping(struct buf *out, const char *parent, size_t indent, bool item)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        if (!config_key_in(&keys[i], parent))
            continue;
        if (indent == 0)
            buf_add_char(out, '\n');
        add_key(out, &keys[i], indent, item);
        item = false;
    }
}

void config_write_sample(struct buf *out)
{
    assert(out != NULL);
    /* Read by editors; the schema lies beside the sample wherever it is installed. */
    buf_add_text(out, "# yaml-language-server: $schema=walferry.schema.json\n#\n");
    add_comment(out, 0,
                SPAN_LITERAL("walferry.yaml: every key that there is. Values are the "
                             "defaults, but for names and addresses."));
    buf_add_text(out, "#\n");
    add_comment(out, 0,
                SPAN_LITERAL("Keys behind a # without a space have a default that follows the "
                             "relay's name, or are not used unless they are named. An unknown key "
                             "is an error. ${env:NAME} and ${file:PATH} may stand anywhere in a "
                             "value and keep secrets out of this file. Keys that end in _ms are "
                             "whole milliseconds; sizes are 512KB, 64MB, 1GB (powers of 1024)."));
    buf_add_text(out, "#\n");
    add_comment(out, 0,
                SPAN_LITERAL("See walferry.yaml(5); `walferry check` reads this file and "
                             "says what is wrong with it."));
    add_mapping(out, "", 0, false);
    assert(out->len > 0);
}
