/* operate/dead_letter: what lies in the dead-letter topic, for a person or a script. It reads and
 * changes nothing, and asks no database. */
#include "operate/operate.h"

#include "base/table.h"
#include "base/time.h"
#include "base/utf8.h"
#include "json/json_write.h"
#include "model/header_name.h"
#include "types/types.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

struct answer {
    const struct command_options *o;
    const struct letter_filter *filter;
    struct json_writer json;
    struct arena scratch;
    struct arena marks;
    struct table done; /* id, NUL, route of letters that were sent again or dropped */
};

/* ---- Which ---- */

/* An event's id names its change. */
static bool is_id(struct span id, const char *wanted)
{
    size_t len = strlen(wanted);
    return len >= id.len && memcmp(id.ptr, wanted, id.len) == 0 &&
           (wanted[id.len] == '\0' || wanted[id.len] == '.');
}

static bool is_wanted(const struct letter_filter *f, const struct kafka_letter *letter)
{
    struct span id = kafka_letter_header(letter, HEADER_ID);
    struct span route = kafka_letter_header(letter, HEADER_ERROR_ROUTE);
    if (f->id != NULL && (id.ptr == NULL || !is_id(id, f->id)))
        return false;
    if (f->route != NULL && (route.ptr == NULL || !span_equal_text(route, f->route)))
        return false;
    return f->key == NULL || (letter->key.ptr != NULL && span_equal_text(letter->key, f->key));
}

/* ---- What was done with before ---- */

static struct span name_of(const struct kafka_letter *letter, struct arena *arena)
{
    struct span id = kafka_letter_header(letter, HEADER_ID);
    struct span route = kafka_letter_header(letter, HEADER_ERROR_ROUTE);
    char *name = arena_alloc_bytes(arena, id.len + 1 + route.len);
    if (id.len > 0)
        memcpy(name, id.ptr, id.len);
    name[id.len] = '\0';
    if (route.len > 0)
        memcpy(name + id.len + 1, route.ptr, route.len);
    return (struct span){name, id.len + 1 + route.len};
}

static bool is_mark(const struct kafka_letter *letter)
{
    return kafka_letter_header(letter, HEADER_LETTER).ptr != NULL;
}

/* A mark lies behind its letter, so they are read first. */
static int read_marks(struct answer *a, const struct kafka_options *kafka, struct error *err)
{
    struct kafka_letters *letters = NULL;
    struct kafka_letter letter;
    if (kafka_letters_open(kafka, &letters, err) < 0)
        return -1;
    int got;
    while ((got = kafka_letters_next(letters, &letter, err)) == 1)
        if (is_mark(&letter) && is_wanted(a->filter, &letter))
            table_put(&a->done, name_of(&letter, &a->marks), a);
    kafka_letters_close(letters);
    return got;
}

static bool is_open(struct answer *a, const struct kafka_letter *letter)
{
    return !is_mark(letter) && table_get(&a->done, name_of(letter, &a->scratch)) == NULL;
}

/* ---- One object of JSON for all ---- */

static void write_json(struct answer *a, const struct kafka_letter *letter)
{
    static const struct {
        const char *member, *header;
    } members[] = {{"id", HEADER_ID},
                   {"route", HEADER_ERROR_ROUTE},
                   {"table", HEADER_ERROR_TABLE},
                   {"reason", HEADER_ERROR_REASON},
                   {"message", HEADER_ERROR_MESSAGE},
                   {"topic", HEADER_ERROR_TOPIC},
                   {"lsn", HEADER_ERROR_LSN},
                   {"xid", HEADER_ERROR_XID},
                   {"truncated", HEADER_ERROR_TRUNCATED}};
    struct json_writer *w = &a->json;
    char at[TIME_TEXT_MAX];
    json_write_begin_object(w);
    json_write_member_i64(w, "partition", letter->partition);
    json_write_member_i64(w, "offset", letter->offset);
    json_write_member_text(w, "at", time_format(letter->timestamp_ms * 1000, 3, at));
    json_write_name(w, "key");
    types_write_bytes(w, letter->key, &a->scratch);
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        json_write_member_string(w, members[i].member,
                                 kafka_letter_header(letter, members[i].header));
    if (a->filter->values && letter->value.ptr != NULL &&
        utf8_is_valid(letter->value.ptr, letter->value.ptr + letter->value.len))
        json_write_member_raw(w, "value", letter->value);
    json_write_end_object(w);
}

/* ---- Lines ---- */

/* What stands in a terminal must not move its cursor; U+0080 to U+009F (C2 80 to C2 9F) do that,
 * too. */
static void add_printable(struct buf *out, struct span text)
{
    if (text.ptr == NULL)
        buf_add_char(out, '-');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        unsigned char behind = i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;
        bool c1 = c == 0xC2 && behind >= 0x80 && behind < 0xA0;
        buf_add_char(out, c < ' ' || c == 0x7F || c1 ? '?' : text.ptr[i]);
        i += c1 ? 1 : 0;
    }
}

static void add_header(struct buf *out, const struct kafka_letter *letter, const char *before,
                       const char *name)
{
    buf_add_text(out, before);
    add_printable(out, kafka_letter_header(letter, name));
}

static void write_lines(struct answer *a, const struct kafka_letter *letter)
{
    struct buf *out = a->o->out;
    char at[TIME_TEXT_MAX];
    add_header(out, letter, "", HEADER_ID);
    add_header(out, letter, " route ", HEADER_ERROR_ROUTE);
    add_header(out, letter, ", ", HEADER_ERROR_TABLE);
    buf_add_text(out, ", key ");
    add_printable(out, letter->key);
    add_header(out, letter, ": ", HEADER_ERROR_REASON);
    add_header(out, letter, ": ", HEADER_ERROR_MESSAGE);
    buf_add_char(out, '\n');
    if (!a->filter->values)
        return;
    buf_add_format(out, "  partition %" PRId32 ", offset %" PRId64 ", committed %s",
                   letter->partition, letter->offset,
                   time_format(letter->timestamp_ms * 1000, 3, at));
    add_header(out, letter, ", for topic ", HEADER_ERROR_TOPIC);
    buf_add_text(out, "\n  ");
    if (letter->value.ptr != NULL)
        add_printable(out, letter->value);
    else
        add_header(out, letter, "the value was left out, bytes: ", HEADER_ERROR_TRUNCATED);
    buf_add_char(out, '\n');
}

/* ---- All ---- */

static int read_all(struct answer *a, struct kafka_letters *letters, uint64_t *found,
                    struct error *err)
{
    struct kafka_letter letter;
    int got;
    while ((got = kafka_letters_next(letters, &letter, err)) == 1) {
        if (!is_wanted(a->filter, &letter) || !is_open(a, &letter))
            continue;
        (*found)++;
        if (a->o->json)
            write_json(a, &letter);
        else
            write_lines(a, &letter);
        arena_reset(&a->scratch);
    }
    return got;
}

int relay_dead_letters(const struct command_options *o, const struct letter_filter *filter,
                       uint64_t *found, struct error *err)
{
    assert(filter != NULL && found != NULL);
    struct kafka_options kafka = relay_kafka_options(o->config, o->log, o->stop);
    kafka.letter_topic = o->config->dead_letter.topic.text;
    struct kafka_letters *letters = NULL;
    struct answer a = {.o = o, .filter = filter, .json = json_writer(o->out)};
    *found = 0;
    arena_init(&a.scratch, 4096, 4096);
    arena_init(&a.marks, 4096, 4096);
    table_init(&a.done, &a.marks);
    if (read_marks(&a, &kafka, err) < 0 || kafka_letters_open(&kafka, &letters, err) < 0) {
        arena_fini(&a.scratch);
        arena_fini(&a.marks);
        return -1;
    }
    if (o->json) {
        json_write_begin_object(&a.json);
        json_write_member_text(&a.json, "dead_letter_topic", kafka.letter_topic);
        json_write_name(&a.json, "letters");
        json_write_begin_array(&a.json);
    }
    int result = read_all(&a, letters, found, err);
    if (o->json) {
        json_write_end_array(&a.json);
        json_write_end_object(&a.json);
        buf_add_char(o->out, '\n');
    } else if (result == 0 && *found == 0) {
        command_say(o->out, "no such dead letters in %s", kafka.letter_topic);
    }
    if (result < 0 && o->json)
        buf_reset(o->out);
    arena_fini(&a.scratch);
    arena_fini(&a.marks);
    kafka_letters_close(letters);
    return result;
}
